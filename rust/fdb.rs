// SPDX-License-Identifier: GPL-2.0

//! Following the bridge's own forwarding database (FDB): a frame which the bridge directs to a port
//! is never suppressed there.
//!
//! A port owns what is configured there for it. But the bridge may direct frames to a port that owns
//! nothing here: to a backup port, by an entry that it was not told to tell of, or by one that it has learned where
//! the module sees no frame. So where it may have such *foreign* entries, it is asked before a copy
//! is suppressed. A hub without any is not asked.

use kernel::prelude::*;

use crate::{
    bridge::{Bridge, BRIDGE_ITSELF},
    events::{Kind, Locked},
    kapi::{
        atomic::AtomicU32,
        bridge as kernel_bridge,
        netdevice::NetDevice,
        pernet,
        rcu::ReadSection,
        rtnl::Rtnl,
        switchdev::{self, Entry, Event, Listener},
    },
    network::Network,
    offload,
    port::{Flag, Port},
    table::{Claims, Key, Learned, Limits, Owners, Ownership, PortIndex},
};

/// Follows the databases of the bridges in all namespaces.
pub(crate) struct Follower;

impl Listener for Follower {
    fn event(&self, device: &NetDevice, event: Event, section: &ReadSection) {
        let Some(network) = pernet::get::<Network>(device.net_rcu(section)) else {
            return;
        };
        if let Some(port) = network.every_port.get(device, section) {
            follow(&port.bridge, Some(port), &event);
        } else if let Some(bridge) = network.every_bridge.get(device, section) {
            follow(bridge, None, &event);
        };
    }
}

/// What the bridge's own database makes of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It may have directed the frame to the port, so that there is no other copy.
    Directed,
    /// It has no entry, although it would have one if the owners were still there.
    Forgotten,
    /// Nothing.
    Flooded,
}

/// Asks the bridge's own database about a frame for `key` at the port where a copy is about to be
/// suppressed. `ownership` is what the port has of the key.
#[cold]
#[inline(never)]
pub(crate) fn ask(
    bridge: &Bridge,
    key: Key,
    ownership: Ownership,
    is_local: bool,
    section: &ReadSection,
) -> Answer {
    let owners = bridge.table.owners(section, key);
    if owners.is_published() {
        // It does, and to another port than the owner's, such as a backup.
        return Answer::Directed;
    }
    if owners.are_bridges() {
        // The same, or the claim is out of date.
        bridge.doubted.store_relaxed(key.to_bits());
        return Answer::Directed;
    }
    // The frames of the bridge device are directed to the ports' own addresses, too.
    let is_own = is_local && ownership == Ownership::Nobody;
    if !is_own && !owners.is_revoking() && !bridge.may_direct() {
        return Answer::Flooded;
    }
    if kernel_bridge::directs(&bridge.device, key.mac(), key.vlan(), section) {
        return Answer::Directed;
    }
    if ownership == Ownership::Other && has_forgotten(bridge, key, section) {
        return Answer::Forgotten;
    }
    let is_quiet = owners.only().is_some_and(|owner| bridge.quiet.has(owner));
    if !is_local && !is_quiet && (ownership == Ownership::Other || owners == Owners::NOBODY) {
        // The frame's other copies need not ask. (Those for an owner that is quiet have a memo of that.)
        bridge.memo.note(key, owners);
    }
    Answer::Flooded
}

/// Whether a bridge that learns, and has no entry for `key`, would have one if an owner was still
/// there: it has aged, or has been deleted.
fn has_forgotten(bridge: &Bridge, key: Key, section: &ReadSection) -> bool {
    let counts = |port, claims: Claims| {
        !bridge.quiet.has(port) && (claims.has(Claims::STATIC) || !bridge.known.has(port))
    };
    !kernel_bridge::is_hub(&bridge.device) && !bridge.table.is_owned_by_any(section, key, counts)
}

/// Does what an event asks for that is about `port`, or about an address of the bridge itself.
fn follow(bridge: &Bridge, port: Option<&Port>, event: &Event) {
    match event {
        Event::Added(entry) => {
            if port.is_some() {
                bridge.note_foreign();
            }
            if entry.is_configured {
                added(bridge, port, entry);
            }
        }
        Event::Given => bridge.note_foreign(),
        Event::Removed(entry) => removed(bridge, port, entry),
        // Whether the bridge may direct frames depends on the settings of its ports.
        Event::PortChanging => {
            if let Some(port) = port.filter(|_| bridge.is_tracked()) {
                offload::reconsider(bridge);
                port.upkeep.schedule(0);
            }
        }
    }
}

fn added(bridge: &Bridge, port: Option<&Port>, entry: &Entry) {
    let key = Key::new(entry.vid, entry.mac);
    let index = port.map_or(BRIDGE_ITSELF, |port| port.index);
    let mut locked = bridge.writer.lock();
    locked.unplaced.forget(|other, _| other == key);
    // It is there already, so no limit can keep it out; it counts against them.
    match locked.claim(key, index, Claims::BRIDGE, Limits::default()) {
        Learned::New { .. } => {
            if let Some(port) = port {
                locked.note(Kind::Added, port, Some(key));
            }
        }
        Learned::NoRoom => {
            if locked.unplaced.push(key, index).is_err() {
                match port {
                    Some(port) => port.lose_track(&mut locked),
                    None => pr_warn!("no memory to note an address of a bridge's own\n"),
                }
            }
            if let Some(port) = port {
                // It gets every copy until the table has grown.
                port.set(&mut locked, Flag::Unsettled, true);
                port.upkeep.schedule(0);
            }
        }
        Learned::Known | Learned::PortLimit | Learned::TotalLimit => {}
    }
}

