// SPDX-License-Identifier: GPL-2.0

//! What a bridge tells those who listen to the family's multicast group: noted under the table's
//! lock where it happens, sent by the upkeep. That a port joins or leaves is sent at once, after what
//! was noted, by who holds RTNL for that.
//!
//! A frame thus never makes a message. Between two runs of the upkeep there is room for
//! [`MOST_WAITING`] events; of more than these the listeners learn how many there were.

use core::{
    mem,
    ops::{Deref, DerefMut},
};

use kernel::prelude::*;

use crate::{
    bridge::Bridge,
    fdb::Unplaced,
    kapi::{
        clock,
        genetlink::{has_listeners, Full, Message, Notification},
        netdevice::{Name, Net},
        rtnl::Rtnl,
        uapi,
    },
    pending::Pending,
    port::Port,
    table::{Claims, Key, PortIndex, Writer},
};

/// Events that wait at most; any more are counted only.
const MOST_WAITING: usize = 512;

/// Time from the first event that waits until they are sent, in ticks.
const DELAY: usize = (clock::TICKS_PER_SECOND / 50) as usize;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    /// A port owns a MAC that it sent a frame from.
    Learned = uapi::MACLEARN_EVENT_LEARNED,
    /// The same, and another port owned it before.
    MovedIn = uapi::MACLEARN_EVENT_MOVED_IN,
    /// A port owns a MAC by request.
    Added = uapi::MACLEARN_EVENT_ADDED,
    /// A MAC was not seen for the ageing time.
    Aged = uapi::MACLEARN_EVENT_AGED,
    /// A MAC was forgotten by request, with its port, or with the last enabled port.
    Deleted = uapi::MACLEARN_EVENT_DELETED,
    /// A source could not be learned for a limit, the first since there was room.
    LimitReached = uapi::MACLEARN_EVENT_LIMIT_REACHED,
    /// A port gets every copy from now on.
    FailingOpen = uapi::MACLEARN_EVENT_FAILING_OPEN,
    /// It does no longer.
    Recovered = uapi::MACLEARN_EVENT_RECOVERED,
    /// Copies to a port are filtered.
    Enabled = uapi::MACLEARN_EVENT_ENABLED,
    /// They are no longer.
    Disabled = uapi::MACLEARN_EVENT_DISABLED,
    /// Other settings of a port were changed.
    PortChanged = uapi::MACLEARN_EVENT_PORT_CHANGED,
    /// Settings of the bridge were changed.
    BridgeChanged = uapi::MACLEARN_EVENT_BRIDGE_CHANGED,
    /// A device has become a port.
    PortJoined = uapi::MACLEARN_EVENT_PORT_JOINED,
    /// It is none any more.
    PortLeft = uapi::MACLEARN_EVENT_PORT_LEFT,
}

/// An event that waits to be sent.
#[derive(Clone, Copy)]
struct Event {
    kind: Kind,
    port: Option<PortIndex>,
    key: Option<Key>,
}

/// The events of a bridge that wait to be sent.
pub(crate) struct Waiting {
    events: KVec<Event>,
    lost: u32,
}

impl Waiting {
    fn new() -> Result<Self> {
        Ok(Self {
            events: KVec::with_capacity(MOST_WAITING, GFP_KERNEL_ACCOUNT)?,
            lost: 0,
        })
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.lost == 0
    }

    fn push(&mut self, event: Event) {
        if self.events.push_within_capacity(event).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }
}

/// What a bridge's table lock guards: the right to change the table, what is still to be put
/// there, and the events.
pub(crate) struct Locked {
    writer: Writer,
    /// What the bridge's own database has and the table had no room for.
    pub(crate) unplaced: Unplaced,
    /// Sources that could not be learned yet.
    pub(crate) pending: Pending,
    waiting: Waiting,
}

impl Locked {
    /// Makes the state of a new bridge.
    pub(crate) fn new(writer: Writer) -> Result<Self> {
        Ok(Self {
            writer,
            unplaced: Unplaced::default(),
            pending: Pending::new()?,
            waiting: Waiting::new()?,
        })
    }

