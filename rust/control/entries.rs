// SPDX-License-Identifier: GPL-2.0

//! Entries of the table that somebody asks for: made and deleted.

use crate::{
    kapi::{clock, rcu},
    state::{events::Kind, flags::Flag, port::Port, revoke},
    table::{Claims, Key, Learned, Stamp},
    work::{
        recovery,
        resize::resize,
        walk::{Walk, WALKS},
    },
};

/// Age in units that a new entry has at most, half of what a stamp can tell.
const MOST_UNITS: u64 = 1 << 15;

/// Makes `port` an owner of `key` on request: for good, or as if it had been seen `age`
/// milliseconds ago. `None` if the address is the bridge's own. May sleep.
pub(crate) fn insert(port: &Port, key: Key, age: Option<u32>) -> Option<Learned> {
    let bridge = &*port.bridge;
    for _ in 0..WALKS {
        let (learned, revoked, grows) = {
            let mut locked = bridge.table_lock.lock();
            // Under the lock: an address that becomes the bridge's own later is forgotten then.
            if rcu::read(|section| bridge.has_address(key.mac_word(), section)) {
                return None;
            }
            if port.flags().has(Flag::Gone) {
                return Some(Learned::PortLimit);
            }
            let limits = bridge.limits(port);
            let learned = match age {
                None => locked.claim(key, port.index, Claims::STATIC, limits),
                Some(age) => {
                    let now = bridge.now();
                    let jiffies = u64::from(age) * clock::HZ / 1000;
                    let units = jiffies >> bridge.ageing().unit_shift;
                    let stamp = (now as Stamp).wrapping_sub(units.min(MOST_UNITS) as Stamp);
                    port.lower_expiry(&locked, bridge.ageing().expiry(stamp, now));
                    locked.learn(key, port.index, stamp, limits, bridge.is_exclusive())
                }
            };
            if matches!(learned, Learned::New { .. }) {
                port.note(&mut locked, Kind::Added, Some(key));
            }
            (learned, locked.take_revoked(), locked.wanted().is_some())
        };
        revoke::revoke(bridge, revoked, Some(port.index));
        if learned != Learned::NoRoom {
            if grows {
                bridge.queue_maintenance();
            } else {
                port.queue_offload();
            }
            return Some(learned);
        }
        resize(&Walk::begin(bridge));
    }
    Some(Learned::NoRoom)
}

/// What a port had of a key that was to be deleted.
pub(crate) enum Deleted {
    /// The port has left.
    NoPort,
    /// Nothing.
    Nothing,
    /// A claim of the bridge's own database alone, which it still has.
    InBridgeFdb,
    /// What is deleted now.
    Entry,
}

/// Takes from `port` what it has learned and what is static of a key. May sleep.
pub(crate) fn delete(port: &Port, key: Key) -> Deleted {
    let bridge = &*port.bridge;
    let (claims, was_pending, revoked) = {
        let mut locked = bridge.table_lock.lock();
        if !port.is_present(&locked.held) {
            return Deleted::NoPort;
        }
        let claims = locked.claims(key, port.index);
        let was_pending = locked.pending.forget(key, port.index);
        port.withdraw(&mut locked, key, Claims::LEARNED.and(Claims::STATIC));
        (claims, was_pending, locked.take_revoked())
    };
    revoke::revoke(bridge, revoked, None);
    if claims == Claims::NONE && !was_pending {
        return Deleted::Nothing;
    }
    if claims == Claims::BRIDGE {
        return Deleted::InBridgeFdb;
    }
    recovery::update_failure_state(bridge);
    Deleted::Entry
}
