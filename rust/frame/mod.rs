// SPDX-License-Identifier: GPL-2.0

//! The way of a frame: in through a port, where its source is learned, and out as copies, which are
//! suppressed at ports that do not own its destination.
//!
//! Everything here runs under RCU, for every frame of a namespace that has had an enabled port:
//! mostly with softirqs off, but not where a firewall has queued the frame to user space.
//!
//! Functions that are never inlined stand apart for one reason: so that the hooks themselves keep
//! all they know in registers, and make no stack frame. A known source on a bridge that does not
//! filter VLANs needs none of them, nor does a copy whose destination is in the memo. Other frames
//! need one each: `enter_filtered` where VLANs are filtered, `filter_first` for a frame's first
//! copy, `go_up` for a frame that goes up to be mirrored. These functions get frame and context
//! where a hook gets them, so that nothing is moved for the call, which stands at the end of a way.

use core::hint;

mod decision;
mod fdb;
mod learning;
mod mirror;
mod quiet;

use decision::{decide, Decision, Policy};
use fdb::Answer;
use learning::{learn, Admission};
use mirror::{mirror_forwarded, mirror_sent};

use crate::{
    kapi::{
        bridge::{self as kernel_bridge, PortFlag},
        device_map::DeviceMap,
        netdevice::NetDevice,
        netfilter::{points, EgressHook, Hook, HookContext, PointContext, Priority},
        skb::{is_multicast, BridgeSkBuff, EgressSkBuff, Verdict},
        vlan::VlanTag,
    },
    state::{
        bridge::Bridge,
        counters::Counter,
        flags::{Flag, Flags},
        port::Port,
        tag::CbTag,
    },
    table::{Key, Miss, Owners, Ownership, Sight, Stamp, Use},
};

/// The ports of a namespace's tracked bridges.
pub(crate) type Ports = DeviceMap<Port>;

/// A frame enters: tags it with its VLAN and learns its source.
///
/// Last at its point, so that what a firewall drops or rewrites there is not learned.
pub(crate) struct PreRouting;

impl Hook<Ports> for PreRouting {
    type Point = points::PreRouting;
    const PRIORITY: Priority = Priority::Last;

    #[inline(always)]
    fn run<'a>(
        ports: &Ports,
        device: &NetDevice,
        mut frame: BridgeSkBuff<'a>,
        context: &PointContext<'a, Self::Point>,
    ) -> Verdict<'a> {
        let section = context.section();
        match ports
            .get_fast(device, section)
            .or_else(|| ports.get(device, section))
        {
            Some(port) => enter(port, frame, context),
            None => {
                // It may have been tagged as it went through the same bridge before.
                frame.set_cb_tag(0);
                frame.accept()
            }
        }
    }
}

/// A frame goes up to the host: learns a source that the bridge had to admit first, and mirrors
/// what the bridge has forwarded.
pub(crate) struct LocalIn;

impl Hook<Ports> for LocalIn {
    type Point = points::LocalIn;
    const PRIORITY: Priority = Priority::First;

    #[inline(always)]
    fn run<'a>(
        ports: &Ports,
        device: &NetDevice,
        frame: BridgeSkBuff<'a>,
        context: &PointContext<'a, Self::Point>,
    ) -> Verdict<'a> {
        let tag = frame.cb_tag();
        if !CbTag::may_be_due(tag) {
            return frame.accept();
        }
        if CbTag::may_learn_when_admitted(tag) {
            return learn_going_up(ports, device, frame, context);
        }
        go_up(ports, device, frame, context)
    }
}

/// A copy of a bridged frame leaves.
///
/// First at its point, so that a firewall sees only copies that survive.
pub(crate) struct Forward;

impl Hook<Ports> for Forward {
    type Point = points::Forward;
    const PRIORITY: Priority = Priority::First;

    #[inline(always)]
    fn run<'a>(
        ports: &Ports,
        device: &NetDevice,
        frame: BridgeSkBuff<'a>,
        context: &PointContext<'a, Self::Point>,
    ) -> Verdict<'a> {
        match ports.get_fast(device, context.section()) {
            Some(port) if CbTag::may_be_plain(frame.cb_tag()) => {
                filter(port, false, true, frame, context)
            }
            _ => forward(ports, frame, context, device),
        }
    }
}

/// A copy of a frame leaves that came in through no port: mostly the bridge device sent it. The
/// bridge makes some itself (BPDUs, multicast queries), and so does nft where it rejects a frame.
pub(crate) struct LocalOut;

impl Hook<Ports> for LocalOut {
    type Point = points::LocalOut;
    const PRIORITY: Priority = Priority::First;

