// SPDX-License-Identifier: GPL-2.0

//! What keeps a bridge's table in shape, in process context: resizing and ageing.

use kernel::prelude::*;

use crate::{
    bridge::{new_secret, Bridge, BUCKETS_A_HOLD},
    events::{self, Kind},
    fdb,
    kapi::{atomic::AtomicU32, clock, delayed_work::Job, rtnl::Rtnl},
    offload,
    port::Counter,
    quiet,
    table::{Action, Array, Claims, Migration, PortMask},
};

/// When to go on with what could not be finished, in ticks.
const SOON: usize = clock::TICKS_PER_SECOND.div_ceil(100) as usize;

/// Ticks between two walks that forget ports which have left.
const PURGE_INTERVAL: u64 = clock::TICKS_PER_SECOND.div_ceil(5);

/// When to try again what needs RTNL: less and less often while that is busy, from a hundredth of a
/// second to a second.
pub(crate) struct Retry {
    /// How often RTNL was busy since it was last free, or since there was another reason to want it.
    busy: AtomicU32,
    /// The reason.
    reason: AtomicU32,
}

impl Retry {
    /// For what was not tried yet.
    pub(crate) fn new() -> Self {
        Self {
            busy: AtomicU32::new(0),
            reason: AtomicU32::new(0),
        }
    }

    /// RTNL is busy: ticks to wait. A new `reason` is tried soon. Not for two threads at a time.
    pub(crate) fn wait(&self, reason: u32) -> usize {
        if reason != self.reason.load_relaxed() {
            self.reason.store_relaxed(reason);
            self.reset();
        }
        let busy = self.busy.load_relaxed();
        self.busy.store_relaxed(busy.saturating_add(1));
        (SOON << busy.min(10)).min(clock::TICKS_PER_SECOND as usize)
    }

    /// RTNL was free.
    pub(crate) fn reset(&self) {
        self.busy.store_relaxed(0);
    }
}

impl Job for Bridge {
    /// Runs every second while the bridge is tracked, and when the packet path asks.
    fn run(&self) -> Option<usize> {
        let looked = look(self);
        self.follow_ageing();
        let walk = self.walk.lock();
        let until_purge = purge(self);
        resize(self);
        // Those that have become quiet may be able to receive by now.
        let is_soon = quiet::forget(self);
        let left_vlans = self.left_vlans();
        let waits_for_rtnl = looked.is_none()
            && (left_vlans.is_some() || !self.quiet.is_empty() || self.are_addresses_due());
        if let Some(Some(left)) = looked {
            quiet::forget_left_vlans(self, left);
        }
        // Without memory for it, the sweep is tried again in a second.
        let _ = sweep(self);
        drop(walk);
        self.settle();
        offload::tend(self);
        events::send(self);
        let next = [
            is_soon.then_some(SOON),
            waits_for_rtnl.then(|| self.retry.wait(left_vlans.unwrap_or(0))),
            until_purge,
            self.is_tracked()
                .then_some(clock::TICKS_PER_SECOND as usize),
        ];
        next.into_iter().flatten().min()
    }
}

/// Forgets ports that have left, but not at every run: where many leave, they share a walk. Ticks until
/// there is more to do.
fn purge(bridge: &Bridge) -> Option<usize> {
    let now = clock::ticks();
    let departed = bridge.writer.lock().departed();
    let is_due = now.wrapping_sub(bridge.purged.load_relaxed()) >= PURGE_INTERVAL;
    if departed != PortMask::NONE && is_due {
        bridge.purge(departed);
        bridge.purged.store_relaxed(now);
    }
    let elapsed = now.wrapping_sub(bridge.purged.load_relaxed());
    (bridge.writer.lock().departed() != PortMask::NONE)
        .then(|| PURGE_INTERVAL.saturating_sub(elapsed).max(1) as usize)
}

/// Does what needs RTNL, if that can be had. What [`Bridge::left_vlans`] said then.
fn look(bridge: &Bridge) -> Option<Option<u32>> {
    let rtnl = Rtnl::try_lock()?;
    bridge.retry.reset();
    if bridge.are_addresses_due() {
        let _ = bridge.update_addresses();
    }
    quiet::look_at_all(bridge, &rtnl);
    fdb::tend(bridge, &rtnl);
    bridge.follow_vlan_filtering();
    // Whoever takes a port from a VLAN holds RTNL from when that is said until it is done.
    Some(bridge.left_vlans())
}

/// Grows or shrinks the table if it asks for that, and goes on with what memory was lacking for
/// last time.
pub(crate) fn resize(bridge: &Bridge) {
    loop {
        if migrate(bridge) == Migration::Done {
            loop {
                // Dropping an array waits for its readers, which must not happen under the lock.
                let retired = bridge.writer.lock().retire();
                if retired.is_none() {
                    break;
                }
            }
        }
        let Some(buckets) = bridge.writer.lock().wanted() else {
            bridge.set_out_of_memory(false);
            return;
        };
        let array = bridge
            .memory
            .charge(|| Array::allocate(buckets, new_secret()));
        let Ok(array) = array else {
            bridge.set_out_of_memory(true);
            return;
        };
        bridge.writer.lock().begin_resize(array);
    }
}

/// Moves entries to the newest array, a few buckets under each hold of the lock.
fn migrate(bridge: &Bridge) -> Migration {
    loop {
        let progress = bridge.writer.lock().migrate(BUCKETS_A_HOLD);
        if progress != Migration::More {
            return progress;
        }
    }
}

