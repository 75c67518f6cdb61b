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
    table::{Key, Ownership, Sight, Stamp},
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
        let vlan = if kernel_bridge::filters_vlans(&bridge.device) {
            classify(bridge, &bridge.device, &frame, context)
        } else {
            Some(0)
        };
        frame.set_mark(vlan.map_or(0, |vlan| Mark::local(vlan).to_bits(bridge.secret)));
        frame.accept()
    }
}

/// Marks a frame that enters through `port` and learns its source.
#[inline(always)]
fn enter(port: &Port, frame: Frame<'_>, context: &HookContext) -> Verdict {
    if kernel_bridge::filters_vlans(&port.bridge.device) {
        enter_filtered(port, frame, context)
    } else {
        enter_vlan(port, 0, frame, context)
    }
}

/// The same on a bridge that filters VLANs.
#[inline(never)]
fn enter_filtered(port: &Port, mut frame: Frame<'_>, context: &HookContext) -> Verdict {
    match classify(&port.bridge, &port.device, &frame, context) {
        Some(vlan) => enter_vlan(port, vlan, frame, context),
        None => {
            frame.set_mark(0);
            frame.accept()
        }
    }
}

/// The same, the VLAN being known.
#[inline(always)]
fn enter_vlan(port: &Port, vlan: u16, mut frame: Frame<'_>, context: &HookContext) -> Verdict {
    let bridge = &*port.bridge;
    bridge.memo.clear(context);
    let mark = Mark::new(vlan);
    frame.set_mark(mark.to_bits(port.secret));
    if !port.flags().has(Flag::Learning) {
        return frame.accept();
    }
    let key = Key::from_parts(vlan, frame.source());
    let now = bridge.now() as Stamp;
    let sight = bridge
        .table
        .refresh_at_once(context.section(), key, port.index, now);
    if sight == Sight::Known {
        return frame.accept();
    }
    enter_unknown(port, mark, key, sight, frame, context)
}

/// Learns the source of a frame, unless it is known after all.
#[cold]
#[inline(never)]
fn enter_unknown(
    port: &Port,
    mark: Mark,
    key: Key,
    sight: Sight,
    mut frame: Frame<'_>,
    context: &HookContext,
) -> Verdict {
    let bridge = &*port.bridge;
    let is_known = sight == Sight::Unclear
        && bridge
            .table
            .refresh(context.section(), key, port.index, bridge.now() as Stamp);
    if is_known {
        return frame.accept();
    }
    if kernel_bridge::has_flag(&port.device, PortFlag::Locked, context.section()) {
        // The bridge decides about this source after this hook.
        frame.set_mark(mark.learning_when_admitted().to_bits(port.secret));
        return frame.accept();
    }
    match learn(port, key, frame.source(), context) {
        Admission::Admit => frame.accept(),
        Admission::Drop => frame.drop(),
    }
}

/// The VLAN that a bridge which filters VLANs puts a frame in that enters through `device`; `None`
/// if it does not admit it or if its spanning trees keep that from a module.
fn classify(
    bridge: &Bridge,
    device: &NetDevice,
    frame: &Frame<'_>,
    context: &HookContext,
) -> Option<u16> {
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
    match Mark::from_bits(frame.mark(), port.secret) {
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
    if is_local {
        return filter_closely(port, flags, is_local, frame, context);
    }
    let known = Mark::from_bits(frame.mark(), port.secret).and_then(|mark| {
        let key = Key::from_parts(mark.vlan(), destination);
        port.bridge.memo.recall(context, key)
    });
    match known.and_then(|owners| owners.seen_from(port.index)) {
        Some(ownership) => conclude(port, flags, ownership, frame, context),
        None => filter_first(port, flags, frame, context),
    }
}

/// The same for the first copy of a frame: notes for the others who owns the destination.
#[inline(never)]
fn filter_first(port: &Port, flags: Flags, frame: Frame<'_>, context: &HookContext) -> Verdict {
    let bridge = &*port.bridge;
    let mark = Mark::from_bits(frame.mark(), port.secret).filter(|mark| !mark.is_local());
    let Some(mark) = mark else {
        return filter_closely(port, flags, false, frame, context);
    };
    let key = Key::from_parts(mark.vlan(), frame.destination());
    let owners = bridge.table.owners(context.section(), key);
    bridge.memo.note(context, key, owners);
    match owners.seen_from(port.index) {
        Some(ownership) => conclude(port, flags, ownership, frame, context),
        None => filter_closely(port, flags, false, frame, context),
    }
}

/// The same for a copy of a frame that the bridge device sent, or that has no mark, or whose
/// destination several ports own.
#[cold]
#[inline(never)]
fn filter_closely(
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

/// Who owns the destination of a copy; `None` if its VLAN does not show.
fn look_up(
    port: &Port,
    is_local: bool,
    frame: &Frame<'_>,
    context: &HookContext,
) -> Option<Ownership> {
    let mark =
        Mark::from_bits(frame.mark(), port.secret).filter(|mark| mark.is_local() == is_local);
    let vlan = match mark {
        Some(mark) => mark.vlan(),
        None => vlan_of_unmarked(port, frame, context)?,
    };
    let key = Key::from_parts(vlan, frame.destination());
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