    fn run<'a>(
        ports: &Ports,
        device: &NetDevice,
        frame: BridgeSkBuff<'a>,
        context: &PointContext<'a, Self::Point>,
    ) -> Verdict<'a> {
        match ports.get(device, context.section()) {
            Some(port) if port.bridge.mirror.is_on() => match mirror_sent(port, frame, context) {
                Ok(frame) => filter(port, true, false, frame, context),
                Err(verdict) => verdict,
            },
            Some(port) => filter(port, true, false, frame, context),
            None => frame.accept(),
        }
    }
}

/// The bridge device sends a frame: tags it with its VLAN, before a port's untagged egress hides
/// that.
pub(crate) struct BridgeEgress;

impl EgressHook<Bridge> for BridgeEgress {
    fn run<'a>(bridge: &Bridge, mut frame: EgressSkBuff<'a>, context: &HookContext) -> Verdict<'a> {
        if frame.is_bridged_dnat() {
            return resume(bridge, frame);
        }
        let vlan = if kernel_bridge::filters_vlans(&bridge.device) {
            classify(bridge, &bridge.device, frame.vlan_tag(), context)
        } else {
            Some(0)
        };
        let tag = vlan.map_or(0, |vlan| {
            mirror::tag_sent(bridge, vlan, &frame).to_bits(bridge.secret)
        });
        frame.set_cb_tag(tag);
        frame.accept()
    }
}

/// A frame that br_netfilter sends on its way once more keeps the tag with which it entered. It may
/// have waited for a neighbour's address meanwhile.
#[cold]
#[inline(never)]
fn resume<'a>(bridge: &Bridge, mut frame: EgressSkBuff<'a>) -> Verdict<'a> {
    let tag = CbTag::from_bits(frame.cb_tag(), bridge.secret).filter(|tag| !tag.is_local());
    bridge.mirror.clear_seen();
    frame.set_cb_tag(tag.map_or(0, |tag| tag.without_memo().to_bits(bridge.secret)));
    frame.accept()
}

/// Tags a frame that enters through `port` and learns its source.
#[inline(always)]
fn enter<'a>(port: &Port, frame: BridgeSkBuff<'a>, context: &HookContext) -> Verdict<'a> {
    if kernel_bridge::filters_vlans(&port.bridge.device) {
        enter_filtered(port, frame, context)
    } else {
        enter_vlan(port, 0, frame, context)
    }
}

/// [`enter`] on a bridge that filters VLANs.
#[inline(never)]
fn enter_filtered<'a>(
    port: &Port,
    mut frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    match classify(&port.bridge, &port.device, frame.vlan_tag(), context) {
        Some(vlan) => enter_vlan(port, vlan, frame, context),
        None => {
            frame.set_cb_tag(0);
            frame.accept()
        }
    }
}

/// [`enter`], the VLAN being known.
#[inline(always)]
fn enter_vlan<'a>(
    port: &Port,
    vlan: u16,
    mut frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    let bridge = &*port.bridge;
    let tag = CbTag::new(vlan);
    let mut tag = if bridge.memo.clear() {
        tag
    } else {
        tag.without_memo()
    };
    let flags = port.flags();
    if !flags.has(Flag::LearningNow) {
        if flags.has(Flag::TagsFrames) {
            tag = tag_with_copies_due(port, &frame, tag, vlan);
        }
        if !flags.learns_as_of_now() {
            frame.set_cb_tag(tag.to_bits(port.secret));
            return enter_forgetting(port, tag, vlan, frame, context);
        }
    }
    frame.set_cb_tag(tag.to_bits(port.secret));
    enter_learning(port, tag, vlan, frame, context)
}

/// The tag of a frame that the bridge may have to mirror. One for a group is copied to all that it
/// is for. It is tagged all the same if how it goes up to the host may have to be changed: in a
/// VLAN, which the bridge device may not be in, and where connection tracking has to do with it.
#[inline(always)]
fn tag_with_copies_due(port: &Port, frame: &BridgeSkBuff<'_>, tag: CbTag, vlan: u16) -> CbTag {
    let bridge = &*port.bridge;
    if vlan == 0 && is_multicast(frame.destination()) && !frame.has_connection_state() {
        return tag;
    }
    bridge.mirror.clear_seen();
    tag.with_copies_due()
        .with_priority(mirror::priority(bridge, vlan, || frame.vlan_tag()))
}

