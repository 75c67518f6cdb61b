// SPDX-License-Identifier: GPL-2.0

//! Whether the bridge's own forwarding database may have *foreign* entries: neither addresses of
//! the bridge's own nor offloaded.

use super::locked::Locked;
use crate::kapi::{atomic::AtomicU32, rtnl::Rtnl};

/// Whether there may be such entries, and whether they were looked for.
pub(crate) struct ForeignEntries {
    /// Not 0 while there may be one; another number whenever there may be one more, or one less.
    number: AtomicU32,
    /// What that was when the database was last looked through.
    searched: AtomicU32,
}

impl ForeignEntries {
    /// There may be some, or there are none.
    pub(crate) fn new(may_be_there: bool) -> Self {
        Self {
            number: AtomicU32::new(may_be_there.into()),
            searched: AtomicU32::new(0),
        }
    }

    /// Whether there may be one. So it is on a bridge that learns, and where something else than
    /// the module and the bridge's own addresses has come to the database of a hub.
    #[inline(always)]
    pub(crate) fn may_be_there(&self) -> bool {
        self.number.load_relaxed() != 0
    }

    /// Notes that there may be one more, or one less.
    pub(crate) fn note(&self, _locked: &mut Locked) {
        let next = self.number.load_relaxed().wrapping_add(1).max(1);
        self.number.store_relaxed(next);
    }

    /// Whether the database is to be looked through: a number for [`ForeignEntries::set_searched`]
    /// if it is.
    pub(crate) fn unsearched(&self, _rtnl: &Rtnl) -> Option<u32> {
        let number = self.number.load_relaxed();
        (number != 0 && number != self.searched.load_relaxed()).then_some(number)
    }

    /// Notes whether the look through the database, begun when [`ForeignEntries::unsearched`] gave
    /// this number, has found one.
    pub(crate) fn set_searched(
        &self,
        _locked: &mut Locked,
        number: u32,
        has_found: bool,
        _rtnl: &Rtnl,
    ) {
        if has_found {
            self.searched.store_relaxed(number);
        } else if self.number.load_relaxed() == number {
            self.number.store_relaxed(0);
            // The numbers begin anew.
            self.searched.store_relaxed(0);
        }
    }
}
