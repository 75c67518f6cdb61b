// SPDX-License-Identifier: GPL-2.0

//! `maclearn save` and `maclearn restore`: settings and the table as lines of JSON.

use std::{
    collections::BTreeMap,
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
        record.hidden("mac", Item::mac(mac));
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

/// Reads what `save` has printed. All of it has to be understood before anything is done.
pub fn restore(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let instead = devices::said(matches, "dev")?;
    let requests = match matches.get_one::<String>("file") {
        Some(name) => {
            let file = File::open(name).map_err(|error| {
                Failure::usage(format!("Cannot open \"{name}\": {}", plain(&error)))
            })?;
            read(BufReader::new(file), instead)?
        }
        None => read(io::stdin().lock(), instead)?,
    };
    let count = requests.len();
    let mut refused = BTreeMap::new();
    for (number, request) in in_order(requests) {
        match carry_out(&mut context.client, &request) {
            Ok(()) => (),
            Err(Error::Refused(refusal)) => {
                refused.entry(number).or_insert(refusal);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match refused.first_key_value() {
        None => Ok(()),
        Some((number, refusal)) => Err(Failure::usage(format!(
            "Error: line {number}: {refusal}; {} of {count} lines were refused.",
            refused.len(),
        ))),
    }
}

/// The requests as they are carried out: ports suppress copies for MACs that nobody owns at the end.
fn in_order(mut requests: Vec<(usize, Request)>) -> Vec<(usize, Request)> {
    let mut last = Vec::new();
    for (number, request) in &mut requests {
        let Request::Port(settings) = request else {
            continue;
        };
        if let Some(unknown_unicast) = settings.unknown_unicast.take() {
            let setting = PortAttributes {
                ifindex: settings.ifindex,
                unknown_unicast: Some(unknown_unicast),
                ..Default::default()
            };
            last.push((*number, Request::Port(setting)));
        }
    }
    requests.append(&mut last);
    requests
}

fn read(lines: impl BufRead, instead: Option<u32>) -> Result<Vec<(usize, Request)>, Failure> {
    let mut requests = Vec::new();
    for (number, line) in (1..).zip(lines.lines()) {
        let wrong = |why: String| Failure::usage(format!("Error: line {number}: {why}."));
        let line = line.map_err(|error| wrong(error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(|error| wrong(one_line(&error)))?;
        requests.push((number, understand(line, instead).map_err(wrong)?));
    }
    Ok(requests)
}

/// What JSON has to say, without the line, which is always the first.
fn one_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.find(" at line").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().replace('\n', " ")
}

fn understand(line: Line, instead: Option<u32>) -> Result<Request, String> {
    let index = |name: &str| devices::index(name).map_err(|failure| failure.to_string());
    let port = |name: &str| instead.map_or_else(|| index(name), Ok);
    Ok(match line {
        Line::Bridge { ifname, settings } => {
            Request::Bridge(parse(&operation::BRIDGE_SET, index(&ifname)?, &settings)?)
        }
        Line::Port { ifname, settings } => {
            Request::Port(parse(&operation::PORT_SET, port(&ifname)?, &settings)?)
        }
        Line::Entry {
            ifname,
            mac,
            vlan,
            is_static,
            age,
        } => Request::Entry(EntryAttributes {
            port: Some(port(&ifname)?),
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
        }),
    })
}

/// A request to set what was saved.
fn parse<A: Attributes>(
    operation: &Operation<A>,
    index: u32,
    settings: &Map<String, Json>,
) -> Result<A, String> {
    let mut request = A::default();
    request.set(setting::DEVICE, index.into());
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
        let requests = read(lines.join("\n").as_bytes(), Some(7)).unwrap();
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
    fn unknown_macs_are_suppressed_when_those_that_were_known_are_there() {
        let settings = PortAttributes {
            ifindex: Some(7),
            enabled: Some(true),
            unknown_unicast: Some(maclearn_family::UnknownUnicast::Suppress),
            ..Default::default()
        };
        let lines = in_order(vec![
            (1, Request::Port(settings.clone())),
            (2, Request::Entry(EntryAttributes::default())),
        ]);
        let [
            (1, Request::Port(first)),
            (2, Request::Entry(_)),
            (1, Request::Port(last)),
        ] = &lines[..]
        else {
            panic!("{} requests in another order", lines.len());
        };
        assert_eq!((first.enabled, first.unknown_unicast), (Some(true), None));
        assert_eq!(
            last,
            &PortAttributes {
                enabled: None,
                ..settings
            }
        );
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

    proptest! {
        #[test]
        fn whatever_is_read_is_understood_or_refused(text in ".{0,80}") {
            let _ = read(text.as_bytes(), Some(7));
        }
    }
}
