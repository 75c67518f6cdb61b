// SPDX-License-Identifier: GPL-2.0

//! What the bridge's own forwarding database (FDB) makes of a copy: one that the bridge forwards to
//! one port is never suppressed there.
//!
//! A port owns what is configured there for it. But the bridge may forward frames to a port that
//! owns nothing here: to a backup port, by an entry that it was not told to tell of, or by one that
//! it has learned where the module sees no frame. So where it may have such *foreign* entries, it
//! is asked before a copy is suppressed. A hub without any is not asked.

use crate::{
    kapi::{bridge as kernel_bridge, rcu},
    state::bridge::Bridge,
    table::{Claims, Key, Owners, Ownership},
};

/// What the bridge's own database makes of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It may have forwarded the frame to this port alone, so that there is no other copy.
    Forwarded,
    /// It has no entry, although it would have one if the owners were still there.
    Forgotten,
    /// Nothing.
    Flooded,
}

/// Asks the bridge's own database about a frame for `key` at the port where a copy is about to be
/// suppressed. `ownership` says who owns the key, as seen from that port.
#[cold]
#[inline(never)]
pub(crate) fn ask(
    bridge: &Bridge,
    key: Key,
    ownership: Ownership,
    is_local: bool,
    section: &rcu::Guard,
) -> Answer {
    let owners = bridge.table.owners(section, key);
    if owners.is_offloaded() {
        // The FDB has an entry for the key, and forwards to this port all the same: it is a backup.
        return Answer::Forwarded;
    }
    if owners.are_in_bridge_fdb() {
        // The same, or the owner's claim is out of date: the maintenance work checks it.
        bridge.doubted.store_relaxed(key.to_bits());
        return Answer::Forwarded;
    }
    // The frames of the bridge device are forwarded to the ports' own addresses, too.
    let is_own = is_local && ownership == Ownership::Nobody;
    if !is_own && !owners.is_revoking() && !bridge.foreign.may_be_there() {
        return Answer::Flooded;
    }
    if kernel_bridge::has_path(&bridge.device, key.mac(), key.vlan(), section) {
        return Answer::Forwarded;
    }
    if ownership == Ownership::Other && has_forgotten(bridge, key, section) {
        return Answer::Forgotten;
    }
    let is_quiet = owners.only().is_some_and(|owner| bridge.quiet.has(owner));
    if !is_local && !is_quiet && (ownership == Ownership::Other || owners == Owners::NOBODY) {
        // The frame's other copies need not ask. (Those for an owner that is quiet have a memo of
        // that.)
        bridge.memo.note(key, owners);
    }
    Answer::Flooded
}

/// Whether a bridge that learns, and has no entry for `key`, would have one if an owner was still
/// there: it has aged, or has been deleted.
fn has_forgotten(bridge: &Bridge, key: Key, section: &rcu::Guard) -> bool {
    let counts = |port, claims: Claims| {
        !bridge.quiet.has(port) && (claims.has(Claims::STATIC) || !bridge.known.has(port))
    };
    !kernel_bridge::is_hub(&bridge.device) && !bridge.table.is_owned_by_any(section, key, counts)
}
