// SPDX-License-Identifier: GPL-2.0

//! Ports that can't receive: what they own keeps nothing from the others.
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

use crate::{
    bridge::Bridge,
    kapi::{
        bridge::{self as kernel_bridge, PortFlag},
        rcu::{self, ReadSection},
        rtnl::Rtnl,
    },
    offload,
    port::{Flag, Port},
    port_set::PortSet,
    table::{Claims, Key, Owners},
};

/// Most tries to forget all of it before a port joins a VLAN.
const WALKS: usize = 8;

/// Whether all owners of `key`, the destination of a copy, are quiet. It has one at least. If the frame's
/// copies have a memo (`has_memo`) the others need not try each owner.
pub(crate) fn are_owners(bridge: &Bridge, key: Key, has_memo: bool, section: &ReadSection) -> bool {
    let (quiet, memo) = (&bridge.quiet, &bridge.memo);
    if quiet.is_empty() {
        return false;
    }
    if has_memo && memo.recall(key).is_some_and(Owners::are_quiet) {
        return true;
    }
    let is_awake = |port, _| !quiet.has(port);
    let are_quiet = !bridge.table.is_owned_by_any(section, key, is_awake);
    if are_quiet && has_memo {
        memo.note(key, bridge.table.owners(section, key).quietly());
    }
    are_quiet
}

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
        let mut locked = bridge.writer.lock();
        if !port.is_present() || port.flags().has(Flag::Forgetting) {
            return;
        }
        bridge.quiet.set(&mut locked, port.index, is_quiet);
        port.set(&mut locked, Flag::Forgetting, is_quiet);
        port.set(&mut locked, Flag::LearnedQuiet, false);
    }
    if !is_quiet {
        offload::reconsider(bridge);
    }
    port.upkeep.schedule(0);
}

/// Looks whether the bridge knows by itself who is behind `port`.
fn look_for_learning(port: &Port) {
    let has =
        |flag| ReadSection::enter(|section| kernel_bridge::has_flag(&port.device, flag, section));
    // From a locked port it lets in nobody else.
    let is_known = has(PortFlag::Learning) || has(PortFlag::Locked);
    let known = &port.bridge.known;
    if is_known != known.has(port.index) {
        let mut locked = port.bridge.writer.lock();
        if port.is_present() {
            known.set(&mut locked, port.index, is_known);
        }
    }
}

/// Looks at all ports of a bridge.
pub(crate) fn look_at_all(bridge: &Bridge, rtnl: &Rtnl) {
    for port in &*bridge.ports.lock() {
        look(port, rtnl);
    }
}

/// Forgets what was learned at ports that have become quiet. Whether there were any, and all is
/// forgotten. The caller holds [`Bridge::walk`]; may sleep.
pub(crate) fn forget(bridge: &Bridge) -> bool {
    let due = PortSet::new();
    for port in &*bridge.ports.lock() {
        if port.flags().has(Flag::Forgetting) {
            due.set(&mut bridge.writer.lock(), port.index, true);
        }
    }
    if due.is_empty() {
        return false;
    }
    // What the bridge let in before is learned by then.
    rcu::wait_for_readers();
    let owns = |port: &Arc<Port>| {
        let locked = bridge.writer.lock();
        due.has(port.index) && (port.macs() != 0 || locked.pending.has_port(port.index))
    };
    for port in &*bridge.ports.lock() {
        if due.has(port.index) {
            port.set(&mut bridge.writer.lock(), Flag::LostSource, false);
        }
    }
    let is_complete = !bridge.ports.lock().iter().any(owns)
        || bridge.lose(Claims::LEARNED, |entry| due.has(entry.port));
    if is_complete {
        // Who has seen one of the entries still must find that its port is quiet.
        rcu::wait_for_readers();
        for port in &*bridge.ports.lock() {
            if due.has(port.index) {
                port.set(&mut bridge.writer.lock(), Flag::Forgetting, false);
            }
        }
    }
    is_complete
}

