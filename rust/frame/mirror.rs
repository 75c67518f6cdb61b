// SPDX-License-Identifier: GPL-2.0

//! Mirroring: the copies, for ports that are not filtered (a sniffer, an uplink), of what the
//! bridge forwards to its owner alone. "Mirroring" in `Documentation/design.md` says how it is
//! done.
//!
//! What comes in is tagged in the prerouting hook, mirrored as it goes up to the host, since the
//! bridge device is promiscuous meanwhile, and consumed there. What the bridge device sends is
//! mirrored where the first copy leaves.

use kernel::sync::Arc;

use crate::{
    kapi::{
        br_forward::{self, Origin},
        bridge::{self as kernel_bridge, PortFlag},
        netfilter::{points, PointContext},
        rcu,
        skb::{is_multicast, BridgeSkBuff, EgressSkBuff, Verdict},
        vlan::VlanTag,
    },
    state::{
        bridge::Bridge,
        flags::Flag,
        mirror::{Seen, SentCopy},
        port::Port,
        tag::CbTag,
    },
    table::{Claims, Key, Owners},
};

/// Notes that a copy of a frame leaves through `port`, which is not filtered.
#[inline(always)]
pub(super) fn note_copy<'a>(port: &Port, frame: BridgeSkBuff<'a>) -> Verdict<'a> {
    // Whatever is for a group is sent to all that it is for.
    let is_tagged = CbTag::from_checked_bits(frame.cb_tag(), port.secret).is_some();
    if is_tagged && !is_multicast(frame.destination()) {
        port.bridge.mirror.note_seen(frame.data_id(), port.index);
    }
    frame.accept()
}

/// Mirrors a frame that goes up to the host and came in through `port`, and consumes it if the host
/// is not to get it.
#[inline(always)]
pub(super) fn mirror_forwarded<'a>(
    port: &Port,
    tag: CbTag,
    frame: BridgeSkBuff<'a>,
    context: &PointContext<'a, points::LocalIn>,
) -> Verdict<'a> {
    let (bridge, section) = (&*port.bridge, context.section());
    if !frame.is_at(&bridge.device) {
        return frame.accept();
    }
    if is_multicast(frame.destination()) {
        bridge.mirror.clear_seen();
        // All that it is for have a copy.
        return pass_up(bridge, tag, frame, context);
    }
    let Some(targets) = bridge.mirror.targets(section) else {
        return frame.accept();
    };
    let ports = &*targets.ports;
    let seen = bridge.mirror.take_seen(frame.data_id());
    let all_have_copies = match (seen, ports) {
        (Seen::AtSeveral, _) => true,
        (Seen::At(seen), [only]) => only.index == seen,
        _ => false,
    };
    if !all_have_copies {
        mirror_forwarded_otherwise(port, ports, tag, frame, context, seen)
    } else if others_want_all(bridge) {
        frame.accept()
    } else {
        withhold(bridge, frame, context)
    }
}

/// Keeps from the host a frame that it gets for the bridge's promiscuity alone.
#[inline(always)]
fn withhold<'a>(
    bridge: &Bridge,
    frame: BridgeSkBuff<'a>,
    context: &PointContext<'a, points::LocalIn>,
) -> Verdict<'a> {
    br_forward::uncount_received(&bridge.device, &frame, context);
    frame.consume()
}

/// Does what [`mirror_forwarded`] does where one of the `ports` lacks a copy, or the frame is the
/// host's.
#[inline(never)]
fn mirror_forwarded_otherwise<'a>(
    port: &Port,
    ports: &[Arc<Port>],
    tag: CbTag,
    mut frame: BridgeSkBuff<'a>,
    context: &PointContext<'a, points::LocalIn>,
    seen: Seen,
) -> Verdict<'a> {
    let (bridge, section) = (&*port.bridge, context.section());
    if !frame.is_up_as_promiscuous() {
        // It is for an address of the bridge's own.
        return pass_up(bridge, tag, frame, context);
    }
    let key = Key::from_parts(tag.vlan(), frame.destination());
    let noted = bridge.memo.recall(key).filter(|_| tag.has_memo());
    let owners = noted.unwrap_or_else(|| bridge.table.owners(section, key));
    let goes_up = others_want_all(bridge);
    if is_forwarded_elsewhere(bridge, key, owners, section) {
        return match goes_up {
            true => frame.accept(),
            false => withhold(bridge, frame, context),
        };
    }
    frame.set_cb_tag(tag.when_copied().to_bits(port.secret));
    let lacks_copy = |other: &&Arc<Port>| {
        // One that was enabled a moment ago gets what is flooded without its being noted.
        seen != Seen::At(other.index) && !other.flags().has(Flag::Enabled)
    };
    let lacking = || ports.iter().filter(lacks_copy);
    let vlan_tag = vlan_tag(bridge, tag);
    let is_last = |other: &&Arc<Port>| !goes_up && is_reached(port, other, tag, section);
    // If nobody wants the frame itself, it goes to the last of them, which spares a copy.
    let last = lacking().rfind(is_last);
    if last.is_none() || ports.len() > 1 {
        let copies = lacking().filter(|other| last.is_none_or(|last| last.index != other.index));
        br_forward::send_copies(
            &mut frame,
            Origin::Port(&port.device),
            vlan_tag,
            copies.map(|port| &*port.device),
            context,
        );
    }
    match last {
        _ if goes_up => frame.accept(),
        None => withhold(bridge, frame, context),
        Some(last) => {
            br_forward::uncount_received(&bridge.device, &frame, context);
            br_forward::send(frame, &port.device, vlan_tag, &last.device, context)
        }
    }
}