/// What was learned goes with the entry: the bridge has aged it, or moved it to another port, or it
/// was deleted or flushed, with or without its port. Who still sends from there is learned anew.
fn removed(bridge: &Bridge, port: Option<&Port>, entry: &Entry) {
    let key = Key::new(entry.vid, entry.mac);
    let claims = Claims::BRIDGE.and(Claims::LEARNED);
    let index = port.map_or(BRIDGE_ITSELF, |port| port.index);
    let mut locked = bridge.writer.lock();
    locked.pending.forget(key, index);
    locked.unplaced.forget(|other, _| other == key);
    // It may be one that the bridge was given by `offload`.
    locked.disown_published(key);
    if bridge.may_direct() {
        bridge.note_foreign_locked(&mut locked);
    }
    if locked.withdraw(key, index, claims) && locked.claims(key, index) == Claims::NONE {
        if let Some(port) = port {
            locked.note(Kind::Deleted, port, Some(key));
        }
    }
}

/// Looks after what is known of the database: whether there are foreign entries, and whether a claim
/// that the packet path has doubted is still true. May sleep.
pub(crate) fn tend(bridge: &Bridge, rtnl: &Rtnl) {
    let doubted = bridge.doubted.load_relaxed();
    if doubted != 0 {
        bridge.doubted.store_relaxed(0);
        verify(bridge, Key::from_bits(doubted), rtnl);
    }
    if !kernel_bridge::is_hub(&bridge.device) {
        // Users' `dynamic` entries are not told of.
        if !bridge.may_direct() {
            bridge.note_foreign();
        }
        return;
    }
    let Some(foreign) = bridge.unsearched() else {
        return;
    };
    let port = bridge.ports.lock().first().cloned();
    let Some(port) = port else {
        return;
    };
    // Without memory for it, it is tried again in a second.
    let has_found = |search: &Search| search.0.load_relaxed() != 0;
    let search = Search(AtomicU32::new(0));
    if let Ok(found) = switchdev::look_through(&port.device, search, has_found, rtnl) {
        bridge.searched(foreign, found);
    }
}

/// Takes a claim from ports for which the database has no entry any more.
fn verify(bridge: &Bridge, key: Key, rtnl: &Rtnl) {
    for port in &*bridge.ports.lock() {
        let mut locked = bridge.writer.lock();
        // Whoever moves the entry tells of that under the lock.
        if locked.claims(key, port.index).has(Claims::BRIDGE)
            && !kernel_bridge::has_entry_at(
                &bridge.device,
                &port.device,
                key.mac(),
                key.vlan(),
                rtnl,
            )
        {
            locked.withdraw(key, port.index, Claims::BRIDGE);
            if locked.claims(key, port.index) == Claims::NONE {
                locked.note(Kind::Deleted, port, Some(key));
            }
        }
    }
}

/// Whether there is an entry that sends frames to a port and that the module has not given.
struct Search(AtomicU32);

impl Listener for Search {
    fn event(&self, device: &NetDevice, event: Event, section: &ReadSection) {
        let Event::Added(entry) = event else {
            return;
        };
        if kernel_bridge::is_bridge(device) {
            return;
        }
        let key = Key::new(entry.vid, entry.mac);
        let is_ours = pernet::get::<Network>(device.net_rcu(section)).is_some_and(|network| {
            network.every_port.get(device, section).is_some_and(|port| {
                let owners = port.bridge.table.owners(section, key);
                owners.is_published() && owners.only() == Some(port.index)
            })
        });
        if !is_ours {
            self.0.store_relaxed(1);
        }
    }
}

/// Claims of the bridge's database that the table has had no room for yet.
#[derive(Default)]
pub(crate) struct Unplaced(KVec<(Key, PortIndex)>);

impl Unplaced {
    fn push(&mut self, key: Key, port: PortIndex) -> Result {
        Ok(self.0.push((key, port), GFP_ATOMIC)?)
    }

    /// Forgets those that `matches` tells.
    pub(crate) fn forget(&mut self, matches: impl Fn(Key, PortIndex) -> bool) {
        self.0.retain(|&mut (key, port)| !matches(key, port));
    }

    /// Whether there is any for the port.
    pub(crate) fn has(&self, port: PortIndex) -> bool {
        self.0.iter().any(|&(_, other)| other == port)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Puts in the table what there is room for by now, one claim under each hold of its lock: others may
/// own the key, and each of them is looked for.
pub(crate) fn place(bridge: &Bridge) {
    while place_one(&mut bridge.writer.lock()) {}
}

/// Does so for one. Whether it was there and had room.
fn place_one(locked: &mut Locked) -> bool {
    let (writer, unplaced) = locked.writer_and_unplaced();
    let Some(&(key, port)) = unplaced.0.last() else {
        return false;
    };
    let has_room = writer.claim(key, port, Claims::BRIDGE, Limits::default()) != Learned::NoRoom;
    if has_room {
        unplaced.0.pop();
    }
    has_room
}
