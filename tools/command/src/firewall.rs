// SPDX-License-Identifier: GPL-2.0

//! What a firewall may drop of the frames that pass a bridge, asked by nfnetlink, and of the older
//! tables by the commands that are for these.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    mem::size_of,
    process::{Command, Stdio},
};

use maclearn_family::{
    Connection, Error,
    message::{attribute, attributes, number, put},
    protocols::NETLINK_NETFILTER,
};
use nix::libc;

use crate::failure::plain;

// <linux/netfilter/nfnetlink.h>, <linux/netfilter/nf_tables.h>,
// <linux/netfilter/nf_tables_compat.h>
const GET_TABLE: u16 = (10 << 8) | 1;
const GET_CHAIN: u16 = (10 << 8) | 4;
const GET_RULE: u16 = (10 << 8) | 7;
const GET_ELEMENTS: u16 = (10 << 8) | 13;
const TABLE_NAME: u16 = 1;
const TABLE_FLAGS: u16 = 2;
const TABLE_DORMANT: u32 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const HOOK_NUMBER: u16 = 1;
const HOOK_DEVICES: u16 = 4;
const DEVICE_NAME: u16 = 1;
const DEVICE_PREFIX: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const IMMEDIATE_DATA: u16 = 2;
const LOOKUP_MAP: u16 = 1;
const LOOKUP_TO: u16 = 3;
const META_KEY: u16 = 2;
/// `NFT_META_BRI_BROUTE`
const META_BROUTE: u32 = 35;
const TARGET_NAME: u16 = 1;
const TARGET_INFO: u16 = 3;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;
const ELEMENTS_TABLE: u16 = 1;
const ELEMENTS_MAP: u16 = 2;
const ELEMENTS: u16 = 3;
const ELEMENT_DATA: u16 = 2;
/// `NFT_REG_VERDICT`
const TO_VERDICT: u32 = 0;
const DROP: u32 = 0;
/// `NFPROTO_BRIDGE`
const BRIDGE: u8 = 7;
const FAMILIES: [(u8, &str); 5] = [
    (1, "inet"),
    (2, "ip"),
    (5, "netdev"),
    (BRIDGE, "bridge"),
    (10, "ip6"),
];

// <linux/netfilter/nfnetlink_hook.h>, <linux/netfilter_bridge.h>
const GET_HOOK: u16 = 12 << 8;
const HOOK_WANTED: u16 = 1;
const HOOK_FUNCTION: u16 = 4;
/// Tables of ebtables: one of the places where they are asked, and the function.
const EBTABLES: [(&str, u32, &str); 3] = [
    ("filter", 2, "ebt_do_table"),
    ("nat", 4, "ebt_do_table"),
    ("broute", 0, "ebt_broute"),
];

/// Expressions after which a packet is still there, whatever it is.
const HARMLESS: [&str; 31] = [
    "bitwise",
    "byteorder",
    "cmp",
    "connlimit",
    "counter",
    "ct",
    "dup",
    "dynset",
    "exthdr",
    "fib",
    "flow_offload",
    "hash",
    "immediate",
    "inner",
    "last",
    "limit",
    "log",
    "lookup",
    "masq",
    "match",
    "meta",
    "nat",
    "notrack",
    "numgen",
    "objref",
    "osf",
    "payload",
    "quota",
    "range",
    "redir",
    "rt",
];

/// The same of what iptables has and nftables has no word for.
const HARMLESS_TARGETS: [&str; 24] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNMARK",
    "CT",
    "DNAT",
    "DSCP",
    "LOG",
    "MARK",
    "MASQUERADE",
    "NETMAP",
    "NFLOG",
    "NOTRACK",
    "REDIRECT",
    "SET",
    "SNAT",
    "TCPMSS",
    "TOS",
    "TRACE",
    "dnat",
    "mark",
    "nflog",
    "redirect",
    "snat",
];

/// Bytes of `struct nfgenmsg`.
const HEADER: usize = 4;

/// Which frames pass a chain.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Frames {
    /// Those that a bridge takes in, before it looks where they go.
    Entering,
    /// Those that go up to the host.
    ForHost,
    /// Those from a port to another.
    Between,
    /// Those that the host sends into a bridge.
    FromHost,
    /// Those that a bridge sends out.
    Leaving,
    /// Those that come in at devices, of these names.
    In(BTreeSet<String>),
    /// Those that leave through devices.
    Out(BTreeSet<String>),
    /// Those from a port to another, where they pass iptables.
    Iptables,
}

