// SPDX-License-Identifier: GPL-2.0

//! Recovery: what could not be learned is learned when there is room, and ports that get every copy
//! for it cease to.

use kernel::{prelude::*, sync::Arc};

use super::walk::{Walk, WALKS};
use crate::{
    kapi::{log, rcu},
    state::{
        bridge::Bridge,
        flags::Flag,
        locked::Locked,
        pending::Pending,
        port::{Port, MOST_AHEAD},
        revoke,
    },
    table::{age, Action, Claims, Cursor, Entry, Key, Learned, PortMask, Stamp, Visit},
};

/// Puts in the table what is pending and has room there by now, and finds out which ports still
/// have to get every copy. May sleep.
pub(crate) fn update_failure_state(bridge: &Bridge) {
    let walk = Walk::begin(bridge);
    // One claim under each hold of the lock: others may own the key, and each of them is looked
    // for.
    while bridge.table_lock.lock().insert_pending_fdb() {}
    learn_pending(&walk);
    let has_nothing_pending = bridge.table_lock.lock().has_nothing_pending();
    // With a thousand ports, those that are well cost a look. What becomes pending from here on is
    // noted in the port's flags as well.
    let is_concerned = |port: &&Arc<Port>| !has_nothing_pending || port.flags().has_failure();
    for port in bridge.ports().iter().filter(is_concerned) {
        if port.flags().has(Flag::FailClosed) && bridge.is_full(port) {
            // What can't be learned is kept out.
            forget_pending(&walk, port, |_| ());
            port.set(&mut bridge.table_lock.lock(), Flag::LostSource, false);
        }
    }
    let mut recovering = PortMask::NONE;
    for port in bridge.ports().iter().filter(is_concerned) {
        recovering.set(
            port.index,
            may_recover(bridge, port, &bridge.table_lock.lock()),
        );
    }
    if recovering != PortMask::NONE {
        // For who has looked into the table before, these ports still get every copy.
        rcu::wait_for_readers();
    }
    let ports = bridge.ports();
    for port in ports.iter().filter(is_concerned) {
        if update_port(bridge, port, recovering.has(port.index)) && log::may_write() {
            pr_info!(
                "interface {}: sources are not learned, a limit is reached: other ports get copies for them\n",
                port.device.ifindex()
            );
        }
    }
    let locked = bridge.table_lock.lock();
    let grows = locked.wanted().is_some() && !bridge.out_of_memory.load_relaxed();
    if grows && !locked.has_nothing_pending() {
        if let Some(port) = ports.first() {
            port.maintenance.run_within(0);
        }
    }
}

/// Whether `port` has to get every copy for a failure, and whether until the table has grown.
fn failure_of(bridge: &Bridge, port: &Port, locked: &Locked) -> (bool, bool) {
    let (is_full, waits) = (bridge.is_full(port), locked.pending.has_port(port.index));
    let fails = port.flags().has(Flag::FdbIncomplete) || has_lost_source(bridge, port);
    let lacks = locked.pending_fdb.has(port.index);
    (fails || (is_full && waits), lacks || (!is_full && waits))
}

/// Whether `port` gets every copy and need not any more.
fn may_recover(bridge: &Bridge, port: &Port, locked: &Locked) -> bool {
    port.flags().fails_open() && failure_of(bridge, port, locked) == (false, false)
}

/// Whether it still matters that a source of `port` was lost.
fn has_lost_source(bridge: &Bridge, port: &Port) -> bool {
    port.flags().has(Flag::LostSource) && !bridge.ageing().is_past(port.lost(), bridge.now())
}

