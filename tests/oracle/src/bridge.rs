// SPDX-License-Identifier: GPL-2.0

//! The kernel's bridge without maclearn, exactly: a hub or a learning bridge. What it does was read
//! in `net/bridge`, and is compared with the running kernel whenever maclearn is not there.

use crate::event::{
    Destination, Event, Frame, Guest, Ingress, Port, Ports, State, PORTS, PVID, TAGGED,
};
use std::collections::BTreeMap;

/// A VLAN and a guest's address.
pub type Key = (u16, Guest);

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// It goes to nobody: it is not admitted, or for the bridge itself.
    Nowhere,
    /// The database says where the destination is. The port, or its backup, gets it if it can.
    Forwarded(Ports),
    /// A copy for each of these ports.
    Flooded(Ports),
}

/// A port, as the bridge sees it.
#[derive(Clone, Copy, Debug)]
struct PortState {
    joined: bool,
    /// The link of the NIC behind it.
    link: bool,
    /// It is up itself.
    up: bool,
    state: State,
    /// Of VLAN [`TAGGED`]; all ports are members of [`PVID`].
    member: bool,
    backup: Option<Port>,
}

impl PortState {
    fn has_carrier(&self) -> bool {
        self.link && self.up
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    port: Port,
    is_static: bool,
}

#[derive(Clone, Debug)]
pub struct Bridge {
    /// Whether it learns by itself (`ageing_time` is not 0).
    learns: bool,
    filtering: bool,
    ports: [PortState; PORTS],
    database: BTreeMap<Key, Entry>,
}

impl Bridge {
    pub fn new(learns: bool) -> Bridge {
        let port = PortState {
            joined: true,
            link: true,
            up: true,
            state: State::Forwarding,
            member: true,
            backup: None,
        };
        Bridge {
            learns,
            filtering: false,
            ports: [port; PORTS],
            database: BTreeMap::new(),
        }
    }

    fn port(&mut self, port: Port) -> &mut PortState {
        &mut self.ports[port.index()]
    }

    pub fn state(&self, port: Port) -> State {
        self.ports[port.index()].state
    }

    pub fn has_joined(&self, port: Port) -> bool {
        self.ports[port.index()].joined
    }

    pub fn joined(&self) -> Ports {
        Ports::of(Port::all().filter(|&port| self.has_joined(port)))
    }

    pub fn has_carrier(&self, port: Port) -> bool {
        self.ports[port.index()].has_carrier()
    }

    pub fn filters_vlans(&self) -> bool {
        self.filtering
    }

    pub fn learns(&self) -> bool {
        self.learns
    }

    /// Whether frames can leave through the port at all.
    pub fn can_receive(&self, port: Port) -> bool {
        let port = &self.ports[port.index()];
        port.joined && port.has_carrier() && port.state == State::Forwarding
    }

    /// Whether the database has an entry for the key.
    pub fn knows(&self, key: Key) -> bool {
        self.database.contains_key(&key)
    }

    /// The VLAN of a frame that the bridge admits, and whether it forwards it.
    pub fn admit(&self, frame: &Frame) -> Option<(u16, bool)> {
        let forwards = match frame.ingress {
            Ingress::Bridge => true,
            Ingress::Port(port) => {
                let state = &self.ports[port.index()];
                let admits = matches!(state.state, State::Learning | State::Forwarding)
                    && (!self.filtering || !frame.tagged || state.member);
                if !(state.joined && state.has_carrier() && admits) {
                    return None;
                }
                state.state == State::Forwarding
            }
        };
        let vlan = match (self.filtering, frame.tagged) {
            (false, _) => 0,
            (true, false) => PVID,
            (true, true) => TAGGED,
        };
        Some((vlan, forwards))
    }

