// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family: what each operation does.
//!
//! `Documentation/netlink/specs/maclearn.yaml` describes it. Attributes have passed the policies
//! that are generated from there when they come here.

use kernel::{prelude::*, sync::Arc};

use super::{
    entries::{self, Deleted},
    network::Network,
    settings,
};
use crate::{
    kapi::{
        clock,
        genetlink::{operations, reply, Dump, Full, Message, Request},
        pernet, uapi,
    },
    state::{
        bridge::Bridge,
        counters::Counter,
        flags::Flag,
        locked::TableHeld,
        port::Port,
        settings::{Change, Form, Setting},
    },
    table::{age, Action, Claims, Cursor, Entry, Key, Learned, Stamp, Visit},
    work::forget,
};

operations! {
    do: {
        maclearn_nl_port_get_doit => port_get,
        maclearn_nl_port_set_doit => port_set,
        maclearn_nl_bridge_get_doit => bridge_get,
        maclearn_nl_bridge_set_doit => bridge_set,
        maclearn_nl_entry_new_doit => entry_new,
        maclearn_nl_entry_del_doit => entry_del,
        maclearn_nl_entry_flush_doit => entry_flush,
        maclearn_nl_stats_get_doit => stats_get,
        maclearn_nl_stats_reset_doit => stats_reset,
    }
    dump: {
        maclearn_nl_port_get_dumpit => port_dump,
        maclearn_nl_bridge_get_dumpit => bridge_dump,
        maclearn_nl_entry_get_dumpit => entry_dump,
        maclearn_nl_stats_get_dumpit => stats_dump,
    }
}

fn network(request: &Request<'_>) -> Result<Arc<Network>> {
    pernet::get::<Network>(request.net()).ok_or(ENODEV)
}

/// The port that attribute `kind` names.
fn port(request: &Request<'_>, kind: u32) -> Result<Arc<Port>> {
    let index = request.required(kind)?;
    network(request)?
        .port_by_index(index.u32())
        .ok_or_else(|| request.refuse(ENODEV, c"no such port of a bridge", Some(index)))
}

/// The bridge that attribute `kind` names.
fn bridge(request: &Request<'_>, kind: u32) -> Result<Arc<Bridge>> {
    let index = request.required(kind)?;
    network(request)?
        .bridge_by_index(index.u32())
        .ok_or_else(|| request.refuse(ENODEV, c"no such bridge", Some(index)))
}

/// Adds settings, each of which `value_of` tells.
fn put_settings<S: Setting>(
    message: &mut Message<'_>,
    value_of: impl Fn(S) -> u32,
) -> Result<(), Full> {
    for &setting in S::ALL {
        let (row, value) = (setting.row(), value_of(setting));
        match row.form {
            Form::Switch => message.put_u8(row.attribute, value as u8)?,
            Form::Choice(_) | Form::Number(_) => message.put_u32(row.attribute, value)?,
        }
    }
    Ok(())
}

/// The settings that a request asks for.
fn settings_of<S: Setting>(request: &Request<'_>) -> Change<S> {
    S::ALL.iter().fold(Change::new(), |change, &setting| {
        let row = setting.row();
        match (request.attribute(row.attribute), row.form) {
            (Some(attribute), Form::Switch) => change.with(setting, attribute.u8().into()),
            (Some(attribute), _) => change.with(setting, attribute.u32()),
            (None, _) => change,
        }
    })
}

fn put_port(message: &mut Message<'_>, port: &Port) -> Result<(), Full> {
    let flags = port.flags();
    let is = |flag| u8::from(flags.has(flag));
    message.put_u32(uapi::MACLEARN_A_PORT_IFINDEX, port.device.ifindex())?;
    message.put_u32(uapi::MACLEARN_A_PORT_BRIDGE, port.bridge.device.ifindex())?;
    put_settings(message, |setting| port.setting(setting))?;
    message.put_u32(uapi::MACLEARN_A_PORT_N_MACS, port.macs())?;
    message.put_u8(uapi::MACLEARN_A_PORT_FAILING_OPEN, is(Flag::FailingOpen))?;
    message.put_u8(uapi::MACLEARN_A_PORT_LIMIT_REACHED, is(Flag::AtLimit))
}