/// Lets a frame go up as on a hub: not if it is in a VLAN that the bridge device is not in, which
/// it gets only since it is promiscuous. On a hub that is counted, and dropped.
#[inline(never)]
fn pass_up<'a>(
    bridge: &Bridge,
    tag: CbTag,
    mut frame: BridgeSkBuff<'a>,
    context: &PointContext<'a, points::LocalIn>,
) -> Verdict<'a> {
    let is_outside = tag.vlan() != 0
        && frame.hwaccel_tag().is_some()
        && !kernel_bridge::is_member(&bridge.device, tag.vlan(), context.section());
    if !others_want_all(bridge) {
        if is_outside {
            return frame.consume();
        }
        // Connection tracking forgets what it knows of a frame that nobody but a listener gets.
        frame.clear_promiscuous();
    }
    frame.accept()
}

/// Whether the bridge sends a frame that came in through `port` on through `other`, as far as is
/// easy to tell. If that is wrong, it drops the frame.
fn is_reached(port: &Port, other: &Port, tag: CbTag, section: &rcu::Guard) -> bool {
    let is_isolated =
        |port: &Port| kernel_bridge::has_flag(&port.device, PortFlag::Isolated, section);
    port.index != other.index
        && !port.bridge.quiet.has(other.index)
        && (tag.vlan() == 0 || kernel_bridge::has_vlan(&other.device, tag.vlan(), section))
        && !(is_isolated(other) && is_isolated(port))
}

/// Whether somebody else wants all that the bridge device receives.
fn others_want_all(bridge: &Bridge) -> bool {
    bridge.device.promiscuity() > 1
}

/// Whether the bridge forwards frames for `key` to one port since it is configured so, and nobody
/// else is to get them. Entries that it does not notify of are not asked about: they can't be told
/// from offloaded ones that are just being revoked.
#[inline]
fn is_forwarded_elsewhere(bridge: &Bridge, key: Key, owners: Owners, section: &rcu::Guard) -> bool {
    !owners.is_offloaded() && owners != Owners::NOBODY && is_configured(bridge, key, section)
}

#[cold]
#[inline(never)]
fn is_configured(bridge: &Bridge, key: Key, section: &rcu::Guard) -> bool {
    let is_it = |_, claims: Claims| claims.has(Claims::BRIDGE);
    bridge.table.is_owned_by_any(section, key, is_it)
}

/// The VLAN tag that the bridge had put beside a frame.
fn vlan_tag(bridge: &Bridge, tag: CbTag) -> Option<(u16, u16)> {
    (tag.vlan() != 0).then(|| (kernel_bridge::vlan_protocol(&bridge.device), tag.tci()))
}

/// The upper bits of the TCI of a frame that the bridge puts in `vlan`: those of its `tag`, if that
/// is one of the bridge's kind. Another one is part of what the frame carries.
#[inline]
pub(super) fn priority(bridge: &Bridge, vlan: u16, tag: impl FnOnce() -> Option<VlanTag>) -> u16 {
    if vlan == 0 {
        return 0;
    }
    let protocol = kernel_bridge::vlan_protocol(&bridge.device);
    tag()
        .filter(|tag| tag.protocol == protocol)
        .map_or(0, |tag| tag.priority)
}

