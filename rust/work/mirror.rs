// SPDX-License-Identifier: GPL-2.0

//! Mirroring: who gets copies of what the bridge forwards to one port, and when that begins and
//! ends. "Mirroring" in `Documentation/design.md` says how it is done and why no frame is lost.

use kernel::{prelude::*, sync::Arc};

use crate::{
    kapi::{
        bridge::{self as kernel_bridge, PortFlag},
        rcu,
        rtnl::Rtnl,
    },
    state::{bridge::Bridge, flags::Flag, mirror::Targets, port::Port},
    table::PortMask,
};

/// Least number of filtered ports for which it pays (measured: `Documentation/performance`).
const PAYS_FROM: usize = 4;

/// Ports that are not filtered for which it takes one filtered port more.
const UNFILTERED_A_PORT: usize = 15;

/// Whether `port` is to have copies of what the bridge forwards to another one. One that is joining
/// may be about to be enabled: RTNL is held until that is done. One that is leaving gets nothing
/// any more.
fn wants_copies(port: &Port) -> bool {
    let flags = port.flags();
    !flags.has(Flag::Enabled) && !flags.has(Flag::Joining) && !flags.has(Flag::Gone)
}

/// Whether frames may be forwarded to one of the `ports`, all those of the bridge: the others that
/// get every copy, if there are any, can have them mirrored.
pub(crate) fn can_serve_all(bridge: &Bridge, ports: &[Arc<Port>]) -> bool {
    let unfiltered = ports.iter().filter(|port| wants_copies(port)).count();
    unfiltered == 0 || pays(ports.len() - unfiltered, unfiltered) && can_mirror(bridge, ports)
}

/// Whether so many filtered ports are spared more than mirroring costs.
fn pays(filtered: usize, unfiltered: usize) -> bool {
    filtered >= PAYS_FROM + unfiltered / UNFILTERED_A_PORT
}

/// Whether mirroring is wanted, and does all that flooding does.
fn can_mirror(bridge: &Bridge, ports: &[Arc<Port>]) -> bool {
    let suppresses = [
        PortFlag::ProxyArpWifi,
        PortFlag::NeighbourSuppress,
        PortFlag::NeighbourVlanSuppress,
    ];
    let allows_mirroring = |port: &Port| {
        rcu::read(|section| {
            let has = |flag| kernel_bridge::has_flag(&port.device, flag, section);
            let keeps_out = wants_copies(port) && suppresses.into_iter().any(has);
            !keeps_out
                && !port.is_switch_port
                && !has(PortFlag::VlanTunnel)
                && !kernel_bridge::may_have_querier(&bridge.device, &port.device)
        })
    };
    !cfg!(CONFIG_PREEMPT_RT)
        && bridge.wants_mirroring()
        && ports.iter().all(|port| allows_mirroring(port))
}

/// Whether copies are made for the ports that are not filtered, and for no others.
pub(crate) fn is_up_to_date(bridge: &Bridge) -> bool {
    let ports = bridge.ports();
    let mut unfiltered = ports.iter().filter(|port| wants_copies(port));
    let count = unfiltered.clone().count();
    bridge.mirror.count().unwrap_or(0) == count && unfiltered.all(|port| port.mirrored.is_open())
}

/// Whether `port` misses nothing while [`update`] is called, although keys are offloaded. Who lets
/// one join sees to what is offloaded, if it is not to be enabled.
fn misses_nothing_meanwhile(port: &Port, is_wanted: bool) -> bool {
    let flags = port.flags();
    flags.suppresses()
        || flags.has(Flag::Joining)
        || flags.has(Flag::Gone)
        || is_wanted && wants_copies(port) && port.mirrored.is_open()
}

/// Whether all ports miss nothing meanwhile, so that what is offloaded can stay.
pub(crate) fn may_stay_offloaded(bridge: &Bridge, is_wanted: bool) -> bool {
    bridge
        .ports()
        .iter()
        .all(|port| misses_nothing_meanwhile(port, is_wanted))
}

