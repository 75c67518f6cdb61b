// SPDX-License-Identifier: GPL-2.0

//! Walks through all that a bridge's ports own, or are still to own.

use kernel::sync::MutexGuard;

use crate::{
    kapi::genetlink::has_listeners,
    state::{
        bridge::Bridge,
        events::Kind,
        locked::{TableHeld, Walking},
        revoke,
    },
    table::{Action, Claims, Entry, Visit},
};

/// Buckets that a walk visits under one hold of the table's lock, a few microseconds.
pub(crate) const BUCKETS_A_HOLD: usize = 16;

/// Most passes of a walk that insertions disturb.
pub(crate) const WALKS: usize = 3;

/// The right to walk through a bridge's table and to resize it, which one has at a time.
pub(crate) struct Walk<'a> {
    bridge: &'a Bridge,
    walking: MutexGuard<'a, Walking>,
}

impl<'a> Walk<'a> {
    /// Waits for it. May sleep.
    pub(crate) fn begin(bridge: &'a Bridge) -> Self {
        Self {
            bridge,
            walking: bridge.walk.lock(),
        }
    }

    /// The bridge.
    pub(crate) fn bridge(&self) -> &'a Bridge {
        self.bridge
    }

    /// The right itself.
    pub(crate) fn walking(&self) -> &Walking {
        &self.walking
    }

    /// Does what [`Walk::visit_table`] does, and to what is still to be learned as well.
    pub(crate) fn visit_all(
        &self,
        removal: Kind,
        mut action: impl FnMut(Entry, &TableHeld) -> Action,
    ) -> bool {
        let is_complete = self.visit_table(removal, &mut action);
        let others = |entry, held: &TableHeld| {
            // Perhaps: what is in the table does not show here.
            let is_shared = true;
            action(Entry { is_shared, ..entry }, held)
        };
        self.visit_pending(others) && is_complete
    }

    /// Shows every entry to `action` and does what it says, a few buckets under each hold of the
    /// table's lock. Owners that it removes are events of kind `removal`, and what is no longer
    /// offloaded is revoked.
    ///
    /// Insertions meanwhile may move entries to where the walk has been; it is then repeated, but
    /// not for ever: whether every entry was shown.
    pub(crate) fn visit_table(
        &self,
        removal: Kind,
        mut action: impl FnMut(Entry, &TableHeld) -> Action,
    ) -> bool {
        let listening = has_listeners(&self.bridge.device);
        for _ in 0..WALKS {
            let mut cursor = self.bridge.table_lock.lock().cursor();
            let result = loop {
                let (visit, revoked) = {
                    let mut locked = self.bridge.table_lock.lock();
                    let (writer, held, mut note) = locked.split();
                    let visit = writer.visit(&mut cursor, BUCKETS_A_HOLD, |entry| {
                        let action = action(entry, held);
                        if let Action::Withdraw(claims) = action {
                            let is_removed = entry.claims.without(claims) == Claims::NONE;
                            if listening && is_removed {
                                note(removal, entry.port, entry.key);
                            }
                        }
                        action
                    });
                    (visit, writer.take_revoked())
                };
                revoke::revoke(self.bridge, revoked, None);
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

    /// Shows every source that is kept to `action`, as an entry that was learned, and does what it
    /// says; a few under each hold of the table's lock. Whether every one was shown.
    fn visit_pending(&self, mut action: impl FnMut(Entry, &TableHeld) -> Action) -> bool {
        for _ in 0..WALKS {
            let mut cursor = {
                let locked = self.bridge.table_lock.lock();
                if locked.pending.is_empty() {
                    return true;
                }
                locked.pending.cursor()
            };
            let result = loop {
                let locked = &mut *self.bridge.table_lock.lock();
                let held = &locked.held;
                let visit = locked
                    .pending
                    .visit(&mut cursor, |entry| action(entry, held));
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

    /// Takes claims from the entries that `matches` tells.
    pub(crate) fn withdraw(&self, claims: Claims, matches: impl Fn(&Entry, &TableHeld) -> bool) {
        self.visit_all(Kind::Deleted, |entry, held| {
            if matches(&entry, held) {
                Action::Withdraw(claims)
            } else {
                Action::Keep
            }
        });
    }
}
