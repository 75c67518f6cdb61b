// SPDX-License-Identifier: GPL-2.0

//! Ports that can't receive, since their link is gone or for the spanning tree: what they own keeps
//! nothing from the others.
//!
//! A port is *quiet* while it is down, its link is, or its STP state is not forwarding, and when it
//! has left. What its bridge would send there is lost, and its guests may have moved. So its claims
//! suppress no copy at another port from the moment that it is quiet, and what was learned there is
//! forgotten by a walk in the background. It is quiet until that is done, if it can receive again
//! before.
//!
//! The state of the ports is looked at under RTNL, at whatever tells of a change, and every second
//! in case nothing did.

use kernel::sync::Arc;

use super::{forget, walk::Walk};
use crate::{
    kapi::{
        bridge::{self as kernel_bridge, PortFlag},
        rcu,
        rtnl::Rtnl,
    },
    state::{bridge::Bridge, flags::Flag, port::Port, port_set::PortSet, revoke},
    table::Claims,
};

/// Looks whether `port` can receive, and whether the bridge learns there.
pub(crate) fn look(port: &Port, rtnl: &Rtnl) {
    look_for_learning(port);
    let device = &*port.device;
    let has_link = device.is_running() && device.has_carrier();
    let is_quiet = !(has_link && kernel_bridge::is_forwarding(device, rtnl));
    // What it has learned while it was quiet, on its way to forwarding, is lost like the rest.
    let is_lost = port.flags().has(Flag::LearnedQuiet)
        && !(has_link && kernel_bridge::is_learning(device, rtnl));
    let bridge = &*port.bridge;
    if is_quiet == bridge.quiet.has(port.index) && !(is_quiet && is_lost) {
        return;
    }
    {
        let mut locked = bridge.table_lock.lock();
        if !port.is_present() || port.flags().has(Flag::Forgetting) {
            return;
        }
        bridge.quiet.set(&mut locked, port.index, is_quiet);
        port.set(&mut locked, Flag::Forgetting, is_quiet);
        port.set(&mut locked, Flag::LearnedQuiet, false);
    }
    if !is_quiet {
        revoke::reconsider_offload(bridge);
    }
    port.maintenance.schedule(0);
}

/// Looks whether the bridge knows by itself who is behind `port`.
fn look_for_learning(port: &Port) {
    let has = |flag| rcu::read(|section| kernel_bridge::has_flag(&port.device, flag, section));
    // From a locked port it lets in nobody else.
    let is_known = has(PortFlag::Learning) || has(PortFlag::Locked);
    let known = &port.bridge.known;
    if is_known != known.has(port.index) {
        let mut locked = port.bridge.table_lock.lock();
        if port.is_present() {
            known.set(&mut locked, port.index, is_known);
        }
    }
}

/// Looks at all ports of a bridge.
pub(crate) fn look_at_all(bridge: &Bridge, rtnl: &Rtnl) {
    for port in &*bridge.ports() {
        look(port, rtnl);
    }
}

/// Forgets what was learned at ports that have become quiet. Whether there were any, and all is
/// forgotten. May sleep.
pub(crate) fn forget(walk: &Walk<'_>) -> bool {
    let bridge = walk.bridge();
    let due = PortSet::new();
    for port in &*bridge.ports() {
        if port.flags().has(Flag::Forgetting) {
            due.set(&mut bridge.table_lock.lock(), port.index, true);
        }
    }
    if due.is_empty() {
        return false;
    }
    // What the bridge let in before is learned by then.
    rcu::wait_for_readers();
    let owns = |port: &Arc<Port>| {
        let locked = bridge.table_lock.lock();
        due.has(port.index) && (port.macs() != 0 || locked.pending.has_port(port.index))
    };
    for port in &*bridge.ports() {
        if due.has(port.index) {
            port.set(&mut bridge.table_lock.lock(), Flag::LostSource, false);
        }
    }
    let is_complete = !bridge.ports().iter().any(owns)
        || forget::lose(walk, Claims::LEARNED, |entry| due.has(entry.port));
    if is_complete {
        // Who has seen one of the entries still must find that its port is quiet.
        rcu::wait_for_readers();
        for port in &*bridge.ports() {
            if due.has(port.index) {
                port.set(&mut bridge.table_lock.lock(), Flag::Forgetting, false);
            }
        }
    }
    is_complete
}

#[kernel::macros::kunit_tests(maclearn_link)]
mod tests {
    use super::*;
    use crate::lab::{Lab, Reader, KEY};
    use kernel::prelude::*;

    #[test]
    fn who_has_seen_what_is_forgotten_finds_the_port_quiet() -> Result {
        let lab = Lab::new()?;
        let (bridge, port) = (&*lab.bridge, &*lab.ports[0]);
        let is_kept = |port: &Port| port.flags().has(Flag::Forgetting);
        let was_kept = Reader::watch(&lab, 0, is_kept, |_| {
            lab.learn(0, KEY);
            port.set(&mut bridge.table_lock.lock(), Flag::Forgetting, true);
            let walk = Walk::begin(bridge);
            assert!(forget(&walk));
            drop(walk);
            assert!(!port.flags().has(Flag::Forgetting));
        })?;
        assert_eq!(was_kept, Some(true));
        Ok(())
    }
}