/// Has copies made for the ports that are not filtered, or for none unless that is wanted. Nothing
/// is offloaded, and a grace period has passed since it was, unless [`may_stay_offloaded`] says
/// that it can be. May sleep.
///
/// # Errors
///
/// `ENOMEM`, or what making the bridge promiscuous returns. Copies are then made for the ports that
/// they were made for.
pub(crate) fn update(bridge: &Bridge, is_wanted: bool, rtnl: &Rtnl) -> Result {
    if is_wanted && is_up_to_date(bridge) {
        return Ok(());
    }
    let mut ports = KVec::new();
    if is_wanted {
        for port in bridge.ports().iter().filter(|port| wants_copies(port)) {
            ports.push(port.clone(), GFP_KERNEL)?;
        }
    }
    if ports.is_empty() {
        end(bridge, rtnl);
        return Ok(());
    }
    begin(bridge, ports, rtnl)
}

fn begin(bridge: &Bridge, ports: KVec<Arc<Port>>, rtnl: &Rtnl) -> Result {
    let targets = box_targets(ports)?;
    let is_first = !bridge.mirror.is_on();
    if is_first {
        // Tagged first: what goes up once the bridge is promiscuous is dealt with.
        tag_frames(bridge, true, rtnl);
        rcu::wait_for_readers();
        if let Err(error) = bridge.device.set_promiscuous(true, rtnl) {
            tag_frames(bridge, false, rtnl);
            return Err(error);
        }
        // Whatever the bridge looks up from now on comes up.
        rcu::wait_for_readers();
    }
    replace_targets(bridge, Some(targets), rtnl);
    if is_first {
        // Where a list is replaced, that has waited. Whoever finds in the bridge's FDB what is
        // offloaded from now on sees the ports.
        rcu::wait_for_readers();
    }
    Ok(())
}

/// Ends it for a bridge on which nothing is offloaded, or all of whose ports are filtered. May
/// sleep.
pub(crate) fn end(bridge: &Bridge, rtnl: &Rtnl) {
    if !bridge.mirror.is_on() {
        return;
    }
    replace_targets(bridge, None, rtnl);
    // Ending it can't fail.
    let _ = bridge.device.set_promiscuous(false, rtnl);
    rcu::wait_for_readers();
    tag_frames(bridge, false, rtnl);
}

/// Has copies made for these ports from now on, and for no others, which are all the bridge's: one
/// that leaves is taken from them before another gets its number. May sleep.
fn replace_targets(bridge: &Bridge, targets: Option<KBox<Targets<Port>>>, rtnl: &Rtnl) {
    let generation = bridge.mirror.next_generation(rtnl);
    let mut mask = PortMask::NONE;
    let targets = targets.map(|mut targets| {
        targets.generation = generation;
        for port in &targets.ports {
            mask.set(port.index, true);
        }
        targets
    });
    for port in &*bridge.ports() {
        port.mirrored.set(rtnl, mask.has(port.index), generation);
    }
    bridge.mirror.replace(rtnl, targets);
}

/// Allocates a list of ports, which [`replace_targets`] numbers.
fn box_targets(ports: KVec<Arc<Port>>) -> Result<KBox<Targets<Port>>> {
    let generation = 0;
    Ok(KBox::new(Targets { ports, generation }, GFP_KERNEL)?)
}

fn tag_frames(bridge: &Bridge, on: bool, rtnl: &Rtnl) {
    bridge.mirror.set_on(rtnl, on);
    for port in &*bridge.ports() {
        port.set(&mut bridge.table_lock.lock(), Flag::TagsFrames, on);
    }
}

/// Makes no more copies for `port`, which is about to leave. May sleep.
///
/// # Errors
///
/// `ENOMEM`: the caller is to revoke what is offloaded, and to call [`end`].
pub(crate) fn remove(bridge: &Bridge, port: &Port, rtnl: &Rtnl) -> Result {
    if port.mirrored.is_open() {
        match targets_but(bridge, port)? {
            None => end(bridge, rtnl),
            others => replace_targets(bridge, others, rtnl),
        }
    }
    Ok(())
}

/// The ports that copies are made for, but `port`; `None` if there is none.
fn targets_but(bridge: &Bridge, port: &Port) -> Result<Option<KBox<Targets<Port>>>> {
    let mut others = KVec::with_capacity(bridge.mirror.count().unwrap_or(0), GFP_KERNEL)?;
    rcu::read(|section| {
        let targets = bridge.mirror.targets(section);
        for other in targets.map_or(&[][..], |targets| &targets.ports) {
            if other.index != port.index {
                // There is room for all of them.
                let _ = others.push_within_capacity(other.clone());
            }
        }
    });
    if others.is_empty() {
        return Ok(None);
    }
    box_targets(others).map(Some)
}
