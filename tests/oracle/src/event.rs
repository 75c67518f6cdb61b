// SPDX-License-Identifier: GPL-2.0

//! What can happen to a bridge: the events of a sequence, and how a sequence is written down.

use std::{
    fmt::{self, Display, Formatter},
    str::FromStr,
};

/// Ports of the bridge: `host1` and so on.
pub const PORTS: usize = 4;
/// Guests that frames are from and for. Guest g is behind port g modulo [`PORTS`] at first.
pub const GUESTS: usize = 6;
/// The VLAN of frames without a tag.
pub const PVID: u16 = 1;
/// The VLAN of frames with a tag. All ports are members at first.
pub const TAGGED: u16 = 10;

/// A port, by its number from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Port(pub u8);

/// A guest, by its number from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Guest(pub u8);

/// A set of ports.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Ports(pub u8);

/// Where a frame enters the bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ingress {
    /// From behind a port.
    Port(Port),
    /// It is sent by the bridge device.
    Bridge,
}

/// Where a frame is to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    Guest(Guest),
    /// A unicast address that no guest has.
    Nobody,
    Broadcast,
    /// The address of LLDP, which a bridge keeps to itself.
    LinkLocal,
}

/// A frame. Its source need not be where it is sent from: that is spoofing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    pub ingress: Ingress,
    /// What the bridge device sends has an address of its own, whatever this is.
    pub source: Guest,
    pub destination: Destination,
    /// Whether it has the tag of VLAN [`TAGGED`].
    pub tagged: bool,
}

/// A port's state in the spanning tree, as a user sets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Disabled = 0,
    Listening = 1,
    Learning = 2,
    Forwarding = 3,
}

/// A setting of maclearn's that is on or off, of a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switch {
    Enabled,
    Learning,
    /// `unknown_unicast suppress`
    Suppress,
    /// `on_failure closed`
    Closed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Frame(Frame),
    /// Two senders on two CPUs at the same time.
    Both(Vec<Frame>, Vec<Frame>),
    /// A guest moves, and says nothing.
    Move(Guest, Port),
    /// The link of the NIC behind a port.
    Link(Port, bool),
    /// `ip link set PORT up` or `down`
    Admin(Port, bool),
    State(Port, State),
    /// Whether a port is a member of VLAN [`TAGGED`].
    Member(Port, bool),
    /// `vlan_filtering`
    Filtering(bool),
    /// `bridge fdb replace GUEST dev PORT master`, `static` or `dynamic`
    Replace(Guest, Port, bool),
    /// `bridge fdb del GUEST dev PORT master`
    Delete(Guest, Port),
    /// Everything that does not stand in the bridge's own database for good is flushed.
    FlushBridge,
    /// Everything that was learned ages: a flush of the bridge's database and of maclearn's table.
    Age,
    Backup(Port, Option<Port>),
    Set(Port, Switch, bool),
    /// `max_macs` of a port; 0 is no limit
    MaxMacs(Port, u8),
    Exclusive(bool),
    Offload(bool),
    /// The module is loaded and these ports are enabled.
    Load(Ports),
    Unload,
    /// The module is unloaded, and when it has left the first port, half of the guests move there,
    /// speak, and are answered; the others do when it has left the second.
    UnloadUnder,
    Join(Port),
    Leave(Port),
    /// Time passes until what happens in the background has happened.
    Settle,
}

/// What a sequence begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setup {
    /// Whether the bridge learns by itself; a hub (`ageing_time 0`) otherwise.
    pub learns: bool,
    /// `fdb_offload`
    pub offload: bool,
    /// Whether maclearn is there.
    pub loaded: bool,
    pub enabled: Ports,
}

/// A setup and what happens then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sequence {
    pub setup: Setup,
    pub events: Vec<Event>,
}

impl Port {
    pub fn all() -> impl Iterator<Item = Port> {
        (0..PORTS as u8).map(Port)
    }

