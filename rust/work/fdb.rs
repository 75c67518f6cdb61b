// SPDX-License-Identifier: GPL-2.0

//! Checks of the bridge's own forwarding database (FDB) for what it does not notify of.

use kernel::sync::Arc;

use crate::{
    kapi::{
        atomic::AtomicBool, bridge as kernel_bridge, netdevice::NetDevice, rcu, rtnl::Rtnl,
        switchdev,
    },
    state::bridge::Bridge,
    table::{Claims, Key},
};

/// Checks whether the database has foreign entries, and whether a claim that the packet path has
/// doubted is still true. May sleep.
pub(crate) fn check(bridge: &Bridge, rtnl: &Rtnl) {
    let doubted = bridge.doubted.load_relaxed();
    if doubted != 0 {
        bridge.doubted.store_relaxed(0);
        verify(bridge, Key::from_bits(doubted), rtnl);
    }
    if !kernel_bridge::is_hub(&bridge.device) {
        // It does not notify of users' `dynamic` entries.
        if !bridge.foreign.may_be_there() {
            bridge.foreign.note(&mut bridge.table_lock.lock());
        }
        return;
    }
    let Some(foreign) = bridge.foreign.unsearched(rtnl) else {
        return;
    };
    let port = bridge.ports().first().cloned();
    let Some(port) = port else {
        return;
    };
    // On -ENOMEM it is tried again in a second.
    let has_found = |search: &Search| search.has_found.load_relaxed();
    let search = Search {
        bridge: port.bridge.clone(),
        has_found: AtomicBool::new(false),
    };
    if let Ok(found) = switchdev::look_through(&port.device, search, has_found, rtnl) {
        let mut locked = bridge.table_lock.lock();
        bridge
            .foreign
            .set_searched(&mut locked, foreign, found, rtnl);
    }
}

/// Takes a claim from ports for which the database has no entry any more.
fn verify(bridge: &Bridge, key: Key, rtnl: &Rtnl) {
    for port in &*bridge.ports() {
        let mut locked = bridge.table_lock.lock();
        // Whoever moves the entry tells of that under the lock.
        if locked.claims(key, port.index).has(Claims::BRIDGE)
            && !kernel_bridge::has_entry_at(
                &bridge.device,
                &port.device,
                key.mac(),
                key.vlan(),
                rtnl,
            )
        {
            port.withdraw(&mut locked, key, Claims::BRIDGE);
        }
    }
}

/// Whether there is an entry that sends frames to a port and that the module has not given.
struct Search {
    bridge: Arc<Bridge>,
    has_found: AtomicBool,
}

impl switchdev::Listener for Search {
    fn event(&self, device: &NetDevice, event: switchdev::Event, section: &rcu::Guard) {
        let switchdev::Event::Added(entry) = event else {
            return;
        };
        if kernel_bridge::is_bridge(device) {
            return;
        }
        let key = Key::new(entry.vid, entry.mac);
        let owners = self.bridge.table.owners(section, key);
        let owner = owners.only().and_then(|port| self.bridge.ifindex_of(port));
        if !(owners.is_offloaded() && owner == Some(device.ifindex())) {
            self.has_found.store_relaxed(true);
        }
    }
}
