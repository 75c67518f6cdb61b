// SPDX-License-Identifier: GPL-2.0

//! What a file says of bridges and ports (`/etc/maclearn.toml`). It is understood as a whole, or
//! refused with the line and the key that are wrong.

use std::{collections::BTreeSet, fs, ops::Range, str};

use glob::Pattern;
use maclearn_family::{
    Ageing, Attribute, Attributes, BridgeAttributes, EntryAttributes, Kind, Mac, Operation,
    PortAttributes, Value, operation,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    failure::{Failure, plain},
    setting,
};

/// The file that the service reads.
pub const FILE: &str = "/etc/maclearn.toml";

/// The key that has the names of devices, as patterns.
const NAME: &str = "name";

/// The key of a port's section that has the names of its bridge.
const BRIDGE: &str = "bridge";

/// The key of an entry's section that has its addresses.
const MAC: &str = "mac";

/// The key of an entry's section that has its VLAN.
const VLAN: &str = "vlan";

/// Names of devices: one of these patterns.
#[derive(Debug)]
struct Names(Vec<Pattern>);

impl Names {
    fn match_name(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }
}

/// A section.
#[derive(Debug)]
struct Rule<A> {
    names: Names,
    /// Of the bridge that a port is to be of.
    bridge: Option<Names>,
    settings: A,
}

/// A section about static entries.
#[derive(Debug)]
struct EntryRule {
    ports: Names,
    bridge: Option<Names>,
    vlan: u16,
    macs: Vec<Mac>,
}

/// What the file says.
#[derive(Debug, Default)]
pub struct Rules {
    bridges: Vec<Rule<BridgeAttributes>>,
    ports: Vec<Rule<PortAttributes>>,
    entries: Vec<EntryRule>,
}

/// What is wrong in a text, and where.
#[derive(Debug)]
pub struct Wrong {
    place: Option<Range<usize>>,
    what: String,
}

impl Wrong {
    fn at<T>(place: &Spanned<T>, what: impl Into<String>) -> Self {
        Self {
            place: Some(place.span()),
            what: what.into(),
        }
    }
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;

impl Rules {
    /// Reads a file.
    pub fn read(file: &str) -> Result<Self, Failure> {
        let bytes = fs::read(file).map_err(|error| {
            Failure::usage(format!("Cannot read \"{file}\": {}", plain(&error)))
        })?;
        let text = str::from_utf8(&bytes).map_err(|error| Wrong {
            place: Some(error.valid_up_to()..bytes.len()),
            what: "not UTF-8".to_string(),
        });
        text.and_then(Self::understand).map_err(|wrong| {
            let begin = wrong.place.map_or(0, |place| place.start);
            let before = bytes.iter().take(begin);
            let line = 1 + before.filter(|byte| **byte == b'\n').count();
            let what = wrong.what.replace('\n', ", ");
            Failure::usage(format!("Error: {file} line {line}: {what}."))
        })
    }

    /// Understands a text.
    pub fn understand(text: &str) -> Result<Self, Wrong> {
        let table = DeTable::parse(text).map_err(|error| Wrong {
            place: error.span(),
            what: error.message().to_string(),
        })?;
        let mut rules = Self::default();
        for (key, sections) in table.get_ref() {
            match key.get_ref().as_ref() {
                "bridge" => rules.bridges = read_sections(sections, &operation::BRIDGE_SET, false)?,
                "port" => rules.ports = read_sections(sections, &operation::PORT_SET, true)?,
                "entry" => rules.entries = read_entries(sections)?,
                other => return Err(Wrong::at(key, format!("{other} is unknown"))),
            }
        }
        Ok(rules)
    }

