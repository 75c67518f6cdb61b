// SPDX-License-Identifier: GPL-2.0

//! `maclearn apply`: what a file says of bridges and ports is so, once or from now on.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map::Entry},
    env,
    fs::File,
    io::{self, Write},
    mem,
    os::{
        fd::AsFd,
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use clap::ArgMatches;
use maclearn_family::{
    Arrivals, Attributes, BridgeAttributes, Client, EntryAttributes, Error, Event, EventAttributes,
    Events, Listener, Mac, PortAttributes, operation,
};
use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};

use crate::{
    devices::Names,
    failure::{Failure, plain},
    lock::Lock,
    output::{Item, Output, Paint, Record},
    route::{self, Route, Told, unless_gone},
    rules::{Rules, difference},
    setting,
};

/// Milliseconds after which what the kernel has refused is tried again, if nothing happens before.
const PATIENCE: u16 = 5000;

/// Does what the file says.
pub fn apply(output: &mut Output, matches: &ArgMatches) -> Result<(), Failure> {
    let file = matches.get_one::<String>("file");
    let file = file.map(String::as_str).unwrap_or_default();
    if matches.get_flag("follow") {
        let follower = Follower::new(file, output)?;
        return follower.run().map_err(Failure::ended);
    }
    let rules = Rules::read(file)?;
    let _lock = Lock::shared()?;
    let mut client = match Client::open() {
        Err(Error::NoFamily) if matches.get_flag("check") => {
            // The file is right: that is worth to be known before the module is there.
            writeln!(
                io::stderr(),
                "The file is right. What would change is not known until the module is loaded."
            )?;
            return Ok(());
        }
        other => other?,
    };
    let seen = Seen::all(&mut client, Names::all()?, rules.has_entries())?;
    let changes = seen.changes(&rules);
    if matches.get_flag("check") {
        return output.list(|emit| changes.iter().try_for_each(|change| emit(&change.record())));
    }
    let mut refusals = Vec::new();
    carry_out(&changes, &mut client, |change, refused| {
        refusals.extend(refused.map(|why| (change.name(), why)));
        Ok(())
    })?;
    match refusals.first() {
        None => Ok(()),
        Some((name, why)) => Err(Failure::usage(format!(
            "Error: {name}: {why}; {} of {} changes were refused.",
            refusals.len(),
            changes.len()
        ))),
    }
}

/// Makes changes, and tells of each what the kernel has against it. What a port has no room for is
/// tried again when its limit is another one.
fn carry_out<'c>(
    changes: &'c [Change],
    client: &mut Client,
    mut done: impl FnMut(&'c Change, Option<String>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut again = Vec::new();
    for change in changes {
        match change.carry_out(client)? {
            Some(_) if matches!(change.settings, Settings::Entry(_)) => again.push(change),
            refused => done(change, refused)?,
        }
    }
    again
        .into_iter()
        .try_for_each(|change| done(change, change.carry_out(client)?))
}

/// A device whose settings are other ones, or that does not own a MAC.
struct Change {
    index: u32,
    device: String,
    settings: Settings,
}

/// The settings to be changed, or the static entry that is missing.
enum Settings {
    Bridge(BridgeAttributes),
    Port(PortAttributes),
    Entry(EntryAttributes),
}

impl Change {
    fn of_bridge(rules: &Rules, name: &str, now: &BridgeAttributes) -> Option<Self> {
        let index = now.ifindex?;
        let settings = difference(index, now, &rules.of_bridge(name))?;
        Some(Self {
            index,
            device: name.to_string(),
            settings: Settings::Bridge(settings),
        })
    }

    fn of_port(rules: &Rules, name: &str, bridge: &str, now: &PortAttributes) -> Option<Self> {
        let index = now.ifindex?;
        let settings = difference(index, now, &rules.of_port(name, bridge))?;
        Some(Self {
            index,
            device: name.to_string(),
            settings: Settings::Port(settings),
        })
    }

