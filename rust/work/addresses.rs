// SPDX-License-Identifier: GPL-2.0

//! A bridge's own addresses, and those of its ports, which are never learned: they change.

use kernel::prelude::*;

use super::forget::forget_key;
use crate::{
    kapi::{rcu, rtnl::Rtnl},
    state::{addresses::Addresses, bridge::Bridge},
    table::{mac_word, Key, Owners},
};

/// Numbers of VLANs, the one included that stands for none.
const VLANS: u16 = 1 << 12;

/// Notes the hardware addresses of the bridge and its ports, and forgets entries with one that
/// has become that. May sleep.
///
/// # Errors
///
/// `ENOMEM`; the maintenance work tries again.
pub(crate) fn update(bridge: &Bridge, _rtnl: &Rtnl) -> Result {
    let found = find(bridge);
    bridge.addresses_due.store_relaxed(found.is_err());
    let (addresses, new) = found?;
    // No frame that is under way learns one of them after this.
    bridge.own_addresses.replace(Some(addresses));
    if bridge.table.total() != 0 && !new.is_empty() {
        for &address in &*new {
            forget(bridge, address);
        }
        bridge.queue_maintenance();
    }
    Ok(())
}

/// The hardware addresses of the bridge and its ports, and those of them that were not before.
fn find(bridge: &Bridge) -> Result<(KBox<Addresses>, KVec<u64>)> {
    let ports = bridge.ports();
    let mut addresses = Addresses::with_capacity(ports.len() + 1)?;
    addresses.insert(mac_word(bridge.device.address()))?;
    for port in &*ports {
        addresses.insert(mac_word(port.device.address()))?;
    }
    drop(ports);
    let mut new = KVec::with_capacity(addresses.len(), GFP_KERNEL)?;
    rcu::read(|section| {
        for address in addresses.beyond(bridge.own_addresses.read(section)) {
            // There is room for all.
            let _ = new.push_within_capacity(address);
        }
    });
    Ok((KBox::new(addresses, GFP_KERNEL_ACCOUNT)?, new))
}

/// Forgets who learned an address, in every VLAN. May sleep.
fn forget(bridge: &Bridge, address: u64) {
    for vlan in 0..VLANS {
        let key = Key::from_parts(vlan, address);
        let owners = rcu::read(|section| bridge.table.owners(section, key));
        if owners != Owners::NOBODY {
            forget_key(bridge, key, |_, _| true);
        }
    }
}
