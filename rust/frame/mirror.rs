// SPDX-License-Identifier: GPL-2.0

//! Mirroring: the copies, for ports that are not filtered, of what the bridge forwards to its owner
//! alone. "With a port that gets every copy" in `Documentation/design.md` says how it is done.
//!
//! What comes in is tagged in the prerouting hook, mirrored as it goes up to the host, since the
//! bridge device is promiscuous meanwhile, and consumed there. What the bridge device sends is
//! numbered in its egress hook, and mirrored where the first copy leaves.

use kernel::sync::Arc;

use crate::{
    kapi::{
        br_forward::{self, Origin},
        bridge as kernel_bridge,
        netfilter::HookContext,
        rcu,
        skb::{is_multicast, BridgeSkBuff, EgressSkBuff, Verdict},
    },
    state::{
        bridge::{Bridge, BRIDGE_ITSELF},
        flags::Flag,
        mirror::Seen,
        port::Port,
        revoke,
        tag::CbTag,
    },
    table::{Claims, Key, Owners, PortIndex},
};

/// Notes that a copy of a frame leaves through `port`, which is not filtered.
#[inline(never)]
pub(super) fn note_copy<'a>(port: &Port, frame: BridgeSkBuff<'a>) -> Verdict<'a> {
    // Whatever is for a group is sent to all that it is for.
    let is_for_group = is_multicast(frame.destination()) || frame.was_received_for_group();
    if !is_for_group && CbTag::from_bits(frame.cb_tag(), port.secret).is_some() {
        port.bridge.mirror.note_seen(frame.data_id(), port.index);
    }
    frame.accept()
}

/// Mirrors a frame that goes up to the host and came in through `port`, and consumes it if the host
/// is not to get it.
#[inline(never)]
pub(super) fn receive<'a>(
    port: &Port,
    tag: CbTag,
    mut frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Verdict<'a> {
    let (bridge, section) = (&*port.bridge, context.section());
    let Some(ports) = bridge.mirror.ports(section) else {
        return frame.accept();
    };
    if !frame.is_at(&bridge.device) {
        return frame.accept();
    }
    let destination = frame.destination();
    if is_multicast(destination) {
        return receive_group(bridge, tag, frame, section);
    }
    let key = Key::from_parts(tag.vlan(), destination);
    let seen = bridge.mirror.take_seen(frame.data_id());
    let noted = bridge.memo.recall(key).filter(|_| tag.has_memo());
    let owners = noted.unwrap_or_else(|| bridge.table.owners(section, key));
    // Nothing of the bridge's own leaves through a port.
    let was_forwarded = noted.is_some() || seen != Seen::Nowhere || owners.is_offloaded();
    if !was_forwarded && may_be_local(bridge, key, destination, section) {
        return frame.accept();
    }
    let except = match seen {
        Seen::Nowhere => None,
        Seen::At(port) => Some(port),
        Seen::Everywhere => Some(PortIndex::MAX),
    };
    let is_served = match (seen, ports) {
        (Seen::Everywhere, _) => true,
        (Seen::At(seen), [only]) => only.index == seen,
        _ => false,
    };
    if !is_served && !is_forwarded_elsewhere(bridge, key, owners, section) {
        frame.set_cb_tag(tag.when_mirrored().to_bits(port.secret));
        let others = others(ports, |other| Some(other.index) == except);
        br_forward::send_copies(
            &mut frame,
            Origin::Port(&port.device),
            vlan_tag(bridge, tag),
            others.map(|port| &*port.device),
            section,
        );
    }
    if !was_forwarded || is_wanted(bridge) {
        return frame.accept();
    }
    br_forward::uncount_received(&bridge.device, &frame, section);
    frame.consume()
}

/// The `ports` but those that have a copy, and those that were enabled a moment ago: these get what
/// is flooded without its being noted.
#[inline]
fn others<'a>(
    ports: &'a [Arc<Port>],
    has_copy: impl Fn(&Port) -> bool + 'a,
) -> impl Iterator<Item = &'a Arc<Port>> {
    let is_other = move |port: &&Arc<Port>| !has_copy(port) && !port.flags().has(Flag::Enabled);
    ports.iter().filter(is_other)
}

/// The same for one that is for a group: copies have been made, but with its promiscuity the bridge
/// device gets what is in a VLAN that it is not in.
#[cold]
#[inline(never)]
fn receive_group<'a>(
    bridge: &Bridge,
    tag: CbTag,
    frame: BridgeSkBuff<'a>,
    section: &rcu::Guard,
) -> Verdict<'a> {
    let is_outside = tag.vlan() != 0
        && frame.hwaccel_tag().is_some()
        && !kernel_bridge::is_member(&bridge.device, tag.vlan(), section);
    if !is_outside || is_wanted(bridge) {
        return frame.accept();
    }
    // On a hub it is counted, and dropped.
    frame.consume()
}

/// Whether somebody else wants all that the bridge device receives.
fn is_wanted(bridge: &Bridge) -> bool {
    br_forward::promiscuity(&bridge.device) > 1
}

/// Whether a frame for `key`, an `address`, of which no copy was seen may be the host's.
#[cold]
#[inline(never)]
fn may_be_local(bridge: &Bridge, key: Key, address: u64, section: &rcu::Guard) -> bool {
    let is_configured = |port, claims: Claims| port == BRIDGE_ITSELF || claims.has(Claims::BRIDGE);
    bridge.has_address(address, section)
        || bridge.table.is_owned_by_any(section, key, is_configured)
}

