// SPDX-License-Identifier: GPL-2.0

//! What the locks guard, as values that are had by holding one: [`Locked`] in the table's lock and
//! [`OffloadState`] in that of offloading, both of a bridge; [`Walking`] and [`Structure`], the
//! rights that a bridge's mutex for walks and a namespace's mutex give. "Locks, outermost first" in
//! `Documentation/design.md` is the order of all locks.

use core::ops::{Deref, DerefMut};

use kernel::prelude::*;

use super::{
    events::{Event, Kind, Queue},
    pending::{Pending, PendingFdb},
};
use crate::table::{Claims, Entry, Key, Learned, Limits, PortIndex, Stamp, Writer};

/// What the table's lock guards: the right to change the table, what is still to be put there, and
/// the events that wait.
pub(crate) struct Locked {
    writer: Writer,
    /// What the bridge's own database has and the table had no room for.
    pub(crate) pending_fdb: PendingFdb,
    /// Sources that could not be learned yet.
    pub(crate) pending: Pending,
    /// What listeners are still to be told.
    pub(crate) events: Queue,
    /// Says that the lock is held.
    pub(crate) held: TableHeld,
}

/// Proof that the caller holds the table's lock, for who is called while [`Locked`] is in use.
pub(crate) struct TableHeld(());

impl Locked {
    /// Makes the state of a new bridge. May sleep.
    pub(crate) fn new(writer: Writer) -> Result<Self> {
        Ok(Self {
            writer,
            pending_fdb: PendingFdb::default(),
            pending: Pending::new()?,
            events: Queue::new()?,
            held: TableHeld(()),
        })
    }

    /// Takes claims on `key` from `port`, be it an owner or still to become one. Returns whether it
    /// was an owner for one of them.
    pub(crate) fn withdraw(&mut self, key: Key, port: PortIndex, claims: Claims) -> bool {
        if claims.has(Claims::LEARNED) {
            self.pending.forget(key, port);
        }
        self.writer.withdraw(key, port, claims)
    }

    /// Whether `port` owns `key` or is still to, and `matches` says so of all that tells that: the
    /// entry in the table, and that among those that are pending.
    pub(crate) fn matches(
        &self,
        key: Key,
        port: PortIndex,
        matches: impl Fn(&Entry) -> bool,
    ) -> bool {
        let entries = [self.writer.entry(key, port), self.pending.entry(key, port)];
        let mut found = entries.iter().flatten().map(matches).peekable();
        found.peek().is_some() && found.all(|is_so| is_so)
    }

    /// Whether all owners that are known of are in the table.
    pub(crate) fn has_nothing_pending(&self) -> bool {
        self.pending_fdb.is_empty() && self.pending.is_empty()
    }

    /// What [`Writer::offload`] does, but nothing while an owner is still to be put in the table.
    pub(crate) fn offload(&mut self, key: Key) -> Option<PortIndex> {
        self.has_nothing_pending()
            .then(|| self.writer.offload(key))?
    }

    /// Puts a claim of the bridge's own database in the table that waits for room there. Whether
    /// there was one, and room for it.
    pub(crate) fn insert_pending_fdb(&mut self) -> bool {
        let Some((key, port)) = self.pending_fdb.last() else {
            return false;
        };
        let has_room = self
            .writer
            .claim(key, port, Claims::BRIDGE, Limits::default())
            != Learned::NoRoom;
        if has_room {
            self.pending_fdb.pop();
        }
        has_room
    }

    /// The right to change the table, that the lock is held, and a function to note what happens to
    /// entries meanwhile. Who listens, and that they are told, is for the caller to see to.
    pub(crate) fn split(
        &mut self,
    ) -> (
        &mut Writer,
        &TableHeld,
        impl FnMut(Kind, PortIndex, Key) + '_,
    ) {
        let events = &mut self.events;
        let note = |kind, port, key| {
            events.push(Event {
                kind,
                port: Some(port),
                key: Some(key),
            })
        };
        (&mut self.writer, &self.held, note)
    }
}

impl Deref for Locked {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

/// What [`Bridge::walk`](super::bridge::Bridge::walk) guards: the right to walk through the table
/// and to resize it.
pub(crate) struct Walking(());

impl Walking {
    /// That of a new bridge.
    pub(super) fn new() -> Self {
        Self(())
    }
}

/// What the lock of a namespace guards: the right to change which bridges and ports there are, and
/// which are enabled.
pub(crate) struct Structure(());

impl Structure {
    /// For that lock.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// Whether keys may be offloaded, and which.
#[derive(Default)]
pub(crate) struct OffloadState {
    is_enabled: bool,
    /// The table's [`changes`](Writer::changes) up to which all is offloaded.
    pub(crate) done: Option<u64>,
    /// Which are, where there are too many.
    pub(crate) pick: Option<Pick>,
}

/// Which keys are offloaded, since there are too many: those that were used last.
#[derive(Clone, Copy)]
pub(crate) struct Pick {
    /// From when on ages are counted, in the table's units: what was used later has none.
    pub(crate) now: Stamp,
    /// Class of age up to which all are.
    pub(crate) classes: usize,
    /// Number that those of that class must be below.
    pub(crate) share: usize,
    /// When it was made, in jiffies.
    pub(crate) time: u64,
}

impl OffloadState {
    /// Whether keys may be offloaded.
    pub(crate) fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// Enables offloading, or disables it. Who enables it has looked for the reasons against it
    /// under this lock.
    pub(crate) fn set_enabled(&mut self, may: bool) {
        self.is_enabled = may;
        if !may {
            self.done = None;
        }
    }

    /// Disables offloading. Returns whether it was enabled.
    pub(crate) fn disable(&mut self) -> bool {
        self.done = None;
        core::mem::replace(&mut self.is_enabled, false)
    }
}
