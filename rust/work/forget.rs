// SPDX-License-Identifier: GPL-2.0

//! Forgetting what ports own: on request, with their claim to it, or since it may be wrong by now.

use kernel::prelude::*;

use super::{recovery, walk::Walk};
use crate::{
    kapi::genetlink::has_listeners,
    state::{
        bridge::Bridge,
        events::Kind,
        flags::Flag,
        locked::{Locked, TableHeld},
        port::Port,
        revoke,
    },
    table::{Action, Claims, Entry, Key, PortIndex},
};

/// Keys with several owners that are lost at a time.
const MOST_SHARED: usize = 1024;

/// Forgets all that was learned, at one port or at all.
pub(crate) fn forget_learned(bridge: &Bridge, of: Option<&Port>) {
    let walk = Walk::begin(bridge);
    for port in &*bridge.ports() {
        if of.is_none_or(|of| of.index == port.index) {
            // Every copy still passes until the failure state is updated.
            port.set(&mut bridge.table_lock.lock(), Flag::LostSource, false);
        }
    }
    walk.withdraw(Claims::LEARNED, |entry, held| {
        of.is_none_or(|of| of.index == entry.port && of.is_present(held))
    });
    drop(walk);
    recovery::update_failure_state(bridge);
    bridge.queue_maintenance();
}

/// Takes claims from the entries that `matches` tells.
pub(crate) fn flush(bridge: &Bridge, claims: Claims, matches: impl Fn(&Entry, &TableHeld) -> bool) {
    let walk = Walk::begin(bridge);
    walk.withdraw(claims, matches);
    drop(walk);
    recovery::update_failure_state(bridge);
    bridge.queue_maintenance();
}

/// Takes claims from the entries that `matches` tells, since their ports have lost them by no
/// doing of the guests'; and forgets who else learned the same keys. Any of those may have been
/// a guest's port before, or never was: if the guest is silent, nothing tells. But a port that
/// gets nothing for an unknown destination keeps what it learned.
///
/// Whether all is done. May sleep.
pub(crate) fn lose(walk: &Walk<'_>, claims: Claims, matches: impl Fn(&Entry) -> bool) -> bool {
    let bridge = walk.bridge();
    let mut shared = KVec::with_capacity(MOST_SHARED, GFP_KERNEL).unwrap_or_default();
    let mut is_complete = true;
    let action = |entry: Entry, _: &TableHeld| {
        if !matches(&entry) {
            return Action::Keep;
        }
        if !entry.is_shared {
            return Action::Withdraw(claims);
        }
        // What there is no room for is lost at the next try.
        let kept = shared.push_within_capacity((entry.key, entry.port));
        is_complete &= kept.is_ok();
        Action::Keep
    };
    let is_all = walk.visit_all(Kind::Deleted, action);
    let listening = has_listeners(&bridge.device);
    for &(key, port) in &*shared {
        // The port may have used it since, which ends this.
        let is_lost = |locked: &Locked| locked.matches(key, port, &matches);
        forget_elsewhere(bridge, key, port, is_lost);
        // Last, so that all is done once the port owns nothing.
        let revoked = {
            let mut locked = bridge.table_lock.lock();
            let has_lost = is_lost(&locked)
                && locked.withdraw(key, port, claims)
                && locked.claims(key, port) == Claims::NONE;
            if has_lost && listening {
                let (_, _, mut note) = locked.split();
                note(Kind::Deleted, port, key);
            }
            locked.take_revoked()
        };
        revoke::revoke(bridge, revoked, None);
    }
    is_all && is_complete
}

/// Forgets who else than `port` learned a key, for as long as that has lost it: see [`lose`]. May
/// sleep.
pub(crate) fn forget_elsewhere(
    bridge: &Bridge,
    key: Key,
    port: PortIndex,
    is_lost: impl Fn(&Locked) -> bool,
) {
    forget_key(bridge, key, |other, locked| {
        other.index != port && !other.flags().has(Flag::SuppressUnknown) && is_lost(locked)
    });
}

/// Forgets who learned a key, of the ports that `matches` tells, which is asked under the table's
/// lock. May sleep.
pub(crate) fn forget_key(bridge: &Bridge, key: Key, matches: impl Fn(&Port, &Locked) -> bool) {
    let (owners, waits) = {
        let locked = bridge.table_lock.lock();
        (locked.owners_of(key), locked.pending.has_key(key))
    };
    for port in &*bridge.ports() {
        if !(waits || owners.has(port.index)) {
            continue;
        }
        let mut locked = bridge.table_lock.lock();
        if matches(port, &locked) {
            port.withdraw(&mut locked, key, Claims::LEARNED);
        }
    }
    let revoked = bridge.table_lock.lock().take_revoked();
    revoke::revoke(bridge, revoked, None);
}
