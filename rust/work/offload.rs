// SPDX-License-Identifier: GPL-2.0

//! Offload: telling the bridge itself where a MAC is, so that it makes no copies.
//!
//! Where every port of a bridge is filtered, or what it would miss is mirrored to it (`mirror.rs`),
//! copies but the owner's are only made to be suppressed. Then the bridge's own forwarding database
//! (FDB) is given each MAC that has exactly one owner; the table calls it *offloaded*.
//!
//! # Why no frame is lost
//!
//! - A key that gets a second owner, or another one, is revoked by whoever changes the table,
//!   before the frame goes on that showed it: [`revoke::revoke`].
//! - Before a port may count on every copy (it is disabled, or joins without being enabled), all
//!   keys are revoked: [`flush_offloaded`]. A port that fails open while frames flow gets all
//!   copies as soon as the maintenance work has done so, but those for MACs that it has sent from
//!   at once.
//! - A key that is offloaded and one that is revoked are never mixed up: both happen under
//!   [`Bridge::offload`], offloading only while the key has one owner and that is enabled. Whoever
//!   disables it has said before why it must be, and only who has looked for such reasons under
//!   that lock enables it.

use kernel::{prelude::*, sync::Arc};

use super::{
    mirror,
    walk::{Walk, BUCKETS_A_HOLD},
};
use crate::{
    kapi::{
        bridge::{self as kernel_bridge, PortFlag},
        clock,
        delayed_work::Job,
        rcu,
        rtnl::Rtnl,
        switchdev,
    },
    state::{
        bridge::{Bridge, OffloadWork},
        events::Kind,
        flags::Flag,
        locked::Pick,
        port::Port,
        retry::SOON,
        revoke,
    },
    table::{age, Action, Claims, Entry, Key, Stamp, Visit},
};

/// Most keys that are offloaded at a time. The bridge visits each entry of its FDB sixty times a
/// second (`br_fdb_cleanup()` on a hub), at some 32 instructions each.
const MOST: u32 = 1 << 16;

/// Jiffies after which it is found out anew which keys are used most, where there are more.
const PICK_PERIOD: u64 = 10 * clock::HZ;

/// Most keys that are offloaded under one hold of RTNL, some milliseconds.
const MOST_A_HOLD: usize = 1024;

/// Revokes all keys, and lets no more be offloaded. May sleep.
pub(crate) fn flush_offloaded(bridge: &Bridge) {
    bridge.offload.lock().disable();
    loop {
        let revoked = bridge.table_lock.lock().take_revoked();
        revoke::revoke(bridge, revoked, None);
        if bridge.table.offloaded() != 0 {
            let walk = Walk::begin(bridge);
            walk.visit_all(Kind::Deleted, |entry, _| {
                if entry.is_offloaded {
                    Action::Revoke
                } else {
                    Action::Keep
                }
            });
        } else if bridge.table_lock.lock().is_revoking() {
            // Others are at it, among them hooks, which are readers.
            rcu::wait_for_readers();
        } else {
            break;
        }
    }
}

/// Sees to it that what can be is offloaded, or revokes all if the bridge must make copies. May
/// sleep.
pub(crate) fn sync(bridge: &Bridge) {
    if !wants(bridge) {
        flush_offloaded(bridge);
        if bridge.mirror.is_on() {
            // Unless that is over in a moment.
            bridge.queue_offload_work(clock::HZ as usize);
        }
        return;
    }
    let has_changed = |port: &Port| may_offload_port(port) != port.was_offloadable.load_relaxed();
    if bridge.ports().iter().any(|port| has_changed(port)) {
        revoke::reconsider_offload(bridge);
    }
    let is_done = mirror::is_up_to_date(bridge) && !is_pick_due(bridge) && {
        let state = bridge.offload.lock();
        let is_full = bridge.table.offloaded() >= MOST;
        state.is_enabled() && (is_full || state.done == Some(bridge.table_lock.lock().changes()))
    };
    if !is_done {
        bridge.queue_offload_work(0);
    }
}

/// Whether anything may be offloaded, as far as can be told without RTNL.
fn wants(bridge: &Bridge) -> bool {
    may_offload(bridge, &bridge.ports())
}