/// Updates the state of `port`, but that it gets every copy does not end unless it may
/// (`may_end`). Whether that it is at a limit is to be told.
fn update_port(bridge: &Bridge, port: &Port, may_end: bool) -> bool {
    let mut locked = bridge.table_lock.lock();
    if !may_end && may_recover(bridge, port, &locked) {
        return false;
    }
    let flags = port.flags();
    let is_full = bridge.is_full(port);
    let waits = locked.pending.has_port(port.index);
    let lost = has_lost_source(bridge, port);
    let (fails_open, learn_pending) = failure_of(bridge, port, &locked);
    port.set(&mut locked, Flag::LostSource, lost);
    // While one of them takes the other's place the port is not without both.
    if learn_pending {
        port.set(&mut locked, Flag::LearnPending, true);
    }
    port.set(&mut locked, Flag::FailingOpen, fails_open);
    port.set(&mut locked, Flag::LearnPending, learn_pending);
    let at_limit =
        flags.has(Flag::AtLimit) && is_full && (lost || waits || flags.has(Flag::FailClosed));
    port.set(&mut locked, Flag::AtLimit, at_limit);
    let is_told = at_limit && !flags.has(Flag::Enabled);
    port.set(&mut locked, Flag::LimitLogged, is_told);
    is_told && !flags.has(Flag::LimitLogged)
}