    pub fn index(self) -> usize {
        self.0.into()
    }
}

impl Guest {
    pub fn all() -> impl Iterator<Item = Guest> {
        (0..GUESTS as u8).map(Guest)
    }

    /// The port that it is behind at first.
    pub fn home(self) -> Port {
        Port(self.0 % PORTS as u8)
    }

    /// Its address: those of the functional scripts, `G11` and so on.
    pub fn mac(self) -> [u8; 6] {
        [2, 0, 0, 0, self.home().0 + 1, self.0 / PORTS as u8 + 1]
    }
}

impl Ports {
    pub const ALL: Ports = Ports((1 << PORTS) - 1);
    pub const NONE: Ports = Ports(0);

    pub fn of(ports: impl Iterator<Item = Port>) -> Ports {
        ports.fold(Ports::NONE, Ports::with)
    }

    pub fn has(self, port: Port) -> bool {
        self.0 & (1 << port.0) != 0
    }

    pub fn with(self, port: Port) -> Ports {
        Ports(self.0 | (1 << port.0))
    }

    pub fn without(self, port: Port) -> Ports {
        Ports(self.0 & !(1 << port.0))
    }

    pub fn and(self, other: Ports) -> Ports {
        Ports(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Port> {
        Port::all().filter(move |&port| self.has(port))
    }
}

// ---- how it is written ----

impl Display for Port {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "host{}", self.0 + 1)
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Port, String> {
        Port::all()
            .find(|port| port.to_string() == text)
            .ok_or_else(|| format!("no port: {text}"))
    }
}

impl Display for Guest {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "G{}{}", self.home().0 + 1, self.0 / PORTS as u8 + 1)
    }
}

impl FromStr for Guest {
    type Err = String;

    fn from_str(text: &str) -> Result<Guest, String> {
        Guest::all()
            .find(|guest| guest.to_string() == text)
            .ok_or_else(|| format!("no guest: {text}"))
    }
}

impl Display for Ports {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let names: Vec<_> = self.iter().map(|port| port.to_string()).collect();
        match names.is_empty() {
            true => write!(f, "-"),
            false => write!(f, "{}", names.join(",")),
        }
    }
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Ports, String> {
        if text == "-" {
            return Ok(Ports::NONE);
        }
        let ports: Result<Vec<Port>, _> = text.split(',').map(str::parse).collect();
        Ok(Ports::of(ports?.into_iter()))
    }
}

impl Display for Frame {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self.ingress {
            Ingress::Port(port) => write!(f, "{port} {} ", self.source)?,
            Ingress::Bridge => write!(f, "bridge - ")?,
        }
        match self.destination {
            Destination::Guest(guest) => write!(f, "{guest}")?,
            Destination::Nobody => write!(f, "NOBODY")?,
            Destination::Broadcast => write!(f, "BROADCAST")?,
            Destination::LinkLocal => write!(f, "LINK_LOCAL")?,
        }
        if self.tagged {
            write!(f, " tagged")?;
        }
        Ok(())
    }
}

impl FromStr for Frame {
    type Err = String;

    fn from_str(text: &str) -> Result<Frame, String> {
        let words: Vec<_> = text.split_whitespace().collect();
        let (words, tagged) = match words.split_last() {
            Some((&"tagged", rest)) => (rest, true),
            _ => (&words[..], false),
        };
        let &[ingress, source, destination] = words else {
            return Err(format!("no frame: {text}"));
        };
        let ingress = match ingress {
            "bridge" => Ingress::Bridge,
            port => Ingress::Port(port.parse()?),
        };
        let source = match ingress {
            Ingress::Bridge => Guest(0),
            Ingress::Port(_) => source.parse()?,
        };
        let destination = match destination {
            "NOBODY" => Destination::Nobody,
            "BROADCAST" => Destination::Broadcast,
            "LINK_LOCAL" => Destination::LinkLocal,
            guest => Destination::Guest(guest.parse()?),
        };
        Ok(Frame {
            ingress,
            source,
            destination,
            tagged,
        })
    }
}

