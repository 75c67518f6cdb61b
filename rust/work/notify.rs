// SPDX-License-Identifier: GPL-2.0

//! Sending events, many in a datagram. The maintenance work sends those that wait. That a port
//! joins or leaves is sent at once, behind those that wait, by whoever handles that under RTNL.

use core::mem;

use kernel::prelude::*;

use crate::{
    kapi::{
        genetlink::{has_listeners, Full, Message, Notification},
        netdevice::{Name, Net},
        rtnl::Rtnl,
        uapi,
    },
    state::{
        bridge::Bridge,
        events::{Kind, Queue},
        port::Port,
    },
    table::Key,
};

/// Sends what waits. May sleep.
pub(crate) fn send(bridge: &Bridge) {
    send_with(bridge, None);
}

/// Sends what waits, and that `port` joins or leaves (`kind`). May sleep.
pub(crate) fn send_port(kind: Kind, port: &Port, rtnl: &Rtnl) {
    let told = Told {
        kind,
        port: Some(port.device.ifindex()),
        name: Some(port.device.name(rtnl)),
        key: None,
    };
    send_with(&port.bridge, Some(told));
}

/// An event with what it says to listeners, who know interface indices and names.
struct Told {
    kind: Kind,
    port: Option<u32>,
    name: Option<Name>,
    key: Option<Key>,
}

fn send_with(bridge: &Bridge, last: Option<Told>) {
    let mut outgoing = bridge.outgoing.lock();
    let batch = &mut *outgoing;
    mem::swap(batch, &mut bridge.table_lock.lock().events);
    if batch.is_empty() && last.is_none() {
        return;
    }
    // Without a namespace there are no listeners.
    let unsent = bridge
        .net
        .with(|net| send_batch(bridge, net, batch, last))
        .unwrap_or(0);
    batch.clear();
    if unsent != 0 {
        // The next batch says how many these were.
        bridge.table_lock.lock().events.lose(unsent);
    }
}

/// Sends a batch and what is `last`, several events in a datagram. How many were not sent for lack
/// of memory.
fn send_batch(bridge: &Bridge, net: &Net, batch: &Queue, last: Option<Told>) -> u32 {
    let total = batch.events().len() as u32 + u32::from(last.is_some());
    // Who listened has gone, or the family has.
    if !has_listeners(&bridge.device) {
        return 0;
    }
    let bridge_index = bridge.device.ifindex();
    let mut datagram: Option<Notification> = None;
    let mut add = |fill: &dyn Fn(&mut Message<'_>) -> Result<(), Full>| -> Result {
        let mut datagram_now = match datagram.take() {
            Some(datagram) => datagram,
            None => Notification::new()?,
        };
        if datagram_now
            .message(uapi::MACLEARN_CMD_EVENT_NTF, fill)
            .is_err()
        {
            datagram_now.send(net);
            datagram_now = Notification::new()?;
            datagram_now
                .message(uapi::MACLEARN_CMD_EVENT_NTF, fill)
                .map_err(|Full| EMSGSIZE)?;
        }
        datagram = Some(datagram_now);
        Ok(())
    };
    let noted = batch.events().iter().map(|event| Told {
        kind: event.kind,
        port: event.port.and_then(|port| bridge.ifindex_of(port)),
        name: None,
        key: event.key,
    });
    for (sent, event) in Iterator::chain(noted, last).enumerate() {
        let added = add(&|message| {
            message.put_u32(uapi::MACLEARN_A_EVENT_EVENT, event.kind as u32)?;
            message.put_u32(uapi::MACLEARN_A_EVENT_BRIDGE, bridge_index)?;
            if let Some(port) = event.port {
                message.put_u32(uapi::MACLEARN_A_EVENT_PORT, port)?;
            }
            if let Some(name) = &event.name {
                message.put_name(uapi::MACLEARN_A_EVENT_IFNAME, name)?;
            }
            if let Some(key) = event.key {
                message.put_u16(uapi::MACLEARN_A_EVENT_VLAN, key.vlan())?;
                message.put_mac(uapi::MACLEARN_A_EVENT_MAC, key.mac())?;
            }
            Ok(())
        });
        if added.is_err() {
            return batch.lost().saturating_add(total - sent as u32);
        }
    }
    let mut unsent = batch.lost();
    if batch.lost() != 0 {
        let added = add(&|message| {
            message.put_u32(
                uapi::MACLEARN_A_EVENT_EVENT,
                uapi::maclearn_event::MACLEARN_EVENT_LOST as u32,
            )?;
            message.put_u32(uapi::MACLEARN_A_EVENT_BRIDGE, bridge_index)?;
            message.put_u32(uapi::MACLEARN_A_EVENT_LOST, batch.lost())
        });
        if added.is_ok() {
            unsent = 0;
        }
    }
    if let Some(datagram) = datagram {
        datagram.send(net);
    }
    unsent
}