/// Learns the source of a frame that has its tag.
#[inline(always)]
fn enter_learning<'a>(
    port: &Port,
    tag: CbTag,
    vlan: u16,
    frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    let bridge = &*port.bridge;
    let key = Key::from_parts(vlan, frame.source());
    let now = bridge.now() as Stamp;
    let sight = bridge
        .table
        .refresh_fast(context.section(), key, port.index, now);
    match sight {
        Sight::Known => frame.accept(),
        Sight::New(miss) => enter_new(port, tag, key, Some(&miss), frame, context),
        Sight::Unclear => enter_unclear(port, tag, key, frame, context),
    }
}

/// As [`enter_learning`], if the port does not learn, or what it learned before is being forgotten:
/// the source is then used later than that, which the table's lock makes sure of.
#[cold]
#[inline(never)]
fn enter_forgetting<'a>(
    port: &Port,
    tag: CbTag,
    vlan: u16,
    frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    if !port.flags().has(Flag::Learning) {
        return frame.accept();
    }
    let key = Key::from_parts(vlan, frame.source());
    enter_at(port, tag, key, time_of_use(port), None, frame, context)
}

/// The time to note for a source that `port` uses now, in the table's units. Who has it before the
/// port becomes quiet once more uses it before that.
#[cold]
fn time_of_use(port: &Port) -> u64 {
    port.time_of_use(&port.bridge.table_lock.lock())
}

/// Learns the source of a frame, which somebody owns, unless it is known after all.
///
/// With `exclusive` a key that others own too is taken from them. At most once per unit of the
/// table's clock, since what is configured there stays.
#[cold]
#[inline(never)]
fn enter_unclear<'a>(
    port: &Port,
    tag: CbTag,
    key: Key,
    frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    let bridge = &*port.bridge;
    let now = bridge.now() as Stamp;
    match bridge
        .table
        .refresh(context.section(), key, port.index, now)
    {
        Use::Again => frame.accept(),
        Use::First if !bridge.is_exclusive() => frame.accept(),
        Use::First | Use::Unknown => enter_new(port, tag, key, None, frame, context),
    }
}

/// Learns the source of a frame, which nobody owned if `miss` says so.
#[inline(never)]
fn enter_new<'a>(
    port: &Port,
    tag: CbTag,
    key: Key,
    miss: Option<&Miss<'_>>,
    frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    enter_at(port, tag, key, port.bridge.now(), miss, frame, context)
}

/// [`enter_new`], the time being known.
#[inline(always)]
fn enter_at<'a>(
    port: &Port,
    tag: CbTag,
    key: Key,
    time: u64,
    miss: Option<&Miss<'_>>,
    mut frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    if kernel_bridge::has_flag(&port.device, PortFlag::Locked, context.section()) {
        // The bridge decides about this source after this hook.
        frame.set_cb_tag(tag.learning_when_admitted().to_bits(port.secret));
        return frame.accept();
    }
    match learn(port, key, frame.source(), time, miss, context) {
        Admission::Admit => frame.accept(),
        Admission::Drop => frame.drop(),
    }
}

/// The VLAN that a bridge which filters VLANs puts a frame in that enters through `device`; `None`
/// if it does not admit it or if its spanning trees keep that from a module.
fn classify(
    bridge: &Bridge,
    device: &NetDevice,
    tag: Option<VlanTag>,
    context: &HookContext,
) -> Option<u16> {
    if kernel_bridge::runs_mst(&bridge.device) {
        return None;
    }
    kernel_bridge::classify(&bridge.device, device, tag, context.section())
}

/// Learns the source of a frame that came in through `device` and whose tag asks for that.
#[cold]
#[inline(never)]
fn learn_admitted(
    ports: &Ports,
    device: &NetDevice,
    frame: &BridgeSkBuff<'_>,
    context: &HookContext,
) -> Admission {
    let Some(port) = ports.get(device, context.section()) else {
        return Admission::Admit;
    };
    match CbTag::from_bits(frame.cb_tag(), port.secret) {
        Some(tag) if tag.learns_when_admitted() => {
            let source = frame.source();
            let key = Key::from_parts(tag.vlan(), source);
            learn(port, key, source, time_of_use(port), None, context)
        }
        _ => Admission::Admit,
    }
}

/// Learns the source of a frame that goes up to the host, and mirrors it.
#[cold]
#[inline(never)]
fn learn_going_up<'a>(
    ports: &Ports,
    device: &NetDevice,
    frame: BridgeSkBuff<'a>,
    context: &PointContext<'a, points::LocalIn>,
) -> Verdict<'a> {
    if learn_admitted(ports, device, &frame, context) == Admission::Drop {
        return frame.drop();
    }
    if CbTag::may_have_copies_due(frame.cb_tag()) {
        return go_up(ports, device, frame, context);
    }
    frame.accept()
}