    /// The settings that a bridge of that name is to have. Of several sections the last counts.
    pub fn of_bridge(&self, name: &str) -> BridgeAttributes {
        let mut wanted = BridgeAttributes::default();
        for rule in self
            .bridges
            .iter()
            .filter(|rule| rule.names.match_name(name))
        {
            match (rule.settings.ageing, rule.settings.ageing_time) {
                (Some(Ageing::Bridge), _) => wanted.ageing_time = None,
                // A time that is set is maclearn's own.
                (None, Some(_)) => wanted.ageing = Some(Ageing::Own),
                _ => (),
            }
            add(&mut wanted, &rule.settings);
        }
        wanted
    }

    /// The settings that a port of that name is to have, at a bridge of that name.
    pub fn of_port(&self, name: &str, bridge: &str) -> PortAttributes {
        let mut wanted = PortAttributes::default();
        for rule in &self.ports {
            if is_meant(&rule.names, rule.bridge.as_ref(), name, bridge) {
                add(&mut wanted, &rule.settings);
            }
        }
        wanted
    }

    /// Whether it says something of static entries.
    pub fn has_entries(&self) -> bool {
        !self.entries.is_empty()
    }

    /// The VLANs and MACs that a port of that name is to own, at a bridge of that name.
    pub fn entries_of(&self, name: &str, bridge: &str) -> BTreeSet<(u16, Mac)> {
        let rules = self.entries.iter();
        rules
            .filter(|rule| is_meant(&rule.ports, rule.bridge.as_ref(), name, bridge))
            .flat_map(|rule| rule.macs.iter().map(|mac| (rule.vlan, *mac)))
            .collect()
    }
}

/// Whether a section that has these names is for a port, at a bridge.
fn is_meant(ports: &Names, bridges: Option<&Names>, port: &str, bridge: &str) -> bool {
    ports.match_name(port) && bridges.is_none_or(|names| names.match_name(bridge))
}

fn add<A: Attributes>(wanted: &mut A, settings: &A) {
    for (attribute, value) in settings.present() {
        wanted.set(attribute.number, value);
    }
}

/// The settings of `wanted` that are not so `now`, to be set at the device with that index.
pub fn difference<A: Attributes>(index: u32, now: &A, wanted: &A) -> Option<A> {
    let mut change = A::default();
    for (attribute, value) in wanted.present() {
        let is_so = now
            .get(attribute.number)
            .is_some_and(|now| now.to_string() == value.to_string());
        if !is_so {
            change.set(attribute.number, value);
        }
    }
    change.present().next()?;
    change.set(setting::DEVICE, index.into());
    Some(change)
}

fn read_sections<A: Attributes>(
    sections: &Spanned<DeValue<'_>>,
    operation: &Operation<A>,
    has_bridge: bool,
) -> Result<Vec<Rule<A>>, Wrong> {
    let kind = if has_bridge { "port" } else { "bridge" };
    read_each(sections, kind, |section, table| {
        read_section(section, table, operation, has_bridge)
    })
}

/// What `read` makes of each section of a kind.
fn read_each<T>(
    sections: &Spanned<DeValue<'_>>,
    kind: &str,
    read: impl Fn(&Spanned<DeValue<'_>>, &DeTable<'_>) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    let none = || Wrong::at(sections, format!("{kind} has to be sections, [[{kind}]]"));
    let all = sections.get_ref().as_array().ok_or_else(none)?;
    let read = |section: &Spanned<DeValue<'_>>| {
        let table = section.get_ref().as_table().ok_or_else(none)?;
        read(section, table)
    };
    all.iter().map(read).collect()
}

fn read_entries(sections: &Spanned<DeValue<'_>>) -> Result<Vec<EntryRule>, Wrong> {
    read_each(sections, "entry", |section, table| {
        let (mut names, mut bridge, mut macs, mut vlan) = (None, None, None, 0);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                NAME => names = Some(read_names(key, value)?),
                BRIDGE => bridge = Some(read_names(key, value)?),
                MAC => macs = Some(read_several(key, value, read_mac)?),
                VLAN => vlan = read_vlan(key, value)?,
                name => return Err(Wrong::at(key, format!("{name} is no part of an entry"))),
            }
        }
        let missing = |key: &str| Wrong::at(section, format!("{key} is missing"));
        Ok(EntryRule {
            ports: names.ok_or_else(|| missing(NAME))?,
            bridge,
            vlan,
            macs: macs.ok_or_else(|| missing(MAC))?,
        })
    })
}

