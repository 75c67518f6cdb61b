// SPDX-License-Identifier: GPL-2.0

//! Ports join and leave VLANs, and a bridge begins or ceases to filter them: what was learned there
//! before is forgotten.

use super::{forget, walk::Walk};
use crate::{
    kapi::{bridge as kernel_bridge, rcu, rtnl::Rtnl},
    state::{bridge::Bridge, events::Kind},
    table::{Action, Claims},
};

/// Most tries to forget all of it before a port joins a VLAN.
const WALKS: usize = 8;

/// Forgets what was learned in VLANs that ports have left by now, which is what
/// [`VlanHistory::left`] said when that was sure. Whether that is done: it takes memory. May sleep.
///
/// [`VlanHistory::left`]: crate::state::vlans::VlanHistory::left
pub(crate) fn forget_left(walk: &Walk<'_>, left: u32) -> bool {
    let bridge = walk.bridge();
    let Ok(ports) = bridge.ports_by_index() else {
        return false;
    };
    // What the bridge let in before is learned by then.
    rcu::wait_for_readers();
    let is_complete = forget::lose(walk, Claims::LEARNED, |entry| {
        let Some(Some(port)) = ports.get(usize::from(entry.port)) else {
            return false;
        };
        let vlan = entry.key.vlan();
        vlan != 0 && !rcu::read(|section| kernel_bridge::has_vlan(&port.device, vlan, section))
    });
    if is_complete {
        bridge.vlans.set_forgotten(walk.walking(), left);
    }
    is_complete
}

/// A port that has left VLANs is about to join one, perhaps the same: what was learned there before
/// is forgotten while it can still be told. May sleep.
pub(crate) fn before_joined(bridge: &Bridge, _rtnl: &Rtnl) {
    for _ in 0..WALKS {
        // Who takes a port from a VLAN holds RTNL from when that is said until it is done.
        let Some(left) = bridge.vlans.left() else {
            return;
        };
        let walk = Walk::begin(bridge);
        if forget_left(&walk, left) {
            return;
        }
    }
}

/// Forgets what was learned while VLANs were filtered if they no longer are, and the other way
/// round: it would be wrong by the time that it ruled again. May sleep.
pub(crate) fn follow_filtering(bridge: &Bridge, rtnl: &Rtnl) {
    let filters = bridge.filters_vlans();
    if filters == bridge.vlans.was_filtering(rtnl) {
        return;
    }
    // Frames that entered before are learned by then.
    rcu::wait_for_readers();
    let walk = Walk::begin(bridge);
    let is_complete = walk.visit_all(Kind::Deleted, |entry, _| {
        if (entry.key.vlan() != 0) == filters {
            Action::Keep
        } else {
            Action::Withdraw(Claims::LEARNED)
        }
    });
    drop(walk);
    if is_complete {
        bridge.vlans.set_was_filtering(rtnl, filters);
    }
    bridge.queue_maintenance();
}