/// Mirrors a frame that goes up to the host, if what says so is a tag.
#[inline(never)]
fn go_up<'a>(
    ports: &Ports,
    device: &NetDevice,
    frame: BridgeSkBuff<'a>,
    context: &PointContext<'a, points::LocalIn>,
) -> Verdict<'a> {
    let section = context.section();
    let Some(port) = ports
        .get_fast(device, section)
        .or_else(|| ports.get(device, section))
    else {
        return frame.accept();
    };
    match CbTag::from_checked_bits(frame.cb_tag(), port.secret) {
        Some(tag) => mirror_forwarded(port, tag, frame, context),
        None => frame.accept(),
    }
}

/// Does what [`Forward`] does where that takes more than a look.
#[cold]
#[inline(never)]
fn forward<'a>(
    ports: &Ports,
    frame: BridgeSkBuff<'a>,
    context: &HookContext,
    device: &NetDevice,
) -> Verdict<'a> {
    let Some(port) = ports.get(device, context.section()) else {
        return frame.accept();
    };
    let tag = frame.cb_tag();
    if CbTag::may_learn_when_admitted(tag) {
        let admission = context.input().map_or(Admission::Admit, |input| {
            learn_admitted(ports, input, &frame, context)
        });
        if admission == Admission::Drop {
            return frame.drop();
        }
    }
    filter(port, false, CbTag::may_be_plain(tag), frame, context)
}

/// Passes or suppresses a copy that leaves through `port`, of a frame that the bridge device sent
/// (`is_local`) or that it forwards, whose copies have a memo or not (`has_memo`).
#[inline(always)]
fn filter<'a>(
    port: &Port,
    is_local: bool,
    has_memo: bool,
    frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    let flags = port.flags();
    if !flags.has(Flag::Enabled) {
        if !is_local && CbTag::may_have_copies_due(frame.cb_tag()) {
            return mirror::note_copy(port, frame);
        }
        return frame.accept();
    }
    let destination = frame.destination();
    if is_multicast(destination) {
        return pass::<{ Counter::PassedMulticast as usize }>(port, frame);
    }
    if !has_memo {
        return filter_slow(flags, frame, context, port, is_local);
    }
    let known = CbTag::from_checked_bits(frame.cb_tag(), port.secret).and_then(|tag| {
        let key = Key::from_parts(tag.vlan(), destination);
        port.bridge.memo.recall(key)
    });
    let Some(owners) = known else {
        return filter_first(flags, frame, context, port);
    };
    match owners.seen_from(port.index) {
        Some(ownership) => conclude(port, frame, flags, ownership),
        None => filter_slow(flags, frame, context, port, false),
    }
}

/// Decides on the first copy of a frame, and notes for the others who owns the destination.
#[inline(never)]
fn filter_first<'a>(
    flags: Flags,
    frame: BridgeSkBuff<'a>,
    context: &HookContext,
    port: &Port,
) -> Verdict<'a> {
    let bridge = &*port.bridge;
    if frame.was_received_for_group() {
        // One for a member of it alone, which no other copy may be taken for.
        return pass::<{ Counter::PassedMulticast as usize }>(port, frame);
    }
    let Some(tag) = CbTag::from_bits(frame.cb_tag(), port.secret) else {
        return filter_slow(flags, frame, context, port, false);
    };
    let key = Key::from_parts(tag.vlan(), frame.destination());
    let owners = bridge.table.owners(context.section(), key);
    let owners = if is_simple(bridge, owners) {
        owners
    } else {
        owners.slowly()
    };
    bridge.memo.note(key, owners);
    match owners.seen_from(port.index) {
        Some(ownership) => conclude(port, frame, flags, ownership),
        None => filter_slow(flags, frame, context, port, false),
    }
}

/// Whether all copies of a frame may go by who owns its destination, and nothing else.
#[inline]
fn is_simple(bridge: &Bridge, owners: Owners) -> bool {
    !bridge.foreign.may_be_there() && !owners.only().is_some_and(|owner| bridge.quiet.has(owner))
}

