// SPDX-License-Identifier: GPL-2.0

//! Sources that could not be learned, for a limit or while the table grew, until there is room.
//!
//! A port whose source is kept here gets every copy. When none of its sources is here any more it
//! owns all that it was seen to use, so that nothing is kept from it that another port owns, too.
//!
//! They stand in a small table of their own, which never grows: to keep one takes a bounded time
//! and no memory.

use kernel::prelude::*;

use crate::{
    bridge::{address_of, new_secret, Bridge},
    events::Locked,
    kapi::rcu::ReadSection,
    learning::note_learned,
    offload,
    port::Port,
    table::{
        age, Action, Claims, Cursor, Entry, Key, Learned, Limits, PortIndex, Stamp, Table, Visit,
        Writer,
    },
};

/// Sources that are kept at most.
const MOST: u32 = 1024;

/// Buckets for them, less than two thirds full then: there is room for each, however they are
/// placed.
const BUCKETS: usize = 320;

/// Buckets that are looked at under one hold of the table's lock.
const BUCKETS_A_HOLD: usize = 4;

/// Most passes of a walk that is disturbed.
const WALKS: usize = 3;

/// The sources of a bridge's ports that are kept, guarded by the table's lock.
pub(crate) struct Pending {
    table: Table,
    writer: Writer,
}

impl Pending {
    /// Makes an empty set. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let (table, writer) = Table::new(new_secret(), BUCKETS)?;
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
    fn has(&self, key: Key, port: PortIndex) -> bool {
        self.writer.claims(key, port) != Claims::NONE
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
    fn cursor(&self) -> Cursor {
        self.writer.cursor()
    }

    /// Shows the next few to `action`, as entries that were learned, and does what it says.
    fn visit(&mut self, cursor: &mut Cursor, action: impl FnMut(Entry) -> Action) -> Visit {
        self.writer.visit(cursor, BUCKETS_A_HOLD, action)
    }
}

/// Shows every source that is kept to `action`, as an entry that was learned, and does what it says;
/// a few under each hold of the table's lock. Whether every one was shown. The caller holds
/// [`Bridge::walk`].
pub(crate) fn visit_all(bridge: &Bridge, mut action: impl FnMut(Entry) -> Action) -> bool {
    for _ in 0..WALKS {
        let mut cursor = {
            let locked = bridge.writer.lock();
            if locked.pending.is_empty() {
                return true;
            }
            locked.pending.cursor()
        };
        let result = loop {
            let mut locked = bridge.writer.lock();
            let visit = locked.pending.visit(&mut cursor, &mut action);
            if visit != Visit::More {
                break visit;
            }
        };
        if result == Visit::Complete {
            return true;
        }
    }
    false
}

/// Forgets what is kept of `port`, and says so to `lost`, which may take the table's lock. The caller holds
/// [`Bridge::walk`].
pub(crate) fn forget_port(bridge: &Bridge, port: &Port, lost: impl Fn(Key)) {
    while bridge.writer.lock().pending.has_port(port.index) {
        let mut cursor = bridge.writer.lock().pending.cursor();
        loop {
            let mut keys = [None; BUCKETS_A_HOLD * Entry::MOST_IN_A_BUCKET];
            let mut places = keys.iter_mut();
            let visit = bridge.writer.lock().pending.visit(&mut cursor, |entry| {
                if entry.port != port.index {
                    return Action::Keep;
                }
                if let Some(place) = places.next() {
                    *place = Some(entry.key);
                }
                Action::Withdraw(Claims::LEARNED)
            });
            keys.into_iter().flatten().for_each(&lost);
            if visit != Visit::More {
                break;
            }
        }
    }
}

/// Learns what there is room for by now, and forgets what has aged. May sleep; the caller holds
/// [`Bridge::walk`].
pub(crate) fn place(bridge: &Bridge) {
    if bridge.writer.lock().pending.is_empty() {
        return;
    }
    // Without memory it is tried again in a second.
    let Ok(ports) = bridge.ports_by_index() else {
        return;
    };
    for _ in 0..WALKS {
        let mut cursor = bridge.writer.lock().pending.cursor();
        let result = loop {
            let mut next = [None; BUCKETS_A_HOLD * Entry::MOST_IN_A_BUCKET];
            let mut places = next.iter_mut();
            let visit = bridge.writer.lock().pending.visit(&mut cursor, |entry| {
                if let Some(place) = places.next() {
                    *place = Some(entry);
                }
                Action::Keep
            });
            for entry in next.into_iter().flatten() {
                if let Some(Some(port)) = ports.get(usize::from(entry.port)) {
                    if place_one(port, &entry) == Learned::NoRoom {
                        // The rest waits for a larger table.
                        return;
                    }
                }
            }
            if visit != Visit::More {
                break visit;
            }
        };
        if result == Visit::Complete {
            break;
        }
    }
}

/// Makes `port` an owner of what it used at the time of `entry`, as if it had been learned then, if
/// that is possible, or else needless.
fn place_one(port: &Port, entry: &Entry) -> Learned {
    let bridge = &*port.bridge;
    let Entry { key, stamp, .. } = *entry;
    let mut locked = bridge.writer.lock();
    if !locked.pending.has(key, port.index) {
        return Learned::Known;
    }
    // One section, so that an address which becomes the bridge's own is forgotten after it.
    let learned = ReadSection::enter(|section| {
        if bridge.has_address(address_of(key), section) {
            Learned::Known
        } else {
            learn(port, key, stamp, &mut locked)
        }
    });
    if matches!(learned, Learned::Known | Learned::New { .. }) {
        locked.pending.forget(key, port.index);
    }
    let unpublished = locked.take_unpublished();
    drop(locked);
    if let Some(keys) = unpublished {
        offload::take_back(bridge, keys, Some(port.index));
    }
    learned
}

fn learn(port: &Port, key: Key, stamp: Stamp, locked: &mut Locked) -> Learned {
    let bridge = &*port.bridge;
    let now = bridge.now();
    let is_over = !port.is_present()
        || bridge.ageing().is_aged(stamp, now)
        // It has been learned since.
        || locked.claims(key, port.index).has(Claims::LEARNED);
    if is_over {
        return Learned::Known;
    }
    let mut exclusive = bridge.is_exclusive();
    if exclusive {
        let age = age(stamp, now as Stamp);
        match locked.age_elsewhere(key, port.index, now as Stamp) {
            // That port took it from this one.
            Some(other) if other < age => return Learned::Known,
            // Which was first does not show: who uses it next takes it.
            Some(other) if other == age => exclusive = false,
            _ => {}
        }
    }
    let limits = bridge.limits(port);
    let learned = locked.learn(key, port.index, stamp, limits, exclusive);
    if let Learned::New { moved } = learned {
        note_learned(port, key, stamp, moved, locked);
    }
    learned
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