    /// The static entries that a port lacks.
    fn of_entries(
        rules: &Rules,
        name: &str,
        bridge: &str,
        now: &PortAttributes,
        has: impl Fn(u16, Mac) -> bool,
    ) -> Vec<Self> {
        let Some(index) = now.ifindex else {
            return Vec::new();
        };
        let mut wanted = rules.entries_of(name, bridge);
        wanted.retain(|(vlan, mac)| !has(*vlan, *mac));
        let changes = wanted.into_iter().map(|(vlan, mac)| Self {
            index,
            device: name.to_string(),
            settings: Settings::Entry(EntryAttributes {
                port: Some(index),
                vlan: (vlan != 0).then_some(vlan),
                mac: Some(mac),
                r#static: Some(true),
                ..Default::default()
            }),
        });
        changes.collect()
    }

    /// What it is about, in words.
    fn name(&self) -> String {
        match &self.settings {
            Settings::Entry(EntryAttributes { mac: Some(mac), .. }) => {
                format!("{mac} dev {}", self.device)
            }
            _ => self.device.clone(),
        }
    }

    fn record(&self) -> Record {
        fn add<A: Attributes>(record: &mut Record, settings: &A) {
            let all = settings.present();
            for (attribute, value) in all.filter(|(setting, _)| setting.number != setting::DEVICE) {
                record.field(attribute.name, Item::attribute(value));
            }
        }
        let mut record = Record::new();
        let kind = match &self.settings {
            Settings::Bridge(_) => "bridge",
            Settings::Port(_) => "port",
            Settings::Entry(_) => "entry",
        };
        record.title("kind", Item::word(kind));
        if let Settings::Entry(EntryAttributes { mac: Some(mac), .. }) = &self.settings {
            record.title("mac", Item::Mac(*mac));
        }
        record.device(Item::device(&self.device));
        match &self.settings {
            Settings::Bridge(settings) => add(&mut record, settings),
            Settings::Port(settings) => add(&mut record, settings),
            Settings::Entry(entry) => {
                if let Some(vlan) = entry.vlan {
                    record.field("vlan", Item::Number(vlan.into()));
                }
                record.flag("static", true, Paint::Plain);
            }
        }
        record
    }

    /// Makes the change, unless the device is gone or is no port any more. Why the kernel does not
    /// want to.
    fn carry_out(&self, client: &mut Client) -> Result<Option<String>, Error> {
        let done = match &self.settings {
            Settings::Bridge(settings) => client.set(&operation::BRIDGE_SET, settings),
            Settings::Port(settings) => client.set(&operation::PORT_SET, settings),
            Settings::Entry(entry) => client.set(&operation::ENTRY_NEW, entry),
        };
        match unless_gone(done) {
            Err(Error::Refused(refusal)) if refusal.error != libc::EPERM => {
                Ok(Some(refusal.to_string()))
            }
            Err(error) => Err(error),
            Ok(_) => Ok(None),
        }
    }
}

/// Bridges and ports as they are.
#[derive(Default)]
struct Seen {
    bridges: Vec<BridgeAttributes>,
    ports: Vec<PortAttributes>,
    /// Static entries: port, VLAN, MAC.
    entries: HashSet<(u32, u16, Mac)>,
    /// Whether a bridge filters VLANs: one whose entries were looked at.
    filters: HashMap<u32, bool>,
    /// The device that was looked at, if it is neither.
    neither: Option<u32>,
    names: Names,
}

impl Seen {
    /// All of them. Who comes after the names were asked for is told of, and looked at then.
    fn all(client: &mut Client, names: Names, with_entries: bool) -> Result<Self, Error> {
        let mut seen = Self {
            bridges: client.list(&operation::BRIDGE_GET, &BridgeAttributes::default())?,
            ports: client.list(&operation::PORT_GET, &PortAttributes::default())?,
            names,
            ..Default::default()
        };
        if with_entries {
            seen.look_at_entries(client, EntryAttributes::default())?;
        }
        Ok(seen)
    }

    /// Looks at the static ones of those that match.
    fn look_at_entries(&mut self, client: &mut Client, of: EntryAttributes) -> Result<(), Error> {
        let filter = EntryAttributes {
            r#static: Some(true),
            ..of
        };
        let entries = unless_gone(client.list(&operation::ENTRY_GET, &filter))?;
        let entries = entries.into_iter().flatten();
        let mut route = Route::open()?;
        for bridge in self.ports.iter().filter_map(|port| port.bridge) {
            if let Entry::Vacant(place) = self.filters.entry(bridge) {
                if let Some(device) = route.bridge(bridge)? {
                    place.insert(device.filters_vlans);
                }
            }
        }
        self.entries.extend(
            entries.filter_map(|entry| {
                Some((entry.port?, entry.vlan.unwrap_or_default(), entry.mac?))
            }),
        );
        Ok(())
    }

