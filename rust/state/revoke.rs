// SPDX-License-Identifier: GPL-2.0

//! Revoking: deleting from the bridge's own forwarding database (FDB) what was offloaded, which the
//! packet path does as well as the works.

use super::{bridge::Bridge, locked::OffloadState};
use crate::{
    kapi::{rcu, switchdev},
    table::{Key, PortIndex, Revoked},
};

/// Deletes keys from the bridge's FDB that are no longer offloaded, if there are any, before
/// anything goes on that shows `port` to own one of them. Any context, without the table's lock.
pub(crate) fn revoke(bridge: &Bridge, keys: Option<Revoked>, port: Option<PortIndex>) {
    let Some(keys) = keys else {
        return;
    };
    let state = bridge.offload.lock();
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
            delete(bridge, &state, key);
        }
        if let Some(port) = port {
            bridge.table_lock.lock().clear_revoking(key, port);
        }
    }
    bridge.table_lock.lock().end_revoking(keys);
}

/// Deletes a key that is not offloaded from the bridge's FDB.
pub(crate) fn delete(bridge: &Bridge, _state: &OffloadState, key: Key) {
    rcu::read(|section| {
        switchdev::delete_from_bridge(&bridge.device, key.mac(), key.vlan(), section);
    });
}

/// Lets no more keys be offloaded, from the packet path. The maintenance work revokes those that
/// are. Whether there may be any.
pub(crate) fn disable_offload(bridge: &Bridge) -> bool {
    bridge.offload.lock().disable()
}

/// Has the maintenance work look once more for what can be offloaded.
pub(crate) fn reconsider_offload(bridge: &Bridge) {
    bridge.offload.lock().done = None;
    bridge.all_offloaded.store_relaxed(false);
}
