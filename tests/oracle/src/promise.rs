// SPDX-License-Identifier: GPL-2.0

//! What maclearn promises, as code: which ports must, may and must not get a frame, whatever has
//! happened before. The table "The promise and its exceptions" of `Documentation/semantics.md` is
//! this in words.
//!
//! It is about the promise, and knows nothing of how maclearn is made. What may or may not be known
//! by now is kept as a *claim* of a port to a guest's address, with how much is certain of it.
//! Where that decides, either outcome is allowed.

use crate::{
    bridge::{Bridge, Delivery, Key},
    event::{
        Destination, Event, Frame, Guest, Ingress, Port, Ports, Setup, Switch, GUESTS, PORTS, PVID,
        TAGGED,
    },
};
use std::collections::BTreeMap;

/// Whether a port gets a frame, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expectation {
    Must(&'static str),
    May,
    MustNot(&'static str),
}

/// What is expected of each port.
pub type Verdict = [Expectation; PORTS];

/// That a source was seen at a port, and may still be known to have been. Without one it is not
/// known there.
#[derive(Clone, Copy, Debug)]
struct Claim {
    /// Nothing has happened since that could excuse a frame not being delivered there.
    sure: bool,
    /// Nothing has happened since that could excuse a copy elsewhere.
    held: bool,
}

#[derive(Clone, Copy, Default, Debug)]
struct Settings {
    enabled: bool,
    learning_off: bool,
    suppress: bool,
    closed: bool,
    max_macs: u8,
    /// It may be failing open.
    may_be_open: bool,
}

#[derive(Clone, Debug)]
pub struct Model {
    /// The bridge that it is, without maclearn.
    bridge: Bridge,
    home: [Port; GUESTS],
    loaded: bool,
    /// The module is being unloaded: some of the ports may be plain already.
    unloading: bool,
    exclusive: bool,
    offload: bool,
    settings: [Settings; PORTS],
    /// Of what becomes of a user's `dynamic` entry the kernel tells nobody.
    untold: [bool; GUESTS],
    claims: BTreeMap<(Key, Port), Claim>,
}

impl Model {
    pub fn new(setup: &Setup) -> Model {
        let mut model = Model {
            bridge: Bridge::new(setup.learns),
            home: std::array::from_fn(|guest| Guest(guest as u8).home()),
            loaded: false,
            unloading: false,
            exclusive: false,
            offload: false,
            settings: [Settings::default(); PORTS],
            untold: [false; GUESTS],
            claims: BTreeMap::new(),
        };
        if setup.loaded {
            model.load(setup.enabled);
            model.offload = setup.offload;
        }
        model
    }

    /// The bridge without maclearn.
    pub fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    pub fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Where the guest is.
    pub fn home(&self, guest: Guest) -> Port {
        self.home[usize::from(guest.0)]
    }

    /// How many MACs the port owns at most, without those of the bridge's own database.
    pub fn most_macs(&self, port: Port) -> usize {
        self.claims.keys().filter(|&&(_, p)| p == port).count()
    }

    /// How many MACs the bridge's own database is to be given, once all has settled.
    pub fn offloadable(&self) -> usize {
        let joined = self.bridge.joined();
        let filters = |port: Port| {
            self.settings[port.index()].enabled && !self.settings[port.index()].may_be_open
        };
        if !self.offload || self.bridge.learns() || !joined.iter().all(filters) {
            return 0;
        }
        let sole = |&(key, _): &(Key, Port)| {
            self.owners(key).iter().count() == 1 && !self.bridge.knows(key)
        };
        self.claims
            .iter()
            .filter(|(place, claim)| claim.held && sole(place))
            .count()
    }

    /// Whether the port can own more MACs than it does, so that it has no reason to fail open.
    pub fn has_room(&self, port: Port) -> bool {
        let most = usize::from(self.settings[port.index()].max_macs);
        most == 0 || self.most_macs(port) + self.configured() < most
    }

    /// How many entries the bridge's own database has.
    fn configured(&self) -> usize {
        let guests = Guest::all();
        let keys = guests.flat_map(|guest| [0, PVID, TAGGED].map(|vlan| (vlan, guest)));
        keys.filter(|&key| self.bridge.knows(key)).count()
    }

    fn is_tracked(&self) -> bool {
        let enabled = |port: Port| self.settings[port.index()].enabled;
        self.loaded && self.bridge.joined().iter().any(enabled)
    }

    /// The ports that may own the key.
    fn owners(&self, key: Key) -> Ports {
        Ports::of(Port::all().filter(|&port| self.claims.contains_key(&(key, port))))
    }

    fn load(&mut self, enabled: Ports) {
        self.loaded = true;
        self.exclusive = false;
        self.offload = true;
        for port in Port::all() {
            self.settings[port.index()] = Settings {
                enabled: enabled.has(port) && self.bridge.has_joined(port),
                ..Settings::default()
            };
        }
    }

    fn unload(&mut self) {
        self.loaded = false;
        self.settings = [Settings::default(); PORTS];
        self.claims.clear();
    }

    fn forget(&mut self, matches: impl Fn(Key, Port) -> bool) {
        self.claims.retain(|&(key, port), _| !matches(key, port));
    }

    /// Nothing is certain any more of the claims that `matches` tells.
    fn doubt(&mut self, matches: impl Fn(Key, Port) -> bool) {
        for (&(key, port), claim) in &mut self.claims {
            if matches(key, port) {
                *claim = Claim {
                    sure: false,
                    held: false,
                };
            }
        }
    }

    /// A port forgets what it learned in some VLANs, since it can't receive there; and what others
    /// have learned of the same guests counts no longer, or not for certain.
    fn lose(&mut self, port: Port, is_in: impl Fn(u16) -> bool) {
        let lost: Vec<_> = self
            .claims
            .keys()
            .filter(|&&((vlan, _), p)| p == port && is_in(vlan))
            .map(|&(key, _)| key)
            .collect();
        self.forget(|key, p| p == port && lost.contains(&key));
        self.doubt(|key, _| lost.contains(&key));
    }

    // ---- frames ----

    /// A frame is sent: what is expected of each port.
    pub fn frame(&mut self, frame: &Frame) -> Verdict {
        let admitted = self.bridge.admit(frame);
        let may_be_dropped = admitted.is_some_and(|(vlan, _)| self.learn(frame, vlan));
        let delivery = self.bridge.handle(frame);
        let vlan = admitted.map_or(0, |(vlan, _)| vlan);
        std::array::from_fn(|port| {
            let port = Port(port as u8);
            match self.expect(frame, vlan, port, delivery) {
                Expectation::Must(_) if may_be_dropped => Expectation::May,
                expectation => expectation,
            }
        })
    }

    /// Its source is learned. Whether the frame may be dropped for it.
    fn learn(&mut self, frame: &Frame, vlan: u16) -> bool {
        let Ingress::Port(port) = frame.ingress else {
            return false;
        };
        // Those stay with the bridge, and are seen by no hook that learns.
        let is_seen = frame.destination != Destination::LinkLocal;
        let settings = self.settings[port.index()];
        if !self.is_tracked() || settings.learning_off || !is_seen {
            return false;
        }
        let key = (vlan, frame.source);
        let old = self.claims.get(&(key, port)).copied();
        let limited = settings.max_macs != 0 && !old.is_some_and(|claim| claim.held);
        if limited && settings.closed {
            // It may be known, learned now, or refused.
            let claim = Claim {
                sure: false,
                held: false,
            };
            self.claims.entry((key, port)).or_insert(claim);
            return true;
        }
        let others = self.owners(key).without(port);
        if self.bridge.learns() {
            // Its database has the newest place alone, and tells that it forgets the others.
            self.doubt(|k, p| k == key && p != port);
        }
        if self.exclusive {
            if old.is_some() {
                self.doubt(|k, p| k == key && p != port);
            } else {
                self.forget(|k, p| k == key && p != port);
            }
        }
        let is_full = limited && !self.has_room(port);
        if is_full {
            // It gets every copy until there is room.
            self.settings[port.index()].may_be_open = true;
        }
        let claim = Claim {
            sure: true,
            held: !is_full
                && (old.is_none() || old.is_some_and(|claim| claim.held) || others == Ports::NONE),
        };
        self.claims.insert((key, port), claim);
        false
    }

    fn expect(&self, frame: &Frame, vlan: u16, port: Port, delivery: Delivery) -> Expectation {
        use Expectation::{May, Must, MustNot};
        let copies = match delivery {
            Delivery::Forwarded(ports) if ports.has(port) => {
                return Must("the bridge forwards it there")
            }
            Delivery::Forwarded(_) => return MustNot("the bridge forwards it elsewhere"),
            Delivery::Nowhere => Ports::NONE,
            Delivery::Flooded(ports) => ports,
        };
        if !copies.has(port) {
            return MustNot("a hub delivers it not there");
        }
        let settings = self.settings[port.index()];
        let guest = match frame.destination {
            Destination::Broadcast | Destination::LinkLocal => return Must("it is for all"),
            _ if !self.is_tracked() => return Must("maclearn filters nothing"),
            _ if !settings.enabled => return Must("the port is not enabled"),
            Destination::Nobody if settings.suppress => return May,
            Destination::Nobody => return Must("nobody owns the destination"),
            Destination::Guest(guest) => guest,
        };
        let key = (vlan, guest);
        let own = self.claims.get(&(key, port));
        if own.is_some_and(|claim| claim.sure) {
            return Must("the destination was seen there and nothing has happened since");
        }
        if self.untold[usize::from(guest.0)] {
            return May;
        }
        // What was seen at a port that can't receive keeps nothing from others.
        let others: Vec<_> = self
            .owners(key)
            .without(port)
            .iter()
            .filter(|&other| self.bridge.can_receive(other))
            .collect();
        if others.is_empty() && !settings.suppress {
            return Must("no other port can own the destination");
        }
        if self.bridge.learns() && self.home(guest) == port && !settings.suppress {
            // What it floods it knows nothing about, whatever was seen before.
            return Must("the learning bridge that it is delivers it to the guest");
        }
        if self.bridge.learns() {
            // It has forgotten the place itself, else it would not flood, and that may be followed.
            return May;
        }
        let is_held = |&other: &Port| self.claims[&(key, other)].held;
        if own.is_none() && others.iter().any(is_held) && !settings.may_be_open && !self.unloading {
            return MustNot("another port owns the destination");
        }
        May
    }

    /// Two senders send these at the same time, each in order: what is expected whichever comes
    /// first.
    pub fn both(&mut self, first: &[Frame], second: &[Frame]) -> (Vec<Verdict>, Vec<Verdict>) {
        let verdicts = (self.beside(first, second), self.beside(second, first));
        for frame in first.iter().chain(second) {
            self.frame(frame);
        }
        // How far the other was is not known.
        for claim in self.claims.values_mut() {
            claim.held = false;
        }
        verdicts
    }

    /// What is expected of these frames, however many of the others have come before.
    fn beside(&self, frames: &[Frame], others: &[Frame]) -> Vec<Verdict> {
        let verdicts = (0..=others.len()).map(|before| {
            let mut model = self.clone();
            for frame in &others[..before] {
                model.frame(frame);
            }
            let verdicts = frames.iter().map(|frame| model.frame(frame));
            verdicts.collect::<Vec<_>>()
        });
        verdicts.reduce(combine).unwrap_or_default()
    }

    // ---- everything else ----

    /// Anything else happens. False if it is refused, and so nothing has happened.
    pub fn apply(&mut self, event: &Event) -> bool {
        match *event {
            Event::Frame(_) | Event::Both(..) | Event::UnloadUnder => {
                unreachable!("these have functions of their own")
            }
            Event::Move(guest, port) => {
                self.home[usize::from(guest.0)] = port;
                return true;
            }
            Event::Load(_) | Event::Unload if self.loaded == matches!(event, Event::Load(_)) => {
                return false
            }
            Event::Load(enabled) => {
                self.load(enabled);
                return true;
            }
            Event::Unload => {
                self.unload();
                return true;
            }
            _ => {}
        }
        let before = self.bridge.clone();
        if !self.bridge.apply(event) {
            return false;
        }
        self.follow(event, &before)
    }

    /// What follows for maclearn.
    fn follow(&mut self, event: &Event, before: &Bridge) -> bool {
        match *event {
            Event::Link(port, _) | Event::Admin(port, _) | Event::State(port, _) => {
                // What a port that can't receive has learned is forgotten.
                if !self.bridge.can_receive(port) {
                    self.lose(port, |_| true);
                }
            }
            Event::Member(port, false) => self.lose(port, |vlan| vlan == TAGGED),
            // Each way frames are in other VLANs from now on.
            Event::Filtering(on) if on != before.filters_vlans() => self.claims.clear(),
            Event::Replace(guest, _, is_static) => {
                self.untold[usize::from(guest.0)] |= !is_static;
                for (&((_, g), _), claim) in &mut self.claims {
                    claim.held &= g != guest;
                }
            }
            Event::Delete(guest, port) => {
                if self.bridge.learns() {
                    self.forget(|(_, g), p| g == guest && p == port);
                } else {
                    self.doubt(|(_, g), p| g == guest && p == port);
                }
            }
            Event::FlushBridge if self.bridge.learns() => self.claims.clear(),
            Event::FlushBridge => self.doubt(|_, _| true),
            Event::Age => self.claims.clear(),
            Event::Set(port, switch, on) => {
                if !self.loaded || !self.bridge.has_joined(port) {
                    return false;
                }
                let settings = &mut self.settings[port.index()];
                match switch {
                    Switch::Enabled => settings.enabled = on,
                    Switch::Learning => settings.learning_off = !on,
                    Switch::Suppress => settings.suppress = on,
                    Switch::Closed => settings.closed = on,
                }
            }
            Event::MaxMacs(port, macs) => {
                if !self.loaded || !self.bridge.has_joined(port) {
                    return false;
                }
                self.settings[port.index()].max_macs = macs;
            }
            Event::Exclusive(on) => {
                if !self.loaded {
                    return false;
                }
                self.exclusive = on;
            }
            Event::Offload(on) => {
                self.offload = on;
                return self.loaded;
            }
            Event::Join(port) | Event::Leave(port) => {
                self.settings[port.index()] = Settings::default();
                self.lose(port, |_| true);
            }
            _ => {}
        }
        if !self.is_tracked() {
            self.claims.clear();
        }
        true
    }

    /// Who moves to a port that the module has left, as the nth of those: half of the guests that
    /// are behind others.
    pub fn movers(&self, nth: usize, gone: Ports, to: Port) -> Vec<Guest> {
        Guest::all()
            .filter(|&guest| usize::from(guest.0) % 2 == nth % 2)
            .filter(|&guest| !gone.has(self.home(guest)) && self.home(guest) != to)
            .collect()
    }

    /// Frames with which a guest shows that it has moved to a port, and gets an answer from behind
    /// another.
    pub fn move_and_answer(&mut self, guest: Guest, to: Port) -> [(Frame, Verdict); 2] {
        let from = self.home(guest);
        self.apply(&Event::Move(guest, to));
        let other = Port::all().find(|&port| port != from && port != to);
        let frame = |port, source, destination| Frame {
            ingress: Ingress::Port(port),
            source,
            destination,
            tagged: false,
        };
        let answerer = Guest((guest.0 + 1) % GUESTS as u8);
        [
            frame(to, guest, Destination::Broadcast),
            frame(other.unwrap_or(from), answerer, Destination::Guest(guest)),
        ]
        .map(|frame| (frame, self.frame(&frame)))
    }

    /// The module begins to be unloaded.
    pub fn begin_unload(&mut self) {
        self.unloading = true;
    }

    /// It is unloaded.
    pub fn end_unload(&mut self) {
        self.unloading = false;
        self.unload();
    }
}

/// What is expected if either may be the case.
fn combine(a: Vec<Verdict>, b: Vec<Verdict>) -> Vec<Verdict> {
    use Expectation::{May, Must, MustNot};
    let either = |a, b| match (a, b) {
        (Must(why), Must(_)) => Must(why),
        (MustNot(why), MustNot(_)) => MustNot(why),
        _ => May,
    };
    a.into_iter()
        .zip(b)
        .map(|(a, b)| std::array::from_fn(|port| either(a[port], b[port])))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Sequence;

    /// What is expected of each port for the last frame: + must, ? may, - must not.
    fn last(text: &str) -> String {
        let sequence: Sequence = text.parse().unwrap();
        let mut model = Model::new(&sequence.setup);
        let mut last = String::new();
        for event in &sequence.events {
            match event {
                Event::Frame(frame) => {
                    let sign = |expectation: &Expectation| match expectation {
                        Expectation::Must(_) => '+',
                        Expectation::May => '?',
                        Expectation::MustNot(_) => '-',
                    };
                    last = model.frame(frame).iter().map(sign).collect();
                }
                _ => {
                    assert!(model.apply(event), "{event}");
                }
            }
        }
        last
    }

    const ALL_ENABLED: &str = "setup hub offload off loaded host1,host2,host3,host4\n";

    fn last_of_all_enabled(events: &str) -> String {
        last(&(ALL_ENABLED.to_owned() + events))
    }

    #[test]
    fn the_owner_and_who_is_not_enabled_get_a_frame() {
        let setup = "setup hub offload off loaded host1,host2,host3\n";
        let events = "frame host2 G21 BROADCAST\nframe host1 G11 G21";
        assert_eq!(last(&(setup.to_owned() + events)), "-+-+");
        assert_eq!(last_of_all_enabled("frame host1 G11 G21"), "-+++");
    }

    #[test]
    fn a_guest_that_moves_and_speaks_gets_its_frames_at_its_new_port() {
        let events = "frame host2 G21 BROADCAST\nmove G21 host3\nframe host3 G21 BROADCAST\n\
                      frame host1 G11 G21";
        assert_eq!(last_of_all_enabled(events), "-++-");
        let exclusive = "exclusive on\n".to_owned() + events;
        assert_eq!(last_of_all_enabled(&exclusive), "--+-");
    }

    #[test]
    fn a_guest_that_moves_silently_may_lose_frames_until_its_old_port_forgets_it() {
        let moves = "frame host2 G21 BROADCAST\nmove G21 host3\n";
        let answer = "frame host1 G11 G21";
        assert_eq!(last_of_all_enabled(&format!("{moves}{answer}")), "-+--");
        for event in [
            "link host2 off",
            "admin host2 off",
            "state host2 listening",
            "leave host2",
        ] {
            let events = format!("{moves}{event}\n{answer}");
            assert_eq!(last_of_all_enabled(&events), "--++", "{event}");
        }
        assert_eq!(
            last_of_all_enabled(&format!("{moves}age\n{answer}")),
            "-+++"
        );
    }

    #[test]
    fn a_silent_guests_frames_can_be_taken_a_speaking_ones_not() {
        let spoofs = "frame host3 G21 BROADCAST\nframe host1 G11 G21";
        assert_eq!(last_of_all_enabled(spoofs), "--+-");
        let speaks = format!("frame host2 G21 BROADCAST\n{spoofs}");
        assert_eq!(last_of_all_enabled(&speaks), "-++-");
    }

    #[test]
    fn a_limit_opens_the_port_or_refuses_the_source() {
        let events = "max-macs host3 1\nframe host3 G31 BROADCAST\nmove G21 host3\n\
                      frame host2 G21 BROADCAST\nframe host3 G21 BROADCAST\nframe host1 G11 G21";
        assert_eq!(last_of_all_enabled(events), "-++-");
        let closed = format!("set host3 closed on\n{events}");
        assert_eq!(last_of_all_enabled(&closed), "-+?-");
    }

    #[test]
    fn an_unknown_destination_is_kept_from_who_asks_for_that() {
        let events = "set host2 suppress on\nframe host1 G11 G21";
        assert_eq!(last_of_all_enabled(events), "-?++");
    }

    #[test]
    fn what_a_bridge_directs_is_its_own_to_say() {
        let events = "frame host2 G21 BROADCAST\nreplace G21 host3 static\nframe host1 G11 G21";
        assert_eq!(last_of_all_enabled(events), "--+-");
        let learning = "setup learning offload off loaded host1,host2,host3,host4\n\
                        frame host2 G21 BROADCAST\nframe host3 G21 LINK_LOCAL\n\
                        frame host1 G11 G21";
        assert_eq!(last(learning), "--+-");
    }

    #[test]
    fn what_was_learned_in_vlans_is_not_of_frames_without() {
        let events = "frame host2 G21 BROADCAST\nfiltering on\nframe host1 G11 G21";
        assert_eq!(last_of_all_enabled(events), "-+++");
        let events = "filtering on\nframe host2 G21 BROADCAST tagged\nframe host1 G11 G21";
        assert_eq!(last_of_all_enabled(events), "-+++");
        let events = events.to_owned() + " tagged";
        assert_eq!(last_of_all_enabled(&events), "-+--");
    }

    #[test]
    fn of_two_senders_either_may_be_first() {
        let sequence: Sequence = (ALL_ENABLED.to_owned()
            + "both host2 G21 BROADCAST | host1 G11 G21; host2 G22 G11")
            .parse()
            .unwrap();
        let mut model = Model::new(&sequence.setup);
        let Event::Both(first, second) = &sequence.events[0] else {
            unreachable!()
        };
        let (_, verdicts) = model.both(first, second);
        assert!(matches!(verdicts[0][1], Expectation::Must(_)));
        assert_eq!(verdicts[0][2], Expectation::May);
        assert!(matches!(verdicts[1][0], Expectation::Must(_)));
        assert!(matches!(verdicts[1][2], Expectation::MustNot(_)));
    }

    #[test]
    fn without_maclearn_it_is_the_bridge_alone() {
        let events = "unload\nframe host2 G21 BROADCAST\nframe host1 G11 G21";
        assert_eq!(last_of_all_enabled(events), "-+++");
        let events = "frame host2 G21 BROADCAST\nunload\nload host1,host2\nframe host1 G11 G21";
        assert_eq!(last_of_all_enabled(events), "-+++");
    }
}