fn read_mac(text: &str) -> Result<Mac, String> {
    let mac: Mac = text
        .parse()
        .map_err(|error| format!("\"{text}\": {error}"))?;
    if mac.is_group() {
        return Err(format!("\"{text}\" is the address of a group"));
    }
    if mac == Mac([0; 6]) {
        return Err(format!("\"{text}\" is nobody's address"));
    }
    Ok(mac)
}

/// A VLAN; who wants none says nothing.
fn read_vlan(key: &Key<'_>, value: &Spanned<DeValue<'_>>) -> Result<u16, Wrong> {
    let wrong = |what: String| Wrong::at(value, format!("{}: {what}", key.get_ref()));
    let attribute = EntryAttributes::ATTRIBUTES
        .iter()
        .find(|attribute| attribute.name == VLAN)
        .map(|attribute| Attribute {
            min: 1,
            ..*attribute
        });
    let attribute = attribute.ok_or_else(|| wrong("is unknown".to_string()))?;
    let vlan = read_value(&attribute, value.get_ref()).map_err(wrong)?;
    Ok(u16::try_from(vlan).unwrap_or_default())
}

fn read_section<A: Attributes>(
    section: &Spanned<DeValue<'_>>,
    table: &DeTable<'_>,
    operation: &Operation<A>,
    has_bridge: bool,
) -> Result<Rule<A>, Wrong> {
    let (mut names, mut bridge, mut settings) = (None, None, A::default());
    for (key, value) in table {
        match key.get_ref().as_ref() {
            NAME => names = Some(read_names(key, value)?),
            BRIDGE if has_bridge => bridge = Some(read_names(key, value)?),
            name => {
                let found = setting::of(operation).find(|setting| setting.name == name);
                let setting =
                    found.ok_or_else(|| Wrong::at(key, format!("{name} is no setting")))?;
                let value = read_value(setting, value.get_ref())
                    .map_err(|what| Wrong::at(value, format!("{name}: {what}")))?;
                settings.set(setting.number, value);
            }
        }
    }
    let is = |name: &str, word: &str| {
        let found = settings
            .present()
            .find(|(setting, _)| setting.name == name)?;
        (word.is_empty() || found.1.to_string() == word).then_some(())
    };
    if is("ageing", "bridge").and(is("ageing_time", "")).is_some() {
        let key = table.keys().find(|key| key.get_ref() == "ageing_time");
        let what = "ageing_time: does not go with ageing = \"bridge\"";
        return Err(match key {
            Some(key) => Wrong::at(key, what),
            None => Wrong::at(section, what),
        });
    }
    let missing = || Wrong::at(section, format!("{NAME} is missing"));
    Ok(Rule {
        names: names.ok_or_else(missing)?,
        bridge,
        settings,
    })
}

/// A pattern or several.
fn read_names(key: &Key<'_>, value: &Spanned<DeValue<'_>>) -> Result<Names, Wrong> {
    read_several(key, value, read_pattern).map(Names)
}

fn read_pattern(text: &str) -> Result<Pattern, String> {
    if text.is_empty() || text.contains(['/', ' ']) {
        return Err(format!("\"{text}\" can't be the name of a device"));
    }
    Pattern::new(text).map_err(|error| format!("\"{text}\" is no pattern: {}", error.msg))
}

/// What `read` makes of a text or of each of several.
fn read_several<T>(
    key: &Key<'_>,
    value: &Spanned<DeValue<'_>>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Wrong> {
    let several = match value.get_ref() {
        DeValue::Array(several) => several.iter().collect(),
        _ => vec![value],
    };
    let wrong = |value: &Spanned<DeValue<'_>>, what: &str| {
        Wrong::at(value, format!("{}: {what}", key.get_ref()))
    };
    if several.is_empty() {
        return Err(wrong(value, "it has none"));
    }
    let read = |value: &Spanned<DeValue<'_>>| match value.get_ref().as_str() {
        Some(text) => read(text).map_err(|what| wrong(value, &what)),
        None => Err(wrong(value, "not a text")),
    };
    several.into_iter().map(read).collect()
}

