// SPDX-License-Identifier: GPL-2.0

//! Learning a new source: the part of a frame's way that takes the table's lock.

use crate::{
    kapi::netfilter::HookContext,
    state::{counters::Counter, events::Kind, flags::Flag, locked::Locked, port::Port, revoke},
    table::{Key, Learned, Miss, Revoked, Stamp},
};

/// Whether a frame may enter the bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// It may.
    Admit,
    /// Its source could not be learned, and the port fails closed.
    Drop,
}

/// Makes `port` an owner of `key`, the source of a frame that came in through it from `address` at
/// `time`. A `miss` of the key spares looking it up once more.
#[inline]
pub(crate) fn learn(
    port: &Port,
    key: Key,
    address: u64,
    time: u64,
    miss: Option<&Miss<'_>>,
    context: &HookContext,
) -> Admission {
    let bridge = &*port.bridge;
    if bridge.has_address(address, context.section()) {
        return Admission::Admit;
    }
    let mut locked = bridge.table_lock.lock();
    let (admission, is_open) = learn_locked(port, key, time, miss, &mut locked);
    if is_open || locked.has_revoked() {
        let revoked = locked.take_revoked();
        drop(locked);
        revoke_offload(port, is_open, revoked);
    }
    admission
}

/// Deletes from the bridge's FDB the keys that are no longer offloaded. If `port` now gets every
/// copy (`is_open`), disables offloading; the maintenance work deletes the rest.
#[cold]
#[inline(never)]
fn revoke_offload(port: &Port, is_open: bool, revoked: Option<Revoked>) {
    if is_open && revoke::disable_offload(&port.bridge) {
        // All else that was offloaded is revoked there.
        port.maintenance.run_within(0);
    }
    revoke::revoke(&port.bridge, revoked, Some(port.index));
}

/// As [`learn`], under the table's lock. Also whether the port gets every copy from now on, since
/// it could not learn the source.
#[inline]
fn learn_locked(
    port: &Port,
    key: Key,
    time: u64,
    miss: Option<&Miss<'_>>,
    locked: &mut Locked,
) -> (Admission, bool) {
    let bridge = &*port.bridge;
    let flags = port.flags();
    if !flags.has(Flag::Learning) || flags.has(Flag::Gone) {
        return (Admission::Admit, false);
    }
    let limits = bridge.limits(port);
    let (index, stamp) = (port.index, time as Stamp);
    let learned = miss
        .and_then(|miss| locked.learn_after_miss(miss, index, stamp, limits))
        .unwrap_or_else(|| locked.learn(key, index, stamp, limits, bridge.is_exclusive()));
    let counters = &port.counters;
    match learned {
        Learned::Known => {
            port.note_quiet_use(locked);
            (Admission::Admit, false)
        }
        Learned::New { moved } => {
            port.note_learned(locked, key, stamp, moved);
            (Admission::Admit, false)
        }
        Learned::NoRoom if !bridge.out_of_memory.load_relaxed() => {
            // It is learned when the table has grown. Until then nothing is kept from this port.
            port.set(locked, Flag::LearnPending, true);
            keep(port, key, time, false, locked);
            port.maintenance.run_within(0);
            (Admission::Admit, true)
        }
        Learned::PortLimit | Learned::TotalLimit | Learned::NoRoom => {
            counters.increment::<{ Counter::LimitHits as usize }>();
            if !flags.has(Flag::AtLimit) {
                port.set(locked, Flag::AtLimit, true);
                port.note(locked, Kind::LimitReached, Some(key));
            }
            let may_find_room = bridge.sweeping.load_relaxed() || port.expiry() <= time;
            if may_find_room {
                port.maintenance.run_within(0);
            }
            if flags.has(Flag::FailClosed) {
                counters.increment::<{ Counter::DroppedClosed as usize }>();
                return (Admission::Drop, false);
            }
            // What has aged makes room first; it is a failure when the sweep has found none.
            let flag = if may_find_room {
                Flag::LearnPending
            } else {
                Flag::FailingOpen
            };
            port.set(locked, flag, true);
            keep(port, key, time, true, locked);
            (Admission::Admit, true)
        }
    }
}

/// Keeps a source that could not be learned, until there is room, and sees to it that the bridge
/// forwards its frames to no single port meanwhile.
///
/// One that can't be kept either is lost. After a failure (`is_failure`) the port gets every copy
/// for as long as that matters. While the table grows, which a storm of new sources may outrun, it
/// does so only if frames for it would be kept from the port now.
#[cold]
#[inline(never)]
fn keep(port: &Port, key: Key, time: u64, is_failure: bool, locked: &mut Locked) {
    locked.revoke(key);
    port.note_quiet_use(locked);
    if locked.pending.keep(key, port.index, time as Stamp) {
        return;
    }
    let matters = is_failure
        || port.flags().has(Flag::SuppressUnknown)
        || locked.has_key(key)
        || locked.pending.has_key(key);
    if matters {
        port.lose_source(locked, time);
    }
}
