// SPDX-License-Identifier: GPL-2.0

//! What bridges tell of their own forwarding database (FDB): a port owns what is configured there
//! for it, and what goes there is forgotten here.

use kernel::prelude::*;

use super::network::Network;
use crate::{
    kapi::{netdevice::NetDevice, pernet, rcu, switchdev},
    state::{
        bridge::{Bridge, BRIDGE_ITSELF},
        events::Kind,
        flags::Flag,
        port::Port,
        revoke,
    },
    table::{Claims, Key, Learned, Limits},
};

/// Follows the databases of the bridges in all namespaces.
pub(crate) struct FdbNotifier;

impl switchdev::Listener for FdbNotifier {
    fn event(&self, device: &NetDevice, event: switchdev::Event, section: &rcu::Guard) {
        let Some(network) = pernet::get::<Network>(device.net_rcu(section)) else {
            return;
        };
        if let Some(port) = network.every_port.get(device, section) {
            handle(&port.bridge, Some(port), &event);
        } else if let Some(bridge) = network.every_bridge.get(device, section) {
            handle(bridge, None, &event);
        };
    }
}

/// Does what an event asks for that is about `port`, or about an address of the bridge itself.
fn handle(bridge: &Bridge, port: Option<&Port>, event: &switchdev::Event) {
    match event {
        switchdev::Event::Added(entry) => {
            if port.is_some() {
                bridge.foreign.note(&mut bridge.table_lock.lock());
            }
            if entry.is_configured {
                added(bridge, port, entry);
            }
        }
        switchdev::Event::Given => bridge.foreign.note(&mut bridge.table_lock.lock()),
        switchdev::Event::Removed(entry) => removed(bridge, port, entry),
        // Whether frames may be offloaded depends on the settings of its ports.
        switchdev::Event::PortChanging => {
            if let Some(port) = port.filter(|_| bridge.is_tracked()) {
                revoke::reconsider_offload(bridge);
                port.maintenance.run_within(0);
            }
        }
    }
}

fn added(bridge: &Bridge, port: Option<&Port>, entry: &switchdev::Entry) {
    let key = Key::new(entry.vid, entry.mac);
    let index = port.map_or(BRIDGE_ITSELF, |port| port.index);
    let mut locked = bridge.table_lock.lock();
    locked.pending_fdb.forget(|other, _| other == key);
    // It is there already, so no limit can keep it out; it counts against them.
    match locked.claim(key, index, Claims::BRIDGE, Limits::default()) {
        Learned::New { .. } => {
            if let Some(port) = port {
                port.note(&mut locked, Kind::Added, Some(key));
            }
        }
        Learned::NoRoom => {
            if locked.pending_fdb.push(key, index).is_err() {
                match port {
                    Some(port) => port.mark_fdb_incomplete(&mut locked),
                    None => pr_warn!("no memory to note an address of a bridge's own\n"),
                }
            }
            if let Some(port) = port {
                // It gets every copy until the table has grown.
                port.set(&mut locked, Flag::LearnPending, true);
                port.maintenance.run_within(0);
            }
        }
        Learned::Known | Learned::PortLimit | Learned::TotalLimit => {}
    }
}

/// What was learned goes with the entry: the bridge has aged it, or moved it to another port, or it
/// was deleted or flushed, with or without its port. Who still sends from there is learned anew.
fn removed(bridge: &Bridge, port: Option<&Port>, entry: &switchdev::Entry) {
    let key = Key::new(entry.vid, entry.mac);
    let claims = Claims::BRIDGE.and(Claims::LEARNED);
    let mut locked = bridge.table_lock.lock();
    locked.pending_fdb.forget(|other, _| other == key);
    // It may be one that was offloaded.
    locked.clear_offloaded(key);
    if bridge.foreign.may_be_there() {
        bridge.foreign.note(&mut locked);
    }
    match port {
        Some(port) => port.withdraw(&mut locked, key, claims),
        None => {
            locked.withdraw(key, BRIDGE_ITSELF, claims);
        }
    }
}
