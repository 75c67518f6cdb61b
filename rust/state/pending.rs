// SPDX-License-Identifier: GPL-2.0

//! What waits for room in the table: sources that could not be learned, and claims of the bridge's
//! own forwarding database (FDB).
//!
//! A port of which something is kept here gets every copy. When nothing of it is here any more it
//! owns all that it was seen to use, so that nothing is kept from it that another port owns, too.
//!
//! Sources stand in a small table of their own, which never grows: to keep one takes a bounded time
//! and no memory.

use kernel::prelude::*;

use crate::{
    kapi::random,
    table::{
        Action, Claims, Cursor, Entry, Key, Learned, Limits, PortIndex, Secret, Stamp, Table,
        Visit, Writer,
    },
};

/// Sources that are kept at most.
const MOST: u32 = 1024;

/// Buckets for them, less than two thirds full then: there is room for each, however they are
/// placed.
const BUCKETS: usize = 320;

/// Buckets that are looked at under one hold of the table's lock.
const BUCKETS_A_HOLD: usize = 4;

/// The sources of a bridge's ports that could not be learned, until there is room.
pub(crate) struct Pending {
    table: Table,
    writer: Writer,
}

impl Pending {
    /// Most entries that [`Pending::visit`] shows.
    pub(crate) const MOST_A_VISIT: usize = BUCKETS_A_HOLD * Entry::MOST_IN_A_BUCKET;

    /// Makes an empty set. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let (table, writer) = Table::new(Secret::new(random::words()), BUCKETS)?;
        Ok(Self { table, writer })
    }

    /// Keeps `key`, which `port` used at `stamp`. Whether there is room for it.
    pub(crate) fn keep(&mut self, key: Key, port: PortIndex, stamp: Stamp) -> bool {
        let limits = Limits {
            port: 0,
            total: MOST,
        };
        matches!(
            self.writer.learn(key, port, stamp, limits, false),
            Learned::Known | Learned::New { .. }
        )
    }

    /// Forgets `key` of `port`. Whether it was kept.
    pub(crate) fn forget(&mut self, key: Key, port: PortIndex) -> bool {
        !self.is_empty() && self.writer.withdraw(key, port, Claims::LEARNED)
    }

    /// Whether `key` of `port` is kept.
    pub(crate) fn has(&self, key: Key, port: PortIndex) -> bool {
        self.writer.claims(key, port) != Claims::NONE
    }

    /// `key` of `port`, if it is kept, as an entry that was learned.
    pub(crate) fn entry(&self, key: Key, port: PortIndex) -> Option<Entry> {
        self.writer.entry(key, port)
    }

    /// Whether `key` is kept, of whichever port.
    pub(crate) fn has_key(&self, key: Key) -> bool {
        self.writer.has_key(key)
    }

    /// Whether a source of `port` is kept.
    pub(crate) fn has_port(&self, port: PortIndex) -> bool {
        self.table.port_count(port) != 0
    }

    /// Whether none is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.total() == 0
    }

    /// Where a walk through them begins.
    pub(crate) fn cursor(&self) -> Cursor {
        self.writer.cursor()
    }

    /// Shows the next few to `action`, as entries that were learned, and does what it says.
    pub(crate) fn visit(
        &mut self,
        cursor: &mut Cursor,
        action: impl FnMut(Entry) -> Action,
    ) -> Visit {
        self.writer.visit(cursor, BUCKETS_A_HOLD, action)
    }
}

/// Claims of the bridge's FDB that the table has had no room for yet.
#[derive(Default)]
pub(crate) struct PendingFdb(KVec<(Key, PortIndex)>);

impl PendingFdb {
    /// Keeps one. Any context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn push(&mut self, key: Key, port: PortIndex) -> Result {
        Ok(self.0.push((key, port), GFP_ATOMIC)?)
    }

    /// The one that was kept last.
    pub(crate) fn last(&self) -> Option<(Key, PortIndex)> {
        self.0.last().copied()
    }

    /// Forgets that.
    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// Forgets those that `matches` tells.
    pub(crate) fn forget(&mut self, matches: impl Fn(Key, PortIndex) -> bool) {
        self.0.retain(|&mut (key, port)| !matches(key, port));
    }

    /// Whether there is any for the port.
    pub(crate) fn has(&self, port: PortIndex) -> bool {
        self.0.iter().any(|&(_, other)| other == port)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[kernel::macros::kunit_tests(maclearn_pending)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key::from_parts(0, u64::from(number) << 8 | 2)
    }

    #[test]
    fn keeps_each_source_once() -> Result {
        let mut pending = Pending::new()?;
        assert!(pending.is_empty());
        assert!(pending.keep(key(1), 3, 10));
        assert!(pending.keep(key(1), 3, 11));
        assert!(pending.keep(key(1), 4, 12));
        assert!(pending.has_key(key(1)) && !pending.has_key(key(2)));
        assert!(pending.has(key(1), 4) && !pending.has(key(1), 5));
        let mut seen = KVec::new();
        let mut cursor = pending.cursor();
        loop {
            let visit = pending.visit(&mut cursor, |entry| {
                assert!(seen.push((entry.port, entry.stamp), GFP_KERNEL).is_ok());
                Action::Keep
            });
            if visit == Visit::Complete {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(&*seen, [(3, 11), (4, 12)]);
        assert!(pending.forget(key(1), 3) && !pending.forget(key(1), 3));
        assert!(!pending.has_port(3) && pending.has_port(4));
        assert!(pending.forget(key(1), 4) && pending.is_empty());
        Ok(())
    }

    #[test]
    fn refuses_what_is_too_much() -> Result {
        let mut pending = Pending::new()?;
        for number in 0..MOST {
            assert!(pending.keep(key(number), (number % 7) as PortIndex, 0));
        }
        assert!(!pending.keep(key(MOST), 0, 0));
        // What is kept is kept on.
        assert!(pending.keep(key(5), 5, 1));
        assert!(pending.forget(key(5), 5));
        assert!(pending.keep(key(MOST), 0, 0));
        Ok(())
    }

    #[test]
    fn a_walk_forgets_what_it_is_told_to() -> Result {
        let mut pending = Pending::new()?;
        for number in 0..MOST / 2 {
            assert!(pending.keep(key(number), 1, 0));
            assert!(pending.keep(key(number), 2, 0));
        }
        while pending.has_port(1) {
            let mut cursor = pending.cursor();
            while pending.visit(&mut cursor, |entry| {
                if entry.port == 1 {
                    Action::Withdraw(Claims::LEARNED)
                } else {
                    Action::Keep
                }
            }) == Visit::More
            {}
        }
        for number in 0..MOST / 2 {
            assert!(pending.forget(key(number), 2));
        }
        assert!(pending.is_empty());
        Ok(())
    }
}