    /// A frame comes in: what it teaches the bridge, and where it goes.
    pub fn handle(&mut self, frame: &Frame) -> Delivery {
        let Some((vlan, forwards)) = self.admit(frame) else {
            return Delivery::Nowhere;
        };
        let link_local = frame.destination == Destination::LinkLocal;
        if let Ingress::Port(port) = frame.ingress {
            if self.learns {
                let entry = Entry {
                    port,
                    is_static: false,
                };
                let entry = self.database.entry((vlan, frame.source)).or_insert(entry);
                // One that a user made goes with it, also a static one.
                entry.port = port;
            }
        }
        if !forwards || link_local && frame.ingress != Ingress::Bridge {
            return Delivery::Nowhere;
        }
        let receives = |port: Port| {
            Ingress::Port(port) != frame.ingress
                && self.can_receive(port)
                && (vlan != TAGGED || self.ports[port.index()].member)
        };
        if let Destination::Guest(guest) = frame.destination {
            if let Some(entry) = self.database.get(&(vlan, guest)) {
                let state = &self.ports[entry.port.index()];
                let port = match state.backup {
                    Some(backup) if !state.has_carrier() => backup,
                    _ => entry.port,
                };
                return Delivery::Forwarded(Ports::of([port].into_iter().filter(|&p| receives(p))));
            }
        }
        Delivery::Flooded(Ports::of(Port::all().filter(|&port| receives(port))))
    }

    /// Anything else happens. False if the kernel refuses it.
    pub fn apply(&mut self, event: &Event) -> bool {
        match *event {
            Event::Link(port, on) => {
                let before = std::mem::replace(&mut self.port(port).link, on);
                if on != before {
                    self.check_carrier(port);
                }
            }
            Event::Admin(port, on) => {
                let before = std::mem::replace(&mut self.port(port).up, on);
                if on != before {
                    self.check_carrier(port);
                }
            }
            Event::State(port, state) => {
                if !self.has_joined(port) || !self.has_carrier(port) {
                    return false;
                }
                self.port(port).state = state;
            }
            Event::Member(port, on) => {
                if !self.has_joined(port) || self.ports[port.index()].member == on {
                    return false;
                }
                self.port(port).member = on;
                if !on {
                    self.forget(|&(vlan, _), entry| {
                        entry.port == port && vlan == TAGGED && !entry.is_static
                    });
                }
            }
            Event::Filtering(on) => self.filtering = on,
            Event::Replace(guest, port, is_static) => {
                let state = &self.ports[port.index()];
                let may = is_static || matches!(state.state, State::Learning | State::Forwarding);
                if !state.joined || !may {
                    return false;
                }
                for vlan in self.vlans_of_command(port) {
                    self.database
                        .insert((vlan, guest), Entry { port, is_static });
                }
            }
            Event::Delete(guest, port) => {
                if !self.has_joined(port) {
                    return false;
                }
                let keys: Vec<_> = self.vlans_of_command(port).map(|v| (v, guest)).collect();
                self.forget(|key, entry| keys.contains(key) && entry.port == port);
            }
            Event::FlushBridge => self.forget(|_, entry| !entry.is_static),
            Event::Age if self.learns => self.forget(|_, entry| !entry.is_static),
            Event::Backup(port, backup) => {
                let all = [Some(port), backup];
                if all.iter().flatten().any(|&port| !self.has_joined(port)) {
                    return false;
                }
                self.port(port).backup = backup;
            }
            Event::Join(port) => {
                if self.has_joined(port) {
                    return false;
                }
                let state = self.port(port);
                *state = PortState {
                    joined: true,
                    member: false,
                    backup: None,
                    state: State::Disabled,
                    ..*state
                };
                self.check_carrier(port);
            }
            Event::Leave(port) => {
                if !self.has_joined(port) {
                    return false;
                }
                self.port(port).joined = false;
                self.forget(|_, entry| entry.port == port);
                for other in &mut self.ports {
                    if other.backup == Some(port) {
                        other.backup = None;
                    }
                }
            }
            _ => {}
        }
        true
    }

    /// The VLANs that a command about the database means which names none.
    fn vlans_of_command(&self, port: Port) -> impl Iterator<Item = u16> {
        let member = self.ports[port.index()].member;
        [0, PVID, TAGGED]
            .into_iter()
            .filter(move |&vlan| vlan != TAGGED || member)
    }

    fn check_carrier(&mut self, port: Port) {
        let state = self.port(port);
        if !state.joined {
            return;
        }
        if state.has_carrier() {
            if state.state == State::Disabled {
                state.state = State::Forwarding;
            }
        } else if state.state != State::Disabled {
            state.state = State::Disabled;
            if state.backup.is_none() {
                self.forget(|_, entry| entry.port == port && !entry.is_static);
            }
        }
    }

