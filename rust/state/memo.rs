// SPDX-License-Identifier: GPL-2.0

//! What was found out about a frame's destination when its first copy left, for the others.
//!
//! The bridge makes all copies of a frame in one go, on one CPU. So each CPU has a memo, which is
//! cleared when a frame enters: what stands there was looked up for a copy of this very frame, and
//! holds for the next, too.
//!
//! That is so where softirqs stay off from the frame's entering to its last copy, so that the memo
//! is one CPU's and no other frame's. A frame that enters elsewhere is tagged as one whose copies
//! have no memo, and a copy that leaves elsewhere finds none.

use kernel::prelude::*;

use crate::{
    kapi::percpu::Pairs,
    table::{Key, Owners},
};

/// The memos of a bridge, one for each CPU: a key and its owners.
pub(crate) struct Memo(Pairs);

impl Memo {
    /// Makes empty ones. May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Pairs::new()?))
    }

    /// Forgets what this CPU's says. `false` if that is of no use here: the copies of the frame
    /// that enters must do without.
    #[inline(always)]
    pub(crate) fn clear(&self) -> bool {
        // No key is 0.
        self.0.set_first(0)
    }

    /// The owners of `key`, if this CPU's is about it.
    #[inline(always)]
    pub(crate) fn recall(&self, key: Key) -> Option<Owners> {
        self.0
            .second_of(key.to_bits())
            .map(|word| Owners::from_bits(word as u32))
    }

    /// Has this CPU's say who owns `key`.
    pub(crate) fn note(&self, key: Key, owners: Owners) {
        self.0.set(key.to_bits(), owners.to_bits().into());
    }
}

#[kernel::macros::kunit_tests(maclearn_memo)]
mod tests {
    use super::*;
    use crate::kapi::spinlock_bh::local_bh_disable;

    #[test]
    fn tells_what_was_noted() -> Result {
        let memo = Memo::new()?;
        let softirqs = local_bh_disable();
        let key = Key::new(7, [2, 0, 0, 0, 0, 1]);
        for owners in [
            Owners::NOBODY,
            Owners::NOBODY.slowly(),
            Owners::from_bits(0),
            Owners::from_bits(1022),
        ] {
            assert_eq!(memo.recall(key), None);
            memo.note(key, owners);
            assert_eq!(memo.recall(key), Some(owners));
            assert!(memo.clear());
        }
        drop(softirqs);
        Ok(())
    }

    #[test]
    fn is_about_one_key() -> Result {
        let memo = Memo::new()?;
        let softirqs = local_bh_disable();
        memo.note(Key::new(7, [2; 6]), Owners::from_bits(1));
        assert_eq!(memo.recall(Key::new(8, [2; 6])), None);
        assert_eq!(memo.recall(Key::new(7, [4; 6])), None);
        drop(softirqs);
        Ok(())
    }

    #[test]
    fn is_of_no_use_where_softirqs_run() -> Result {
        let memo = Memo::new()?;
        let key = Key::new(7, [2; 6]);
        assert!(!memo.clear());
        memo.note(key, Owners::from_bits(1));
        let softirqs = local_bh_disable();
        assert_eq!(memo.recall(key), None);
        memo.note(key, Owners::from_bits(1));
        drop(softirqs);
        assert_eq!(memo.recall(key), None);
        Ok(())
    }
}