/// As [`filter`], for a copy of a frame that the bridge device sent, or that has no tag, or whose
/// destination several ports own or the bridge itself may know.
#[cold]
#[inline(never)]
fn filter_slow<'a>(
    flags: Flags,
    frame: BridgeSkBuff<'a>,
    context: &HookContext,
    port: &Port,
    is_local: bool,
) -> Verdict<'a> {
    if frame.was_received_for_group() || is_local && frame.was_sent_to_group() {
        return pass::<{ Counter::PassedMulticast as usize }>(port, frame);
    }
    let tag =
        CbTag::from_bits(frame.cb_tag(), port.secret).filter(|tag| tag.is_local() == is_local);
    let has_memo = tag.is_some_and(CbTag::is_plain);
    let Some(key) = key_of_destination(port, tag, &frame, context) else {
        return pass::<{ Counter::PassedUnknown as usize }>(port, frame);
    };
    let (bridge, section) = (&*port.bridge, context.section());
    let mut ownership = match bridge.table.ownership(section, key, port.index) {
        Ownership::Other if quiet::are_all_owners_quiet(bridge, key, has_memo, section) => {
            Ownership::Nobody
        }
        ownership => ownership,
    };
    if decide(ownership, Policy::of(flags)) == Decision::Suppress {
        match fdb::ask(bridge, key, ownership, is_local, section) {
            Answer::Forwarded => return pass::<{ Counter::PassedOwned as usize }>(port, frame),
            Answer::Forgotten => ownership = Ownership::Nobody,
            Answer::Flooded => {}
        }
    }
    conclude(port, frame, flags, ownership)
}

/// Carries out what is decided on a copy, the owners of its destination being known.
#[inline(always)]
fn conclude<'a>(
    port: &Port,
    frame: BridgeSkBuff<'a>,
    flags: Flags,
    ownership: Ownership,
) -> Verdict<'a> {
    match decide(ownership, Policy::of(flags)) {
        Decision::PassOwned => pass::<{ Counter::PassedOwned as usize }>(port, frame),
        Decision::PassFailingOpen => pass::<{ Counter::PassedFailingOpen as usize }>(port, frame),
        Decision::PassUnknown => pass::<{ Counter::PassedUnknown as usize }>(port, frame),
        Decision::Suppress => match frame.segments() {
            Some(segments) => suppress(port, frame, segments),
            None => suppress_uncounted(port, frame),
        },
    }
}

#[inline(always)]
fn pass<'a, const COUNTER: usize>(port: &Port, frame: BridgeSkBuff<'a>) -> Verdict<'a> {
    match frame.segments() {
        Some(segments) => {
            count::<COUNTER>(port, segments);
            frame.accept()
        }
        None => pass_uncounted::<COUNTER>(port, frame),
    }
}

#[inline(always)]
fn suppress<'a>(port: &Port, frame: BridgeSkBuff<'a>, segments: u64) -> Verdict<'a> {
    count::<{ Counter::Suppressed as usize }>(port, segments);
    port.counters
        .add::<{ Counter::SuppressedBytes as usize }>(frame.bytes());
    frame.consume()
}

/// Does what [`pass`] does with a buffer whose segments are to be counted.
#[cold]
#[inline(never)]
fn pass_uncounted<'a, const COUNTER: usize>(port: &Port, frame: BridgeSkBuff<'a>) -> Verdict<'a> {
    count::<COUNTER>(port, frame.count_segments());
    // That it is always the same verdict is kept from the hook, which would make it itself, after a
    // call that all other ways through it would pay for.
    hint::black_box(frame.accept())
}

/// Does what [`suppress`] does with such a buffer.
#[cold]
#[inline(never)]
fn suppress_uncounted<'a>(port: &Port, frame: BridgeSkBuff<'a>) -> Verdict<'a> {
    let segments = frame.count_segments();
    hint::black_box(suppress(port, frame, segments))
}

/// Counts what a frame stands for.
#[inline(always)]
fn count<const COUNTER: usize>(port: &Port, segments: u64) {
    match segments {
        1 => port.counters.increment::<COUNTER>(),
        segments => port.counters.add::<COUNTER>(segments),
    }
}

/// The VLAN and destination of a copy that has a `tag`, or none; `None` if its VLAN does not show.
fn key_of_destination(
    port: &Port,
    tag: Option<CbTag>,
    frame: &BridgeSkBuff<'_>,
    context: &HookContext,
) -> Option<Key> {
    let vlan = match tag {
        Some(tag) => tag.vlan(),
        None => vlan_without_cb_tag(port, frame, context)?,
    };
    Some(Key::from_parts(vlan, frame.destination()))
}

/// The VLAN of a copy that no hook has tagged, if it still shows.
fn vlan_without_cb_tag(
    port: &Port,
    frame: &BridgeSkBuff<'_>,
    context: &HookContext,
) -> Option<u16> {
    let bridge = &port.bridge.device;
    if !kernel_bridge::filters_vlans(bridge) {
        return Some(0);
    }
    if kernel_bridge::runs_mst(bridge) {
        return None;
    }
    let tag = frame.hwaccel_tag()?;
    kernel_bridge::classify(bridge, &port.device, Some(tag), context.section())
        .filter(|&vlan| vlan == tag.vid)
}