/// What may become of them there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fate {
    /// Those that no rule accepts are dropped.
    DropsRest,
    /// A rule drops some.
    DropsSome,
    /// The rules of this chain are not understood, because of this expression.
    Unknown(String, String),
}

/// A chain that drops frames, or may.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Suspect {
    /// A family of nftables, or the command that its table is of.
    pub family: &'static str,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// What passes it.
    pub frames: Frames,
    /// What it does.
    pub fate: Fate,
}

/// A table that is there, and what is in it is not known.
#[derive(PartialEq, Eq, Debug)]
pub struct Untold {
    /// The command that was asked for it.
    pub command: &'static str,
    /// Its name.
    pub table: String,
    /// Why the command has not told.
    pub why: String,
}

/// The chains of nftables that drop something of what passes a bridge, one of whose devices
/// `is_meant` names. None if it is not for this user to ask.
pub fn suspects(is_meant: impl Fn(&str) -> bool) -> Result<Option<Vec<Suspect>>, Error> {
    let mut rules = Rules::default();
    match rules.look() {
        Ok(()) => Ok(Some(rules.suspects(is_meant))),
        Err(Error::Refused(refusal)) if refusal.error == libc::EPERM => Ok(None),
        // Without nftables there is no chain.
        Err(Error::Refused(_) | Error::Socket(_)) => Ok(Some(Vec::new())),
        Err(error) => Err(error),
    }
}

/// The same of the older tables, of iptables only if they are passed. Asking for one makes it, so
/// that only those are asked for that are there in this network namespace. Of ebtables that is seen
/// by their hooks: where the kernel does not tell these, they are left out.
pub fn old_suspects(with_iptables: bool) -> (Vec<Suspect>, Vec<Untold>) {
    let (mut rules, mut untold) = (Rules::default(), Vec::new());
    let mut ask = |command, table: &str, arguments: &[&str]| match said(command, arguments) {
        Ok(said) => rules.add_old(command, table, &said),
        Err(why) => untold.push(Untold {
            command,
            table: table.to_string(),
            why,
        }),
    };
    for (table, hook, function) in EBTABLES {
        if has_hook(hook, function).unwrap_or_default() {
            ask("ebtables-legacy", table, &["-t", table, "-L"]);
        }
    }
    let iptables = [
        ("iptables-legacy", "/proc/net/ip_tables_names"),
        ("ip6tables-legacy", "/proc/net/ip6_tables_names"),
    ];
    for (command, tables) in iptables.into_iter().filter(|_| with_iptables) {
        for table in fs::read_to_string(tables).unwrap_or_default().lines() {
            ask(command, table, &["-w", "5", "-t", table, "-S"]);
        }
    }
    (rules.suspects(|_| false), untold)
}

/// Whether a function is asked at a place of bridges, in this network namespace.
fn has_hook(hook: u32, function: &str) -> Result<bool, Error> {
    let mut body = vec![BRIDGE, 0, 0, 0];
    put(&mut body, HOOK_WANTED, &hook.to_be_bytes());
    let mut is_there = false;
    Connection::open(NETLINK_NETFILTER)?.dump(GET_HOOK, &body, |told| {
        let told = told.get(HEADER..).unwrap_or_default();
        is_there |= text(told, HOOK_FUNCTION).is_some_and(|found| found == function);
        Ok::<_, Error>(())
    })?;
    Ok(is_there)
}

/// What a command prints, or why there is nothing of it.
fn said(program: &str, arguments: &[&str]) -> Result<String, String> {
    let said = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {}", plain(&error)))?;
    match said.status.success() {
        true => Ok(String::from_utf8_lossy(&said.stdout).into_owned()),
        false => {
            let words = String::from_utf8_lossy(&said.stderr);
            let first = words.lines().next().unwrap_or_default();
            Err(format!("{program}: {}, {first}", said.status))
        }
    }
}