/// Whether the bridge forwards frames for `key` to one port by an entry that the module has not
/// given, so that nobody else is to get them.
#[inline]
fn is_forwarded_elsewhere(bridge: &Bridge, key: Key, owners: Owners, section: &rcu::Guard) -> bool {
    !owners.is_offloaded() && has_other_entry(bridge, key, section)
}

#[cold]
#[inline(never)]
fn has_other_entry(bridge: &Bridge, key: Key, section: &rcu::Guard) -> bool {
    let is_configured = |_, claims: Claims| claims.has(Claims::BRIDGE);
    bridge.table.is_owned_by_any(section, key, is_configured)
        || bridge.has_foreign_entries()
            && kernel_bridge::has_path(&bridge.device, key.mac(), key.vlan(), section)
}

/// The VLAN tag that the bridge had put beside a frame.
fn vlan_tag(bridge: &Bridge, tag: CbTag) -> Option<(u16, u16)> {
    (tag.vlan() != 0).then(|| (kernel_bridge::vlan_protocol(&bridge.device), tag.tci()))
}

/// Mirrors a frame that the bridge device sends and whose copy leaves through `port`, if it is the
/// first one. `Err` if the copy is one too many: copies have been made for all ports like this one.
///
/// A frame without a number was sent before the bridge mirrored, or has passed its egress hook by:
/// it is mirrored where it goes to the only owner.
#[inline(never)]
pub(super) fn send<'a>(
    port: &Port,
    mut frame: BridgeSkBuff<'a>,
    context: &HookContext,
) -> Result<BridgeSkBuff<'a>, Verdict<'a>> {
    let (bridge, section) = (&*port.bridge, context.section());
    let Some(ports) = bridge.mirror.ports(section) else {
        return Ok(frame);
    };
    let bits = frame.cb_tag();
    let numbered = CbTag::from_numbered_bits(bits, port.secret);
    let tag = match numbered {
        Some((tag, _)) => tag,
        None => CbTag::from_bits(bits, port.secret).unwrap_or(CbTag::local(0)),
    };
    if tag.is_copy() {
        return Ok(frame);
    }
    // As any other's from here on.
    let bits = numbered.map_or(bits, |_| tag.when_mirrored().to_bits(port.secret));
    frame.set_cb_tag(bits);
    let destination = frame.destination();
    if is_multicast(destination) || frame.was_sent_to_group() {
        return Ok(frame);
    }
    let key = Key::from_parts(tag.vlan(), destination);
    let owners = bridge.table.owners(section, key);
    let has_copy = |other: &Port| other.index == port.index;
    match numbered {
        Some((_, serial)) if bridge.mirror.is_first(serial) => {}
        Some(_) if !port.flags().has(Flag::Enabled) && ports.iter().any(|port| has_copy(port)) => {
            return Err(frame.consume());
        }
        None if owners.is_offloaded() && owners.only() == Some(port.index) => {}
        _ => return Ok(frame),
    }
    let goes_elsewhere = !owners.is_offloaded() && bridge.has_address(destination, section)
        || is_forwarded_elsewhere(bridge, key, owners, section);
    if !goes_elsewhere {
        frame.set_cb_tag(tag.copy().to_bits(port.secret));
        let others = others(ports, has_copy);
        br_forward::send_copies(
            &mut frame,
            Origin::Bridge(&bridge.device),
            vlan_tag(bridge, tag),
            others.map(|port| &*port.device),
            section,
        );
        frame.set_cb_tag(bits);
    }
    Ok(frame)
}

/// Has a frame that is about to be sent flooded: the owner of its destination can't receive, so that
/// no copy would be seen.
#[cold]
#[inline(never)]
fn revoke_now(bridge: &Bridge, key: Key) {
    let revoked = {
        let mut locked = bridge.table_lock.lock();
        locked.revoke(key);
        locked.take_revoked()
    };
    revoke::revoke(bridge, revoked, None);
    revoke::reconsider_offload(bridge);
}

/// What to tag a frame with that the bridge device sends in `vlan`, if copies may have to be made.
#[inline(never)]
pub(super) fn tag_outgoing(
    bridge: &Bridge,
    vlan: u16,
    frame: &EgressSkBuff<'_>,
    section: &rcu::Guard,
) -> Option<u64> {
    bridge.mirror.ports(section)?;
    let serial = bridge.mirror.next_serial()?;
    let key = Key::from_parts(vlan, frame.destination()?);
    let owners = bridge.table.owners(section, key);
    if let (true, Some(owner)) = (owners.is_offloaded(), owners.only()) {
        // A port that leaves a VLAN is said to have left before it does.
        if bridge.quiet.has(owner) || vlan != 0 && bridge.left_vlans().is_some() {
            revoke_now(bridge, key);
        }
    }
    // Another protocol's tag is part of what the frame carries.
    let protocol = kernel_bridge::vlan_protocol(&bridge.device);
    let own_tag = frame.vlan_tag().filter(|tag| tag.protocol == protocol);
    let priority = own_tag.map_or(0, |tag| tag.priority);
    let tag = CbTag::local(vlan).mirrored(priority);
    Some(tag.to_numbered_bits(serial, bridge.secret))
}
