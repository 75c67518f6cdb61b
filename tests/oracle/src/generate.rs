// SPDX-License-Identifier: GPL-2.0

//! Random sequences. Each uses only some kinds of events, chosen anew for each, so that what
//! happens rarely together with everything else happens often in some.

use crate::event::{
    Destination, Event, Frame, Guest, Ingress, Port, Ports, Sequence, Setup, State, Switch, GUESTS,
    PORTS,
};
use rand::{
    rngs::StdRng,
    seq::{IndexedRandom, IteratorRandom},
    RngExt, SeedableRng,
};
use std::str::FromStr;

/// Kinds of events beside frames and moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Spoof,
    Both,
    Link,
    Admin,
    State,
    Vlan,
    Fdb,
    Age,
    Backup,
    Settings,
    Limits,
    Exclusive,
    Load,
    Join,
    Settle,
}

impl Kind {
    const ALL: [(Kind, &'static str); 15] = [
        (Kind::Spoof, "spoof"),
        (Kind::Both, "both"),
        (Kind::Link, "link"),
        (Kind::Admin, "admin"),
        (Kind::State, "state"),
        (Kind::Vlan, "vlan"),
        (Kind::Fdb, "fdb"),
        (Kind::Age, "age"),
        (Kind::Backup, "backup"),
        (Kind::Settings, "settings"),
        (Kind::Limits, "limits"),
        (Kind::Exclusive, "exclusive"),
        (Kind::Load, "load"),
        (Kind::Join, "join"),
        (Kind::Settle, "settle"),
    ];
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let found = Kind::ALL.into_iter().find(|(_, name)| *name == text);
        found
            .map(|(kind, _)| kind)
            .ok_or_else(|| format!("no such kind: {text}"))
    }
}

/// What sequences are to be like.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Kinds to choose from; all if it is empty.
    pub only: Vec<Kind>,
    /// Whether the bridge learns; either if it is not said.
    pub learns: Option<bool>,
    pub offload: Option<bool>,
    /// Whether maclearn is there at all.
    pub loaded: bool,
    /// Most events in a sequence.
    pub most: usize,
}

struct Generator<'a> {
    random: StdRng,
    wish: &'a Wish,
    kinds: Vec<Kind>,
    guests: Vec<Guest>,
    homes: [Port; GUESTS],
}

/// The sequence of that number.
pub fn sequence(seed: u64, wish: &Wish) -> Sequence {
    let mut random = StdRng::seed_from_u64(seed);
    let kinds: Vec<Kind> = match wish.only.is_empty() {
        true => Kind::ALL
            .into_iter()
            .map(|(kind, _)| kind)
            .filter(|_| random.random_bool(0.3))
            .collect(),
        false => wish.only.clone(),
    };
    let guests = Guest::all().sample(&mut random, 3);
    let mut generator = Generator {
        random,
        wish,
        kinds: kinds
            .into_iter()
            .filter(|&kind| {
                wish.loaded
                    || !matches!(
                        kind,
                        Kind::Load | Kind::Settings | Kind::Limits | Kind::Exclusive
                    )
            })
            .collect(),
        guests,
        homes: std::array::from_fn(|guest| Guest(guest as u8).home()),
    };
    generator.sequence()
}