fn port_get(request: &Request<'_>) -> Result {
    let port = port(request, uapi::MACLEARN_A_PORT_IFINDEX)?;
    reply(request, |message| put_port(message, &port))
}

fn port_set(request: &Request<'_>) -> Result {
    let network = network(request)?;
    let port = port(request, uapi::MACLEARN_A_PORT_IFINDEX)?;
    settings::change_port(&network, &port, &settings_of(request))
        .map_err(|error| request.refuse(error, c"the port can't be filtered now", None))
}

/// Dumps things that have interface indices, in their order, from where the last call ended.
fn list<T>(
    dump: &mut Dump<'_>,
    next: impl Fn(&Network, u32) -> Result<KVec<T>>,
    index_of: impl Fn(&T) -> u32,
    put: impl Fn(&mut Message<'_>, &T) -> Result<(), Full>,
) -> Result {
    let network = network(&dump.request())?;
    loop {
        let [last, ..] = *dump.state();
        let items = next(&network, last as u32)?;
        if items.is_empty() {
            return Ok(());
        }
        for item in &items {
            if dump.message(|message| put(message, item)).is_err() {
                return Ok(());
            }
            dump.state()[0] = index_of(item).into();
        }
    }
}

fn port_dump(dump: &mut Dump<'_>) -> Result {
    let request = dump.request();
    let bridge = request
        .attribute(uapi::MACLEARN_A_PORT_BRIDGE)
        .map(|_| bridge(&request, uapi::MACLEARN_A_PORT_BRIDGE))
        .transpose()?;
    list(
        dump,
        |network, last| network.next_ports(last, bridge.as_deref()),
        |port| port.device.ifindex(),
        |message, port| put_port(message, port),
    )
}

fn put_bridge(message: &mut Message<'_>, bridge: &Bridge) -> Result<(), Full> {
    let table = &bridge.table;
    message.put_u32(uapi::MACLEARN_A_BRIDGE_IFINDEX, bridge.device.ifindex())?;
    put_settings(message, |setting| bridge.settings.get(setting))?;
    message.put_u32(uapi::MACLEARN_A_BRIDGE_N_MACS, table.total())?;
    message.put_uint(uapi::MACLEARN_A_BRIDGE_MEMORY, table.memory_bytes() as u64)?;
    message.put_u32(uapi::MACLEARN_A_BRIDGE_N_OFFLOADED, table.offloaded())
}

fn bridge_get(request: &Request<'_>) -> Result {
    let bridge = bridge(request, uapi::MACLEARN_A_BRIDGE_IFINDEX)?;
    reply(request, |message| put_bridge(message, &bridge))
}

fn bridge_dump(dump: &mut Dump<'_>) -> Result {
    list(
        dump,
        |network, last| {
            let mut next = KVec::new();
            if let Some(bridge) = network.next_bridge(last) {
                next.push(bridge, GFP_KERNEL)?;
            }
            Ok(next)
        },
        |bridge| bridge.device.ifindex(),
        |message, bridge| put_bridge(message, bridge),
    )
}

fn bridge_set(request: &Request<'_>) -> Result {
    let bridge = bridge(request, uapi::MACLEARN_A_BRIDGE_IFINDEX)?;
    settings::change_bridge(&bridge, &settings_of(request));
    Ok(())
}

/// The claims of an entry that netlink calls static: they do not age.
const CONFIGURED: Claims = Claims::STATIC.and(Claims::BRIDGE);

/// Which entries of a bridge are meant.
struct Filter {
    port: Option<Arc<Port>>,
    vlan: Option<u16>,
    mac: Option<[u8; 6]>,
    is_static: Option<bool>,
}

impl Filter {
    /// Reads the filter of a request.
    fn of(request: &Request<'_>) -> Result<Self> {
        Ok(Self {
            port: request
                .attribute(uapi::MACLEARN_A_ENTRY_PORT)
                .map(|_| port(request, uapi::MACLEARN_A_ENTRY_PORT))
                .transpose()?,
            vlan: request
                .attribute(uapi::MACLEARN_A_ENTRY_VLAN)
                .map(|attribute| attribute.u16()),
            mac: request
                .attribute(uapi::MACLEARN_A_ENTRY_MAC)
                .map(|attribute| attribute.mac()),
            is_static: request
                .attribute(uapi::MACLEARN_A_ENTRY_STATIC)
                .map(|attribute| attribute.u8() != 0),
        })
    }

    /// The bridge that the request, or its port, names.
    fn bridge(&self, request: &Request<'_>) -> Result<Option<Arc<Bridge>>> {
        let Some(_) = request.attribute(uapi::MACLEARN_A_ENTRY_BRIDGE) else {
            return Ok(self.port.as_ref().map(|port| port.bridge.clone()));
        };
        let bridge = bridge(request, uapi::MACLEARN_A_ENTRY_BRIDGE)?;
        match &self.port {
            Some(port) if !Arc::ptr_eq(&port.bridge, &bridge) => {
                let about = request.attribute(uapi::MACLEARN_A_ENTRY_PORT);
                Err(request.refuse(EINVAL, c"not a port of that bridge", about))
            }
            _ => Ok(Some(bridge)),
        }
    }

    /// Whether `entry` is meant.
    fn matches(&self, entry: &Entry, held: &TableHeld) -> bool {
        self.port
            .as_ref()
            .is_none_or(|port| port.index == entry.port && port.is_present(held))
            && self.vlan.is_none_or(|vlan| vlan == entry.key.vlan())
            && self.mac.is_none_or(|mac| mac == entry.key.mac())
            && self
                .is_static
                .is_none_or(|is_static| is_static == entry.claims.has(CONFIGURED))
    }
}

/// Buckets whose entries are put in a buffer together: few, because the smallest buffer is less
/// than a page.
const DUMP_BUCKETS: usize = 4;
const DUMP_ENTRIES: usize = DUMP_BUCKETS * Entry::MOST_IN_A_BUCKET;

fn entry_dump(dump: &mut Dump<'_>) -> Result {
    let request = dump.request();
    let network = network(&request)?;
    let filter = Filter::of(&request)?;
    let only = filter.bridge(&request)?;
    let mut entries = KVec::with_capacity(DUMP_ENTRIES, GFP_KERNEL)?;
    // The bridge that was begun, or the index above that of the last one; then where in it.
    let [mut index, begun, saved @ ..] = *dump.state();
    let mut position = (begun != 0).then(|| DumpPosition::from_words(saved));
    loop {
        let next = match &only {
            Some(bridge) => Some(bridge.clone()),
            None => network.next_bridge((index as u32).saturating_sub(1)),
        };
        let found = next.map(|bridge| (u64::from(bridge.device.ifindex()), bridge));
        let Some((found, bridge)) = found.filter(|(found, _)| *found >= index) else {
            break;
        };
        if found != index {
            position = None;
        }
        index = found;
        if !dump_bridge(dump, &bridge, &filter, &mut entries, &mut position)? {
            break;
        }
        index += 1;
        position = None;
    }
    let words = position.as_ref().map_or([0; 4], DumpPosition::to_words);
    *dump.state() = [
        index,
        position.is_some().into(),
        words[0],
        words[1],
        words[2],
        words[3],
    ];
    Ok(())
}

/// How far the dump of a bridge has got.
#[derive(Clone)]
struct DumpPosition {
    cursor: Cursor,
    /// [`Writer::generation`](crate::table::Writer::generation) when it got there.
    generation: u64,
}

impl DumpPosition {
    fn to_words(&self) -> [u64; 4] {
        let [array, bucket, moves] = self.cursor.to_words();
        [array, bucket, moves, self.generation]
    }

    fn from_words([array, bucket, moves, generation]: [u64; 4]) -> Self {
        Self {
            cursor: Cursor::from_words([array, bucket, moves]),
            generation,
        }
    }
}

/// Dumps a bridge's entries from where `position` has got to. Whether that were the last.
fn dump_bridge(
    dump: &mut Dump<'_>,
    bridge: &Bridge,
    filter: &Filter,
    entries: &mut KVec<Entry>,
    position: &mut Option<DumpPosition>,
) -> Result<bool> {
    let ports = bridge.ports_by_index()?;
    let port_of = |entry: &Entry| ports.get(usize::from(entry.port))?.as_deref();
    loop {
        entries.clear();
        let before = position.clone();
        let visit = {
            let mut locked = bridge.table_lock.lock();
            let (writer, held, _) = locked.split();
            let generation = writer.generation();
            let position = position.get_or_insert_with(|| DumpPosition {
                cursor: writer.cursor(),
                generation,
            });
            if position.generation != generation {
                position.generation = generation;
                dump.interrupt();
            }
            writer.visit(&mut position.cursor, DUMP_BUCKETS, |entry| {
                // The number of a port that has left may be another's.
                if port_of(&entry).is_some_and(|port| port.is_present(held))
                    && filter.matches(&entry, held)
                {
                    // There is room for all that the buckets can hold.
                    let _ = entries.push_within_capacity(entry);
                }
                Action::Keep
            })
        };
        let fit = dump.together(|dump| {
            for entry in &*entries {
                if let Some(port) = port_of(entry) {
                    dump.message(|message| put_entry(message, port, entry))?;
                }
            }
            Ok(())
        })?;
        if !fit {
            *position = before;
            return Ok(false);
        }
        if visit != Visit::More {
            return Ok(true);
        }
    }
}

fn put_entry(message: &mut Message<'_>, port: &Port, entry: &Entry) -> Result<(), Full> {
    let bridge = &port.bridge;
    message.put_u32(uapi::MACLEARN_A_ENTRY_BRIDGE, bridge.device.ifindex())?;
    message.put_u32(uapi::MACLEARN_A_ENTRY_PORT, port.device.ifindex())?;
    message.put_u16(uapi::MACLEARN_A_ENTRY_VLAN, entry.key.vlan())?;
    message.put_mac(uapi::MACLEARN_A_ENTRY_MAC, entry.key.mac())?;
    let has = |claims| u8::from(entry.claims.has(claims));
    message.put_u8(uapi::MACLEARN_A_ENTRY_STATIC, has(CONFIGURED))?;
    message.put_u8(uapi::MACLEARN_A_ENTRY_FDB, has(Claims::BRIDGE))?;
    message.put_u8(uapi::MACLEARN_A_ENTRY_OFFLOADED, entry.is_offloaded.into())?;
    if !entry.claims.has(Claims::LEARNED) {
        return Ok(());
    }
    let unit_ms = (1 << bridge.ageing().unit_shift) * 1000 / clock::HZ;
    let age = u64::from(age(entry.stamp, bridge.now() as Stamp)) * unit_ms;
    message.put_u32(
        uapi::MACLEARN_A_ENTRY_AGE,
        age.try_into().unwrap_or(u32::MAX),
    )
}

/// The key that a request names, once it is known to make sense on `bridge`.
fn key(request: &Request<'_>, bridge: &Bridge) -> Result<Key> {
    let mac = request.required(uapi::MACLEARN_A_ENTRY_MAC)?;
    if mac.mac()[0] & 1 != 0 || mac.mac() == [0; 6] {
        return Err(request.refuse(EINVAL, c"not the address of a station", Some(mac)));
    }
    let vlan = request.attribute(uapi::MACLEARN_A_ENTRY_VLAN);
    let vid = vlan.map_or(0, |vlan| vlan.u16());
    if bridge.filters_vlans() != (vid != 0) {
        let message = if vid == 0 {
            c"the bridge filters VLANs, so the entry needs one"
        } else {
            c"the bridge does not filter VLANs, so the entry has none"
        };
        return Err(request.refuse(EINVAL, message, vlan));
    }
    Ok(Key::new(vid, mac.mac()))
}

fn entry_new(request: &Request<'_>) -> Result {
    let port = port(request, uapi::MACLEARN_A_ENTRY_PORT)?;
    let bridge = &port.bridge;
    let key = key(request, bridge)?;
    let is_static = request
        .attribute(uapi::MACLEARN_A_ENTRY_STATIC)
        .is_some_and(|attribute| attribute.u8() != 0);
    let age = request.attribute(uapi::MACLEARN_A_ENTRY_AGE);
    if is_static && age.is_some() {
        return Err(request.refuse(EINVAL, c"a configured entry has no age", age));
    }
    if !is_static && !bridge.is_tracked() {
        return Err(request.refuse(EINVAL, c"no port of the bridge is enabled", None));
    }
    let age = (!is_static).then(|| age.map_or(0, |age| age.u32()));
    let refuse = |error, message| Err(request.refuse(error, message, None));
    match entries::insert(&port, key, age) {
        Some(Learned::Known | Learned::New { .. }) => Ok(()),
        Some(Learned::PortLimit) => refuse(ENOSPC, c"the port owns as many MACs as it may"),
        Some(Learned::TotalLimit) => refuse(ENOSPC, c"the bridge owns as many MACs as it may"),
        Some(Learned::NoRoom) => refuse(ENOMEM, c"the table can't grow"),
        None => refuse(EINVAL, c"the address is one of the bridge's own"),
    }
}

fn entry_del(request: &Request<'_>) -> Result {
    let port = port(request, uapi::MACLEARN_A_ENTRY_PORT)?;
    let key = key(request, &port.bridge)?;
    let about = request.attribute(uapi::MACLEARN_A_ENTRY_MAC);
    match entries::delete(&port, key) {
        Deleted::Entry => Ok(()),
        Deleted::NoPort => Err(request.refuse(ENODEV, c"no such port of a bridge", None)),
        Deleted::Nothing => Err(request.refuse(ENOENT, c"the port does not own that MAC", about)),
        Deleted::InBridgeFdb => {
            let message = c"the bridge's own fdb has that MAC: delete it there";
            Err(request.refuse(EBUSY, message, about))
        }
    }
}

fn entry_flush(request: &Request<'_>) -> Result {
    let mut filter = Filter::of(request)?;
    let bridge = match filter.bridge(request)? {
        Some(bridge) => bridge,
        None => bridge(request, uapi::MACLEARN_A_ENTRY_BRIDGE)?,
    };
    let claims = match filter.is_static.take() {
        Some(true) => Claims::STATIC,
        Some(false) | None => Claims::LEARNED,
    };
    if claims == Claims::LEARNED && filter.vlan.is_none() && filter.mac.is_none() {
        forget::forget_learned(&bridge, filter.port.as_deref());
        return Ok(());
    }
    forget::flush(&bridge, claims, |entry, held| filter.matches(entry, held));
    Ok(())
}

/// A port or a bridge, whose statistics are meant.
enum Counted {
    Port(Arc<Port>),
    Bridge(Arc<Bridge>),
}

impl Counted {
    fn of(request: &Request<'_>) -> Result<Self> {
        let index = request.required(uapi::MACLEARN_A_STATISTICS_IFINDEX)?;
        let network = network(request)?;
        if let Some(port) = network.port_by_index(index.u32()) {
            Ok(Self::Port(port))
        } else if let Some(bridge) = network.bridge_by_index(index.u32()) {
            Ok(Self::Bridge(bridge))
        } else {
            Err(request.refuse(ENODEV, c"no such bridge or port of a bridge", Some(index)))
        }
    }

    fn ifindex(&self) -> u32 {
        match self {
            Self::Port(port) => port.device.ifindex(),
            Self::Bridge(bridge) => bridge.device.ifindex(),
        }
    }

    fn count_of(&self, counter: Counter) -> u64 {
        match self {
            Self::Port(port) => port.count_of(counter),
            Self::Bridge(bridge) => bridge.count_of(counter),
        }
    }

    fn put(&self, message: &mut Message<'_>) -> Result<(), Full> {
        message.put_u32(uapi::MACLEARN_A_STATISTICS_IFINDEX, self.ifindex())?;
        for &counter in Counter::ALL {
            message.put_uint(counter.attribute(), self.count_of(counter))?;
        }
        Ok(())
    }
}

fn stats_get(request: &Request<'_>) -> Result {
    let counted = Counted::of(request)?;
    reply(request, |message| counted.put(message))
}

fn stats_dump(dump: &mut Dump<'_>) -> Result {
    list(
        dump,
        |network, last| network.next_ports(last, None),
        |port| port.device.ifindex(),
        |message, port| Counted::Port(port.clone()).put(message),
    )
}

fn stats_reset(request: &Request<'_>) -> Result {
    match Counted::of(request)? {
        Counted::Port(port) => port.reset_counters(),
        Counted::Bridge(bridge) => bridge.ports().iter().for_each(|port| port.reset_counters()),
    }
    Ok(())
}