impl Switch {
    pub const ALL: [Switch; 4] = [
        Switch::Enabled,
        Switch::Learning,
        Switch::Suppress,
        Switch::Closed,
    ];

    fn name(self) -> &'static str {
        match self {
            Switch::Enabled => "enabled",
            Switch::Learning => "learning",
            Switch::Suppress => "suppress",
            Switch::Closed => "closed",
        }
    }
}

impl State {
    pub const ALL: [State; 4] = [
        State::Disabled,
        State::Listening,
        State::Learning,
        State::Forwarding,
    ];

    fn name(self) -> &'static str {
        match self {
            State::Disabled => "disabled",
            State::Listening => "listening",
            State::Learning => "learning",
            State::Forwarding => "forwarding",
        }
    }
}

fn on_off(on: bool) -> &'static str {
    if on {
        "on"
    } else {
        "off"
    }
}

fn parse_on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("neither on nor off: {text}")),
    }
}

fn frames(frames: &[Frame]) -> String {
    let frames: Vec<_> = frames.iter().map(Frame::to_string).collect();
    frames.join("; ")
}

fn parse_frames(text: &str) -> Result<Vec<Frame>, String> {
    text.split(';').map(str::parse).collect()
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Event::Frame(frame) => write!(f, "frame {frame}"),
            Event::Both(a, b) => write!(f, "both {} | {}", frames(a), frames(b)),
            Event::Move(guest, port) => write!(f, "move {guest} {port}"),
            Event::Link(port, on) => write!(f, "link {port} {}", on_off(*on)),
            Event::Admin(port, on) => write!(f, "admin {port} {}", on_off(*on)),
            Event::State(port, state) => write!(f, "state {port} {}", state.name()),
            Event::Member(port, on) => write!(f, "member {port} {}", on_off(*on)),
            Event::Filtering(on) => write!(f, "filtering {}", on_off(*on)),
            Event::Replace(guest, port, is_static) => {
                let kind = if *is_static { "static" } else { "dynamic" };
                write!(f, "replace {guest} {port} {kind}")
            }
            Event::Delete(guest, port) => write!(f, "delete {guest} {port}"),
            Event::FlushBridge => write!(f, "flush-bridge"),
            Event::Age => write!(f, "age"),
            Event::Backup(port, Some(by)) => write!(f, "backup {port} {by}"),
            Event::Backup(port, None) => write!(f, "backup {port} -"),
            Event::Set(port, switch, on) => {
                write!(f, "set {port} {} {}", switch.name(), on_off(*on))
            }
            Event::MaxMacs(port, macs) => write!(f, "max-macs {port} {macs}"),
            Event::Exclusive(on) => write!(f, "exclusive {}", on_off(*on)),
            Event::Offload(on) => write!(f, "offload {}", on_off(*on)),
            Event::Load(enabled) => write!(f, "load {enabled}"),
            Event::Unload => write!(f, "unload"),
            Event::UnloadUnder => write!(f, "unload-under"),
            Event::Join(port) => write!(f, "join {port}"),
            Event::Leave(port) => write!(f, "leave {port}"),
            Event::Settle => write!(f, "settle"),
        }
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(text: &str) -> Result<Event, String> {
        let (name, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let words: Vec<_> = rest.split_whitespace().collect();
        Ok(match (name, &words[..]) {
            ("frame", _) => Event::Frame(rest.parse()?),
            ("both", _) => {
                let (a, b) = rest.split_once('|').ok_or("no second sender")?;
                Event::Both(parse_frames(a)?, parse_frames(b)?)
            }
            ("move", [guest, port]) => Event::Move(guest.parse()?, port.parse()?),
            ("link", [port, on]) => Event::Link(port.parse()?, parse_on_off(on)?),
            ("admin", [port, on]) => Event::Admin(port.parse()?, parse_on_off(on)?),
            ("state", [port, name]) => {
                let state = State::ALL.into_iter().find(|state| state.name() == *name);
                Event::State(port.parse()?, state.ok_or("no such state")?)
            }
            ("member", [port, on]) => Event::Member(port.parse()?, parse_on_off(on)?),
            ("filtering", [on]) => Event::Filtering(parse_on_off(on)?),
            ("replace", [guest, port, kind @ ("static" | "dynamic")]) => {
                Event::Replace(guest.parse()?, port.parse()?, *kind == "static")
            }
            ("delete", [guest, port]) => Event::Delete(guest.parse()?, port.parse()?),
            ("flush-bridge", []) => Event::FlushBridge,
            ("age", []) => Event::Age,
            ("backup", [port, "-"]) => Event::Backup(port.parse()?, None),
            ("backup", [port, by]) => Event::Backup(port.parse()?, Some(by.parse()?)),
            ("set", [port, name, on]) => {
                let switch = Switch::ALL
                    .into_iter()
                    .find(|switch| switch.name() == *name);
                Event::Set(
                    port.parse()?,
                    switch.ok_or("no such setting")?,
                    parse_on_off(on)?,
                )
            }
            ("max-macs", [port, macs]) => {
                let macs = macs.parse().map_err(|_| format!("no number: {macs}"))?;
                Event::MaxMacs(port.parse()?, macs)
            }
            ("exclusive", [on]) => Event::Exclusive(parse_on_off(on)?),
            ("offload", [on]) => Event::Offload(parse_on_off(on)?),
            ("load", [enabled]) => Event::Load(enabled.parse()?),
            ("unload", []) => Event::Unload,
            ("unload-under", []) => Event::UnloadUnder,
            ("join", [port]) => Event::Join(port.parse()?),
            ("leave", [port]) => Event::Leave(port.parse()?),
            ("settle", []) => Event::Settle,
            _ => return Err(format!("no event: {text}")),
        })
    }
}

