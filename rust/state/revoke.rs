// SPDX-License-Identifier: GPL-2.0

//! Taking back what the bridge's own forwarding database (FDB) was given, which the packet path does
//! as well as the works.

use super::bridge::Bridge;
use crate::{
    kapi::{rcu::ReadSection, switchdev},
    table::{Key, PortIndex, Revoked},
};

/// Takes keys back from the bridge that are no longer offloaded, before anything goes on that shows
/// `port` to own one of them. Any context, without the table's lock.
pub(crate) fn take_back(bridge: &Bridge, keys: Revoked, port: Option<PortIndex>) {
    let _gate = bridge.offload.lock();
    for key in keys.keys() {
        let is_in_bridge_fdb = {
            let mut locked = bridge.table_lock.lock();
            // If it was offloaded once more it can be so again.
            locked.clear_offloaded(key);
            locked.is_in_bridge_fdb(key)
        };
        // What was configured there since stays. The bridge has no way to make that sure of what is
        // configured at this very moment.
        if !is_in_bridge_fdb {
            take(bridge, key);
        }
        if let Some(port) = port {
            bridge.table_lock.lock().clear_revoking(key, port);
        }
    }
    bridge.table_lock.lock().end_revoking(keys);
}

/// Takes a key back that is not offloaded, with the gate's lock held.
pub(crate) fn take(bridge: &Bridge, key: Key) {
    ReadSection::enter(|section| {
        switchdev::take_from_bridge(&bridge.device, key.mac(), key.vlan(), section);
    });
}

/// Lets no more keys be offloaded, from the packet path. The maintenance takes back those that are.
/// Whether there may be any.
pub(crate) fn shut(bridge: &Bridge) -> bool {
    bridge.offload.lock().close()
}

/// Has the maintenance look once more for what can be offloaded.
pub(crate) fn reconsider(bridge: &Bridge) {
    bridge.offload.lock().done = None;
    bridge.set_all_offloaded(false);
}
