// SPDX-License-Identifier: GPL-2.0

//! When to try again what needs RTNL.

use crate::kapi::{atomic::AtomicU32, clock};

/// When to go on with what could not be finished, in jiffies.
pub(crate) const SOON: usize = clock::HZ.div_ceil(100) as usize;

/// When to try again what needs RTNL: less and less often while that is busy, from a hundredth of a
/// second to a second.
pub(crate) struct Retry {
    /// How often RTNL was busy since it was last free, or since there was another reason to want
    /// it.
    busy: AtomicU32,
    /// The reason.
    reason: AtomicU32,
}

impl Retry {
    /// For what was not tried yet.
    pub(crate) fn new() -> Self {
        Self {
            busy: AtomicU32::new(0),
            reason: AtomicU32::new(0),
        }
    }

    /// RTNL is busy: jiffies to wait. A new `reason` is tried soon. Not for two threads at a time.
    pub(crate) fn wait(&self, reason: u32) -> usize {
        if reason != self.reason.load_relaxed() {
            self.reason.store_relaxed(reason);
            self.reset();
        }
        let busy = self.busy.load_relaxed();
        self.busy.store_relaxed(busy.saturating_add(1));
        (SOON << busy.min(10)).min(clock::HZ as usize)
    }

    /// RTNL was free.
    pub(crate) fn reset(&self) {
        self.busy.store_relaxed(0);
    }
}

#[kernel::macros::kunit_tests(maclearn_retry)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_rtnl_less_and_less_often() {
        let retry = Retry::new();
        assert_eq!(retry.wait(1), SOON);
        assert_eq!(retry.wait(1), 2 * SOON);
        for _ in 0..100 {
            retry.wait(1);
        }
        assert_eq!(retry.wait(1), clock::HZ as usize);
        retry.reset();
        assert_eq!(retry.wait(1), SOON);
    }
}