    /// Notes what happened at `port`, if somebody listens, and sees to its being sent. Of a port
    /// that has left nothing is told: its number may be another's when that is sent.
    pub(crate) fn note(&mut self, kind: Kind, port: &Port, key: Option<Key>) {
        if !port.is_present() || !has_listeners(&port.bridge.device) {
            return;
        }
        let is_first = self.waiting.events.is_empty();
        self.waiting.push(Event {
            kind,
            port: Some(port.index),
            key,
        });
        if is_first {
            port.upkeep.schedule(DELAY);
        }
    }

    /// Takes claims on `key` from `port`, be it an owner or still to become one. Returns whether it
    /// was an owner for one of them.
    pub(crate) fn withdraw(&mut self, key: Key, port: PortIndex, claims: Claims) -> bool {
        if claims.has(Claims::LEARNED) {
            self.pending.forget(key, port);
        }
        self.writer.withdraw(key, port, claims)
    }

    /// Whether all owners that are known of are in the table.
    pub(crate) fn is_settled(&self) -> bool {
        self.unplaced.is_empty() && self.pending.is_empty()
    }

    /// What [`Writer::publish`] does, but nothing while an owner is still to be put in the table.
    pub(crate) fn publish(&mut self, key: Key) -> Option<PortIndex> {
        self.is_settled().then(|| self.writer.publish(key))?
    }

    /// The right to change the table, and what is still to be put there.
    pub(crate) fn writer_and_unplaced(&mut self) -> (&mut Writer, &mut Unplaced) {
        (&mut self.writer, &mut self.unplaced)
    }

    /// The right to change the table, and a function to note what happens to entries meanwhile.
    /// Sending is for the caller to see to, with [`Bridge::ask_for_upkeep`].
    pub(crate) fn split(&mut self) -> (&mut Writer, impl FnMut(Kind, PortIndex, Key) + '_) {
        let waiting = &mut self.waiting;
        let note = |kind, port, key| {
            waiting.push(Event {
                kind,
                port: Some(port),
                key: Some(key),
            })
        };
        (&mut self.writer, note)
    }

    /// Notes that settings of the bridge were changed. As for [`Locked::split`].
    pub(crate) fn note_bridge_changed(&mut self) {
        self.waiting.push(Event {
            kind: Kind::BridgeChanged,
            port: None,
            key: None,
        });
    }
}

impl Deref for Locked {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

/// Where the events of a bridge are while they are sent.
pub(crate) struct Outgoing(Waiting);

impl Outgoing {
    /// Makes that of a new bridge.
    pub(crate) fn new() -> Result<Self> {
        Waiting::new().map(Self)
    }
}

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

/// An event as it is sent.
struct Told {
    kind: Kind,
    port: Option<u32>,
    name: Option<Name>,
    key: Option<Key>,
}

fn send_with(bridge: &Bridge, last: Option<Told>) {
    let mut outgoing = bridge.outgoing.lock();
    let Outgoing(batch) = &mut *outgoing;
    mem::swap(batch, &mut bridge.writer.lock().waiting);
    if batch.is_empty() && last.is_none() {
        return;
    }
    // With the namespace, who listened has gone.
    let unsent = bridge
        .network
        .with_net(|net| send_batch(bridge, net, batch, last))
        .unwrap_or(0);
    batch.events.clear();
    batch.lost = 0;
    if unsent != 0 {
        // They are told of with what comes next.
        let mut locked = bridge.writer.lock();
        locked.waiting.lost = locked.waiting.lost.saturating_add(unsent);
    }
}

/// Sends a batch and what is `last`, several events in a datagram. How many were not sent for lack of memory.
fn send_batch(bridge: &Bridge, net: &Net, batch: &Waiting, last: Option<Told>) -> u32 {
    let total = batch.events.len() as u32 + u32::from(last.is_some());
    let index_of = |port: Option<PortIndex>| {
        let index = bridge.ifindices.get(usize::from(port?))?.load_relaxed();
        (index != 0).then_some(index)
    };
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
    let noted = batch.events.iter().map(|event| Told {
        kind: event.kind,
        port: index_of(event.port),
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
            return batch.lost.saturating_add(total - sent as u32);
        }
    }
    let mut unsent = batch.lost;
    if batch.lost != 0 {
        let added = add(&|message| {
            message.put_u32(uapi::MACLEARN_A_EVENT_EVENT, uapi::MACLEARN_EVENT_LOST)?;
            message.put_u32(uapi::MACLEARN_A_EVENT_BRIDGE, bridge_index)?;
            message.put_u32(uapi::MACLEARN_A_EVENT_LOST, batch.lost)
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
