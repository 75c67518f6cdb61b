// SPDX-License-Identifier: GPL-2.0

//! `maclearn save` and `maclearn restore`: settings and the table as lines of JSON.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, BufRead, BufReader},
};

use clap::ArgMatches;
use maclearn_family::{
    Attribute, Attributes, BridgeAttributes, Client, EntryAttributes, Error, Kind, Mac, Operation,
    PortAttributes, Value, operation,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{Context, complete};
use crate::{
    devices::{self, Names},
    failure::{Failure, plain},
    lock::Lock,
    output::{Item, Record},
    setting,
};

/// A line.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Bridge {
        ifname: String,
        settings: Map<String, Json>,
    },
    Port {
        ifname: String,
        settings: Map<String, Json>,
    },
    Entry {
        ifname: String,
        mac: String,
        #[serde(default)]
        vlan: u16,
        #[serde(rename = "static")]
        is_static: bool,
        #[serde(default)]
        age: f64,
    },
}

/// A line that was understood, with the devices as they are here.
enum Request {
    Bridge(BridgeAttributes),
    Port(PortAttributes),
    Entry(EntryAttributes),
}

/// Prints all, or what belongs to a bridge or a port.
pub fn save(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let port = devices::said(matches, "dev")?;
    let bridge = devices::said(matches, "br")?;
    let names = Names::all()?;
    let Context { client, output, .. } = context;
    if port.is_none() {
        for found in client.list(&operation::BRIDGE_GET, &BridgeAttributes::default())? {
            if bridge.is_none() || bridge == found.ifindex {
                output.json_line(&settings(
                    "bridge",
                    &operation::BRIDGE_SET,
                    found.ifindex,
                    &found,
                    &names,
                ))?;
            }
        }
    }
    let filter = PortAttributes {
        bridge,
        ..Default::default()
    };
    for found in client.list(&operation::PORT_GET, &filter)? {
        if port.is_none() || port == found.ifindex {
            output.json_line(&settings(
                "port",
                &operation::PORT_SET,
                found.ifindex,
                &found,
                &names,
            ))?;
        }
    }
    let filter = EntryAttributes {
        bridge,
        port,
        ..Default::default()
    };
    let dump = client.dump(&operation::ENTRY_GET, &filter, |found| match found.fdb {
        // The bridge's own entries are for the bridge to keep.
        Some(true) => Ok::<_, Failure>(()),
        _ => output.json_line(&entry(&found, &names)),
    })?;
    output.flush()?;
    complete(dump)
}

fn settings<A: Attributes>(
    kind: &'static str,
    operation: &Operation<A>,
    index: Option<u32>,
    found: &A,
    names: &Names,
) -> Record {
    let mut record = Record::new();
    record.hidden("kind", Item::word(kind));
    record.hidden("ifname", Item::device(names.get(index.unwrap_or_default())));
    let all: Vec<_> = setting::of(operation)
        .filter_map(|setting| Some((setting.name, found.get(setting.number)?)))
        .collect();
    // The time that the bridge says is none of ours.
    let is_bridges = all
        .iter()
        .any(|(name, value)| *name == "ageing" && value.to_string() == "bridge");
    let kept = all
        .into_iter()
        .filter(|(name, _)| !(is_bridges && *name == "ageing_time"));
    record.group(
        "settings",
        kept.map(|(name, value)| (name, Item::attribute(value))),
    );
    record
}