/// The value of a setting, in the range that the kernel takes.
fn read_value(setting: &Attribute, value: &DeValue<'_>) -> Result<Value, String> {
    let words = || {
        let words: Vec<_> = setting
            .kind
            .words()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        format!("has to be one of {}", words.join(", "))
    };
    match (setting.kind, value) {
        (Kind::Switch, DeValue::Boolean(on)) => Ok(Value::Switch(*on)),
        (Kind::Switch, _) => Err("has to be true or false".to_string()),
        (Kind::Word(_), DeValue::String(word)) => setting.kind.parse(word).map_err(|_| words()),
        (Kind::Word(_), _) => Err(words()),
        (Kind::U16 | Kind::U32 | Kind::Uint, DeValue::Integer(number)) => {
            let range = || format!("has to be from {} to {}", setting.min, setting.max);
            let number = u64::from_str_radix(number.as_str(), number.radix());
            let number = number.map_err(|_| range())?;
            if !(setting.min..=setting.max).contains(&number) {
                return Err(range());
            }
            Ok(Value::Number(number))
        }
        _ => Err("has to be a number".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use maclearn_family::{FdbOffload, UnknownUnicast};
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = include_str!("../../systemd/maclearn.toml");

    fn rules(text: &str) -> Rules {
        Rules::understand(text).unwrap()
    }

    #[test]
    fn of_several_sections_the_last_that_says_something_counts() {
        let rules = rules(
            "[[port]]\nname = '*'\nenabled = true\nmax_macs = 9\n\
             [[port]]\nname = ['vnet*', 'tap?']\nbridge = 'br[01]'\nmax_macs = 0x10\nunknown_unicast = 'suppress'\n",
        );
        let wanted = PortAttributes {
            enabled: Some(true),
            max_macs: Some(9),
            ..Default::default()
        };
        for (port, bridge) in [("eth0", "br0"), ("vnet0", "br2"), ("tap10", "br0")] {
            assert_eq!(rules.of_port(port, bridge), wanted, "{port} {bridge}");
        }
        let wanted = PortAttributes {
            max_macs: Some(16),
            unknown_unicast: Some(UnknownUnicast::Suppress),
            ..wanted
        };
        for (port, bridge) in [("vnet0", "br0"), ("tap1", "br1")] {
            assert_eq!(rules.of_port(port, bridge), wanted, "{port} {bridge}");
        }
        assert_eq!(rules.of_bridge("br0"), BridgeAttributes::default());
    }

    #[test]
    fn whose_the_ageing_time_is_follows_from_the_last_that_is_said() {
        let text = "[[bridge]]\nname = '*'\nageing_time = 60\n\
                    [[bridge]]\nname = 'br0'\nageing = 'bridge'\n\
                    [[bridge]]\nname = 'br1'\nfdb_offload = 'off'\n";
        let rules = rules(text);
        let bridge = rules.of_bridge("br0");
        assert_eq!(
            (bridge.ageing, bridge.ageing_time),
            (Some(Ageing::Bridge), None)
        );
        let bridge = rules.of_bridge("br1");
        assert_eq!(
            (bridge.ageing, bridge.ageing_time),
            (Some(Ageing::Own), Some(60))
        );
        assert_eq!(bridge.fdb_offload, Some(FdbOffload::Off));
    }

    #[test]
    fn only_what_differs_is_set() {
        let now = PortAttributes {
            ifindex: Some(3),
            enabled: Some(false),
            max_macs: Some(9),
            ..Default::default()
        };
        let wanted = PortAttributes {
            enabled: Some(true),
            max_macs: Some(9),
            ..Default::default()
        };
        let change = PortAttributes {
            ifindex: Some(3),
            enabled: Some(true),
            ..Default::default()
        };
        assert_eq!(difference(3, &now, &wanted), Some(change));
        assert_eq!(difference(3, &wanted, &wanted), None);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let good = "[[port]]\nname = 'vnet*'\n";
        let entry = "[[entry]]\nname = 'vnet*'\nmac = '02:00:00:00:00:01'\n";
        for (text, line, wanted) in [
            ("[[ports]]\n".to_string(), 1, "ports is unknown"),
            (
                "port = 5\n".to_string(),
                1,
                "port has to be sections, [[port]]",
            ),
            (
                "[port]\nname = 'a'\n".to_string(),
                1,
                "port has to be sections, [[port]]",
            ),
            (
                "[[port]]\n\n[[port]]\nname = 'a'\n".to_string(),
                1,
                "name is missing",
            ),
            (format!("{good}enable = true\n"), 3, "enable is no setting"),
            (
                format!("{good}ageing_time = 5\n"),
                3,
                "ageing_time is no setting",
            ),
            (format!("{good}n_macs = 5\n"), 3, "n_macs is no setting"),
            (
                format!("{good}\nenabled = 1\n"),
                4,
                "enabled: has to be true or false",
            ),
            (
                format!("{good}on_failure = 'shut'\n"),
                3,
                "on_failure: has to be one of \"open\", \"closed\"",
            ),
            (
                format!("{good}max_macs = '5'\n"),
                3,
                "max_macs: has to be a number",
            ),
            (
                format!("{good}max_macs = -1\n"),
                3,
                "max_macs: has to be from 0 to 1048576",
            ),
            (
                format!("{good}max_macs = 1048577\n"),
                3,
                "max_macs: has to be from 0 to 1048576",
            ),
            (
                "[[port]]\nname = ['a',\n  'vnet[0']\n".to_string(),
                3,
                "name: \"vnet[0\" is no pattern: invalid range pattern",
            ),
            (
                "[[port]]\nname = ''\n".to_string(),
                2,
                "name: \"\" can't be the name of a device",
            ),
            ("[[port]]\nname = []\n".to_string(), 2, "name: it has none"),
            ("[[port]]\nname = 5\n".to_string(), 2, "name: not a text"),
            (
                "[[bridge]]\nname = 'a'\nbridge = 'b'\n".to_string(),
                3,
                "bridge is no setting",
            ),
            (
                "[[bridge]]\nname = 'a'\nageing_time = 5\nageing = 'bridge'\n".to_string(),
                3,
                "ageing_time: does not go with ageing = \"bridge\"",
            ),
            (format!("{good}name = 'b'\n"), 3, "duplicate key"),
            (
                "[entry]\n".to_string(),
                1,
                "entry has to be sections, [[entry]]",
            ),
            (
                format!("{entry}enabled = true\n"),
                4,
                "enabled is no part of an entry",
            ),
            ("[[entry]]\nname = 'a'\n".to_string(), 1, "mac is missing"),
            (
                "[[entry]]\nmac = '02:00:00:00:00:01'\n".to_string(),
                1,
                "name is missing",
            ),
            (
                "[[entry]]\nname = 'a'\nmac = ['02:00:00:00:00:01',\n '02']\n".to_string(),
                4,
                "mac: \"02\": not a MAC address",
            ),
            (
                "[[entry]]\nname = 'a'\nmac = 'ff:ff:ff:ff:ff:ff'\n".to_string(),
                3,
                "mac: \"ff:ff:ff:ff:ff:ff\" is the address of a group",
            ),
            (
                "[[entry]]\nname = 'a'\nmac = '00:00:00:00:00:00'\n".to_string(),
                3,
                "mac: \"00:00:00:00:00:00\" is nobody's address",
            ),
            ("[[entry]]\nmac = 5\n".to_string(), 2, "mac: not a text"),
            ("[[entry]]\nmac = []\n".to_string(), 2, "mac: it has none"),
            (
                format!("{entry}vlan = 0\n"),
                4,
                "vlan: has to be from 1 to 4094",
            ),
            (
                format!("{entry}vlan = 4095\n"),
                4,
                "vlan: has to be from 1 to 4094",
            ),
            (
                format!("{entry}vlan = '5'\n"),
                4,
                "vlan: has to be a number",
            ),
        ] {
            let wrong = Rules::understand(&text).unwrap_err();
            let begin = wrong.place.unwrap().start;
            let found = 1 + text[..begin].matches('\n').count();
            assert_eq!((found, wrong.what.as_str()), (line, wanted), "{text}");
        }
    }

    /// What is wrong at each key is refused at its line, and named.
    #[test]
    fn bad_input_is_refused_at_every_key() {
        let named = ["name", "bridge"].map(str::to_string);
        let of_port = setting::of(&operation::PORT_SET).map(|setting| setting.name.to_string());
        let of_bridge = setting::of(&operation::BRIDGE_SET).map(|setting| setting.name.to_string());
        let of_entry = [MAC, VLAN].map(str::to_string);
        for (kind, keys) in [
            ("port", of_port.chain(named.clone()).collect::<Vec<_>>()),
            ("bridge", of_bridge.chain([named[0].clone()]).collect()),
            ("entry", [of_entry, named].concat()),
        ] {
            for key in keys {
                for value in [
                    "''",
                    "'no/thing'",
                    "-1",
                    "99999999999",
                    "99999999999999999999",
                    "1.5",
                    "[]",
                    "[[]]",
                    "[5]",
                    "{}",
                    "1979-05-27",
                    "inf",
                ] {
                    let text = format!("# mine\n[[{kind}]]\n\n{key} = {value}\n");
                    let wrong = Rules::understand(&text).unwrap_err();
                    let line = 1 + text[..wrong.place.unwrap().start].matches('\n').count();
                    assert_eq!(line, 4, "{text}: {}", wrong.what);
                    let is_named = wrong.what.starts_with(&format!("{key}: "));
                    // TOML itself takes no such number.
                    let is_no_toml = value.len() == 20;
                    assert!(is_named || is_no_toml, "{text}: {}", wrong.what);
                }
            }
        }
    }

    #[test]
    fn the_example_says_nothing_until_it_is_uncommented() {
        let rules = rules(EXAMPLE);
        assert!(rules.bridges.is_empty() && rules.ports.is_empty());
        let text: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                // Words have a space before them.
                Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let rules = Rules::understand(&text).unwrap();
        assert_eq!(rules.of_port("vnet7", "br0").enabled, Some(true));
        assert_eq!(rules.of_bridge("br0").auto_enable, Some(false));
        assert!(rules.has_entries());
    }

    #[test]
    fn a_port_is_to_own_what_any_section_says() {
        let rules = rules(
            "[[entry]]\nname = ['vnet?', 'tap0']\nmac = ['02:00:00:00:00:01', '02:00:00:00:00:02']\n\
             [[entry]]\nname = 'vnet*'\nbridge = 'br1'\nmac = '02:00:00:00:00:01'\nvlan = 10\n\
             [[entry]]\nname = 'tap0'\nmac = '02:00:00:00:00:01'\n",
        );
        let mac = |last| Mac([2, 0, 0, 0, 0, last]);
        let both = [(0, mac(1)), (0, mac(2))];
        assert_eq!(rules.entries_of("tap0", "br1"), BTreeSet::from(both));
        assert_eq!(rules.entries_of("vnet0", "br0"), BTreeSet::from(both));
        assert_eq!(rules.entries_of("vnet10", "br1"), [(10, mac(1))].into());
        assert_eq!(rules.entries_of("eth0", "br1"), BTreeSet::new());
        assert!(rules.has_entries() && !Rules::default().has_entries());
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_understood_or_refused(text in "(\\[\\[port\\]\\]\n)?.{0,80}") {
            let _ = Rules::understand(&text);
        }
    }
}
