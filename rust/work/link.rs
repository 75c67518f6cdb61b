// SPDX-License-Identifier: GPL-2.0

//! Ports that can't receive, since their link is gone or for the spanning tree: what they own keeps
//! nothing from the others.
//!
//! A port is *quiet* while it is down, its link is, or its STP state is not forwarding, and when it
//! has left. What its bridge would send there is lost, and its guests may have moved. So its claims
//! suppress no copy at another port from the moment that it is quiet, and what was learned there is
//! forgotten by a walk in the background. It is quiet until that is done, if it can receive again
//! before; what it uses by then has a later time, and stays.
//!
//! The state of the ports is looked at under RTNL, at whatever tells of a change, and every second
//! in case nothing did.

use kernel::{prelude::*, sync::Arc};

use super::{forget, walk::Walk};
use crate::{
    kapi::{
        bridge::{self as kernel_bridge, PortFlag},
        rcu,
        rtnl::Rtnl,
    },
    state::{bridge::Bridge, events::Kind, flags::Flag, port::Port, revoke},
    table::{Action, Claims, Entry},
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
        // Until all is forgotten it stays quiet, whatever it can do by now.
        if !port.is_present(&locked.held) || port.flags().has(Flag::Forgetting) && !is_lost {
            return;
        }
        bridge.quiet.set(&mut locked, port.index, is_quiet);
        if is_quiet {
            port.begin_forgetting(&mut locked);
        } else {
            port.set(&mut locked, Flag::LearnedQuiet, false);
        }
    }
    if !is_quiet {
        revoke::reconsider_offload(bridge);
    }
    port.maintenance.run_within(0);
}