impl Job for OffloadWork {
    fn run(&self) -> Option<usize> {
        let is_wanted = wants(&self.bridge);
        if !is_wanted && !self.bridge.mirror.is_on() {
            // The maintenance work revokes what is offloaded.
            return None;
        }
        if is_wanted && is_pick_due(&self.bridge) {
            // On -ENOMEM those stay offloaded that are.
            let _ = pick(&self.bridge, MOST);
        }
        if !mirror::may_stay_offloaded(&self.bridge, is_wanted) {
            flush_offloaded(&self.bridge);
            // Nobody has still to make copies of what was forwarded by that.
            rcu::wait_for_readers();
        }
        // Ports stay in the bridge meanwhile, and keep the settings by which it forwards frames.
        let Some(rtnl) = Rtnl::try_lock() else {
            return Some(self.retry.wait(0));
        };
        self.retry.reset();
        let is_enabled = self.bridge.offload.lock().is_enabled();
        if is_enabled && !mirror::may_stay_offloaded(&self.bridge, is_wanted) {
            return Some(SOON);
        }
        // On an error it is tried again in a second.
        let _ = mirror::update(&self.bridge, is_wanted, &rtnl);
        if !is_wanted {
            return None;
        }
        let bridge = &*self.bridge;
        if !enable(bridge, &rtnl) {
            drop(rtnl);
            flush_offloaded(bridge);
            return None;
        }
        // On -ENOMEM it is tried again in a second.
        let is_more = offload(bridge, &rtnl).unwrap_or(false);
        is_more.then_some(SOON)
    }
}

/// Enables offloading if nothing speaks against it, and disables it otherwise. Returns which.
fn enable(bridge: &Bridge, rtnl: &Rtnl) -> bool {
    let ports = bridge.ports();
    // A port for which there was no memory is not in the list, and gets every copy.
    let knows_all = ports.len() == kernel_bridge::count_ports(&bridge.device, rtnl);
    let mut state = bridge.offload.lock();
    let misses_nothing = |port: &Port| port.flags().suppresses() || port.mirrored.is_open();
    let may =
        knows_all && ports.iter().all(|port| misses_nothing(port)) && may_offload(bridge, &ports);
    state.set_enabled(may);
    may
}

/// Whether MACs may be offloaded: no port misses a frame by it, and the bridge learns nothing by
/// itself.
fn may_offload(bridge: &Bridge, ports: &[Arc<Port>]) -> bool {
    let device = &bridge.device;
    let is_hub = kernel_bridge::is_hub(device);
    let hides_states = kernel_bridge::filters_vlans(device) && kernel_bridge::runs_mst(device);
    rcu::read(|section| {
        let is_plain = |port: &Port| {
            let has = |flag| kernel_bridge::has_flag(&port.device, flag, section);
            // It answers ARP for whatever has an entry.
            !has(PortFlag::ProxyArp) && (is_hub || !has(PortFlag::Learning))
        };
        bridge.offloads()
            && bridge.is_tracked()
            // An address of its own would cease to be that, were it offloaded.
            && !bridge.addresses_due.load_relaxed()
            && !hides_states
            && !bridge.is_closed()
            && bridge.table_lock.lock().has_nothing_pending()
            && ports.iter().all(|port| {
                let flags = port.flags();
                // Nothing is offloaded while a port joins, which takes RTNL; and who lets it join
                // sees to what is, if it is not to be enabled. Nor is anything before copies are
                // made for one that is not filtered.
                (flags.suppresses() || !flags.has(Flag::Enabled)) && is_plain(port)
            })
            && mirror::can_serve_all(bridge, ports)
    })
}

/// Whether an entry for what the port owns would do no more than spare copies.
fn may_offload_port(port: &Port) -> bool {
    rcu::read(|section| {
        let has = |flag| kernel_bridge::has_flag(&port.device, flag, section);
        // A frame that the bridge forwards to one port gets there where a copy would not.
        has(PortFlag::Flood)
            // The entry would authorise a source.
            && !has(PortFlag::Locked)
            // Neighbours that have one there are answered for.
            && !has(PortFlag::ProxyArpWifi)
            && !has(PortFlag::NeighbourSuppress)
            && !has(PortFlag::NeighbourVlanSuppress)
    })
}

/// Ages below this have a class each.
const EXACT: usize = 512;

/// Above, so many units of the table's clock have one, from a multiple of that on. So entries that
/// are of one class stay together as they grow older.
const UNITS_A_CLASS: Stamp = 64;