    /// A port, or a bridge with its ports: what a port is to have may depend on that one's name.
    fn one(client: &mut Client, index: u32, with_entries: bool) -> Result<Self, Failure> {
        let mut seen = Self::default();
        let port = PortAttributes {
            ifindex: Some(index),
            ..Default::default()
        };
        let bridge = BridgeAttributes {
            ifindex: Some(index),
            ..Default::default()
        };
        let of_bridge = PortAttributes {
            bridge: Some(index),
            ..Default::default()
        };
        if let Some(port) = unless_gone(client.get(&operation::PORT_GET, &port))? {
            seen.ports.push(port);
        } else if let Some(bridge) = unless_gone(client.get(&operation::BRIDGE_GET, &bridge))? {
            seen.bridges.push(bridge);
            let ports = unless_gone(client.list(&operation::PORT_GET, &of_bridge))?;
            seen.ports.extend(ports.into_iter().flatten());
        } else {
            seen.neither = Some(index);
        }
        if with_entries && !seen.ports.is_empty() {
            let is_bridge = !seen.bridges.is_empty();
            let of = EntryAttributes {
                bridge: is_bridge.then_some(index),
                port: (!is_bridge).then_some(index),
                ..Default::default()
            };
            seen.look_at_entries(client, of)?;
        }
        seen.names.now(index);
        for port in &seen.ports {
            for index in [port.ifindex, port.bridge].into_iter().flatten() {
                seen.names.now(index);
            }
        }
        Ok(seen)
    }

    /// What is not as the file says.
    fn changes(&self, rules: &Rules) -> Vec<Change> {
        let name = |index: Option<u32>| self.names.get(index.unwrap_or_default());
        let bridges = self
            .bridges
            .iter()
            .filter_map(|now| Change::of_bridge(rules, &name(now.ifindex), now));
        let ports = self
            .ports
            .iter()
            .filter_map(|now| Change::of_port(rules, &name(now.ifindex), &name(now.bridge), now));
        // Before a port suppresses what nobody owns.
        let entries = self.ports.iter().flat_map(|now| {
            let filters = now.bridge.and_then(|bridge| self.filters.get(&bridge));
            let has = |vlan, mac| {
                let has = |index| self.entries.contains(&(index, vlan, mac));
                route::uses_entry(filters.copied(), vlan) && now.ifindex.is_some_and(has)
            };
            Change::of_entries(rules, &name(now.ifindex), &name(now.bridge), now, has)
        });
        bridges.chain(entries).chain(ports).collect()
    }

    /// The bridges and ports.
    fn devices(&self) -> impl Iterator<Item = u32> {
        let bridges = self.bridges.iter().filter_map(|bridge| bridge.ifindex);
        let ports = self.ports.iter().filter_map(|port| port.ifindex);
        bridges.chain(ports)
    }
}

/// What there is to do after something was heard.
#[derive(Default, PartialEq, Eq, Debug)]
struct Work {
    /// The module was loaded.
    is_new: bool,
    /// Look at all devices: something may have been missed.
    is_whole: bool,
    /// Look at these, in this order.
    devices: Vec<u32>,
    /// Read the file again.
    rereads: bool,
}

/// The devices that were looked at.
#[derive(Default)]
struct Known {
    /// The names that they had then.
    names: HashMap<u32, String>,
    /// Those that were bridges or ports.
    ours: HashSet<u32>,
    /// Whether a bridge filtered VLANs, if its entries matter.
    filters: HashMap<u32, bool>,
}

impl Known {
    /// Takes what the module says.
    fn heard(&mut self, event: &EventAttributes, work: &mut Work) {
        match event.event {
            Some(Event::PortJoined) => {
                let bridge = event.bridge.filter(|bridge| !self.ours.contains(bridge));
                work.devices.extend(bridge.into_iter().chain(event.port));
            }
            Some(Event::Lost) => work.is_whole = true,
            _ => (),
        }
    }

