// SPDX-License-Identifier: GPL-2.0

//! What a firewall drops of frames or packets that are forwarded, asked by nfnetlink, and of the older
//! tables by the commands that are for these.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
    process::{Command, Stdio},
};

use maclearn_family::{
    Connection, Error,
    message::{attribute, attributes, number},
    protocols::NETLINK_NETFILTER,
};
use nix::libc;

// <linux/netfilter/nfnetlink.h>, <linux/netfilter/nf_tables.h>, <linux/netfilter.h>
const GET_CHAIN: u16 = (10 << 8) | 4;
const GET_RULE: u16 = (10 << 8) | 7;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const HOOK_NUMBER: u16 = 1;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const IMMEDIATE_DATA: u16 = 2;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;
const FORWARD: u32 = 2;
const DROP: u32 = 0;
const FAMILIES: [(u8, &str); 4] = [(1, "inet"), (2, "ip"), (7, "bridge"), (10, "ip6")];

/// Bytes of `struct nfgenmsg`.
const HEADER: usize = 4;

/// A chain that drops some of what is forwarded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dropping {
    /// `bridge`, or a family of what passes iptables.
    pub family: &'static str,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// Whether it drops what no rule accepts.
    pub is_policy: bool,
}

/// The chains of nftables that drop some of what is forwarded. None if it is not for this user to ask.
pub fn dropping() -> Result<Option<Vec<Dropping>>, Error> {
    let mut rules = Rules::default();
    match rules.look() {
        Ok(()) => Ok(Some(rules.dropping())),
        Err(Error::Refused(refusal)) if refusal.error == libc::EPERM => Ok(None),
        // Without nftables there is no chain.
        Err(Error::Refused(_) | Error::Socket(_)) => Ok(Some(Vec::new())),
        Err(error) => Err(error),
    }
}

/// Whether an older table of the bridge drops some frames. Asking makes it, so it is not asked if its module
/// is not loaded.
pub fn old_bridge_drops() -> bool {
    Path::new("/sys/module/ebtable_filter").exists()
        && says_drop("ebtables-legacy", &["-t", "filter", "-L", "FORWARD"])
}

/// The same of the tables that packets pass.
pub fn old_ip_drops() -> bool {
    let has_table = |file| {
        let tables = fs::read_to_string(file).unwrap_or_default();
        tables.lines().any(|table| table == "filter")
    };
    has_table("/proc/net/ip_tables_names") && says_drop("iptables-legacy", &["-S", "FORWARD"])
}

fn says_drop(program: &str, arguments: &[&str]) -> bool {
    let said = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("DROP"))
}

/// A family, a table, a chain.
type Place = (u8, String, String);

/// The rules, as far as they matter.
#[derive(Default)]
struct Rules {
    /// Where what is forwarded begins, and whether it is dropped at the end.
    first: Vec<(Place, bool)>,
    /// The chains with a rule that drops.
    drops: HashSet<Place>,
    /// Where the rules of a chain lead.
    leads: HashMap<Place, Vec<Place>>,
}

impl Rules {
    fn look(&mut self) -> Result<(), Error> {
        let mut netfilter = Connection::open(NETLINK_NETFILTER)?;
        // Of all families.
        let all = [0; HEADER];
        netfilter.dump(GET_CHAIN, &all, |chain| {
            self.add_chain(chain);
            Ok::<_, Error>(())
        })?;
        netfilter.dump(GET_RULE, &all, |rule| {
            self.add_rule(rule);
            Ok::<_, Error>(())
        })?;
        Ok(())
    }

    fn add_chain(&mut self, message: &[u8]) -> Option<()> {
        let told = message.get(HEADER..)?;
        let place = place(message, CHAIN_TABLE, CHAIN_NAME)?;
        let hook = attribute(told, CHAIN_HOOK)?;
        if big_endian(hook, HOOK_NUMBER) == Some(FORWARD) {
            let is_dropped = big_endian(told, CHAIN_POLICY) == Some(DROP);
            self.first.push((place, is_dropped));
        }
        Some(())
    }

    fn add_rule(&mut self, message: &[u8]) -> Option<()> {
        let told = message.get(HEADER..)?;
        let place = place(message, RULE_TABLE, RULE_CHAIN)?;
        for (_, expression) in attributes(attribute(told, RULE_EXPRESSIONS)?) {
            if text(expression, EXPRESSION_NAME).as_deref() == Some("reject") {
                self.drops.insert(place.clone());
            }
            let data = attribute(expression, EXPRESSION_DATA).unwrap_or_default();
            let data = attribute(data, IMMEDIATE_DATA).unwrap_or_default();
            let Some(verdict) = attribute(data, DATA_VERDICT) else {
                continue;
            };
            if let Some(chain) = text(verdict, VERDICT_CHAIN) {
                let next = (place.0, place.1.clone(), chain);
                self.leads.entry(place.clone()).or_default().push(next);
            } else if big_endian(verdict, VERDICT_CODE) == Some(DROP) {
                self.drops.insert(place.clone());
            }
        }
        Some(())
    }

