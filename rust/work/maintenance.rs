// SPDX-License-Identifier: GPL-2.0

//! The maintenance work of a bridge: what is done in process context to keep its table in shape,
//! and what the packet path asks for.

use super::{
    addresses, ageing, departed, fdb, link, notify, offload, recovery, resize::resize, vlans,
    walk::Walk,
};
use crate::{
    kapi::{clock, delayed_work::Job, rtnl::Rtnl},
    state::{bridge::Bridge, retry::SOON},
};

impl Job for Bridge {
    /// Runs every second while the bridge is tracked, and when the packet path asks.
    fn run(&self) -> Option<usize> {
        let had_rtnl = update_with_rtnl(self);
        ageing::follow_bridge(self);
        let walk = Walk::begin(self);
        let until_purge = departed::purge_if_due(&walk);
        resize(&walk);
        // Those that have become quiet may be able to receive by now.
        let is_soon = link::forget(&walk);
        let left_vlans = self.vlans.left();
        let waits_for_rtnl = had_rtnl.is_none()
            && (left_vlans.is_some()
                || !self.quiet.is_empty()
                || self.addresses_due.load_relaxed());
        if let Some(Some(left)) = had_rtnl {
            vlans::forget_left(&walk, left);
        }
        // On -ENOMEM the sweep is tried again in a second.
        let _ = ageing::sweep(&walk);
        drop(walk);
        recovery::update_failure_state(self);
        offload::sync(self);
        notify::send(self);
        let next = [
            is_soon.then_some(SOON),
            waits_for_rtnl.then(|| self.retry.wait(left_vlans.unwrap_or(0))),
            until_purge,
            self.is_tracked().then_some(clock::HZ as usize),
        ];
        next.into_iter().flatten().min()
    }
}

/// Stops the works of a bridge for good. May sleep.
pub(crate) fn stop(bridge: &Bridge) {
    let maintenance = bridge.maintenance.lock().take();
    if let Some(maintenance) = maintenance {
        maintenance.cancel();
    }
    let offload_work = bridge.offload_work.lock().take();
    if let Some(offload_work) = offload_work {
        offload_work.cancel();
    }
}

/// Does what needs RTNL. Returns what [`VlanHistory::left`] said then; `None` if RTNL is busy.
///
/// [`VlanHistory::left`]: crate::state::vlans::VlanHistory::left
fn update_with_rtnl(bridge: &Bridge) -> Option<Option<u32>> {
    let rtnl = Rtnl::try_lock()?;
    bridge.retry.reset();
    if bridge.addresses_due.load_relaxed() {
        let _ = addresses::update(bridge, &rtnl);
    }
    link::look_at_all(bridge, &rtnl);
    fdb::check(bridge, &rtnl);
    vlans::follow_filtering(bridge, &rtnl);
    // Whoever takes a port from a VLAN holds RTNL from when that is said until it is done.
    Some(bridge.vlans.left())
}

#[kernel::macros::kunit_tests(maclearn_maintenance)]
mod tests {
    use super::*;
    use crate::{
        lab::Lab,
        state::{bridge::OffloadWork, flags::Flag},
        table::Key,
    };
    use kernel::prelude::*;

    /// How often a job runs within ten seconds, by when it says that it is to run again.
    fn runs(job: &impl Job) -> usize {
        let (mut at, mut runs) = (0, 0);
        while at < 10 * clock::HZ as usize {
            at += job.run().unwrap_or(usize::MAX / 2);
            runs += 1;
        }
        runs
    }

    #[test]
    fn runs_seldom_while_rtnl_is_busy() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        let rtnl = Rtnl::lock();
        let idle = runs(bridge);
        // Only RTNL can tell when the port has left it.
        bridge.vlans.note_left(&lab.ports[0].left_vlan, &rtnl);
        let waiting = runs(bridge);
        drop(rtnl);
        assert_eq!(idle, 10);
        assert!((11..=18).contains(&waiting));
        // Others may have it for a moment.
        while bridge.vlans.left().is_some() {
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
            bridge.vlans.note_left(&lab.ports[0].left_vlan, &rtnl);
            next = bridge.run();
        }
        drop(rtnl);
        assert_eq!(next, Some(SOON));
        while bridge.vlans.left().is_some() {
            bridge.run();
        }
        Ok(())
    }

    #[test]
    fn a_quiet_port_is_looked_at_soon() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        bridge.quiet.set(&mut bridge.table_lock.lock(), 0, true);
        let rtnl = Rtnl::lock();
        let next = bridge.run();
        drop(rtnl);
        assert_eq!(next, Some(SOON));
        Ok(())
    }

    #[test]
    fn offloading_is_seldom_tried_while_rtnl_is_busy() -> Result {
        let lab = Lab::new()?;
        let offload_work = OffloadWork::new(lab.bridge.clone());
        for _ in 0..2 {
            lab.learn(0, Key::from_parts(0, 2));
            let rtnl = Rtnl::lock();
            let tries = runs(&offload_work);
            drop(rtnl);
            assert!((11..=18).contains(&tries));
            while offload_work.run().is_some() {}
            assert_eq!(lab.bridge.table.offloaded(), 1);
        }
        Ok(())
    }

    #[test]
    fn offloading_is_not_tried_where_it_is_impossible() -> Result {
        let lab = Lab::new()?;
        let offload_work = OffloadWork::new(lab.bridge.clone());
        lab.learn(0, Key::from_parts(0, 2));
        lab.ports[1].set(&mut lab.bridge.table_lock.lock(), Flag::Enabled, false);
        let rtnl = Rtnl::lock();
        let next = offload_work.run();
        drop(rtnl);
        assert_eq!(next, None);
        Ok(())
    }
}