    /// Takes what rtnetlink says: of devices that come, of those that have another name, and of
    /// bridges that filter VLANs or stop, if they have entries.
    fn told(&mut self, told: Told, work: &mut Work) {
        match told {
            Told::There(index, name, filters)
                if self.names.get(&index) != Some(&name)
                    || filters.is_some_and(|filters| {
                        self.filters
                            .get(&index)
                            .is_some_and(|known| *known != filters)
                    }) =>
            {
                work.devices.push(index);
            }
            Told::There(..) => (),
            Told::Gone(index) => {
                self.names.remove(&index);
                self.ours.remove(&index);
                self.filters.remove(&index);
            }
        }
    }

    /// Has looked at devices.
    fn add(&mut self, seen: &Seen) {
        self.ours.extend(seen.devices());
        self.filters.extend(&seen.filters);
        let devices = seen.devices().chain(seen.neither);
        self.names
            .extend(devices.map(|index| (index, seen.names.get(index).into_owned())));
    }
}

/// The kernel's words against changes of devices, by what these are about.
type Refused = BTreeMap<(u32, String), String>;

/// Does what the file says from now on.
struct Follower<'a> {
    file: &'a str,
    rules: Rules,
    /// What is wrong in the file since it was read again, so that what it said before is kept.
    wrong: Option<String>,
    output: &'a mut Output,
    /// SIGHUP, with which it is asked to read the file again.
    hangups: SignalFd,
    arrivals: Arrivals,
    links: Listener,
    /// The module, while it is loaded.
    module: Option<(Client, Events)>,
    known: Known,
    /// What the kernel has refused, of devices that are looked at again, and its words.
    refused: Refused,
    /// Whether the module is there, and what is wrong in the file, as it was said last.
    said: Option<(bool, Option<String>)>,
}

impl<'a> Follower<'a> {
    fn new(file: &'a str, output: &'a mut Output) -> Result<Self, Failure> {
        let hangup = SigSet::from(Signal::SIGHUP);
        // One that was started at a terminal ends with it.
        let has_terminal = || File::open("/dev/tty").is_ok();
        if env::var_os("NOTIFY_SOCKET").is_some() || !has_terminal() {
            hangup.thread_block().map_err(io::Error::from)?;
        }
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        // From here on no change of the file is missed.
        let hangups = SignalFd::with_flags(&hangup, flags).map_err(io::Error::from)?;
        Ok(Self {
            file,
            rules: Rules::read(file)?,
            wrong: None,
            output,
            hangups,
            arrivals: Arrivals::listen()?,
            links: route::listen()?,
            module: None,
            known: Known::default(),
            refused: Refused::new(),
            said: None,
        })
    }

    fn run(mut self) -> Result<(), Failure> {
        let mut work = Work {
            is_new: true,
            ..Work::default()
        };
        loop {
            self.work(work)?;
            self.say()?;
            work = self.hear()?;
        }
    }

    /// Says whether it waits for the module, and to systemd also what is wrong in the file, if that
    /// is news.
    fn say(&mut self) -> Result<(), Failure> {
        let is_there = self.module.is_some();
        let now = Some((is_there, self.wrong.clone()));
        if self.said == now {
            return Ok(());
        }
        let before = mem::replace(&mut self.said, now);
        if !is_there && before.as_ref().is_none_or(|(was_there, _)| *was_there) {
            writeln!(io::stderr(), "The module is not loaded: waiting for it.")?;
        }
        let status = match is_there {
            true => "following",
            false => "the module is not loaded, waiting",
        };
        let wrong = self.wrong.as_ref();
        let wrong = wrong.map_or_else(String::new, |wrong| format!("; {wrong}"));
        // What is there has its settings.
        let ready = if before.is_none() { "READY=1\n" } else { "" };
        tell_service_manager(&format!("{ready}STATUS={status}{wrong}"))
    }

    /// Reads the file again, and whether it was right. One that is wrong changes nothing.
    fn reread(&mut self) -> Result<bool, Failure> {
        match Rules::read(self.file) {
            Ok(rules) => {
                (self.rules, self.wrong) = (rules, None);
                Ok(true)
            }
            Err(failure) => {
                let failure = failure.to_string();
                let failure = failure.trim_end_matches('.');
                let wrong = format!("{failure}. What it said before is kept.");
                writeln!(io::stderr(), "{wrong}")?;
                self.wrong = Some(wrong);
                Ok(false)
            }
        }
    }