    fn dropping(&self) -> Vec<Dropping> {
        let drops = self.first.iter().filter_map(|(place, is_policy)| {
            let family = FAMILIES.iter().find(|(family, _)| *family == place.0)?;
            (*is_policy || self.leads_to_drop(place)).then(|| Dropping {
                family: family.1,
                table: place.1.clone(),
                chain: place.2.clone(),
                is_policy: *is_policy,
            })
        });
        drops.collect()
    }

    fn leads_to_drop(&self, place: &Place) -> bool {
        let (mut seen, mut next) = (HashSet::new(), vec![place]);
        while let Some(place) = next.pop() {
            if self.drops.contains(place) {
                return true;
            }
            if seen.insert(place) {
                next.extend(self.leads.get(place).into_iter().flatten());
            }
        }
        false
    }
}

fn place(message: &[u8], table: u16, chain: u16) -> Option<Place> {
    let told = message.get(HEADER..)?;
    Some((*message.first()?, text(told, table)?, text(told, chain)?))
}

fn text(told: &[u8], wanted: u16) -> Option<String> {
    let text = attribute(told, wanted)?;
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    Some(String::from_utf8_lossy(text).into_owned())
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

    const BRIDGE: u8 = 7;

    fn nested(parts: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, payload) in parts {
            put(&mut bytes, *number, payload);
        }
        bytes
    }

    fn message(parts: &[(u16, Vec<u8>)]) -> Vec<u8> {
        [vec![BRIDGE, 0, 0, 0], nested(parts)].concat()
    }

    fn chain(name: &str, hook: Option<u32>, policy: u32) -> Vec<u8> {
        let mut parts = vec![
            (CHAIN_TABLE, b"t\0".to_vec()),
            (CHAIN_NAME, name.as_bytes().to_vec()),
        ];
        if let Some(hook) = hook {
            let hook = nested(&[(HOOK_NUMBER, hook.to_be_bytes().to_vec())]);
            parts.push((CHAIN_HOOK, hook));
            parts.push((CHAIN_POLICY, policy.to_be_bytes().to_vec()));
        }
        message(&parts)
    }

    fn rule(chain: &str, code: i32, leads_to: Option<&str>) -> Vec<u8> {
        let mut verdict = vec![(VERDICT_CODE, code.to_be_bytes().to_vec())];
        verdict.extend(leads_to.map(|chain| (VERDICT_CHAIN, chain.as_bytes().to_vec())));
        let data = nested(&[(DATA_VERDICT, nested(&verdict))]);
        let expression = nested(&[
            (EXPRESSION_NAME, b"immediate\0".to_vec()),
            (EXPRESSION_DATA, nested(&[(IMMEDIATE_DATA, data)])),
        ]);
        message(&[
            (RULE_TABLE, b"t\0".to_vec()),
            (RULE_CHAIN, chain.as_bytes().to_vec()),
            (RULE_EXPRESSIONS, nested(&[(1, expression)])),
        ])
    }

    #[test]
    fn finds_what_drops_by_its_policy_or_by_a_rule_that_is_reached() {
        let mut rules = Rules::default();
        let names = |rules: &Rules| {
            let found = rules.dropping().into_iter();
            found
                .map(|found| (found.chain, found.is_policy))
                .collect::<Vec<_>>()
        };
        rules.add_chain(&chain("in", Some(1), DROP));
        rules.add_chain(&chain("plain", Some(FORWARD), 1));
        rules.add_chain(&chain("other", None, 0));
        rules.add_rule(&rule("other", 0, None));
        rules.add_rule(&rule("plain", 1, None));
        assert_eq!(names(&rules), []);
        rules.add_chain(&chain("shut", Some(FORWARD), DROP));
        assert_eq!(names(&rules), [("shut".to_string(), true)]);
        rules.add_rule(&rule("plain", -3, Some("middle")));
        rules.add_rule(&rule("middle", -3, Some("plain")));
        assert_eq!(names(&rules).len(), 1);
        rules.add_rule(&rule("middle", -4, Some("other")));
        let both = [("plain".to_string(), false), ("shut".to_string(), true)];
        assert_eq!(names(&rules), both);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut rules = Rules::default();
            rules.add_chain(&bytes);
            rules.add_rule(&bytes);
            rules.dropping();
        }
    }
}