/// Mirrors a frame that the bridge device sends and whose copy leaves through `port`, if it is the
/// first one. `Err` if the copy is one too many: copies have been made for all ports like this one.
#[inline(never)]
pub(super) fn mirror_sent<'a>(
    port: &Port,
    mut frame: BridgeSkBuff<'a>,
    context: &PointContext<'a, points::LocalOut>,
) -> Result<BridgeSkBuff<'a>, Verdict<'a>> {
    let (bridge, section) = (&*port.bridge, context.section());
    let tag = tag_of_sent(port, &frame);
    if !is_sent_to_station(port, &frame, tag) {
        return Ok(frame);
    }
    let data_id = frame.data_id();
    let Some(number) = br_forward::frames_sent(&bridge.device, context) else {
        return Ok(frame);
    };
    match bridge.mirror.note_copy_of(data_id, number) {
        Some(SentCopy::First) => {}
        // Whether it was enabled meanwhile or not: it has had the other one, or is not to have any.
        Some(SentCopy::Later(Some(made))) if port.mirrored.has(made) => {
            return Err(frame.consume());
        }
        _ => return Ok(frame),
    }
    let (Some(targets), Some((tag, is_sure))) = (
        bridge.mirror.targets(section),
        tag_or_guess(port, &frame, tag, section),
    ) else {
        return Ok(frame);
    };
    let destination = frame.destination();
    let key = Key::from_parts(tag.vlan(), destination);
    let owners = bridge.table.owners(section, key);
    let goes_elsewhere = !owners.is_offloaded() && bridge.has_address(destination, section)
        || is_forwarded_elsewhere(bridge, key, owners, section);
    if goes_elsewhere {
        return Ok(frame);
    }
    let gets_copy = |other: &&Arc<Port>| {
        // One that was enabled a moment ago gets what is flooded, and what is its own.
        let is_kept = !other.flags().has(Flag::Enabled)
            || !owners.is_offloaded()
            || owners.only() == Some(other.index);
        other.index != port.index && is_kept
    };
    let others = targets.ports.iter().filter(gets_copy);
    br_forward::send_copies(
        &mut frame,
        Origin::Bridge(&bridge.device),
        vlan_tag(bridge, tag),
        others
            .inspect(|_| bridge.mirror.note_sending(data_id))
            .map(|port| &*port.device),
        context,
    );
    // If it was flooded in another VLAN after all, the bridge's own copies are the right ones.
    let generation = if is_sure { targets.generation } else { 0 };
    bridge.mirror.note_made(data_id, number, generation);
    Ok(frame)
}

/// Whether a copy that leaves through `port` is of a frame that the bridge device sends to one
/// station. Others than the bridge have its ports send frames of theirs, to one of them. And one
/// for a group has the MAC of a member where a port is told to (`mcast_to_unicast`): its `tag` says
/// so, or else it carries what is for a group, and the bridge has a querier.
fn is_sent_to_station(port: &Port, frame: &BridgeSkBuff<'_>, tag: Option<CbTag>) -> bool {
    let bridge = &port.bridge.device;
    let is_for_member = || match tag {
        Some(tag) => tag.is_for_group(),
        None => frame.was_sent_to_group() && kernel_bridge::has_querier(bridge, &port.device),
    };
    !is_multicast(frame.destination()) && frame.is_bridged_by(bridge) && !is_for_member()
}

/// The tag of a frame that the bridge device sends and whose copy leaves through `port`. `None` on
/// a bridge that does not filter VLANs, and where the frame has lost it: it was segmented since, or
/// a tc program took its place, or it was sent past the egress hook.
fn tag_of_sent(port: &Port, frame: &BridgeSkBuff<'_>) -> Option<CbTag> {
    let is_tagged = kernel_bridge::filters_vlans(&port.bridge.device);
    let tag = is_tagged.then(|| CbTag::from_bits(frame.cb_tag(), port.secret))?;
    tag.filter(|tag| tag.is_local())
}

/// The `tag` of such a frame, or the one that it would have, and whether that is sure; `None` if
/// its VLAN can't be told. Where VLANs are filtered and it has lost its tag, it has the VLAN that
/// the copy shows, or else the port's PVID, if it goes to the only owner there. That is not sure.
fn tag_or_guess(
    port: &Port,
    frame: &BridgeSkBuff<'_>,
    tag: Option<CbTag>,
    section: &rcu::Guard,
) -> Option<(CbTag, bool)> {
    let bridge = &*port.bridge;
    if !kernel_bridge::filters_vlans(&bridge.device) {
        return Some((CbTag::local(0), true));
    }
    tag.map(|tag| (tag, true)).or_else(|| {
        let shown = frame.hwaccel_tag();
        let vlan = kernel_bridge::classify(&bridge.device, &port.device, shown, section)?;
        let key = Key::from_parts(vlan, frame.destination());
        let owners = bridge.table.owners(section, key);
        let goes_there = owners.is_offloaded() && owners.only() == Some(port.index);
        goes_there.then_some((CbTag::local(vlan), false))
    })
}

/// What to tag a frame with that the bridge device sends in `vlan`.
pub(super) fn tag_sent(bridge: &Bridge, vlan: u16, frame: &EgressSkBuff<'_>) -> CbTag {
    CbTag::local(vlan)
        .with_priority(priority(bridge, vlan, || frame.vlan_tag()))
        .with_group(frame.is_for_group())
}