    /// Waits until there is something to do.
    fn hear(&mut self) -> Result<Work, Failure> {
        let mut files = vec![
            self.arrivals.as_fd(),
            self.links.as_fd(),
            self.hangups.as_fd(),
        ];
        files.extend(self.module.iter().map(|(_, events)| events.as_fd()));
        let mut files: Vec<_> = files
            .into_iter()
            .map(|file| PollFd::new(file, PollFlags::POLLIN))
            .collect();
        let timeout = match self.refused.is_empty() {
            true => PollTimeout::NONE,
            false => PATIENCE.into(),
        };
        match poll(&mut files, timeout) {
            Err(Errno::EINTR) => return Ok(Work::default()),
            other => other.map_err(io::Error::from)?,
        };
        let is_ready: Vec<_> = files.iter().map(|file| file.any() == Some(true)).collect();
        let is_ready = |file: usize| is_ready.get(file) == Some(&true);
        let (can_arrive, can_link, can_event) = (is_ready(0), is_ready(1), is_ready(3));
        let mut work = Work::default();
        // Several are one.
        while self
            .hangups
            .read_signal()
            .map_err(io::Error::from)?
            .is_some()
        {
            work.rereads = true;
        }
        let known = &mut self.known;
        if can_link {
            let heard = self.links.next(|kind, message| {
                if let Some(told) = route::told(kind, message) {
                    known.told(told, &mut work);
                }
                Ok::<_, Error>(())
            })?;
            work.is_whole |= !heard;
        }
        if let Some((_, events)) = self.module.as_mut().filter(|_| can_event) {
            let heard = events.next(|event| {
                known.heard(&event, &mut work);
                Ok::<_, Error>(())
            })?;
            work.is_whole |= !heard;
        }
        if can_arrive {
            // What the module was, and what was known of it, is no more.
            let module = &mut self.module;
            let heard = self.arrivals.next(|is_there| {
                *module = None;
                work.is_new = is_there;
            })?;
            work.is_new |= !heard;
        }
        Ok(work)
    }

    fn work(&mut self, mut work: Work) -> Result<(), Failure> {
        let refused = mem::take(&mut self.refused);
        work.devices.extend(refused.keys().map(|(index, _)| *index));
        if work == Work::default() {
            return Ok(());
        }
        // A module that was reloaded, or what is restored, gets its MACs back first.
        let _lock = Lock::shared()?;
        if work.rereads {
            work.is_whole |= self.reread()?;
        }
        if work.is_new || work.is_whole {
            if work.is_new {
                self.module = match Client::open() {
                    Ok(client) => {
                        // From here on nothing is missed.
                        let events = client.listen()?;
                        Some((client, events))
                    }
                    Err(Error::NoFamily) => None,
                    Err(error) => return Err(error.into()),
                };
            }
            return self.look_at_all(&refused);
        }
        let mut seen = BTreeSet::new();
        work.devices.retain(|index| seen.insert(*index));
        work.devices
            .into_iter()
            .try_for_each(|index| self.look_at(index, &refused))
    }

    fn look_at_all(&mut self, refused: &Refused) -> Result<(), Failure> {
        let Some((client, _)) = &mut self.module else {
            return Ok(());
        };
        let with_entries = self.rules.has_entries();
        let Some(seen) = unless_gone(Seen::all(client, Names::all()?, with_entries))? else {
            return Ok(());
        };
        self.known = Known::default();
        self.see_to(&seen, refused)
    }

    /// Looks at a device, which may be a port, a bridge, or neither.
    fn look_at(&mut self, index: u32, refused: &Refused) -> Result<(), Failure> {
        let Some((client, _)) = &mut self.module else {
            return Ok(());
        };
        let seen = Seen::one(client, index, self.rules.has_entries())?;
        self.see_to(&seen, refused)
    }

    /// Makes the changes and prints them, or says what the kernel has against them, unless it has
    /// said that before.
    fn see_to(&mut self, seen: &Seen, refused: &Refused) -> Result<(), Failure> {
        if let Some((client, _)) = &mut self.module {
            let (output, now) = (&mut self.output, &mut self.refused);
            carry_out(&seen.changes(&self.rules), client, |change, why| {
                let Some(why) = why else {
                    return output.line(&change.record());
                };
                let about = (change.index, change.name());
                if refused.get(&about) != Some(&why) {
                    writeln!(io::stderr(), "Error: {}: {why}.", about.1)?;
                }
                now.insert(about, why);
                Ok(())
            })?;
        }
        // Whatever rtnetlink has still to say of them, they need no second look.
        self.known.add(seen);
        Ok(())
    }
}

