// SPDX-License-Identifier: GPL-2.0

//! The way of a frame: in through a port, where its source is learned, and out as copies, which are
//! suppressed at ports that do not own its destination.
//!
//! Everything here runs in softirq context under RCU, for every frame of a namespace with an
//! enabled port.

use crate::{
    bridge::Bridge,
    decision::{decide, Decision},
    kapi::{
        bridge::{self as kernel_bridge, PortFlag},
        device_map::DeviceMap,
        netdevice::NetDevice,
        netfilter::{Hook, HookContext, Point, Priority},
        skb::{is_multicast, Frame, Verdict},
    },
    learning::{learn, Admission},
    mark::Mark,
    port::{Counter, Flag, Flags, Port},
    table::{Key, Ownership, Stamp},
};

/// The ports of a namespace's tracked bridges.
pub(crate) type Ports = DeviceMap<Port>;

/// A frame enters: marks it with its VLAN and learns its source.
///
/// Last at its point, so that what a firewall drops or rewrites there is not learned.
pub(crate) struct PreRouting;

impl Hook<Ports> for PreRouting {
    const POINT: Point = Point::PreRouting;
    const PRIORITY: Priority = Priority::Last;

    #[inline(always)]
    fn run(ports: &Ports, frame: Frame<'_>, context: &HookContext) -> Verdict {
        let Some(device) = context.input() else {
            return frame.accept();
        };
        let section = context.section();
        match ports
            .get_at_once(device, section)
            .or_else(|| ports.get(device, section))
        {
            Some(port) => enter(port, frame, context),
            None => frame.accept(),
        }
    }
}

/// A frame goes up to the host: learns a source that the bridge had to admit first.
pub(crate) struct LocalIn;

impl Hook<Ports> for LocalIn {
    const POINT: Point = Point::LocalIn;
    const PRIORITY: Priority = Priority::First;

    #[inline(always)]
    fn run(ports: &Ports, frame: Frame<'_>, context: &HookContext) -> Verdict {
        if Mark::may_learn_when_admitted(frame.mark())
            && learn_admitted(ports, &frame, context) == Admission::Drop
        {
            return frame.drop();
        }
        frame.accept()
    }
}

/// A copy of a bridged frame leaves.
///
/// First at its point, so that a firewall sees only copies that survive.
pub(crate) struct Forward;

impl Hook<Ports> for Forward {
    const POINT: Point = Point::Forward;
    const PRIORITY: Priority = Priority::First;

    #[inline(always)]
    fn run(ports: &Ports, frame: Frame<'_>, context: &HookContext) -> Verdict {
        match context
            .output()
            .and_then(|device| ports.get_at_once(device, context.section()))
        {
            Some(port) if !Mark::may_learn_when_admitted(frame.mark()) => {
                filter(port, false, frame, context)
            }
            _ => forward(ports, frame, context),
        }
    }
}

/// A copy of a frame that the bridge device sent leaves.
pub(crate) struct LocalOut;

impl Hook<Ports> for LocalOut {
    const POINT: Point = Point::LocalOut;
    const PRIORITY: Priority = Priority::First;

    fn run(ports: &Ports, frame: Frame<'_>, context: &HookContext) -> Verdict {
        match context
            .output()
            .and_then(|device| ports.get(device, context.section()))
        {
            Some(port) => filter(port, true, frame, context),
            None => frame.accept(),
        }
    }
}

/// The bridge device sends a frame: marks it with its VLAN, before a port's untagged egress hides
/// that.
pub(crate) struct BridgeEgress;

impl Hook<Bridge> for BridgeEgress {
    const POINT: Point = Point::DeviceEgress;
    const PRIORITY: Priority = Priority::Last;

    fn run(bridge: &Bridge, mut frame: Frame<'_>, context: &HookContext) -> Verdict {
        let vlan = classify(bridge, &bridge.device, &frame, context);
        let mark = vlan.map(|vlan| Mark::local(vlan).to_bits(bridge.secret, frame.destination()));
        frame.set_mark(mark.unwrap_or(0));
        frame.accept()
    }
}

/// Marks a frame that enters through `port` and learns its source.
#[inline(always)]
fn enter(port: &Port, mut frame: Frame<'_>, context: &HookContext) -> Verdict {
    let bridge = &*port.bridge;
    let Some(vlan) = classify(bridge, &port.device, &frame, context) else {
        frame.set_mark(0);
        return frame.accept();
    };
    let destination = frame.destination();
    let mut mark = Mark::new(vlan);
    if !is_multicast(destination) {
        let key = Key::from_parts(vlan, destination);
        mark = mark.with_owners(bridge.table.owners(context.section(), key));
    }
    frame.set_mark(mark.to_bits(port.secret, destination));
    if !port.flags().has(Flag::Learning) {
        return frame.accept();
    }
    let source = frame.source();
    let key = Key::from_parts(vlan, source);
    if bridge
        .table
        .refresh(context.section(), key, port.index, bridge.now() as Stamp)
    {
        return frame.accept();
    }
    if kernel_bridge::has_flag(&port.device, PortFlag::Locked, context.section()) {
        // The bridge decides about this source after this hook.
        let mark = mark.learning_when_admitted();
        frame.set_mark(mark.to_bits(port.secret, destination));
        return frame.accept();
    }
    match learn(port, key, source, context) {
        Admission::Admit => frame.accept(),
        Admission::Drop => frame.drop(),
    }
}