impl Generator<'_> {
    fn sequence(&mut self) -> Sequence {
        let enabled = match self.random.random_range(0..4) {
            0 => Ports(self.random.random_range(0..1 << PORTS)),
            _ => Ports::ALL,
        };
        let setup = Setup {
            learns: self.wish.learns.unwrap_or(self.random.random_bool(0.3)),
            offload: self.wish.offload.unwrap_or(self.random.random()),
            loaded: self.wish.loaded,
            enabled,
        };
        let length = self.random.random_range(5..=self.wish.most.max(5));
        let mut events = Vec::new();
        while events.len() < length {
            match self.random.random_range(0..100) {
                0..60 => events.push(Event::Frame(self.frame())),
                60..70 => {
                    let (guest, port) = (self.guest(), self.port());
                    self.homes[usize::from(guest.0)] = port;
                    events.push(Event::Move(guest, port));
                }
                _ => {
                    if let Some(&kind) = self.kinds.choose(&mut self.random) {
                        self.other(kind, &setup, &mut events);
                    }
                }
            }
        }
        Sequence { setup, events }
    }

    fn port(&mut self) -> Port {
        Port(self.random.random_range(0..PORTS as u8))
    }

    fn guest(&mut self) -> Guest {
        *self.guests.choose(&mut self.random).unwrap()
    }

    fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    fn frame(&mut self) -> Frame {
        let source = self.guest();
        let ingress = if self.random.random_bool(0.05) {
            Ingress::Bridge
        } else if self.has(Kind::Spoof) && self.random.random_bool(0.2) {
            Ingress::Port(self.port())
        } else {
            Ingress::Port(self.homes[usize::from(source.0)])
        };
        let destination = match self.random.random_range(0..100) {
            0..25 => Destination::Broadcast,
            25..30 => Destination::Nobody,
            30..33 => Destination::LinkLocal,
            _ => Destination::Guest(self.guest()),
        };
        // From the bridge device they go by another way.
        let is_guests = ingress != Ingress::Bridge;
        Frame {
            ingress,
            source: if is_guests { source } else { Guest(0) },
            destination: match destination {
                Destination::LinkLocal if !is_guests => Destination::Broadcast,
                destination => destination,
            },
            tagged: is_guests && self.has(Kind::Vlan) && self.random.random_bool(0.3),
        }
    }

    fn other(&mut self, kind: Kind, setup: &Setup, events: &mut Vec<Event>) {
        let (port, guest) = (self.port(), self.guest());
        let on = self.random.random_bool(0.5);
        let event = match kind {
            Kind::Spoof => return,
            Kind::Both => return self.both(events),
            Kind::Link => Event::Link(port, on),
            Kind::Admin => Event::Admin(port, on),
            Kind::State => Event::State(port, *State::ALL.choose(&mut self.random).unwrap()),
            Kind::Vlan => match self.random.random_bool(0.5) {
                true => Event::Filtering(on),
                false => Event::Member(port, on),
            },
            Kind::Fdb => match self.random.random_range(0..4) {
                0 => Event::FlushBridge,
                1 => Event::Delete(guest, port),
                // A hub's own database loses what is dynamic at once.
                _ => Event::Replace(guest, port, on || !setup.learns),
            },
            Kind::Age => Event::Age,
            Kind::Backup => {
                let other = self.port();
                Event::Backup(port, (on && other != port).then_some(other))
            }
            Kind::Settings => {
                let switch = *Switch::ALL.choose(&mut self.random).unwrap();
                match switch {
                    Switch::Closed if !self.has(Kind::Limits) => return,
                    Switch::Closed => Event::Set(port, switch, on && self.random.random_bool(0.3)),
                    _ => Event::Set(port, switch, on),
                }
            }
            Kind::Limits => Event::MaxMacs(port, self.random.random_range(0..3)),
            Kind::Exclusive => Event::Exclusive(on),
            Kind::Load => {
                // The former needs many ports more, and takes as long as dozens of other sequences.
                match self.random.random_range(0..20) {
                    0 => events.push(Event::UnloadUnder),
                    _ => events.push(Event::Unload),
                }
                Event::Load(Ports::ALL)
            }
            Kind::Join => match on {
                true => Event::Join(port),
                false => Event::Leave(port),
            },
            // It takes a while.
            Kind::Settle if self.random.random_bool(0.7) => return,
            Kind::Settle => Event::Settle,
        };
        let joins = matches!(event, Event::Join(_));
        events.push(event);
        if joins && self.wish.loaded && self.random.random_bool(0.7) {
            events.push(Event::Set(port, Switch::Enabled, true));
        }
    }

    /// Two senders, none of whose guests is the other's too.
    fn both(&mut self, events: &mut Vec<Event>) {
        // What is refused for a limit depends on who comes first.
        if self.has(Kind::Limits) {
            return;
        }
        let mut frames = [Vec::new(), Vec::new()];
        for _ in 0..self.random.random_range(2..8) {
            let frame = self.frame();
            let side = usize::from(frame.source == self.guests[0]);
            if matches!(frame.ingress, Ingress::Port(_)) {
                frames[side].push(frame);
            }
        }
        let [first, second] = frames;
        if !first.is_empty() && !second.is_empty() {
            events.push(Event::Both(first, second));
        }
    }
}