/// Tells systemd, if that has started it, how it is (`sd_notify(3)`).
fn tell_service_manager(state: &str) -> Result<(), Failure> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    let sent =
        UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(state.as_bytes(), &address));
    sent.map(drop).map_err(|error| {
        Failure::usage(format!(
            "Cannot write to \"{}\": {}",
            name.to_string_lossy(),
            plain(&error)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(bridge: u32, port: u32) -> EventAttributes {
        EventAttributes {
            event: Some(Event::PortJoined),
            bridge: Some(bridge),
            port: Some(port),
            ..Default::default()
        }
    }

    /// A bridge, whose name is as that of a device that has none.
    fn bridge(index: u32) -> Seen {
        let bridge = BridgeAttributes {
            ifindex: Some(index),
            ..Default::default()
        };
        Seen {
            bridges: vec![bridge],
            ..Default::default()
        }
    }

    #[test]
    fn a_port_that_joins_is_looked_at_and_its_bridge_the_first_time() {
        let (mut known, mut work) = (Known::default(), Work::default());
        known.heard(&joined(1, 2), &mut work);
        known.add(&bridge(1));
        known.heard(&joined(1, 2), &mut work);
        assert_eq!(work.devices, [1, 2, 2]);
        assert!(!work.is_whole);
    }

    #[test]
    fn what_was_missed_may_be_anything() {
        let (mut known, mut work) = (Known::default(), Work::default());
        let lost = EventAttributes {
            event: Some(Event::Lost),
            ..Default::default()
        };
        known.heard(&lost, &mut work);
        assert!(work.is_whole);
    }

    #[test]
    fn a_device_is_looked_at_once_and_again_with_another_name() {
        let (mut known, mut work) = (Known::default(), Work::default());
        let there = |name: &str| Told::There(7, name.to_string(), None);
        known.told(there("if7"), &mut work);
        known.add(&bridge(7));
        known.told(there("if7"), &mut work);
        assert_eq!(work.devices, [7]);
        known.told(there("br7"), &mut work);
        assert_eq!(work.devices, [7, 7]);
        known.told(Told::Gone(7), &mut work);
        known.told(there("if7"), &mut work);
        assert_eq!(work.devices, [7, 7, 7]);
    }

    #[test]
    fn a_bridge_that_filters_vlans_now_is_looked_at_again_if_it_has_entries() {
        let (mut known, mut work) = (Known::default(), Work::default());
        let there = |filters| Told::There(7, "if7".to_string(), Some(filters));
        known.add(&bridge(7));
        known.told(there(true), &mut work);
        assert_eq!(work.devices, [0; 0]);
        let mut seen = bridge(7);
        seen.filters.insert(7, false);
        known.add(&seen);
        known.told(there(false), &mut work);
        assert_eq!(work.devices, [0; 0]);
        known.told(there(true), &mut work);
        assert_eq!(work.devices, [7]);
    }

    #[test]
    fn what_is_neither_bridge_nor_port_is_looked_at_once_until_it_is() {
        let (mut known, mut work) = (Known::default(), Work::default());
        let seen = Seen {
            neither: Some(7),
            ..Default::default()
        };
        known.add(&seen);
        known.told(Told::There(7, "if7".to_string(), None), &mut work);
        assert_eq!(work.devices, [0; 0]);
        known.heard(&joined(7, 7), &mut work);
        assert_eq!(work.devices, [7, 7]);
    }

    #[test]
    fn a_change_is_a_line() {
        let rules = "[[port]]\nname = 'a'\nenabled = true\nunknown_unicast = 'suppress'\n";
        let rules = Rules::understand(rules).unwrap_or_default();
        let now = PortAttributes {
            ifindex: Some(7),
            enabled: Some(false),
            ..Default::default()
        };
        let change = Change::of_port(&rules, "a", "br", &now).unwrap();
        let mut text = Vec::new();
        change.record().write(&mut text, false).unwrap();
        let wanted = "port dev a enabled on unknown_unicast suppress\n";
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
        assert!(Change::of_port(&rules, "b", "br", &now).is_none());
    }
}