    fn forget(&mut self, matches: impl Fn(&Key, &Entry) -> bool) {
        self.database.retain(|key, entry| !matches(key, entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST1: Port = Port(0);
    const HOST2: Port = Port(1);
    const HOST3: Port = Port(2);
    const G11: Guest = Guest(0);
    const G21: Guest = Guest(1);

    fn ports(text: &str) -> Ports {
        text.parse().unwrap()
    }

    fn frame(text: &str) -> Frame {
        text.parse().unwrap()
    }

    #[test]
    fn a_hub_floods_all() {
        let mut hub = Bridge::new(false);
        for text in ["host1 G11 G21", "host2 G21 BROADCAST", "host3 G31 NOBODY"] {
            let frame = frame(text);
            let Ingress::Port(ingress) = frame.ingress else {
                unreachable!()
            };
            let others = Delivery::Flooded(Ports::ALL.without(ingress));
            assert_eq!(hub.handle(&frame), others);
        }
        assert_eq!(
            hub.handle(&frame("bridge - G11")),
            Delivery::Flooded(Ports::ALL)
        );
    }

    #[test]
    fn a_learning_bridge_directs_to_where_a_source_was_last() {
        let mut bridge = Bridge::new(true);
        bridge.handle(&frame("host2 G21 BROADCAST"));
        let to_guest = frame("host1 G11 G21");
        assert_eq!(
            bridge.handle(&to_guest),
            Delivery::Forwarded(ports("host2"))
        );
        bridge.handle(&frame("host3 G21 LINK_LOCAL"));
        assert_eq!(
            bridge.handle(&to_guest),
            Delivery::Forwarded(ports("host3"))
        );
        bridge.apply(&Event::Link(HOST3, false));
        assert_eq!(
            bridge.handle(&to_guest),
            Delivery::Flooded(ports("host2,host4"))
        );
    }

    #[test]
    fn a_static_entry_outlives_its_ports_link_and_a_backup_gets_its_frames() {
        let mut hub = Bridge::new(false);
        hub.apply(&Event::Replace(G21, HOST2, true));
        hub.apply(&Event::Link(HOST2, false));
        let to_guest = frame("host1 G11 G21");
        assert_eq!(hub.handle(&to_guest), Delivery::Forwarded(Ports::NONE));
        hub.apply(&Event::Backup(HOST2, Some(HOST3)));
        assert_eq!(hub.handle(&to_guest), Delivery::Forwarded(ports("host3")));
        hub.apply(&Event::Leave(HOST3));
        assert_eq!(hub.handle(&to_guest), Delivery::Forwarded(Ports::NONE));
    }

    #[test]
    fn vlans_are_apart_while_they_are_filtered() {
        let mut bridge = Bridge::new(true);
        bridge.apply(&Event::Filtering(true));
        bridge.handle(&frame("host2 G21 BROADCAST tagged"));
        assert_eq!(
            bridge.handle(&frame("host1 G11 G21 tagged")),
            Delivery::Forwarded(ports("host2"))
        );
        assert_eq!(
            bridge.handle(&frame("host1 G11 G21")),
            Delivery::Flooded(ports("host2,host3,host4"))
        );
        bridge.apply(&Event::Member(HOST3, false));
        assert_eq!(
            bridge.handle(&frame("host1 G11 NOBODY tagged")),
            Delivery::Flooded(ports("host2,host4"))
        );
        assert_eq!(
            bridge.handle(&frame("host3 G11 NOBODY tagged")),
            Delivery::Nowhere
        );
        bridge.apply(&Event::Filtering(false));
        assert!(!bridge.knows((0, G11)));
    }

    #[test]
    fn a_port_that_does_not_forward_learns_in_one_state_alone() {
        let mut bridge = Bridge::new(true);
        for (state, learns) in [
            (State::Disabled, false),
            (State::Listening, false),
            (State::Learning, true),
        ] {
            bridge.apply(&Event::State(HOST1, state));
            assert_eq!(
                bridge.handle(&frame("host1 G11 BROADCAST")),
                Delivery::Nowhere
            );
            assert_eq!(bridge.knows((0, G11)), learns);
        }
    }
}