/// Classes of age.
const CLASSES: usize = EXACT + Stamp::MAX as usize / UNITS_A_CLASS as usize + 1;

/// The class of what was used at `stamp`, by how long before `now` that was.
fn class_of(stamp: Stamp, now: Stamp) -> usize {
    let age = usize::from(age(stamp, now));
    if age < EXACT {
        return age;
    }
    let classes = CLASSES - EXACT;
    let [stamp, now] = [stamp, now].map(|time| usize::from(time / UNITS_A_CLASS));
    EXACT + (now + classes - stamp) % classes
}

/// So many numbers there are by which some keys of a class are told from the others.
const NUMBERS: usize = 1 << u8::BITS;

/// A key's number, always the same.
fn number_of(key: Key) -> usize {
    // Any odd number spreads the bits; this one, from the golden ratio, does so evenly.
    (key.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

/// Whether an entry's key is one of those that are picked.
fn is_picked(entry: &Entry, pick: &Pick) -> bool {
    let class = class_of(entry.stamp, pick.now);
    class < pick.classes || class == pick.classes && number_of(entry.key) < pick.share
}

/// How many of these counts, from the first one on, are at most `most` together, and what is left
/// of that.
fn fitting(counts: &[u32], most: u32) -> (usize, u32) {
    let mut left = most;
    for (place, &count) in counts.iter().enumerate() {
        if count > left {
            return (place, left);
        }
        left -= count;
    }
    (counts.len(), left)
}

/// Counts the entries that may be offloaded, each in the place that `place_of` says. Once, whatever
/// is moved meanwhile: about as many will do.
fn count(bridge: &Bridge, counts: &mut [u32], place_of: impl Fn(&Entry) -> Option<usize>) {
    let mut cursor = bridge.table_lock.lock().cursor();
    loop {
        let visit = bridge
            .table_lock
            .lock()
            .visit(&mut cursor, BUCKETS_A_HOLD, |entry| {
                if !entry.is_shared && !entry.claims.has(Claims::BRIDGE) {
                    let place = place_of(&entry);
                    if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                        *count += 1;
                    }
                }
                Action::Keep
            });
        if visit != Visit::More {
            break;
        }
    }
}

/// Whether there are or were too many keys, and it is time to find out which were used last.
fn is_pick_due(bridge: &Bridge) -> bool {
    let last = bridge.offload.lock().pick;
    let is_old = |pick: Pick| clock::jiffies().wrapping_sub(pick.time) >= PICK_PERIOD;
    let leaves_out = |pick: Pick| pick.classes < CLASSES;
    last.is_none_or(is_old) && (bridge.table.total() > MOST || last.is_some_and(leaves_out))
}

/// Has those keys offloaded from now on that were used last, about `most` of them, and revokes the
/// others that are. Where only some fit that are as old, these are always the same; and what was
/// used since the last time is as old, so that keys which are all in use don't take turns. May
/// sleep.
fn pick(bridge: &Bridge, most: u32) -> Result {
    let recent = (PICK_PERIOD >> bridge.ageing().unit_shift) as Stamp + 2;
    let now = (bridge.now() as Stamp).wrapping_sub(recent);
    let mut counts = KVec::from_elem(0u32, CLASSES, GFP_KERNEL)?;
    count(bridge, &mut counts, |entry| {
        Some(class_of(entry.stamp, now))
    });
    let (classes, left) = fitting(&counts, most);
    // Counted too, since they are not as many of each number: those that were left out, all of high
    // ones, may have been used since.
    let mut of_number = KVec::from_elem(0u32, NUMBERS, GFP_KERNEL)?;
    if classes < CLASSES {
        count(bridge, &mut of_number, |entry| {
            (class_of(entry.stamp, now) == classes).then(|| number_of(entry.key))
        });
    }
    let (share, _) = fitting(&of_number, left);
    let pick = Pick {
        now,
        classes,
        share,
        time: clock::jiffies(),
    };
    {
        let mut state = bridge.offload.lock();
        state.done = None;
        state.pick = Some(pick);
    }
    let walk = Walk::begin(bridge);
    walk.visit_all(Kind::Deleted, |entry, _| {
        if entry.is_offloaded && !is_picked(&entry, &pick) {
            Action::Revoke
        } else {
            Action::Keep
        }
    });
    Ok(())
}

/// Gives the bridge what is not offloaded yet, and revokes what may not be any more. Whether there
/// is more.
fn offload(bridge: &Bridge, rtnl: &Rtnl) -> Result<bool> {
    let (changes, mut cursor) = {
        let locked = bridge.table_lock.lock();
        (locked.changes(), locked.cursor())
    };
    let (done, pick) = {
        let state = bridge.offload.lock();
        (state.done, state.pick)
    };
    if done == Some(changes) {
        return Ok(false);
    }
    let mut ports = bridge.ports_by_index()?;
    let mut are_all = true;
    for place in &mut ports {
        let Some(port) = place else { continue };
        let may = may_offload_port(port);
        port.was_offloadable.store_relaxed(may);
        if !may {
            *place = None;
            are_all = false;
        }
    }
    let port_of = |index| ports.get(usize::from(index)).and_then(Option::as_deref);
    if done.is_none() && !are_all && bridge.table.offloaded() != 0 {
        let walk = Walk::begin(bridge);
        let was_complete = walk.visit_all(Kind::Deleted, |entry, _| {
            if entry.is_offloaded && port_of(entry.port).is_none() {
                Action::Revoke
            } else {
                Action::Keep
            }
        });
        if !was_complete {
            return Ok(true);
        }
    }
    let mut keys = KVec::with_capacity(BUCKETS_A_HOLD * Entry::MOST_IN_A_BUCKET, GFP_KERNEL)?;
    let mut offloaded = 0;
    loop {
        keys.clear();
        let visit = bridge
            .table_lock
            .lock()
            .visit(&mut cursor, BUCKETS_A_HOLD, |entry| {
                let is_candidate = !entry.is_offloaded
                    && !entry.claims.has(Claims::BRIDGE)
                    && pick.is_none_or(|pick| is_picked(&entry, &pick))
                    && port_of(entry.port).is_some()
                    // Its frames would be lost.
                    && !bridge.quiet.has(entry.port);
                if is_candidate {
                    // There is room for all that the buckets can hold.
                    let _ = keys.push_within_capacity(entry.key);
                }
                Action::Keep
            });
        for &key in &*keys {
            let state = bridge.offload.lock();
            if !state.is_enabled() || bridge.table.offloaded() >= MOST {
                return Ok(false);
            }
            if kernel_bridge::has_entry(&bridge.device, key.mac(), key.vlan(), rtnl) {
                // Somebody else's, which it would replace. Not every one is told of.
                continue;
            }
            let index = bridge.table_lock.lock().offload(key);
            let Some(index) = index else { continue };
            let Some(port) = port_of(index) else {
                // It has changed hands since.
                bridge.table_lock.lock().clear_offloaded(key);
                continue;
            };
            let given = switchdev::add_to_bridge(&port.device, key.mac(), key.vlan(), rtnl);
            let is_offloaded = {
                let mut locked = bridge.table_lock.lock();
                if given.is_err() {
                    locked.clear_offloaded(key);
                }
                locked.is_offloaded(key)
            };
            given?;
            if !is_offloaded {
                // It has ceased to be since, perhaps since an older entry went.
                revoke::delete(bridge, &state, key);
                continue;
            }
            offloaded += 1;
        }
        match visit {
            Visit::More if offloaded < MOST_A_HOLD => {}
            Visit::More | Visit::Incomplete => return Ok(true),
            Visit::Complete => break,
        }
    }
    let mut state = bridge.offload.lock();
    if state.is_enabled() {
        state.done = Some(changes);
        bridge.all_offloaded.store_relaxed(true);
    }
    Ok(false)
}

#[kernel::macros::kunit_tests(maclearn_offload)]
mod tests {
    use super::*;

    use crate::{
        kapi::{atomic::AtomicBool, delayed_work::new_delayed_work},
        lab::Lab,
        state::settings::BridgeSetting,
        table::{Key, Limits},
        work::link,
    };

    const KEY: Key = Key::from_parts(0, 2);

    /// A test that fails does not release what it has taken.
    fn with_rtnl<R>(run: impl FnOnce(&Rtnl) -> R) -> R {
        run(&Rtnl::lock())
    }

    /// Revokes all in a thread of its own.
    struct Flushing {
        bridge: Arc<Bridge>,
        has_begun: AtomicBool,
        has_ended: AtomicBool,
    }

    impl Job for Flushing {
        fn run(&self) -> Option<usize> {
            self.has_begun.store_release(true);
            flush_offloaded(&self.bridge);
            self.has_ended.store_release(true);
            None
        }
    }

    #[test]
    fn flushing_waits_for_what_others_revoke() -> Result {
        let lab = Lab::new()?;
        let bridge = &lab.bridge;
        lab.learn(0, KEY);
        let is_more = with_rtnl(|rtnl| {
            enable(bridge, rtnl);
            offload(bridge, rtnl)
        })?;
        assert!(!is_more);
        assert_eq!(bridge.table.offloaded(), 1);
        // A frame from another port, which has not come to revoke the key yet.
        lab.learn(1, KEY);
        let keys = bridge.table_lock.lock().take_revoked().ok_or(EINVAL)?;
        assert_eq!(bridge.table.offloaded(), 0);
        let flushing = Arc::new(
            Flushing {
                bridge: bridge.clone(),
                has_begun: AtomicBool::new(false),
                has_ended: AtomicBool::new(false),
            },
            GFP_KERNEL,
        )?;
        let work = Arc::pin_init(
            new_delayed_work!(flushing.clone(), "maclearn_kunit_flushing"),
            GFP_KERNEL,
        )?;
        work.run_within(0);
        while !flushing.has_begun.load_acquire() {
            rcu::wait_for_readers();
        }
        // Many times what that takes where nothing keeps it waiting.
        for _ in 0..20 {
            rcu::wait_for_readers();
        }
        assert!(!flushing.has_ended.load_acquire());
        revoke::revoke(bridge, Some(keys), Some(1));
        while !flushing.has_ended.load_acquire() {
            rcu::wait_for_readers();
        }
        Ok(())
    }

    #[test]
    fn nothing_stays_offloaded_for_a_port_that_is_quiet() -> Result {
        let lab = Lab::new()?;
        let (bridge, port) = (&*lab.bridge, &*lab.ports[0]);
        lab.learn(0, KEY);
        with_rtnl(|rtnl| {
            enable(bridge, rtnl);
            offload(bridge, rtnl)
        })?;
        assert_eq!(bridge.table.offloaded(), 1);
        {
            let mut locked = bridge.table_lock.lock();
            bridge.quiet.set(&mut locked, 0, true);
            port.begin_forgetting(&mut locked);
        }
        // As from a port that the spanning tree has learn, but not forward: it is not forgotten.
        lab.learn(0, KEY);
        assert!(link::forget(&Walk::begin(bridge)));
        assert!(bridge.table_lock.lock().owners_of(KEY).has(0));
        assert_eq!(bridge.table.offloaded(), 0);
        Ok(())
    }

    #[test]
    fn what_is_used_last_is_offloaded_where_there_is_too_much() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        let keys = [
            Key::from_parts(0, 2),
            Key::from_parts(0, 4),
            Key::from_parts(0, 6),
        ];
        // Each was used some time before the last one.
        for (ago, &key) in keys.iter().rev().enumerate() {
            let stamp = (bridge.now() as Stamp).wrapping_sub(100 * ago as Stamp);
            let mut locked = bridge.table_lock.lock();
            locked.learn(key, 0, stamp, Limits::default(), false);
        }
        let offload_all = || {
            with_rtnl(|rtnl| {
                enable(bridge, rtnl);
                offload(bridge, rtnl)
            })
        };
        let is_offloaded = |key| bridge.table_lock.lock().is_offloaded(key);
        offload_all()?;
        let all = keys.map(is_offloaded);
        pick(bridge, 2)?;
        let picked = keys.map(is_offloaded);
        offload_all()?;
        let still = keys.map(is_offloaded);
        pick(bridge, 3)?;
        offload_all()?;
        let again = keys.map(is_offloaded);
        assert_eq!(all, [true; 3]);
        assert_eq!(picked, [false, true, true]);
        assert_eq!(still, picked);
        assert_eq!(again, [true; 3]);
        Ok(())
    }

    #[test]
    fn counts_fit_or_not() {
        assert_eq!(fitting(&[3, 0, 4, 1], 2), (0, 2));
        assert_eq!(fitting(&[3, 0, 4, 1], 3), (2, 0));
        assert_eq!(fitting(&[3, 0, 4, 1], 5), (2, 2));
        assert_eq!(fitting(&[3, 0, 4, 1], 7), (3, 0));
        assert_eq!(fitting(&[3, 0, 4, 1], 9), (4, 1));
        assert_eq!(fitting(&[u32::MAX, u32::MAX], u32::MAX), (1, 0));
    }

    #[test]
    fn classes_are_in_the_order_of_ages() {
        for now in [0, 63, 64, 1000, 40_000, Stamp::MAX] {
            let class = |age| class_of(now.wrapping_sub(age), now);
            let last = Stamp::MAX - 1024;
            assert!((0..last).all(|age| class(age) <= class(age + 1)));
            assert!(class(last) < CLASSES && class(511) < class(512));
        }
        // What is together stays together.
        assert_eq!(class_of(64, 1000), class_of(127, 1000));
        assert_eq!(class_of(64, 1063), class_of(127, 1063));
    }

    #[test]
    fn of_what_is_as_old_the_same_stays_offloaded() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        let key = |number: u64| Key::from_parts(0, 2 * number);
        for number in 1..=128 {
            let stamp = (bridge.now() as Stamp).wrapping_sub(100);
            let mut locked = bridge.table_lock.lock();
            locked.learn(key(number), 0, stamp, Limits::default(), false);
        }
        let mut picks = KVec::new();
        for _ in 0..3 {
            pick(bridge, 64)?;
            with_rtnl(|rtnl| {
                enable(bridge, rtnl);
                offload(bridge, rtnl)
            })?;
            let locked = bridge.table_lock.lock();
            let is_offloaded = |number: &u64| locked.is_offloaded(key(*number));
            let sum: u64 = (1..=128)
                .filter(is_offloaded)
                .map(|number| number * number)
                .sum();
            picks.push((bridge.table.offloaded(), sum), GFP_ATOMIC)?;
        }
        assert!((48..=80).contains(&picks[0].0));
        assert!(picks.iter().all(|pick| *pick == picks[0]));
        Ok(())
    }

    #[test]
    fn what_was_left_out_and_is_used_takes_the_place_of_others() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        let keys = || (1..=128).map(|number| Key::from_parts(0, 2 * number));
        let use_key = |key, ago| {
            let stamp = (bridge.now() as Stamp).wrapping_sub(ago);
            let mut locked = bridge.table_lock.lock();
            locked.learn(key, 0, stamp, Limits::default(), false);
        };
        let pick_some = || {
            pick(bridge, 64)?;
            with_rtnl(|rtnl| {
                enable(bridge, rtnl);
                offload(bridge, rtnl)
            })
        };
        let is_offloaded = |key: &Key| bridge.table_lock.lock().is_offloaded(*key);
        for key in keys() {
            use_key(key, 100);
        }
        pick_some()?;
        let mut used = KVec::new();
        for key in keys().filter(|key| !is_offloaded(key)).take(32) {
            used.push(key, GFP_KERNEL)?;
        }
        for &key in &used {
            use_key(key, 0);
        }
        pick_some()?;
        assert_eq!(used.len(), 32);
        assert!(used.iter().all(is_offloaded));
        assert!((48..=64).contains(&bridge.table.offloaded()));
        Ok(())
    }

    #[test]
    fn nothing_is_offloaded_once_that_is_disabled() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        lab.learn(0, KEY);
        let [was_enabled, is_more, was_in_fdb, is_enabled_again] =
            with_rtnl(|rtnl| -> Result<_> {
                let was_enabled = enable(bridge, rtnl);
                // By `fdb_offload off`, while it is about to be offloaded.
                bridge
                    .settings
                    .set(&bridge.table_lock.lock(), BridgeSetting::FdbOffload, 0);
                flush_offloaded(bridge);
                let is_more = offload(bridge, rtnl)?;
                let was_in_fdb = kernel_bridge::has_entry(&bridge.device, KEY.mac(), 0, rtnl);
                Ok([was_enabled, is_more, was_in_fdb, enable(bridge, rtnl)])
            })?;
        assert!(was_enabled && !is_more && !was_in_fdb && !is_enabled_again);
        assert_eq!(bridge.table.offloaded(), 0);
        Ok(())
    }
}