/// Forgets aged entries, if there can be any.
fn sweep(bridge: &Bridge) -> Result {
    let ageing = bridge.ageing();
    let now = bridge.now();
    let is_early = || bridge.ports.lock().iter().all(|port| port.expiry() > now);
    if ageing.limit.is_none() || is_early() {
        return Ok(());
    }
    let by_index = bridge.ports_by_index()?;
    {
        let writer = bridge.writer.lock();
        bridge.set_sweeping(true);
        // Lowered again for each entry that stays, here and by whoever learns meanwhile.
        for port in by_index.iter().flatten() {
            port.set_expiry(&writer, u64::MAX);
        }
    }
    bridge.visit_table(Kind::Aged, |entry| {
        let Some(Some(port)) = by_index.get(usize::from(entry.port)) else {
            return Action::Keep;
        };
        if !entry.claims.has(Claims::LEARNED) {
            return Action::Keep;
        }
        if ageing.is_aged(entry.stamp, now) {
            port.counters.increment::<{ Counter::Aged as usize }>();
            return Action::Withdraw(Claims::LEARNED);
        }
        port.lower_expiry(ageing.expiry(entry.stamp, now));
        Action::Keep
    });
    bridge.set_sweeping(false);
    Ok(())
}

#[kernel::macros::kunit_tests(maclearn_upkeep)]
mod tests {
    use super::*;
    use crate::{lab::Lab, port::Flag, table::Key};

    /// How often a job runs within ten seconds, by when it says that it is to run again.
    fn runs(job: &impl Job) -> usize {
        let (mut at, mut runs) = (0, 0);
        while at < 10 * clock::TICKS_PER_SECOND as usize {
            at += job.run().unwrap_or(usize::MAX / 2);
            runs += 1;
        }
        runs
    }

    #[test]
    fn waits_for_rtnl_less_and_less_often() {
        let retry = Retry::new();
        assert_eq!(retry.wait(1), SOON);
        assert_eq!(retry.wait(1), 2 * SOON);
        for _ in 0..100 {
            retry.wait(1);
        }
        assert_eq!(retry.wait(1), clock::TICKS_PER_SECOND as usize);
        retry.reset();
        assert_eq!(retry.wait(1), SOON);
    }

    #[test]
    fn runs_seldom_while_rtnl_is_busy() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        let rtnl = Rtnl::lock();
        let idle = runs(bridge);
        // Only RTNL can tell when the port has left it.
        bridge.note_left_vlan(&lab.ports[0], &rtnl);
        let waiting = runs(bridge);
        drop(rtnl);
        assert_eq!(idle, 10);
        assert!((11..=18).contains(&waiting));
        // Others may have it for a moment.
        while bridge.left_vlans().is_some() {
            bridge.run();
        }
        Ok(())
    }

    #[test]
    fn another_vlan_that_was_left_is_not_kept_waiting() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        let rtnl = Rtnl::lock();
        let mut next = None;
        // As where a range of VLANs is left under one hold of RTNL.
        for _ in 0..10 {
            bridge.note_left_vlan(&lab.ports[0], &rtnl);
            next = bridge.run();
        }
        drop(rtnl);
        assert_eq!(next, Some(SOON));
        while bridge.left_vlans().is_some() {
            bridge.run();
        }
        Ok(())
    }

    #[test]
    fn a_quiet_port_is_looked_at_soon() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        bridge.quiet.set(&mut bridge.writer.lock(), 0, true);
        let rtnl = Rtnl::lock();
        let next = bridge.run();
        drop(rtnl);
        assert_eq!(next, Some(SOON));
        Ok(())
    }

    #[test]
    fn publishing_is_seldom_tried_while_rtnl_is_busy() -> Result {
        let lab = Lab::new()?;
        let publisher = offload::Publisher::new(lab.bridge.clone());
        for _ in 0..2 {
            lab.learn(0, Key::from_parts(0, 2));
            let rtnl = Rtnl::lock();
            let tries = runs(&publisher);
            drop(rtnl);
            assert!((11..=18).contains(&tries));
            while publisher.run().is_some() {}
            assert_eq!(lab.bridge.table.published(), 1);
        }
        Ok(())
    }

    #[test]
    fn publishing_is_not_tried_where_it_is_impossible() -> Result {
        let lab = Lab::new()?;
        let publisher = offload::Publisher::new(lab.bridge.clone());
        lab.learn(0, Key::from_parts(0, 2));
        lab.ports[1].set(&mut lab.bridge.writer.lock(), Flag::Enabled, false);
        let rtnl = Rtnl::lock();
        let next = publisher.run();
        drop(rtnl);
        assert_eq!(next, None);
        Ok(())
    }

    #[test]
    fn comes_back_for_ports_that_have_left_when_they_are_due() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        lab.learn(0, Key::from_parts(0, 2));
        bridge.purged.store_relaxed(clock::ticks());
        assert!(lab.leave(0));
        let delay = bridge.run().ok_or(EINVAL)? as u64;
        let elapsed = clock::ticks().wrapping_sub(bridge.purged.load_relaxed());
        assert!(elapsed + delay >= PURGE_INTERVAL);
        // It is due.
        bridge
            .purged
            .store_relaxed(clock::ticks().wrapping_sub(PURGE_INTERVAL));
        bridge.run();
        assert!(bridge.writer.lock().departed() == PortMask::NONE);
        Ok(())
    }
}