fn entry(found: &EntryAttributes, names: &Names) -> Record {
    let mut record = Record::new();
    record.hidden("kind", Item::word("entry"));
    record.hidden(
        "ifname",
        Item::device(names.get(found.port.unwrap_or_default())),
    );
    if let Some(mac) = found.mac {
        record.hidden("mac", Item::Mac(mac));
    }
    if let Some(vlan) = found.vlan.filter(|vlan| *vlan != 0) {
        record.hidden("vlan", Item::Number(vlan.into()));
    }
    record.hidden("static", Item::Switch(found.r#static == Some(true)));
    if let Some(age) = found.age {
        record.hidden("age", Item::Milliseconds(age));
    }
    record
}

/// Lines that were understood, by their numbers.
#[derive(Default)]
struct Saved {
    requests: Vec<(usize, Request)>,
    /// Those of devices that are not here, and why.
    refused: BTreeMap<usize, String>,
}

/// Reads what `save` has printed. All of it has to be understood before anything is done.
pub fn restore(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let instead = devices::said(matches, "dev")?;
    let saved = match matches.get_one::<String>("file") {
        Some(name) => read(open(name)?, instead)?,
        None => read(io::stdin().lock(), instead)?,
    };
    // Who gives settings waits until all is restored.
    let _lock = Lock::for_restore()?;
    give_back(&mut context.client, saved)
}

/// The same with a file, for who has the lock.
pub fn restore_file(name: &str) -> Result<(), Failure> {
    let saved = read(open(name)?, None)?;
    give_back(&mut Client::open()?, saved)
}

fn open(name: &str) -> Result<BufReader<File>, Failure> {
    let file = File::open(name)
        .map_err(|error| Failure::usage(format!("Cannot open \"{name}\": {}", plain(&error))))?;
    Ok(BufReader::new(file))
}

fn give_back(client: &mut Client, saved: Saved) -> Result<(), Failure> {
    let Saved {
        requests,
        mut refused,
    } = saved;
    let count = requests.len() + refused.len();
    let ports = client.list(&operation::PORT_GET, &PortAttributes::default())?;
    for (number, request) in in_order(requests, &ports) {
        match carry_out(client, &request) {
            Ok(()) => (),
            Err(Error::Refused(refusal)) => {
                refused.entry(number).or_insert(refusal.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    match refused.first_key_value() {
        None => Ok(()),
        Some((number, why)) => Err(Failure::usage(format!(
            "Error: line {number}: {why}; {} of {count} lines were refused.",
            refused.len(),
        ))),
    }
}

/// When a request is carried out: a port filters when what it owns is there, and suppresses copies
/// for MACs that nobody owns at the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Step {
    Settings,
    Static,
    /// MACs that were learned take a port of the bridge that filters: one does while its own, and
    /// then those of the others, come.
    EnableOne,
    LearnedByThatOne,
    Learned,
    Enable,
    /// With the last port that filters a bridge forgets what it has learned.
    Disable,
    UnknownUnicast,
}

/// The requests in the order of their steps; `ports` are those that are here.
fn in_order(requests: Vec<(usize, Request)>, ports: &[PortAttributes]) -> Vec<(usize, Request)> {
    let bridge_of = |index| ports.iter().find(|port| port.ifindex == index)?.bridge;
    let is_enabled = |port: &&PortAttributes| port.enabled == Some(true);
    let filter = ports.iter().filter(is_enabled);
    let mut with_one: HashSet<_> = filter.filter_map(|port| port.bridge).collect();
    let mut ones = HashSet::new();
    let mut steps = Vec::new();
    for (number, request) in requests {
        let Request::Port(mut settings) = request else {
            steps.push((Step::Settings, number, request));
            continue;
        };
        let ifindex = settings.ifindex;
        let mut later = |step, setting: PortAttributes| {
            let setting = PortAttributes { ifindex, ..setting };
            steps.push((step, number, Request::Port(setting)));
        };
        if let enabled @ Some(on) = settings.enabled.take() {
            let is_one = on && bridge_of(ifindex).is_some_and(|bridge| with_one.insert(bridge));
            let step = match on {
                true if is_one => Step::EnableOne,
                true => Step::Enable,
                false => Step::Disable,
            };
            ones.extend(ifindex.filter(|_| is_one));
            later(
                step,
                PortAttributes {
                    enabled,
                    ..Default::default()
                },
            );
        }
        if let unknown_unicast @ Some(_) = settings.unknown_unicast.take() {
            later(
                Step::UnknownUnicast,
                PortAttributes {
                    unknown_unicast,
                    ..Default::default()
                },
            );
        }
        later(Step::Settings, settings);
    }
    for (step, _, request) in &mut steps {
        if let Request::Entry(entry) = request {
            *step = match entry.port {
                _ if entry.r#static == Some(true) => Step::Static,
                Some(port) if ones.contains(&port) => Step::LearnedByThatOne,
                _ => Step::Learned,
            };
        }
    }
    steps.sort_by_key(|(step, ..)| *step);
    let requests = steps.into_iter();
    requests
        .map(|(_, number, request)| (number, request))
        .collect()
}

fn read(lines: impl BufRead, instead: Option<u32>) -> Result<Saved, Failure> {
    let mut saved = Saved::default();
    for (number, line) in (1..).zip(lines.lines()) {
        let wrong = |why: String| Failure::usage(format!("Error: line {number}: {why}."));
        let line = line.map_err(|error| wrong(plain(&error)))?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(|error| wrong(one_line(&error)))?;
        match understand(line, instead).map_err(wrong)? {
            Ok(request) => saved.requests.push((number, request)),
            Err(failure) => {
                saved.refused.insert(number, failure.to_string());
            }
        }
    }
    Ok(saved)
}

/// What JSON has to say, without the line, which is always the first.
fn one_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().replace('\n', " ")
}

/// What a line asks for, unless its device is not here; or else what is wrong in it.
fn understand(line: Line, instead: Option<u32>) -> Result<Result<Request, Failure>, String> {
    let port = |name: &str| instead.map_or_else(|| devices::index(name), Ok);
    Ok(match line {
        Line::Bridge { ifname, settings } => {
            let settings = parse(&operation::BRIDGE_SET, &settings)?;
            devices::index(&ifname).map(|index| {
                Request::Bridge(BridgeAttributes {
                    ifindex: Some(index),
                    ..settings
                })
            })
        }
        Line::Port { ifname, settings } => {
            let settings = parse(&operation::PORT_SET, &settings)?;
            port(&ifname).map(|index| {
                Request::Port(PortAttributes {
                    ifindex: Some(index),
                    ..settings
                })
            })
        }
        Line::Entry {
            ifname,
            mac,
            vlan,
            is_static,
            age,
        } => {
            let entry = EntryAttributes {
                mac: Some(
                    mac.parse::<Mac>()
                        .map_err(|error| format!("mac: {error}"))?,
                ),
                vlan: (vlan != 0).then_some(vlan),
                r#static: Some(is_static),
                age: match is_static {
                    true => None,
                    false => Some(
                        setting::milliseconds(&format!("{age:.3}"))
                            .map_err(|error| format!("age: {error}"))?,
                    ),
                },
                ..Default::default()
            };
            port(&ifname).map(|index| {
                Request::Entry(EntryAttributes {
                    port: Some(index),
                    ..entry
                })
            })
        }
    })
}

/// Settings that were saved.
fn parse<A: Attributes>(
    operation: &Operation<A>,
    settings: &Map<String, Json>,
) -> Result<A, String> {
    let mut request = A::default();
    for (name, json) in settings {
        let found = setting::of(operation).find(|setting| setting.name == name);
        let setting = found.ok_or_else(|| format!("{name} is no setting"))?;
        let value = value(setting, json).ok_or_else(|| format!("{name} can't be {json}"))?;
        request.set(setting.number, value);
    }
    Ok(request)
}

fn value(setting: &Attribute, json: &Json) -> Option<Value> {
    match (setting.kind, json) {
        (Kind::Switch, Json::Bool(on)) => Some(Value::Switch(*on)),
        (Kind::Word(_), Json::String(word)) => setting.kind.parse(word).ok(),
        (Kind::U16 | Kind::U32 | Kind::Uint, Json::Number(number)) => {
            setting.kind.parse(&number.to_string()).ok()
        }
        _ => None,
    }
}

fn carry_out(client: &mut Client, request: &Request) -> Result<(), Error> {
    match request {
        Request::Bridge(settings) => client.set(&operation::BRIDGE_SET, settings),
        Request::Port(settings) => client.set(&operation::PORT_SET, settings),
        Request::Entry(entry) => client.set(&operation::ENTRY_NEW, entry),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(line: &str) -> String {
        match read(line.as_bytes(), Some(7)) {
            Ok(_) => panic!("{line}"),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn what_is_saved_is_understood() {
        let port = PortAttributes {
            ifindex: Some(7),
            enabled: Some(true),
            unknown_unicast: Some(maclearn_family::UnknownUnicast::Suppress),
            max_macs: Some(5),
            n_macs: Some(3),
            ..Default::default()
        };
        let found = EntryAttributes {
            port: Some(7),
            mac: Some(Mac([2, 0, 0, 0, 1, 1])),
            vlan: Some(10),
            r#static: Some(false),
            age: Some(12_345),
            ..Default::default()
        };
        let names = Names::default();
        let lines = [
            serde_json::to_string(&settings(
                "port",
                &operation::PORT_SET,
                Some(7),
                &port,
                &names,
            ))
            .unwrap(),
            serde_json::to_string(&entry(&found, &names)).unwrap(),
        ];
        let Saved { requests, .. } = read(lines.join("\n").as_bytes(), Some(7)).unwrap();
        let [(1, Request::Port(first)), (2, Request::Entry(second))] = &requests[..] else {
            panic!("other lines: {lines:?}");
        };
        let wanted = PortAttributes {
            n_macs: None,
            ..port
        };
        assert_eq!((first, second), (&wanted, &found));
    }

    #[test]
    fn a_port_filters_when_what_it_owns_is_there() {
        use maclearn_family::UnknownUnicast::Suppress;

        let port = |index| {
            Request::Port(PortAttributes {
                ifindex: Some(index),
                enabled: Some(index != 9),
                unknown_unicast: (index == 8).then_some(Suppress),
                max_macs: Some(5),
                ..Default::default()
            })
        };
        let entry = |port, is_static| {
            Request::Entry(EntryAttributes {
                port: Some(port),
                r#static: Some(is_static),
                ..Default::default()
            })
        };
        let lines = vec![
            (1, port(9)),
            (2, port(7)),
            (3, port(8)),
            (4, entry(8, false)),
            (5, entry(7, false)),
            (6, entry(8, true)),
            (7, entry(9, false)),
        ];
        let here = |index, enabled| PortAttributes {
            ifindex: Some(index),
            bridge: Some(1),
            enabled: Some(enabled),
            ..Default::default()
        };
        let ports = [7, 8, 9].map(|index| here(index, false));
        let order: Vec<_> = in_order(lines, &ports)
            .into_iter()
            .map(|(number, request)| match request {
                Request::Port(settings) => (
                    number,
                    settings.ifindex,
                    settings.max_macs.map(|_| "max_macs"),
                    settings.enabled.map(|_| "enabled"),
                    settings.unknown_unicast.map(|_| "unknown_unicast"),
                ),
                Request::Entry(entry) => (number, entry.port, None, None, None),
                Request::Bridge(_) => panic!("no line is about a bridge"),
            })
            .collect();
        let (max_macs, enabled) = (Some("max_macs"), Some("enabled"));
        assert_eq!(
            order,
            [
                (1, Some(9), max_macs, None, None),
                (2, Some(7), max_macs, None, None),
                (3, Some(8), max_macs, None, None),
                (6, Some(8), None, None, None),
                (2, Some(7), None, enabled, None),
                (5, Some(7), None, None, None),
                (4, Some(8), None, None, None),
                (7, Some(9), None, None, None),
                (3, Some(8), None, enabled, None),
                (1, Some(9), None, enabled, None),
                (3, Some(8), None, None, Some("unknown_unicast")),
            ]
        );
        // Where one filters already none has to begin before it has its MACs.
        let order = in_order(
            vec![(1, port(7)), (2, entry(7, false))],
            &[here(7, false), here(6, true)],
        );
        let numbers: Vec<_> = order.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 1]);
    }

    #[test]
    fn a_device_that_is_gone_keeps_nothing_else_from_being_restored() {
        let line = r#"{"kind":"port","ifname":"a device","settings":{"enabled":true}}"#;
        let entry = r#"{"kind":"entry","ifname":"lo","mac":"02:00:00:00:00:01","static":true}"#;
        let saved = read(format!("{line}\n{entry}").as_bytes(), None).unwrap();
        let why = "Cannot find device \"a device\"".to_string();
        assert_eq!(saved.refused, BTreeMap::from([(1, why)]));
        assert!(matches!(saved.requests[..], [(2, Request::Entry(_))]));
        // What is wrong in its line does.
        assert!(read(line.replace("true", "5").as_bytes(), None).is_err());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let entry = r#"{"kind":"entry","ifname":"a","mac":"02:00:00:00:00:01","static":true}"#;
        for (line, wanted) in [
            ("{", "Error: line 1: EOF while parsing an object."),
            (
                r#"{"kind":"none"}"#,
                "Error: line 1: unknown variant `none`, expected one of `bridge`, `port`, `entry`.",
            ),
            (
                &format!("{entry}\n\n{{}}"),
                "Error: line 3: missing field `kind`.",
            ),
            (
                r#"{"kind":"port","ifname":"a","settings":{"none":1}}"#,
                "Error: line 1: none is no setting.",
            ),
            (
                r#"{"kind":"port","ifname":"a","settings":{"enabled":2}}"#,
                "Error: line 1: enabled can't be 2.",
            ),
            (
                r#"{"kind":"port","ifname":"a","settings":{"max_macs":-1}}"#,
                "Error: line 1: max_macs can't be -1.",
            ),
            (
                &entry.replace("02:", "x:"),
                "Error: line 1: mac: not a MAC address.",
            ),
            (
                &entry.replace("true", "false,\"age\":-1"),
                "Error: line 1: age: not a number of seconds.",
            ),
        ] {
            assert_eq!(refusal(line), wanted, "{line}");
        }
    }

    /// What is wrong at each key of a line is refused in one that names it.
    #[test]
    fn bad_input_is_refused_at_every_key() {
        let of_port = setting::of(&operation::PORT_SET).map(|setting| ("port", setting.name));
        let of_bridge = setting::of(&operation::BRIDGE_SET).map(|setting| ("bridge", setting.name));
        for (kind, key) in of_port.chain(of_bridge) {
            for value in [
                "\"\"",
                "\"no/thing\"",
                "-1",
                "99999999999",
                "1.5",
                "null",
                "[]",
                "{}",
            ] {
                let line = format!(
                    "{{\"kind\":\"{kind}\",\"ifname\":\"a\",\"settings\":{{\"{key}\":{value}}}}}"
                );
                let wanted = format!("Error: line 1: {key} can't be {value}.");
                assert_eq!(refusal(&line), wanted);
            }
        }
        let entry = r#"{"kind":"entry","ifname":"a","mac":"02:00:00:00:00:01","static":false,"vlan":1,"age":1}"#;
        assert!(read(entry.as_bytes(), Some(7)).is_ok());
        let whole: Map<String, Json> = serde_json::from_str(entry).unwrap();
        for key in whole.keys() {
            for value in [
                Json::Null,
                Json::from(-1),
                Json::from("no/thing"),
                Json::Array(vec![]),
            ] {
                let mut wrong = whole.clone();
                // Any text may be a name.
                if key == "ifname" && value.is_string() {
                    continue;
                }
                wrong.insert(key.clone(), value);
                let line = serde_json::to_string(&wrong).unwrap();
                let said = refusal(&line);
                assert!(
                    said.starts_with("Error: line 1: ") && !said.contains('\n'),
                    "{line}: {said}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_understood_or_refused(text in ".{0,80}") {
            let _ = read(text.as_bytes(), Some(7));
        }
    }
}
