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
    port::{Counter, Flag, Port},
    table::{Key, Stamp},
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
    fn run(ports: &Ports, mut frame: Frame<'_>, context: &HookContext<'_>) -> Verdict {
        let Some(port) = context
            .input()
            .and_then(|device| ports.get(device, context.section()))
        else {
            return frame.accept();
        };
        let bridge = &*port.bridge;
        let Some(vlan) = classify(bridge, &port.device, &frame, context) else {
            frame.set_mark(0);
            return frame.accept();
        };
        let mark = Mark::new(vlan);
        frame.set_mark(mark.to_bits(bridge.secret));
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
            frame.set_mark(mark.learning_when_admitted().to_bits(bridge.secret));
            return frame.accept();
        }
        match learn(port, key, source, context) {
            Admission::Admit => frame.accept(),
            Admission::Drop => frame.drop(),
        }
    }
}

/// A frame goes up to the host: learns a source that the bridge had to admit first.
pub(crate) struct LocalIn;

impl Hook<Ports> for LocalIn {
    const POINT: Point = Point::LocalIn;
    const PRIORITY: Priority = Priority::First;

    #[inline(always)]
    fn run(ports: &Ports, frame: Frame<'_>, context: &HookContext<'_>) -> Verdict {
        match learn_admitted(ports, &frame, context) {
            Admission::Admit => frame.accept(),
            Admission::Drop => frame.drop(),
        }
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
    fn run(ports: &Ports, frame: Frame<'_>, context: &HookContext<'_>) -> Verdict {
        let Some(port) = context
            .output()
            .and_then(|device| ports.get(device, context.section()))
        else {
            return frame.accept();
        };
        let mark =
            Mark::from_bits(frame.mark(), port.bridge.secret).filter(|mark| !mark.is_local());
        if mark.is_some_and(Mark::learns_when_admitted)
            && learn_admitted(ports, &frame, context) == Admission::Drop
        {
            return frame.drop();
        }
        filter(port, mark, frame, context)
    }
}

/// A copy of a frame that the bridge device sent leaves.
pub(crate) struct LocalOut;

impl Hook<Ports> for LocalOut {
    const POINT: Point = Point::LocalOut;
    const PRIORITY: Priority = Priority::First;

    #[inline(always)]
    fn run(ports: &Ports, frame: Frame<'_>, context: &HookContext<'_>) -> Verdict {
        let Some(port) = context
            .output()
            .and_then(|device| ports.get(device, context.section()))
        else {
            return frame.accept();
        };
        let mark = Mark::from_bits(frame.mark(), port.bridge.secret).filter(|mark| mark.is_local());
        filter(port, mark, frame, context)
    }
}

/// The bridge device sends a frame: marks it with its VLAN, before a port's untagged egress hides
/// that.
pub(crate) struct BridgeEgress;

impl Hook<Bridge> for BridgeEgress {
    const POINT: Point = Point::DeviceEgress;
    const PRIORITY: Priority = Priority::Last;

    fn run(bridge: &Bridge, mut frame: Frame<'_>, context: &HookContext<'_>) -> Verdict {
        let vlan = classify(bridge, &bridge.device, &frame, context);
        frame.set_mark(vlan.map_or(0, |vlan| Mark::local(vlan).to_bits(bridge.secret)));
        frame.accept()
    }
}

/// The VLAN that the bridge puts a frame in that enters through `device`; `None` if it does not
/// admit it or if its spanning trees keep that from a module.
#[inline(always)]
fn classify(
    bridge: &Bridge,
    device: &NetDevice,
    frame: &Frame<'_>,
    context: &HookContext<'_>,
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
#[inline(always)]
fn learn_admitted(ports: &Ports, frame: &Frame<'_>, context: &HookContext<'_>) -> Admission {
    let Some(port) = context
        .input()
        .and_then(|device| ports.get(device, context.section()))
    else {
        return Admission::Admit;
    };
    match Mark::from_bits(frame.mark(), port.bridge.secret) {
        Some(mark) if mark.learns_when_admitted() => {
            let source = frame.source();
            learn(port, Key::from_parts(mark.vlan(), source), source, context)
        }
        _ => Admission::Admit,
    }
}

/// Passes or suppresses a copy that leaves through `port`.
#[inline(always)]
fn filter(port: &Port, mark: Option<Mark>, frame: Frame<'_>, context: &HookContext<'_>) -> Verdict {
    let flags = port.flags();
    if !flags.has(Flag::Enabled) {
        return frame.accept();
    }
    let destination = frame.destination();
    if is_multicast(destination) {
        return pass(port, Counter::PassedMulticast, frame, context);
    }
    let Some(vlan) = mark
        .map(Mark::vlan)
        .or_else(|| vlan_of_unmarked(port, &frame, context))
    else {
        return pass(port, Counter::PassedUnknown, frame, context);
    };
    let key = Key::from_parts(vlan, destination);
    let ownership = port
        .bridge
        .table
        .ownership(context.section(), key, port.index);
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
fn pass(port: &Port, counter: Counter, frame: Frame<'_>, context: &HookContext<'_>) -> Verdict {
    port.counters(context)
        .add(counter as usize, frame.segments());
    frame.accept()
}

/// The VLAN of a copy that no hook has marked, if it still shows.
#[cold]
fn vlan_of_unmarked(port: &Port, frame: &Frame<'_>, context: &HookContext<'_>) -> Option<u16> {
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
