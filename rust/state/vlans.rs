// SPDX-License-Identifier: GPL-2.0

//! Which VLANs' past a table still has: that of VLANs that ports have left, and that of a bridge
//! which has begun or ceased to filter them. `work/vlans.rs` forgets it.

use super::locked::Walking;
use crate::kapi::{
    atomic::{AtomicBool, AtomicU32},
    rtnl::Rtnl,
};

/// What a bridge's table may still have to forget for its VLANs.
pub(crate) struct VlanHistory {
    /// How often a port has left a VLAN.
    left: AtomicU32,
    /// How often it had when what was learned in such was last forgotten.
    forgotten: AtomicU32,
    was_filtering: AtomicBool,
}

/// What [`VlanHistory::left`] said when a port last left a VLAN; 0 if it never has.
pub(crate) struct LastLeft(AtomicU32);

impl LastLeft {
    /// It never has.
    pub(crate) const fn never() -> Self {
        Self(AtomicU32::new(0))
    }
}

impl VlanHistory {
    /// Of a bridge that filters VLANs or does not.
    pub(crate) fn new(filters: bool) -> Self {
        Self {
            left: AtomicU32::new(0),
            forgotten: AtomicU32::new(0),
            was_filtering: AtomicBool::new(filters),
        }
    }

    /// A number for [`VlanHistory::set_forgotten`], if a port has left a VLAN in which it may have
    /// learned, or is about to.
    pub(crate) fn left(&self) -> Option<u32> {
        let left = self.left.load_relaxed();
        (left != self.forgotten.load_relaxed()).then_some(left)
    }

    /// Notes that a port is about to leave a VLAN.
    pub(crate) fn note_left(&self, port: &LastLeft, _rtnl: &Rtnl) {
        let left = self.left.load_relaxed().wrapping_add(1);
        self.left.store_relaxed(left);
        port.0.store_relaxed(left);
    }

    /// Whether a port has left a VLAN, and what was learned there may not be forgotten yet.
    pub(crate) fn remembers(&self, port: &LastLeft) -> bool {
        let since = port
            .0
            .load_relaxed()
            .wrapping_sub(self.forgotten.load_relaxed());
        0 < since && since <= u32::MAX / 2
    }

    /// Notes that all is forgotten that was learned in VLANs that ports had left when
    /// [`VlanHistory::left`] gave this number.
    pub(crate) fn set_forgotten(&self, _walking: &Walking, left: u32) {
        self.forgotten.store_relaxed(left);
    }

    /// Whether what is in the table was learned while VLANs were filtered.
    pub(crate) fn was_filtering(&self, _rtnl: &Rtnl) -> bool {
        self.was_filtering.load_relaxed()
    }

    /// Sets [`VlanHistory::was_filtering`].
    pub(crate) fn set_was_filtering(&self, _rtnl: &Rtnl, on: bool) {
        self.was_filtering.store_relaxed(on);
    }
}