/// Whether a target of ebtables that changes a frame says itself that it is dropped then.
fn drops_after(target: &str, info: &[u8]) -> bool {
    // `struct ebt_mark_t_info`, `ebt_nat_info` and `ebt_redirect_info`; EBT_DROP in
    // EBT_VERDICT_BITS.
    let offset = match target {
        "mark" => size_of::<libc::c_ulong>(),
        "dnat" | "snat" => 8,
        "redirect" => 0,
        _ => return false,
    };
    let verdict = info.get(offset..offset + 4).and_then(number);
    verdict.is_some_and(|verdict| u32::from_ne_bytes(verdict) & 0xf == 0xe)
}

/// A family, a table, and a chain or a map.
type Place = (&'static str, String, String);

/// The rules, as far as they matter.
#[derive(Default)]
struct Rules {
    /// Tables that are switched off.
    dormant: HashSet<(&'static str, String)>,
    /// Where frames begin, and whether they are dropped at the end.
    first: Vec<(Place, Frames, bool)>,
    /// The chains with a rule that drops.
    drops: HashSet<Place>,
    /// The chains with a rule that is not understood, and the expression.
    unknown: HashMap<Place, String>,
    /// Where the rules of a chain lead.
    leads: HashMap<Place, Vec<Place>>,
    /// Maps that say what becomes of a frame, and the chains that ask them.
    maps: HashMap<Place, BTreeSet<String>>,
}

impl Rules {
    fn look(&mut self) -> Result<(), Error> {
        let mut netfilter = Connection::open(NETLINK_NETFILTER)?;
        // Of all families.
        let all = [0; HEADER];
        for (kind, add) in [
            (
                GET_TABLE,
                Self::add_table as fn(&mut Self, &[u8]) -> Option<()>,
            ),
            (GET_CHAIN, Self::add_chain),
            (GET_RULE, Self::add_rule),
        ] {
            netfilter.dump(kind, &all, |told| {
                add(self, told);
                Ok::<_, Error>(())
            })?;
        }
        for (map, chains) in self.maps.clone() {
            let Some((family, _)) = FAMILIES.iter().find(|(_, name)| *name == map.0) else {
                continue;
            };
            let mut body = vec![*family, 0, 0, 0];
            put(
                &mut body,
                ELEMENTS_TABLE,
                &[map.1.as_bytes(), b"\0"].concat(),
            );
            put(&mut body, ELEMENTS_MAP, &[map.2.as_bytes(), b"\0"].concat());
            let asked = netfilter.dump(GET_ELEMENTS, &body, |told| {
                self.add_elements(&map, &chains, told);
                Ok::<_, Error>(())
            });
            if asked.is_err() {
                let places = chains
                    .iter()
                    .map(|chain| (map.0, map.1.clone(), chain.clone()));
                let what = format!("vmap @{}", map.2);
                self.unknown
                    .extend(places.map(|place| (place, what.clone())));
            }
        }
        Ok(())
    }

    fn add_table(&mut self, message: &[u8]) -> Option<()> {
        let told = message.get(HEADER..)?;
        if big_endian(told, TABLE_FLAGS)? & TABLE_DORMANT != 0 {
            self.dormant
                .insert((family(message)?, text(told, TABLE_NAME)?));
        }
        Some(())
    }

    fn add_chain(&mut self, message: &[u8]) -> Option<()> {
        let told = message.get(HEADER..)?;
        let place = place(message, CHAIN_TABLE, CHAIN_NAME)?;
        let hook = attribute(told, CHAIN_HOOK)?;
        let devices = || {
            let told = attributes(attribute(hook, HOOK_DEVICES).unwrap_or_default());
            let names = told.filter_map(|(kind, name)| match kind {
                DEVICE_NAME => Some(unended(name)),
                DEVICE_PREFIX => Some(unended(name) + "*"),
                _ => None,
            });
            names.collect()
        };
        // `enum nf_inet_hooks` and `enum nf_dev_hooks`
        let frames = match (place.0, big_endian(hook, HOOK_NUMBER)?) {
            ("netdev", 0) | ("inet", 5) => Frames::In(devices()),
            ("netdev", 1) => Frames::Out(devices()),
            ("bridge", 0) => Frames::Entering,
            ("bridge", 1) => Frames::ForHost,
            ("bridge", 2) => Frames::Between,
            ("bridge", 3) => Frames::FromHost,
            ("bridge", 4) => Frames::Leaving,
            ("ip" | "ip6" | "inet", 0 | 2 | 4) => Frames::Iptables,
            _ => return None,
        };
        let is_dropped = big_endian(told, CHAIN_POLICY) == Some(DROP);
        self.first.push((place, frames, is_dropped));
        Some(())
    }

    fn add_rule(&mut self, message: &[u8]) -> Option<()> {
        let told = message.get(HEADER..)?;
        let place = place(message, RULE_TABLE, RULE_CHAIN)?;
        for (_, expression) in attributes(attribute(told, RULE_EXPRESSIONS)?) {
            let name = text(expression, EXPRESSION_NAME)?;
            let data = attribute(expression, EXPRESSION_DATA).unwrap_or_default();
            match name.as_str() {
                "immediate" => {
                    self.add_verdict(&place, attribute(data, IMMEDIATE_DATA).unwrap_or_default());
                }
                "reject" => drop(self.drops.insert(place.clone())),
                "lookup" if big_endian(data, LOOKUP_TO) == Some(TO_VERDICT) => {
                    let map = (place.0, place.1.clone(), text(data, LOOKUP_MAP)?);
                    self.maps.entry(map).or_default().insert(place.2.clone());
                }
                "meta" if big_endian(data, META_KEY) == Some(META_BROUTE) => {
                    self.unknown
                        .insert(place.clone(), "meta broute".to_string());
                }
                "target" => {
                    let target = text(data, TARGET_NAME)?;
                    let info = attribute(data, TARGET_INFO).unwrap_or_default();
                    if place.0 == "bridge" && drops_after(&target, info) {
                        self.drops.insert(place.clone());
                    }
                    self.add_target(&place, &target);
                }
                name if HARMLESS.contains(&name) => (),
                name => drop(self.unknown.insert(place.clone(), name.to_string())),
            }
        }
        Some(())
    }

    /// What a rule or an element says of frames.
    fn add_verdict(&mut self, place: &Place, data: &[u8]) {
        let Some(verdict) = attribute(data, DATA_VERDICT) else {
            return;
        };
        if let Some(chain) = text(verdict, VERDICT_CHAIN) {
            self.lead(place, chain);
        } else if big_endian(verdict, VERDICT_CODE) == Some(DROP) {
            self.drops.insert(place.clone());
        }
    }

    fn lead(&mut self, place: &Place, chain: String) {
        let next = (place.0, place.1.clone(), chain);
        self.leads.entry(place.clone()).or_default().push(next);
    }

    fn add_target(&mut self, place: &Place, name: &str) {
        match name {
            "DROP" | "REJECT" => drop(self.drops.insert(place.clone())),
            name if HARMLESS_TARGETS.contains(&name) => (),
            name => drop(self.unknown.insert(place.clone(), name.to_string())),
        }
    }

    /// What a map says is said by each chain that asks it.
    fn add_elements(
        &mut self,
        map: &Place,
        chains: &BTreeSet<String>,
        message: &[u8],
    ) -> Option<()> {
        let told = attribute(message.get(HEADER..)?, ELEMENTS)?;
        for (_, element) in attributes(told) {
            let data = attribute(element, ELEMENT_DATA).unwrap_or_default();
            for chain in chains {
                self.add_verdict(&(map.0, map.1.clone(), chain.clone()), data);
            }
        }
        Some(())
    }

    /// What `ebtables-legacy -L` or `iptables-legacy -S` print of a table.
    fn add_old(&mut self, command: &'static str, table: &str, said: &str) {
        let place = |chain: &str| (command, table.to_string(), chain.to_string());
        let (mut current, mut targets, mut chains) = (place(""), Vec::new(), HashSet::new());
        for line in said.lines() {
            let mut words = line.split_whitespace();
            let after = |wanted: &str| {
                let mut words = line.split_whitespace();
                words.find(|word| *word == wanted).and(words.next())
            };
            // Bridge chain: FORWARD, entries: 1, policy: DROP
            let chain = match words.next() {
                Some("Bridge") => after("chain:").map(|name| (name, after("policy:"))),
                Some("-P") => words.next().map(|name| (name, words.next())),
                Some("-N") => words.next().map(|name| (name, None)),
                Some("-A") => {
                    current = place(words.next().unwrap_or_default());
                    None
                }
                _ => None,
            };
            if let Some((name, policy)) = chain {
                current = place(name.trim_end_matches(','));
                chains.insert(current.2.clone());
                let is_dropped = policy == Some("DROP");
                let is_bridge = command.starts_with("ebtables");
                let frames = match (current.2.as_str(), is_bridge) {
                    ("PREROUTING" | "BROUTING", true) => Some(Frames::Entering),
                    ("INPUT", true) => Some(Frames::ForHost),
                    ("FORWARD", true) => Some(Frames::Between),
                    ("OUTPUT", true) => Some(Frames::FromHost),
                    ("POSTROUTING", true) => Some(Frames::Leaving),
                    ("PREROUTING" | "FORWARD" | "POSTROUTING", false) => Some(Frames::Iptables),
                    _ => None,
                };
                match frames {
                    Some(frames) => self.first.push((current.clone(), frames, is_dropped)),
                    // A chain of a user's: only ebtables has policies for these.
                    None if is_dropped => drop(self.drops.insert(current.clone())),
                    None => (),
                }
            } else if let Some(target) = after("-j").or_else(|| after("-g")) {
                if after(&format!("--{target}-target")) == Some("DROP") {
                    self.drops.insert(current.clone());
                }
                targets.push((current.clone(), target.to_string()));
            }
        }
        for (place, target) in targets {
            match target.as_str() {
                "ACCEPT" | "RETURN" | "CONTINUE" => (),
                target if chains.contains(target) => self.lead(&place, target.to_string()),
                target => self.add_target(&place, target),
            }
        }
    }

    fn suspects(&self, is_meant: impl Fn(&str) -> bool) -> Vec<Suspect> {
        let found = self.first.iter().filter_map(|(place, frames, is_dropped)| {
            if self.dormant.contains(&(place.0, place.1.clone())) {
                return None;
            }
            let frames = match frames {
                Frames::In(devices) => Frames::In(meant(devices, &is_meant)?),
                Frames::Out(devices) => Frames::Out(meant(devices, &is_meant)?),
                other => other.clone(),
            };
            let fate = match is_dropped {
                true => Fate::DropsRest,
                false => self.fate(place)?,
            };
            Some(Suspect {
                family: place.0,
                table: place.1.clone(),
                chain: place.2.clone(),
                frames,
                fate,
            })
        });
        found.collect()
    }

    /// What may become of a frame that begins there, if that may be worse than to pass.
    fn fate(&self, first: &Place) -> Option<Fate> {
        let (mut seen, mut next, mut fate) = (HashSet::new(), vec![first], None);
        while let Some(place) = next.pop() {
            if self.drops.contains(place) {
                return Some(Fate::DropsSome);
            }
            if let Some(what) = self.unknown.get(place) {
                fate = Some(Fate::Unknown(place.2.clone(), what.clone()));
            }
            if seen.insert(place) {
                next.extend(self.leads.get(place).into_iter().flatten());
            }
        }
        fate
    }
}

/// Those of the devices that are meant, if any is.
fn meant(devices: &BTreeSet<String>, is_meant: impl Fn(&str) -> bool) -> Option<BTreeSet<String>> {
    let found: BTreeSet<_> = devices
        .iter()
        .filter(|name| is_meant(name))
        .cloned()
        .collect();
    (!found.is_empty()).then_some(found)
}

fn family(message: &[u8]) -> Option<&'static str> {
    let number = message.first()?;
    let found = FAMILIES.iter().find(|(family, _)| family == number);
    found.map(|(_, name)| *name)
}

fn place(message: &[u8], table: u16, chain: u16) -> Option<Place> {
    let told = message.get(HEADER..)?;
    Some((family(message)?, text(told, table)?, text(told, chain)?))
}

fn text(told: &[u8], wanted: u16) -> Option<String> {
    attribute(told, wanted).map(unended)
}

/// A text without the 0 at its end.
fn unended(text: &[u8]) -> String {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    String::from_utf8_lossy(text).into_owned()
}

fn big_endian(told: &[u8], wanted: u16) -> Option<u32> {
    attribute(told, wanted)
        .and_then(number)
        .map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use maclearn_family::message::put;
    use proptest::prelude::*;

    use super::*;

    const NETDEV: u8 = 5;
    const FORWARD: u32 = 2;

    fn nested(parts: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, payload) in parts {
            put(&mut bytes, *number, payload);
        }
        bytes
    }

    fn message(family: u8, parts: &[(u16, Vec<u8>)]) -> Vec<u8> {
        [vec![family, 0, 0, 0], nested(parts)].concat()
    }

    fn chain_of(
        family: u8,
        name: &str,
        hook: u32,
        policy: u32,
        devices: &[(u16, &str)],
    ) -> Vec<u8> {
        let devices: Vec<_> = devices
            .iter()
            .map(|(kind, name)| (*kind, format!("{name}\0").into_bytes()))
            .collect();
        let hook = nested(&[
            (HOOK_NUMBER, hook.to_be_bytes().to_vec()),
            (HOOK_DEVICES, nested(&devices)),
        ]);
        message(
            family,
            &[
                (CHAIN_TABLE, b"t\0".to_vec()),
                (CHAIN_NAME, name.as_bytes().to_vec()),
                (CHAIN_HOOK, hook),
                (CHAIN_POLICY, policy.to_be_bytes().to_vec()),
            ],
        )
    }

    fn chain(name: &str, hook: u32, policy: u32) -> Vec<u8> {
        chain_of(BRIDGE, name, hook, policy, &[])
    }

    fn verdict(code: i32, leads_to: Option<&str>) -> Vec<u8> {
        let mut verdict = vec![(VERDICT_CODE, code.to_be_bytes().to_vec())];
        verdict.extend(leads_to.map(|chain| (VERDICT_CHAIN, chain.as_bytes().to_vec())));
        nested(&[(DATA_VERDICT, nested(&verdict))])
    }

    fn expression(chain: &str, name: &str, data: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let expression = nested(&[
            (EXPRESSION_NAME, format!("{name}\0").into_bytes()),
            (EXPRESSION_DATA, nested(data)),
        ]);
        message(
            BRIDGE,
            &[
                (RULE_TABLE, b"t\0".to_vec()),
                (RULE_CHAIN, chain.as_bytes().to_vec()),
                (RULE_EXPRESSIONS, nested(&[(1, expression)])),
            ],
        )
    }

    fn rule(chain: &str, code: i32, leads_to: Option<&str>) -> Vec<u8> {
        expression(
            chain,
            "immediate",
            &[(IMMEDIATE_DATA, verdict(code, leads_to))],
        )
    }

    /// The chains that are suspected, with what passes them and what they do.
    fn found(rules: &Rules) -> Vec<(String, Frames, Fate)> {
        let suspects = rules.suspects(|name| ["host1", "br", "vnet*"].contains(&name));
        suspects
            .into_iter()
            .map(|found| (found.chain, found.frames, found.fate))
            .collect()
    }

    fn names(rules: &Rules) -> Vec<String> {
        found(rules).into_iter().map(|found| found.0).collect()
    }

    #[test]
    fn finds_what_drops_by_its_policy_or_by_a_rule_that_is_reached() {
        let mut rules = Rules::default();
        rules.add_chain(&chain("plain", FORWARD, 1));
        rules.add_rule(&rule("other", 0, None));
        rules.add_rule(&rule("plain", 1, None));
        assert_eq!(found(&rules), []);
        rules.add_chain(&chain("shut", FORWARD, DROP));
        assert_eq!(names(&rules), ["shut"]);
        rules.add_rule(&rule("plain", -3, Some("middle")));
        rules.add_rule(&rule("middle", -3, Some("plain")));
        assert_eq!(names(&rules), ["shut"]);
        rules.add_rule(&rule("middle", -4, Some("other")));
        let wanted = [
            ("plain".to_string(), Frames::Between, Fate::DropsSome),
            ("shut".to_string(), Frames::Between, Fate::DropsRest),
        ];
        assert_eq!(found(&rules), wanted);
        // A table that is switched off.
        let flags = TABLE_DORMANT.to_be_bytes().to_vec();
        rules.add_table(&message(
            BRIDGE,
            &[(TABLE_NAME, b"t\0".to_vec()), (TABLE_FLAGS, flags)],
        ));
        assert_eq!(found(&rules), []);
    }

    #[test]
    fn looks_at_each_place_that_frames_pass() {
        let at = |family, hook, devices: &[_]| {
            let mut rules = Rules::default();
            rules.add_chain(&chain_of(family, "c", hook, DROP, devices));
            found(&rules).pop().map(|found| found.1)
        };
        for (hook, wanted) in [
            (0, Frames::Entering),
            (1, Frames::ForHost),
            (2, Frames::Between),
            (3, Frames::FromHost),
            (4, Frames::Leaving),
        ] {
            assert_eq!(at(BRIDGE, hook, &[]), Some(wanted));
        }
        let devices = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let (port, other) = ((DEVICE_NAME, "host1"), (DEVICE_NAME, "eth9"));
        let several = [other, port, (DEVICE_PREFIX, "vnet")];
        let wanted = Some(Frames::In(devices(&["host1", "vnet*"])));
        assert_eq!(at(NETDEV, 0, &several), wanted);
        assert_eq!(
            at(NETDEV, 1, &[port]),
            Some(Frames::Out(devices(&["host1"])))
        );
        assert_eq!(at(1, 5, &[port]), Some(Frames::In(devices(&["host1"]))));
        assert_eq!(at(NETDEV, 0, &[other]), None);
        // ip, in its input and forward chains
        assert_eq!(at(2, 1, &[]), None);
        assert_eq!(at(2, 2, &[]), Some(Frames::Iptables));
    }

    #[test]
    fn follows_maps_and_says_where_it_cannot() {
        let mut rules = Rules::default();
        let unknown = |what: &str| {
            let fate = Fate::Unknown("checks".to_string(), what.to_string());
            vec![("forward".to_string(), Frames::Between, fate)]
        };
        rules.add_chain(&chain("forward", FORWARD, 1));
        rules.add_rule(&rule("forward", -3, Some("checks")));
        let lookup = |to: &[(u16, Vec<u8>)]| {
            let name = (LOOKUP_MAP, b"m\0".to_vec());
            expression("checks", "lookup", &[&[name], to].concat())
        };
        // A set, a map of anything else, and one of verdicts.
        rules.add_rule(&lookup(&[]));
        rules.add_rule(&lookup(&[(LOOKUP_TO, 8_u32.to_be_bytes().to_vec())]));
        assert!(rules.maps.is_empty());
        rules.add_rule(&lookup(&[(LOOKUP_TO, TO_VERDICT.to_be_bytes().to_vec())]));
        let (map, chains) = rules.maps.clone().into_iter().next().unwrap();
        assert_eq!((map.2.as_str(), chains.len()), ("m", 1));
        let add = |rules: &mut Rules, data: Vec<u8>| {
            let element = (1, nested(&[(ELEMENT_DATA, data)]));
            let told = message(BRIDGE, &[(ELEMENTS, nested(&[element]))]);
            rules.add_elements(&map, &chains, &told);
        };
        add(&mut rules, verdict(1, None));
        for name in HARMLESS.into_iter().filter(|name| *name != "immediate") {
            rules.add_rule(&expression("checks", name, &[]));
        }
        assert_eq!(found(&rules), []);
        let target = |name: &str| expression("checks", "target", &[(TARGET_NAME, name.into())]);
        rules.add_rule(&target("MASQUERADE"));
        assert_eq!(found(&rules), []);
        rules.add_rule(&target("NFQUEUE"));
        assert_eq!(found(&rules), unknown("NFQUEUE"));
        let key = (META_KEY, META_BROUTE.to_be_bytes().to_vec());
        rules.add_rule(&expression("checks", "meta", &[key]));
        assert_eq!(found(&rules), unknown("meta broute"));
        rules.add_rule(&expression("checks", "queue", &[]));
        assert_eq!(found(&rules), unknown("queue"));
        // What is known to drop says more.
        add(&mut rules, verdict(-3, Some("last")));
        rules.add_rule(&expression("last", "reject", &[]));
        assert_eq!(found(&rules)[0].2, Fate::DropsSome);
    }

    #[test]
    fn reads_what_the_older_commands_print() {
        let old = |command, said: &str| {
            let mut rules = Rules::default();
            rules.add_old(command, "filter", said);
            found(&rules)
        };
        let ebtables = |policy: &str, rules: &str| {
            let said = format!(
                "Bridge table: filter\n\nBridge chain: INPUT, entries: 0, policy: ACCEPT\n\n\
                 Bridge chain: FORWARD, entries: 2, policy: {policy}\n{rules}\n\
                 Bridge chain: empty, entries: 0, policy: RETURN\n\
                 Bridge chain: mine, entries: 1, policy: ACCEPT\n-d 2:0:0:0:0:1 -j DROP \n"
            );
            old("ebtables-legacy", &said)
        };
        let forward = |fate| vec![("FORWARD".to_string(), Frames::Between, fate)];
        assert_eq!(ebtables("ACCEPT", "-p ARP -j ACCEPT \n-j empty \n"), []);
        assert_eq!(ebtables("DROP", ""), forward(Fate::DropsRest));
        assert_eq!(
            ebtables("ACCEPT", "-i host1 -j DROP \n"),
            forward(Fate::DropsSome)
        );
        assert_eq!(
            ebtables("ACCEPT", "-p IPv4 -j mine \n"),
            forward(Fate::DropsSome)
        );
        assert_eq!(
            ebtables("ACCEPT", "-j mark --mark-set 0x1 --mark-target ACCEPT\n"),
            []
        );
        assert_eq!(
            ebtables("ACCEPT", "-j mark --mark-set 0x1 --mark-target DROP\n"),
            forward(Fate::DropsSome)
        );
        let fate = Fate::Unknown("FORWARD".to_string(), "arpreply".to_string());
        assert_eq!(
            ebtables("ACCEPT", "-p ARP -j arpreply --arpreply-mac 2:0:0:0:0:1\n"),
            forward(fate)
        );
        let iptables = |rules: &str| {
            let said = format!(
                "-P INPUT DROP\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-N DOCKER\n-A INPUT -j DROP\n{rules}"
            );
            old("iptables-legacy", &said)
        };
        let forward = |fate| vec![("FORWARD".to_string(), Frames::Iptables, fate)];
        let leads = "-A FORWARD -o docker0 -j DOCKER\n";
        assert_eq!(iptables(leads), []);
        let rejects = "-A DOCKER ! -i docker0 -j REJECT --reject-with icmp-port-unreachable\n";
        assert_eq!(iptables(rejects), []);
        assert_eq!(
            iptables(&format!("{leads}{rejects}")),
            forward(Fate::DropsSome)
        );
        assert_eq!(
            old("iptables-legacy", "-P FORWARD DROP\n"),
            forward(Fate::DropsRest)
        );
        assert_eq!(old("iptables-legacy", "modprobe: FATAL\n-P\n-A\n-j\n"), []);
    }

    #[test]
    fn a_target_of_ebtables_may_drop_what_it_changes() {
        let (accept, drops) = ((-1_i32).to_ne_bytes(), (-2_i32).to_ne_bytes());
        let mark = |verdict: [u8; 4]| [&[0; size_of::<libc::c_ulong>()], &verdict[..]].concat();
        let nat = |verdict: [u8; 4]| [&[0; 8], &verdict[..]].concat();
        let rule = |target: &str, info: &[u8]| {
            let mut rules = Rules::default();
            rules.add_chain(&chain("c", FORWARD, 1));
            let name = (TARGET_NAME, format!("{target}\0").into_bytes());
            let info = (TARGET_INFO, info.to_vec());
            rules.add_rule(&expression("c", "target", &[name, info]));
            !found(&rules).is_empty()
        };
        for (target, passes, drops) in [
            ("mark", mark(accept), mark(drops)),
            ("dnat", nat(accept), nat(drops)),
            ("snat", nat(accept), nat(drops)),
            ("redirect", accept.to_vec(), drops.to_vec()),
        ] {
            assert!(!rule(target, &passes), "{target}");
            assert!(rule(target, &drops), "{target}");
        }
    }

    #[test]
    fn a_command_that_fails_says_why() {
        let fails = |script: &str| said("sh", &["-c", script]);
        assert_eq!(fails("echo one; echo two >&2"), Ok("one\n".to_string()));
        let why = "sh: exit status: 3, two".to_string();
        assert_eq!(fails("echo one; echo two >&2; exit 3"), Err(why));
        let why = "no-such-program: No such file or directory".to_string();
        assert_eq!(said("no-such-program", &[]), Err(why));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in "[-PNAj :A-F\n]{0,60}") {
            let mut rules = Rules::default();
            rules.add_table(&bytes);
            rules.add_chain(&bytes);
            rules.add_rule(&bytes);
            rules.add_elements(&("bridge", String::new(), String::new()), &BTreeSet::new(), &bytes);
            rules.add_old("ebtables-legacy", "filter", &text);
            rules.suspects(|_| true);
        }
    }
}
