// SPDX-License-Identifier: GPL-2.0

//! What was found out about a frame's destination when its first copy left, for the others.
//!
//! The bridge makes all copies of a frame in one go, on one CPU. So each CPU has a memo, which is
//! cleared when a frame enters: what stands there was looked up for a copy of this very frame, and
//! is as good for the next.

use kernel::prelude::*;

use crate::{
    kapi::{bh_lock::SoftirqsOff, percpu::Words},
    table::{Key, Owners, PortIndex},
};

const KEY: usize = 0;
const OWNERS: usize = 1;

/// Values of the word [`OWNERS`] that are no port's number.
const NOBODY: u64 = 1 << 16;
const SEVERAL: u64 = 2 << 16;

/// The memos of a bridge, one for each CPU.
pub(crate) struct Memo(Words<2>);

impl Memo {
    /// Makes empty ones. May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Words::new()?))
    }

    /// Forgets what this CPU's says.
    #[inline(always)]
    pub(crate) fn clear(&self, softirqs_off: &impl SoftirqsOff) {
        // No key is 0.
        self.0.local(softirqs_off).set::<KEY>(0);
    }

    /// The owners of `key`, if this CPU's is about it.
    #[inline(always)]
    pub(crate) fn recall(&self, softirqs_off: &impl SoftirqsOff, key: Key) -> Option<Owners> {
        let memo = self.0.local(softirqs_off);
        (memo.get::<KEY>() == key.to_bits()).then(|| from_word(memo.get::<OWNERS>()))
    }

    /// Has this CPU's say who owns `key`.
    pub(crate) fn note(&self, softirqs_off: &impl SoftirqsOff, key: Key, owners: Owners) {
        let memo = self.0.local(softirqs_off);
        memo.set::<OWNERS>(to_word(owners));
        memo.set::<KEY>(key.to_bits());
    }
}

fn to_word(owners: Owners) -> u64 {
    match owners {
        Owners::One(port) => port.into(),
        Owners::Nobody => NOBODY,
        Owners::Several => SEVERAL,
    }
}

#[inline(always)]
fn from_word(word: u64) -> Owners {
    match word {
        NOBODY => Owners::Nobody,
        SEVERAL => Owners::Several,
        port => Owners::One(port as PortIndex),
    }
}

#[kernel::macros::kunit_tests(maclearn_memo)]
mod tests {
    use super::*;
    use crate::kapi::bh_lock::BhDisabled;

    #[test]
    fn tells_what_was_noted() -> Result {
        let memo = Memo::new()?;
        let softirqs_off = BhDisabled::new();
        let key = Key::new(7, [2, 0, 0, 0, 0, 1]);
        for owners in [
            Owners::Nobody,
            Owners::Several,
            Owners::One(0),
            Owners::One(1022),
        ] {
            assert_eq!(memo.recall(&softirqs_off, key), None);
            memo.note(&softirqs_off, key, owners);
            assert_eq!(memo.recall(&softirqs_off, key), Some(owners));
            memo.clear(&softirqs_off);
        }
        Ok(())
    }

    #[test]
    fn is_about_one_key() -> Result {
        let memo = Memo::new()?;
        let softirqs_off = BhDisabled::new();
        memo.note(&softirqs_off, Key::new(7, [2; 6]), Owners::One(1));
        assert_eq!(memo.recall(&softirqs_off, Key::new(8, [2; 6])), None);
        assert_eq!(memo.recall(&softirqs_off, Key::new(7, [4; 6])), None);
        Ok(())
    }
}
