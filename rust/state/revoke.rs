// SPDX-License-Identifier: GPL-2.0

//! Taking back what the bridge's own forwarding database (FDB) was given, which the packet path does
//! as well as the works.

use super::bridge::Bridge;
use crate::{
    kapi::{rcu::ReadSection, switchdev},
    table::{Key, PortIndex, Unpublished},
};

/// Takes keys back from the bridge that are no longer published, before anything goes on that shows
/// `port` to own one of them. Any context, without the table's lock.
pub(crate) fn take_back(bridge: &Bridge, keys: Unpublished, port: Option<PortIndex>) {
    let _gate = bridge.gate.lock();
    for key in keys.keys() {
        let is_bridges = {
            let mut locked = bridge.writer.lock();
            // If it was published once more it can be so again.
            locked.disown_published(key);
            locked.is_bridges(key)
        };
        // What was configured there since stays. The bridge has no way to make that sure of what is
        // configured at this very moment.
        if !is_bridges {
            take(bridge, key);
        }
        if let Some(port) = port {
            bridge.writer.lock().relieve(key, port);
        }
    }
    bridge.writer.lock().taken_back(keys);
}

/// Takes a key back that is not published, with the gate's lock held.
pub(crate) fn take(bridge: &Bridge, key: Key) {
    ReadSection::enter(|section| {
        switchdev::take_from_bridge(&bridge.device, key.mac(), key.vlan(), section);
    });
}

/// Lets no more keys be published, from the packet path. The upkeep takes back those that are.
/// Whether there may be any.
pub(crate) fn shut(bridge: &Bridge) -> bool {
    bridge.gate.lock().close()
}

/// Has the upkeep look once more for what can be published.
pub(crate) fn reconsider(bridge: &Bridge) {
    bridge.gate.lock().done = None;
    bridge.set_all_published(false);
}
