// SPDX-License-Identifier: GPL-2.0

//! The settings as they ought to be: what a message that was taken says, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use anyhow::{Context, Result};
use maclearn_family::Request;

use crate::{
    message::{attributes, put},
    socket::{Connection, Family},
    spec::{allows, attribute, named, number},
};

/// Settings of ports and bridges, and configured entries.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// By what is set and the interface index: attributes by their numbers.
    objects: BTreeMap<(&'static str, u64), BTreeMap<u16, u64>>,
    entries: BTreeSet<Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    bridge: u64,
    port: u64,
    vlan: u64,
    mac: u64,
}

/// Values of a bridge's attribute `ageing`, and the ageing time that the test's bridges have where
/// they follow: that of a bridge by default, and of a hub.
const OWN: u64 = 0;
const BRIDGE: u64 = 1;
const FOLLOWED_SECONDS: u64 = 300;

const OBJECTS: [(&str, &str, &str); 2] = [
    ("port", "port-get", "port-set"),
    ("bridge", "bridge-get", "bridge-set"),
];

impl Settings {
    /// Asks the kernel.
    pub fn read(connection: &mut Connection, family: Family) -> Result<Self> {
        let mut settings = Self::default();
        for (object, get, set) in OBJECTS {
            let set = named(set, false)?;
            let index = attribute(set, "ifindex")?.number;
            let settable = set.attributes.unwrap_or_default();
            let command = named(get, true)?.command;
            connection.dump(family.id, command, &[], |part| {
                let mut all: BTreeMap<_, _> = attributes(part)
                    .filter(|(attribute, _)| settable.contains(attribute))
                    .map(|(attribute, payload)| (attribute, number(payload)))
                    .collect();
                let index = all.remove(&index).unwrap_or_default();
                settings.objects.insert((object, index), all);
            })?;
        }
        let get = named("entry-get", true)?;
        let of = |name| attribute(get, name).map(|attribute| attribute.number);
        let (bridge, port, vlan, mac) = (of("bridge")?, of("port")?, of("vlan")?, of("mac")?);
        let mut only_static = Vec::new();
        put(&mut only_static, of("static")?, &[1]);
        connection.dump(family.id, get.command, &only_static, |part| {
            let all: HashMap<_, _> = attributes(part).collect();
            let of = |attribute| all.get(&attribute).map_or(0, |payload| number(payload));
            settings.entries.insert(Entry {
                bridge: of(bridge),
                port: of(port),
                vlan: of(vlan),
                mac: of(mac),
            });
        })?;
        Ok(settings)
    }

    /// Interface indices of all ports and bridges.
    pub fn devices(&self) -> impl Iterator<Item = u64> + '_ {
        self.objects.keys().map(|(_, index)| *index)
    }

    /// Does what a message that the kernel took says.
    pub fn apply(
        &mut self,
        bridge_of: &HashMap<u64, u64>,
        operation: &Request,
        body: &[u8],
    ) -> Result<()> {
        // Of an attribute that is there twice the last counts.
        let given: HashMap<_, _> = attributes(body)
            .map(|(n, payload)| (n, number(payload)))
            .collect();
        let of = |name| {
            let attribute = attribute(operation, name).ok()?;
            given.get(&attribute.number).copied()
        };
        for (object, _, set) in OBJECTS {
            if operation.name == set {
                let index = of("ifindex").context("a device was set that was not named")?;
                let own = attribute(operation, "ifindex")?.number;
                let settings_of = self
                    .objects
                    .get_mut(&(object, index))
                    .context("a device was set that is not there")?;
                settings_of.extend(
                    given
                        .iter()
                        .filter(|(n, _)| **n != own)
                        .map(|(n, v)| (*n, *v)),
                );
                if object == "bridge" {
                    let number = |name| attribute(operation, name).map(|known| known.number);
                    let (seconds, whose) = (number("ageing_time")?, number("ageing")?);
                    if given.contains_key(&seconds) && !given.contains_key(&whose) {
                        settings_of.insert(whose, OWN);
                    }
                    if given.get(&whose) == Some(&BRIDGE) {
                        settings_of.insert(seconds, FOLLOWED_SECONDS);
                    }
                }
            }
        }
        let is_static = of("static") == Some(1);
        match operation.name {
            "entry-new" | "entry-del" => {
                let port = of("port").context("an entry of no port")?;
                let entry = Entry {
                    bridge: bridge_of.get(&port).copied().unwrap_or_default(),
                    port,
                    vlan: of("vlan").unwrap_or_default(),
                    mac: of("mac").context("an entry without MAC")?,
                };
                if operation.name == "entry-del" {
                    self.entries.remove(&entry);
                } else if is_static {
                    self.entries.insert(entry);
                }
            }
            "entry-flush" if is_static => {
                let is_meant = |name, value| of(name).is_none_or(|wanted| wanted == value);
                self.entries.retain(|entry| {
                    !(is_meant("bridge", entry.bridge)
                        && is_meant("port", entry.port)
                        && is_meant("vlan", entry.vlan)
                        && is_meant("mac", entry.mac)
                        // Without a bridge it is the port's.
                        && (of("bridge").is_some() || of("port").is_some()))
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the specification allows what is in a request for `operation`.
pub fn is_allowed(operation: &Request, body: &[u8]) -> bool {
    let Some(allowed) = operation.attributes else {
        return true;
    };
    attributes(body).all(|(n, payload)| {
        let attribute = operation.set.iter().find(|known| known.number == n);
        allowed.contains(&n) && attribute.is_some_and(|known| allows(known, payload))
    })
}

/// What differs between two.
pub struct Difference<'a>(pub &'a Settings, pub &'a Settings);

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(found, wanted) = self;
        for (object, settings) in &found.objects {
            if wanted.objects.get(object) != Some(settings) {
                let wanted = wanted.objects.get(object);
                writeln!(
                    f,
                    "{object:?} has {settings:?}, and ought to have {wanted:?}"
                )?;
            }
        }
        for entry in found.entries.symmetric_difference(&wanted.entries) {
            let is = if found.entries.contains(entry) {
                "there"
            } else {
                "missing"
            };
            writeln!(f, "{entry:?} is {is}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_what_messages_say() {
        let bridge_of = HashMap::from([(7, 3), (8, 3)]);
        let mut settings = Settings::default();
        let mut apply = |name, given: &[(&str, &[u8])]| {
            let operation = named(name, false).unwrap();
            let mut body = Vec::new();
            for (name, payload) in given {
                let known = attribute(operation, name).unwrap();
                put(&mut body, known.number, payload);
            }
            assert!(is_allowed(operation, &body));
            settings.apply(&bridge_of, operation, &body).unwrap();
            settings.entries.len()
        };
        let (seven, eight) = (7u32.to_le_bytes(), 8u32.to_le_bytes());
        let mac: (&str, &[u8]) = ("mac", &[2, 0, 0, 0, 0, 1]);
        assert_eq!(
            apply("entry-new", &[("port", &seven), mac, ("static", &[1])]),
            1
        );
        assert_eq!(
            apply("entry-new", &[("port", &eight), mac, ("static", &[1])]),
            2
        );
        assert_eq!(apply("entry-new", &[("port", &eight), mac]), 2);
        assert_eq!(apply("entry-flush", &[("bridge", &3u32.to_le_bytes())]), 2);
        assert_eq!(
            apply("entry-flush", &[("port", &seven), ("static", &[1])]),
            1
        );
        assert_eq!(apply("entry-del", &[("port", &eight), mac]), 0);
    }
}