/// The VLAN that the bridge puts a frame in that enters through `device`; `None` if it does not
/// admit it or if its spanning trees keep that from a module.
#[inline(always)]
fn classify(
    bridge: &Bridge,
    device: &NetDevice,
    frame: &Frame<'_>,
    context: &HookContext,
) -> Option<u16> {
    if !kernel_bridge::filters_vlans(&bridge.device) {
        return Some(0);
    }
    if kernel_bridge::runs_mst(&bridge.device) {
        return None;
    }
    kernel_bridge::classify(&bridge.device, device, frame.vlan_tag(), context.section())
}

/// Learns the source of a frame whose mark asks for that.
#[cold]
#[inline(never)]
fn learn_admitted(ports: &Ports, frame: &Frame<'_>, context: &HookContext) -> Admission {
    let Some(port) = context
        .input()
        .and_then(|device| ports.get(device, context.section()))
    else {
        return Admission::Admit;
    };
    match Mark::from_bits(frame.mark(), port.secret, frame.destination()) {
        Some(mark) if mark.learns_when_admitted() => {
            let source = frame.source();
            learn(port, Key::from_parts(mark.vlan(), source), source, context)
        }
        _ => Admission::Admit,
    }
}

/// Does what [`Forward`] does where that takes more than a look: its own path stays short so.
#[cold]
#[inline(never)]
fn forward(ports: &Ports, frame: Frame<'_>, context: &HookContext) -> Verdict {
    let Some(port) = context
        .output()
        .and_then(|device| ports.get(device, context.section()))
    else {
        return frame.accept();
    };
    if Mark::may_learn_when_admitted(frame.mark())
        && learn_admitted(ports, &frame, context) == Admission::Drop
    {
        return frame.drop();
    }
    filter(port, false, frame, context)
}

/// Passes or suppresses a copy that leaves through `port`, of a frame that the bridge device sent
/// (`is_local`) or that it forwards.
#[inline(always)]
fn filter(port: &Port, is_local: bool, frame: Frame<'_>, context: &HookContext) -> Verdict {
    let flags = port.flags();
    if !flags.has(Flag::Enabled) {
        return frame.accept();
    }
    let destination = frame.destination();
    if is_multicast(destination) {
        return pass(port, Counter::PassedMulticast, frame, context);
    }
    match Mark::from_bits(frame.mark(), port.secret, destination)
        .and_then(|mark| mark.ownership(port.index))
    {
        Some(ownership) => conclude(port, flags, ownership, frame, context),
        None => filter_unmarked(port, flags, is_local, frame, context),
    }
}

/// The same for a copy whose mark does not tell who owns the destination.
#[cold]
#[inline(never)]
fn filter_unmarked(
    port: &Port,
    flags: Flags,
    is_local: bool,
    frame: Frame<'_>,
    context: &HookContext,
) -> Verdict {
    match look_up(port, is_local, &frame, context) {
        Some(ownership) => conclude(port, flags, ownership, frame, context),
        None => pass(port, Counter::PassedUnknown, frame, context),
    }
}

/// The same, the owners of the destination being known.
#[inline(always)]
fn conclude(
    port: &Port,
    flags: Flags,
    ownership: Ownership,
    frame: Frame<'_>,
    context: &HookContext,
) -> Verdict {
    match decide(ownership, flags.policy()) {
        Decision::PassOwned => pass(port, Counter::PassedOwned, frame, context),
        Decision::PassFailingOpen => pass(port, Counter::PassedFailingOpen, frame, context),
        Decision::PassUnknown => pass(port, Counter::PassedUnknown, frame, context),
        Decision::Suppress => {
            let counters = port.counters(context);
            counters.add(Counter::Suppressed as usize, frame.segments());
            counters.add(Counter::SuppressedBytes as usize, frame.bytes());
            frame.consume()
        }
    }
}

#[inline(always)]
fn pass(port: &Port, counter: Counter, frame: Frame<'_>, context: &HookContext) -> Verdict {
    port.counters(context)
        .add(counter as usize, frame.segments());
    frame.accept()
}

/// Who owns the destination of a copy whose mark does not tell; `None` if its VLAN does not show.
fn look_up(
    port: &Port,
    is_local: bool,
    frame: &Frame<'_>,
    context: &HookContext,
) -> Option<Ownership> {
    let destination = frame.destination();
    let mark = Mark::from_bits(frame.mark(), port.secret, destination)
        .or_else(|| Mark::of_group(frame.mark(), port.secret))
        .filter(|mark| mark.is_local() == is_local);
    let vlan = match mark {
        Some(mark) => mark.vlan(),
        None => vlan_of_unmarked(port, frame, context)?,
    };
    let key = Key::from_parts(vlan, destination);
    Some(
        port.bridge
            .table
            .ownership(context.section(), key, port.index),
    )
}

/// The VLAN of a copy that no hook has marked, if it still shows.
fn vlan_of_unmarked(port: &Port, frame: &Frame<'_>, context: &HookContext) -> Option<u16> {
    let bridge = &port.bridge.device;
    if !kernel_bridge::filters_vlans(bridge) {
        return Some(0);
    }
    if kernel_bridge::runs_mst(bridge) {
        return None;
    }
    let tag = frame.vlan_tag()?;
    kernel_bridge::classify(bridge, &port.device, Some(tag), context.section())
        .filter(|&vlan| vlan == tag.vid)
}