/// Forgets what was learned in VLANs that ports have left by now, which is what [`Bridge::left_vlans`]
/// said when that was sure. Whether that is done: it takes memory. The caller holds [`Bridge::walk`]; may
/// sleep.
pub(crate) fn forget_left_vlans(bridge: &Bridge, left: u32) -> bool {
    let Ok(ports) = bridge.ports_by_index() else {
        return false;
    };
    // What the bridge let in before is learned by then.
    rcu::wait_for_readers();
    let is_complete = bridge.lose(Claims::LEARNED, |entry| {
        let Some(Some(port)) = ports.get(usize::from(entry.port)) else {
            return false;
        };
        let vlan = entry.key.vlan();
        vlan != 0
            && !ReadSection::enter(|section| kernel_bridge::has_vlan(&port.device, vlan, section))
    });
    if is_complete {
        bridge.set_forgotten_vlans(left);
    }
    is_complete
}

/// A port that has left VLANs is about to join one, perhaps the same: what was learned there before is
/// forgotten while it can still be told. May sleep.
pub(crate) fn before_vlan_joined(bridge: &Bridge, _rtnl: &Rtnl) {
    for _ in 0..WALKS {
        // Who takes a port from a VLAN holds RTNL from when that is said until it is done.
        let Some(left) = bridge.left_vlans() else {
            return;
        };
        let _walk = bridge.walk.lock();
        if forget_left_vlans(bridge, left) {
            return;
        }
    }
}

#[kernel::macros::kunit_tests(maclearn_quiet)]
mod tests {
    use super::*;
    use crate::{
        kapi::bh_lock::BhDisabled,
        lab::{Lab, Reader, KEY},
    };
    use kernel::prelude::*;

    #[test]
    fn who_has_seen_what_is_forgotten_finds_the_port_quiet() -> Result {
        let lab = Lab::new()?;
        let (bridge, port) = (&*lab.bridge, &*lab.ports[0]);
        let is_kept = |port: &Port| port.flags().has(Flag::Forgetting);
        let was_kept = Reader::watch(&lab, 0, is_kept, |_| {
            lab.learn(0, KEY);
            port.set(&mut bridge.writer.lock(), Flag::Forgetting, true);
            let walk = bridge.walk.lock();
            assert!(forget(bridge));
            drop(walk);
            assert!(!port.flags().has(Flag::Forgetting));
        })?;
        assert_eq!(was_kept, Some(true));
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
            let walk = bridge.walk.lock();
            let departed = bridge.writer.lock().departed();
            reader.wait_for_it();
            bridge.purge(departed);
            drop(walk);
            assert!(!bridge.quiet.has(0));
            port.set(&mut bridge.writer.lock(), Flag::Gone, false);
        })?;
        assert_eq!(was_kept, Some(true));
        Ok(())
    }

    #[test]
    fn that_all_owners_are_quiet_is_found_out_once_a_frame() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        for port in [0, 1] {
            lab.learn(port, KEY);
            bridge.quiet.set(&mut bridge.writer.lock(), port, true);
        }
        let ask =
            |has_memo| ReadSection::enter(|section| are_owners(bridge, KEY, has_memo, section));
        let softirqs = BhDisabled::new();
        bridge.memo.clear();
        let without = (ask(false), bridge.memo.recall(KEY));
        let first = ask(true);
        bridge.quiet.set(&mut bridge.writer.lock(), 0, false);
        let others = (ask(true), ask(false));
        bridge.memo.clear();
        let next = (ask(true), bridge.memo.recall(KEY));
        drop(softirqs);
        // A frame whose copies have no memo leaves nothing there.
        assert_eq!(without, (true, None));
        // All copies of a frame go by what its first found, but for those that have no memo.
        assert!(first);
        assert_eq!(others, (true, false));
        // The next frame does not.
        assert_eq!(next, (false, None));
        Ok(())
    }
}