/// Learns what there is room for by now, and forgets what has aged. May sleep.
fn learn_pending(walk: &Walk<'_>) {
    let bridge = walk.bridge();
    if bridge.table_lock.lock().pending.is_empty() {
        return;
    }
    // On -ENOMEM it is tried again in a second.
    let Ok(ports) = bridge.ports_by_index() else {
        return;
    };
    for _ in 0..WALKS {
        let mut cursor = bridge.table_lock.lock().pending.cursor();
        let result = loop {
            let (next, visit) = visit_some(bridge, &mut cursor, |_| Some(Action::Keep));
            for entry in next.into_iter().flatten() {
                if let Some(Some(port)) = ports.get(usize::from(entry.port)) {
                    if learn_one(port, &entry) == Learned::NoRoom {
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

/// Visits a few sources that are pending, does what `action` says, and returns those of which it
/// says anything: what is done about them takes the table's lock.
fn visit_some(
    bridge: &Bridge,
    cursor: &mut Cursor,
    action: impl Fn(&Entry) -> Option<Action>,
) -> ([Option<Entry>; Pending::MOST_A_VISIT], Visit) {
    let mut found = [None; Pending::MOST_A_VISIT];
    let mut places = found.iter_mut();
    let visit = bridge.table_lock.lock().pending.visit(cursor, |entry| {
        let Some(action) = action(&entry) else {
            return Action::Keep;
        };
        if let Some(place) = places.next() {
            *place = Some(entry);
        }
        action
    });
    (found, visit)
}

/// Makes `port` an owner of what it used at the time of `entry`, as if it had been learned then, if
/// that is possible, or else needless.
fn learn_one(port: &Port, entry: &Entry) -> Learned {
    let bridge = &*port.bridge;
    let Entry { key, stamp, .. } = *entry;
    let mut locked = bridge.table_lock.lock();
    if !locked.pending.has(key, port.index) {
        return Learned::Known;
    }
    // One section, so that an address which becomes the bridge's own is forgotten after it.
    let learned = rcu::read(|section| {
        if bridge.has_address(key.mac_word(), section) {
            Learned::Known
        } else {
            learn(port, key, stamp, &mut locked)
        }
    });
    if matches!(learned, Learned::Known | Learned::New { .. }) {
        locked.pending.forget(key, port.index);
    }
    let revoked = locked.take_revoked();
    drop(locked);
    revoke::revoke(bridge, revoked, Some(port.index));
    learned
}

fn learn(port: &Port, key: Key, stamp: Stamp, locked: &mut Locked) -> Learned {
    let bridge = &*port.bridge;
    let now = bridge.now();
    let is_over = !port.is_present(&locked.held)
        || bridge.ageing().is_aged(stamp, now)
        // It has been learned since.
        || locked.claims(key, port.index).has(Claims::LEARNED);
    if is_over {
        return Learned::Known;
    }
    let mut exclusive = bridge.is_exclusive();
    if exclusive {
        let age = age(stamp, now as Stamp);
        let ahead_until = bridge.ahead_until(locked);
        let error_of = |age| {
            let is_exact = now.saturating_sub(u64::from(age)) > ahead_until;
            if is_exact {
                0
            } else {
                MOST_AHEAD as Stamp
            }
        };
        match locked.age_elsewhere(key, port.index, now as Stamp) {
            // Which was first does not show: who uses it next takes it.
            Some(other) if other.abs_diff(age) <= error_of(other.min(age)) => exclusive = false,
            // That port took it from this one.
            Some(other) if other < age => return Learned::Known,
            _ => {}
        }
    }
    let limits = bridge.limits(port);
    let learned = locked.learn(key, port.index, stamp, limits, exclusive);
    if let Learned::New { moved } = learned {
        port.note_learned(locked, key, stamp, moved);
    }
    learned
}

/// Forgets what is kept of `port`, and says so to `lost`, which may take the table's lock.
pub(crate) fn forget_pending(walk: &Walk<'_>, port: &Port, lost: impl Fn(Key)) {
    let bridge = walk.bridge();
    while bridge.table_lock.lock().pending.has_port(port.index) {
        let mut cursor = bridge.table_lock.lock().pending.cursor();
        loop {
            let (gone, visit) = visit_some(bridge, &mut cursor, |entry| {
                (entry.port == port.index).then_some(Action::Withdraw(Claims::LEARNED))
            });
            gone.into_iter().flatten().for_each(|entry| lost(entry.key));
            if visit != Visit::More {
                break;
            }
        }
    }
}

#[kernel::macros::kunit_tests(maclearn_recovery)]
mod tests {
    use super::*;
    use crate::{
        lab::{Lab, Reader, KEY},
        state::settings::BridgeSetting,
        table::Limits,
    };

    #[test]
    fn who_has_not_seen_what_was_inserted_finds_the_port_open() -> Result {
        let lab = Lab::new()?;
        let (bridge, port) = (&*lab.bridge, &*lab.ports[1]);
        lab.learn(2, KEY);
        let is_open = |port: &Port| port.flags().fails_open();
        let was_kept = Reader::watch(&lab, 1, is_open, |reader| {
            {
                let mut locked = bridge.table_lock.lock();
                locked.withdraw(KEY, 1, Claims::LEARNED);
                assert!(locked.pending.keep(KEY, 1, bridge.now() as Stamp));
                port.set(&mut locked, Flag::LearnPending, true);
            }
            reader.wait_for_it();
            update_failure_state(bridge);
            assert!(!is_open(port));
            // It looks until its section ends.
            rcu::wait_for_readers();
        })?;
        assert_eq!(was_kept, Some(true));
        Ok(())
    }

    /// Which of ports 0 and 1 own the key: 0 did before something happened, then 1 used it and
    /// could not learn it until now.
    fn owners_after(happens: impl Fn(&Lab)) -> Result<(bool, bool)> {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        bridge
            .settings
            .set(&bridge.table_lock.lock(), BridgeSetting::Exclusive, 1);
        happens(&lab);
        {
            let mut locked = bridge.table_lock.lock();
            assert!(locked.pending.keep(KEY, 1, bridge.now() as Stamp));
        }
        update_failure_state(bridge);
        let owners = bridge.table_lock.lock().owners_of(KEY);
        Ok((owners.has(0), owners.has(1)))
    }

    #[test]
    fn who_used_it_last_does_not_lose_to_a_stamp_ahead_of_the_clock() -> Result {
        let owners = owners_after(|lab| {
            lab.ports[0].begin_forgetting(&mut lab.bridge.table_lock.lock());
            lab.learn(0, KEY);
        })?;
        assert_eq!(owners, (true, true));
        let owners = owners_after(|lab| {
            let now = lab.bridge.now() as Stamp;
            let mut locked = lab.bridge.table_lock.lock();
            locked.learn(KEY, 0, now.wrapping_sub(2), Limits::default(), true);
        })?;
        assert_eq!(owners, (false, true));
        Ok(())
    }
}
