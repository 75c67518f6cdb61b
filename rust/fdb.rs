// SPDX-License-Identifier: GPL-2.0

//! Following the bridge's own forwarding database (FDB): a port owns what is configured there for
//! it, so that a frame which the bridge directs to that port is never suppressed.

use kernel::prelude::*;

use crate::{
    bridge::{Bridge, BRIDGE_ITSELF},
    events::{Kind, Locked},
    kapi::{
        netdevice::NetDevice,
        pernet,
        rcu::ReadSection,
        switchdev::{Entry, Event, Listener},
    },
    network::Network,
    port::{Flag, Port},
    table::{Claims, Key, Learned, Limits, PortIndex},
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

/// Does what an event asks for that is about `port`, or about an address of the bridge itself.
fn follow(bridge: &Bridge, port: Option<&Port>, event: &Event) {
    match event {
        Event::Added(entry) if entry.is_configured => added(bridge, port, entry),
        Event::Removed(entry) => removed(bridge, port, entry),
        // Whether the bridge may direct frames depends on the settings of its ports.
        Event::PortChanging => {
            if let Some(port) = port.filter(|_| bridge.is_tracked()) {
                port.upkeep.schedule(0);
            }
        }
        Event::Added(_) => {}
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
    locked.unplaced.forget(|other, _| other == key);
    // It may be one that the bridge was given by `offload`.
    locked.disown_published(key);
    if locked.withdraw(key, index, claims) && locked.claims(key, index) == Claims::NONE {
        if let Some(port) = port {
            locked.note(Kind::Deleted, port, Some(key));
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

/// Puts in the table what there is room for by now.
pub(crate) fn place(locked: &mut Locked) {
    let (writer, unplaced) = locked.writer_and_unplaced();
    unplaced.0.retain(|&mut (key, port)| {
        writer.claim(key, port, Claims::BRIDGE, Limits::default()) == Learned::NoRoom
    });
}
