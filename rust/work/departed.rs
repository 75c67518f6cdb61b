// SPDX-License-Identifier: GPL-2.0

//! Ports that have left: what they owned is forgotten, and then their numbers are free.

use super::{forget, notify, recovery, walk::Walk};
use crate::{
    kapi::{clock, rcu},
    state::{bridge::Bridge, port::Port},
    table::{Claims, PortIndex, PortMask},
};

/// Jiffies between two walks that forget ports which have left.
const PURGE_INTERVAL: u64 = clock::HZ.div_ceil(5);

/// Hands what `port` owns to [`purge`]. The port has `Flag::Gone` and is quiet, so it gets nothing
/// new. Returns whether it owned anything. May sleep.
pub(crate) fn depart(bridge: &Bridge, port: &Port) -> bool {
    let walk = Walk::begin(bridge);
    // As with what it owns, see [`forget::lose`].
    recovery::forget_pending(&walk, port, |key| {
        forget::forget_elsewhere(bridge, key, port.index, |_| true)
    });
    let mut locked = bridge.table_lock.lock();
    locked.pending_fdb.forget(|_, other| other == port.index);
    locked.depart(port.index)
}

/// Forgets ports that have left, but not at every run: where many leave, they share a walk. Returns
/// after how many jiffies there is more to do.
pub(crate) fn purge_if_due(walk: &Walk<'_>) -> Option<usize> {
    let bridge = walk.bridge();
    let now = clock::jiffies();
    let departed = bridge.table_lock.lock().departed();
    let is_due = now.wrapping_sub(bridge.purged.load_relaxed()) >= PURGE_INTERVAL;
    if departed != PortMask::NONE && is_due {
        purge(walk, departed);
        bridge.purged.store_relaxed(now);
    }
    let elapsed = now.wrapping_sub(bridge.purged.load_relaxed());
    (bridge.table_lock.lock().departed() != PortMask::NONE)
        .then(|| PURGE_INTERVAL.saturating_sub(elapsed).max(1) as usize)
}

/// Forgets what these ports own, which have left, all of them in one walk, and frees their numbers.
/// If some is left, it is for another time. May sleep.
pub(crate) fn purge(walk: &Walk<'_>, departed: PortMask) {
    let bridge = walk.bridge();
    forget::lose(walk, Claims::ALL, |entry| departed.has(entry.port));
    // Who has seen one of them still must find that its port is quiet.
    rcu::wait_for_readers();
    // While the ports' numbers still tell which they were.
    notify::send(bridge);
    let mut locked = bridge.table_lock.lock();
    locked.end_departure(departed);
    let left = locked.departed();
    for port in departed.iter().filter(|port| !left.has(*port)) {
        bridge.release_index(&mut locked, port);
    }
}

/// A number for a port that joins. If all are had by ports, or by such as have left, these are
/// forgotten first, in as many walks as it takes. May sleep.
pub(crate) fn find_index(bridge: &Bridge) -> Option<PortIndex> {
    let mut left = u64::MAX;
    loop {
        if let Some(index) = bridge.free_index() {
            return Some(index);
        }
        let walk = Walk::begin(bridge);
        let departed = bridge.table_lock.lock().departed();
        let count = |port: PortIndex| u64::from(bridge.table.port_count(port));
        let owned = departed.iter().map(count).sum();
        if owned >= left {
            // There is no memory to forget what several own.
            return None;
        }
        left = owned;
        // One of them is enough: that which is soonest forgotten.
        let mut soonest = PortMask::NONE;
        soonest.set(departed.iter().min_by_key(|&port| count(port))?, true);
        purge(&walk, soonest);
    }
}

#[kernel::macros::kunit_tests(maclearn_departed)]
mod tests {
    use super::*;
    use crate::{
        kapi::delayed_work::Job,
        lab::{Lab, Reader, KEY},
        state::flags::Flag,
        table::{Key, Stamp},
    };
    use kernel::prelude::*;

    #[test]
    fn what_a_leaving_port_could_not_learn_is_lost_like_its_entries() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        let [waits, other] = [1, 2].map(|number| Key::from_parts(0, number << 8 | 2));
        // Ports 1 and 2 own what port 0 has used since.
        for port in [1, 2] {
            lab.learn(port, waits);
            lab.learn(port, other);
        }
        let stamp = bridge.now() as Stamp;
        assert!(bridge.table_lock.lock().pending.keep(waits, 0, stamp));
        lab.ports[2].set(&mut bridge.table_lock.lock(), Flag::SuppressUnknown, true);
        assert!(!lab.leave(0));
        let locked = bridge.table_lock.lock();
        assert!(locked.pending.is_empty());
        assert!(locked.claims(waits, 1) == Claims::NONE);
        // It would get nothing for it.
        assert!(locked.claims(waits, 2) == Claims::LEARNED);
        assert!(locked.claims(other, 1) == Claims::LEARNED);
        Ok(())
    }

    #[test]
    fn comes_back_for_ports_that_have_left_when_they_are_due() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        lab.learn(0, Key::from_parts(0, 2));
        bridge.purged.store_relaxed(clock::jiffies());
        assert!(lab.leave(0));
        let delay = bridge.run().ok_or(EINVAL)? as u64;
        let elapsed = clock::jiffies().wrapping_sub(bridge.purged.load_relaxed());
        assert!(elapsed + delay >= PURGE_INTERVAL);
        // It is due.
        bridge
            .purged
            .store_relaxed(clock::jiffies().wrapping_sub(PURGE_INTERVAL));
        bridge.run();
        assert!(bridge.table_lock.lock().departed() == PortMask::NONE);
        Ok(())
    }

    #[test]
    fn who_has_seen_what_a_port_left_behind_finds_it_quiet() -> Result {
        let lab = Lab::new()?;
        let (bridge, port) = (&*lab.bridge, &*lab.ports[0]);
        let is_kept = |port: &Port| port.bridge.quiet.has(port.index);
        let was_kept = Reader::watch(&lab, 0, is_kept, |reader| {
            lab.learn(0, KEY);
            assert!(lab.leave(0));
            let walk = Walk::begin(bridge);
            let departed = bridge.table_lock.lock().departed();
            reader.wait_for_it();
            purge(&walk, departed);
            drop(walk);
            assert!(!bridge.quiet.has(0));
            port.set(&mut bridge.table_lock.lock(), Flag::Gone, false);
        })?;
        assert_eq!(was_kept, Some(true));
        Ok(())
    }
}