impl Display for Sequence {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Setup {
            learns,
            offload,
            loaded,
            enabled,
        } = self.setup;
        let kind = if learns { "learning" } else { "hub" };
        let loaded = if loaded { "loaded" } else { "unloaded" };
        writeln!(
            f,
            "setup {kind} offload {} {loaded} {enabled}",
            on_off(offload)
        )?;
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        Ok(())
    }
}

impl FromStr for Sequence {
    type Err = String;

    /// Empty lines and those that begin with `#` are left out.
    fn from_str(text: &str) -> Result<Sequence, String> {
        let mut lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
        let setup: Vec<_> = lines.next().unwrap_or("").split_whitespace().collect();
        let ["setup", kind @ ("hub" | "learning"), "offload", offload, loaded @ ("loaded" | "unloaded"), enabled] =
            setup[..]
        else {
            return Err("a sequence begins with its setup".into());
        };
        Ok(Sequence {
            setup: Setup {
                learns: kind == "learning",
                offload: parse_on_off(offload)?,
                loaded: loaded == "loaded",
                enabled: enabled.parse()?,
            },
            events: lines.map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = "setup hub offload on loaded host1,host2,host3,host4
frame host1 G11 G21
frame bridge - G21
frame host1 G11 BROADCAST tagged
both host1 G11 G21; host1 G12 NOBODY | host2 G21 G11
move G11 host2
link host1 off
admin host1 on
state host1 listening
member host1 off
filtering on
replace G11 host2 static
replace G11 host2 dynamic
delete G11 host2
flush-bridge
age
backup host1 host2
backup host1 -
set host1 enabled off
set host1 suppress on
max-macs host1 2
exclusive on
offload off
load -
unload
unload-under
join host4
leave host4
settle
";
        let sequence: Sequence = text.parse().unwrap();
        assert_eq!(sequence.to_string(), text);
    }
}