/// Looks whether the bridge knows by itself who is behind `port`.
fn look_for_learning(port: &Port) {
    let has = |flag| rcu::read(|section| kernel_bridge::has_flag(&port.device, flag, section));
    // From a locked port it lets in nobody else.
    let is_known = has(PortFlag::Learning) || has(PortFlag::Locked);
    let known = &port.bridge.known;
    if is_known != known.has(port.index) {
        let mut locked = port.bridge.table_lock.lock();
        if port.is_present(&locked.held) {
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

/// Forgets what was learned at ports before they became quiet. Whether it is worth while to go on
/// soon: something is done, and ports may be able to receive by now. May sleep.
pub(crate) fn forget(walk: &Walk<'_>) -> bool {
    let bridge = walk.bridge();
    // On -ENOMEM it is tried again in a second.
    let Ok(due) = forgetting_ports(bridge) else {
        return false;
    };
    if due.is_empty() {
        return false;
    }
    let ports = || due.iter().flatten();
    let owned = || ports().map(|(port, _)| u64::from(port.macs())).sum::<u64>();
    let before = owned();
    if before != 0 && bridge.table.offloaded() != 0 && !revoke_at(walk, &due) {
        return true;
    }
    // What the bridge let in before is learned by then.
    rcu::wait_for_readers();
    let ageing = bridge.ageing();
    for (port, until) in ports() {
        let mut locked = bridge.table_lock.lock();
        if port.lost() <= *until {
            port.set(&mut locked, Flag::LostSource, false);
        }
    }
    let is_due = |entry: &Entry| {
        due.get(usize::from(entry.port))
            .and_then(Option::as_ref)
            .is_some_and(|(_, until)| {
                entry.claims.has(Claims::LEARNED) && !ageing.is_later(entry.stamp, *until)
            })
    };
    let owns =
        |(port, _): &Due| port.macs() != 0 || bridge.table_lock.lock().pending.has_port(port.index);
    if ports().any(owns) && !forget::lose(walk, Claims::LEARNED, is_due) {
        return owned() < before;
    }
    // Who has seen one of the entries still must find that its port is quiet.
    rcu::wait_for_readers();
    for (port, until) in ports() {
        let mut locked = bridge.table_lock.lock();
        // Otherwise it was heard, and lost its link once more.
        if port.forget_until() == *until {
            port.set(&mut locked, Flag::Forgetting, false);
        }
    }
    true
}

/// A port, and the time up to which what was learned there is to be forgotten.
type Due = (Arc<Port>, u64);

/// Has frames for all that these ports own flooded at once, also for what stays since it was used
/// later. The bridge drops what it forwards to a port that is not forwarding. Whether that is done.
fn revoke_at(walk: &Walk<'_>, ports: &[Option<Due>]) -> bool {
    walk.visit_table(Kind::Deleted, |entry, _| {
        let port = ports.get(usize::from(entry.port));
        if entry.is_offloaded && port.is_some_and(Option::is_some) {
            Action::Revoke
        } else {
            Action::Keep
        }
    })
}

/// The ports that have something to forget, by their index.
fn forgetting_ports(bridge: &Bridge) -> Result<KVec<Option<Due>>> {
    let mut due = KVec::new();
    for port in &*bridge.ports() {
        if !port.flags().has(Flag::Forgetting) {
            continue;
        }
        let until = {
            let _locked = bridge.table_lock.lock();
            port.forget_until()
        };
        while due.len() <= usize::from(port.index) {
            due.push(None, GFP_KERNEL)?;
        }
        due[usize::from(port.index)] = Some((port.clone(), until));
    }
    Ok(due)
}

#[kernel::macros::kunit_tests(maclearn_link)]
mod tests {
    use super::*;
    use crate::{
        lab::{Lab, Reader, KEY},
        state::{locked::Locked, port::MOST_AHEAD},
        table::{Key, Stamp},
        work::ageing,
    };

    #[test]
    fn who_has_seen_what_is_forgotten_finds_the_port_quiet() -> Result {
        let lab = Lab::new()?;
        let (bridge, port) = (&*lab.bridge, &*lab.ports[0]);
        let is_kept = |port: &Port| port.flags().has(Flag::Forgetting);
        let was_kept = Reader::watch(&lab, 0, is_kept, |_| {
            lab.learn(0, KEY);
            port.begin_forgetting(&mut bridge.table_lock.lock());
            let walk = Walk::begin(bridge);
            assert!(forget(&walk));
            drop(walk);
            assert!(!port.flags().has(Flag::Forgetting));
        })?;
        assert_eq!(was_kept, Some(true));
        Ok(())
    }

    const OLD: Key = Key::from_parts(0, 0x102);
    const NEW: Key = Key::from_parts(0, 0x202);

    /// Port 0 has become quiet, where two keys were learned. One of them port 1 owns as well.
    fn lose_link(lab: &Lab) {
        for (port, key) in [(0, OLD), (1, KEY), (0, KEY)] {
            lab.learn(port, key);
        }
        let mut locked = lab.bridge.table_lock.lock();
        lab.bridge.quiet.set(&mut locked, 0, true);
        lab.ports[0].begin_forgetting(&mut locked);
    }

    fn owners(lab: &Lab) -> [(bool, bool); 3] {
        [OLD, KEY, NEW].map(|key| {
            let owners = lab.bridge.table_lock.lock().owners_of(key);
            (owners.has(0), owners.has(1))
        })
    }

    #[test]
    fn what_is_used_before_the_rest_is_forgotten_stays() -> Result {
        let lab = Lab::new()?;
        lose_link(&lab);
        lab.learn(0, KEY);
        lab.learn(0, NEW);
        let port = &*lab.ports[0];
        // The link is there.
        look(port, &Rtnl::lock());
        assert!(port.flags().has(Flag::Forgetting) && lab.bridge.quiet.has(0));
        assert!(forget(&Walk::begin(&lab.bridge)));
        assert_eq!(owners(&lab), [(false, false), (true, true), (true, false)]);
        look(port, &Rtnl::lock());
        assert!(!port.flags().has(Flag::Forgetting) && !lab.bridge.quiet.has(0));
        Ok(())
    }

    #[test]
    fn what_was_used_before_the_link_was_lost_once_more_is_forgotten() -> Result {
        let lab = Lab::new()?;
        lose_link(&lab);
        lab.learn(0, KEY);
        lab.ports[0].begin_forgetting(&mut lab.bridge.table_lock.lock());
        lab.learn(0, NEW);
        assert!(forget(&Walk::begin(&lab.bridge)));
        // Whether port 1 is the guest's by now nobody knows.
        assert_eq!(
            owners(&lab),
            [(false, false), (false, false), (true, false)]
        );
        Ok(())
    }

    #[test]
    fn what_waits_for_room_is_told_apart_as_well() -> Result {
        let lab = Lab::new()?;
        lose_link(&lab);
        let port = &*lab.ports[0];
        let keep = |key| {
            let mut locked = lab.bridge.table_lock.lock();
            let stamp = port.time_of_use(&locked) as Stamp;
            locked.withdraw(key, 0, Claims::LEARNED);
            locked.pending.keep(key, 0, stamp)
        };
        assert!(keep(OLD));
        port.begin_forgetting(&mut lab.bridge.table_lock.lock());
        assert!(keep(NEW));
        assert!(forget(&Walk::begin(&lab.bridge)));
        let locked = lab.bridge.table_lock.lock();
        assert!(!locked.pending.has(OLD, 0) && locked.pending.has(NEW, 0));
        Ok(())
    }

    #[test]
    fn where_nothing_ages_all_is_forgotten() -> Result {
        let lab = Lab::new()?;
        ageing::set_seconds(&Walk::begin(&lab.bridge), 0);
        lose_link(&lab);
        lab.learn(0, NEW);
        assert!(forget(&Walk::begin(&lab.bridge)));
        assert_eq!(owners(&lab), [(false, false); 3]);
        Ok(())
    }

    #[test]
    fn what_was_used_since_ends_that_it_is_lost_elsewhere() -> Result {
        let lab = Lab::new()?;
        lose_link(&lab);
        let bridge = &*lab.bridge;
        let ageing = bridge.ageing();
        let until = lab.ports[0].forget_until();
        let is_lost =
            |locked: &Locked| locked.matches(KEY, 0, |entry| !ageing.is_later(entry.stamp, until));
        assert!(is_lost(&bridge.table_lock.lock()));
        // What waits since before doesn't matter then.
        {
            let mut locked = bridge.table_lock.lock();
            locked.withdraw(KEY, 0, Claims::LEARNED);
            assert!(!is_lost(&locked));
            assert!(locked.pending.keep(KEY, 0, until as Stamp));
            assert!(is_lost(&locked));
        }
        lab.learn(0, KEY);
        forget::forget_elsewhere(bridge, KEY, 0, is_lost);
        assert_eq!(owners(&lab)[1], (true, true));
        Ok(())
    }

    #[test]
    fn a_port_that_flaps_does_not_run_ahead_of_the_clock() -> Result {
        let lab = Lab::new()?;
        let port = &*lab.ports[0];
        lab.bridge
            .quiet
            .set(&mut lab.bridge.table_lock.lock(), 0, true);
        for _ in 0..2000 {
            port.begin_forgetting(&mut lab.bridge.table_lock.lock());
        }
        lab.learn(0, NEW);
        let ahead = port.forget_until().saturating_sub(lab.bridge.now());
        assert!(ahead <= MOST_AHEAD && port.flags().has(Flag::LearnedQuiet));
        while port.flags().has(Flag::Forgetting) {
            forget(&Walk::begin(&lab.bridge));
        }
        assert_eq!(owners(&lab)[2], (false, false));
        Ok(())
    }
}
