// SPDX-License-Identifier: GPL-2.0

//! `maclearn metrics`: counters and states for Prometheus, in its text format. No MAC is a label,
//! so that there are as many series as ports, whatever the guests do.

use std::{collections::HashMap, fmt::Write as _};

use maclearn_family::{
    Attributes, BridgeAttributes, Error, PortAttributes, StatisticsAttributes, Value, operation,
};

use super::{Context, statistics, summary};
use crate::{devices::Names, failure::Failure, route::Route};

/// Attributes of a port that are told, what they are called, and what that means.
const PORT: &[(&str, &str, &str)] = &[
    (
        "enabled",
        "enabled",
        "Whether copies to the port are filtered.",
    ),
    (
        "failing_open",
        "failing_open",
        "Whether the port gets every copy since a source could not be learned.",
    ),
    (
        "limit_reached",
        "limit_reached",
        "Whether sources behind the port are not learned for a limit.",
    ),
    ("n_macs", "macs", "MACs that the port owns."),
    (
        "max_macs",
        "max_macs",
        "Most MACs that the port may own, 0 is unlimited.",
    ),
];

/// The same of a bridge.
const BRIDGE: &[(&str, &str, &str)] = &[
    ("n_macs", "macs", "MACs of all ports together."),
    (
        "max_macs",
        "max_macs",
        "Most MACs of all ports together, 0 is unlimited.",
    ),
    (
        "n_offloaded",
        "offloaded_macs",
        "MACs that are offloaded to the bridge's own fdb.",
    ),
    ("memory", "memory_bytes", "Bytes of the table."),
];

/// Prints all of them.
pub fn show(context: &mut Context) -> Result<(), Failure> {
    let client = &mut context.client;
    let bridges = client.list(&operation::BRIDGE_GET, &BridgeAttributes::default())?;
    let ports = client.list(&operation::PORT_GET, &PortAttributes::default())?;
    let counted = statistics::all(client)?;
    let names = Names::all()?;
    let mut route = Route::open()?;
    let links = match bridges.iter().any(summary::is_offloading) {
        true => route.ports()?,
        false => Vec::new(),
    };
    let mut spared = HashMap::new();
    for bridge in bridges
        .iter()
        .filter(|bridge| summary::is_offloading(bridge))
    {
        let Some(index) = bridge.ifindex else {
            continue;
        };
        let Some(device) = route.bridge(index)? else {
            continue;
        };
        let ports = ports.iter().filter(|port| port.bridge == Some(index));
        let links = links.iter().filter(|link| link.bridge == index);
        if let Some(copies) = summary::never_made_per_frame(bridge, device, ports, links) {
            spared.insert(index, copies);
        }
    }
    let text = text(
        &bridges,
        &ports,
        |index| counted.get(&index),
        &spared,
        &names,
    );
    context.output.raw(&text)
}

/// What is told if the module is not there.
pub fn without(error: Error) -> Result<String, Error> {
    match error {
        Error::NoFamily => Ok(loaded(false)),
        other => Err(other),
    }
}

fn text<'c>(
    bridges: &[BridgeAttributes],
    ports: &[PortAttributes],
    counted: impl Fn(u32) -> Option<&'c StatisticsAttributes>,
    spared: &HashMap<u32, u64>,
    names: &Names,
) -> String {
    let name = |index: Option<u32>| escape(&names.get(index.unwrap_or_default()));
    let bridge_labels = |bridge: &BridgeAttributes| format!("bridge=\"{}\"", name(bridge.ifindex));
    let port_labels = |port: &PortAttributes| {
        format!(
            "bridge=\"{}\",port=\"{}\"",
            name(port.bridge),
            name(port.ifindex)
        )
    };
    let mut text = loaded(true);
    for (attribute, called, help) in BRIDGE {
        let samples = bridges
            .iter()
            .filter_map(|bridge| Some((bridge_labels(bridge), find(bridge, attribute)?)));
        family(
            &mut text,
            &format!("maclearn_bridge_{called}"),
            "gauge",
            help,
            samples,
        );
    }
    let samples = bridges.iter().filter_map(|bridge| {
        let copies = spared.get(&bridge.ifindex?)?;
        Some((bridge_labels(bridge), Value::Number(*copies)))
    });
    family(
        &mut text,
        "maclearn_bridge_never_made_per_frame",
        "gauge",
        "Copies for enabled ports that are not made of a frame for an owner, or made and suppressed, while MACs are offloaded to the bridge's own fdb.",
        samples,
    );
    for (attribute, called, help) in PORT {
        let samples = ports
            .iter()
            .filter_map(|port| Some((port_labels(port), find(port, attribute)?)));
        family(
            &mut text,
            &format!("maclearn_port_{called}"),
            "gauge",
            help,
            samples,
        );
    }
    let counters = StatisticsAttributes::ATTRIBUTES
        .iter()
        .filter(|counter| counter.name != "ifindex");
    for counter in counters {
        let samples = ports.iter().filter_map(|port| {
            let value = counted(port.ifindex?)?.get(counter.number)?;
            Some((port_labels(port), value))
        });
        let called = format!("maclearn_port_{}_total", counter.name);
        family(&mut text, &called, "counter", counter.doc, samples);
    }
    text
}

fn loaded(is_loaded: bool) -> String {
    let mut text = String::new();
    let sample = (String::new(), Value::Switch(is_loaded));
    family(
        &mut text,
        "maclearn_loaded",
        "gauge",
        "Whether the module is loaded.",
        [sample],
    );
    text
}

fn find<A: Attributes>(attributes: &A, wanted: &str) -> Option<Value> {
    let found = attributes
        .present()
        .find(|(attribute, _)| attribute.name == wanted);
    found.map(|(_, value)| value)
}

/// A metric with all of its samples.
fn family(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    samples: impl IntoIterator<Item = (String, Value)>,
) {
    let mut lines = String::new();
    for (labels, value) in samples {
        let number = match value {
            Value::Switch(on) => u64::from(on),
            Value::Number(number) => number,
            _ => continue,
        };
        let labels = match labels.is_empty() {
            true => labels,
            false => format!("{{{labels}}}"),
        };
        // It can't fail: it is a string.
        let _ = writeln!(lines, "{name}{labels} {number}");
    }
    if !lines.is_empty() {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
    }
}

/// A label's value. The name of a device can have a quotation mark in it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_metric_is_described_once_before_its_samples() {
        let port = |index| PortAttributes {
            ifindex: Some(index),
            bridge: Some(1),
            enabled: Some(true),
            n_macs: Some(index),
            ..Default::default()
        };
        let bridge = BridgeAttributes {
            ifindex: Some(1),
            memory: Some(4096),
            ..Default::default()
        };
        let counted = StatisticsAttributes {
            suppressed: Some(u64::MAX),
            ..Default::default()
        };
        let text = text(
            &[bridge],
            &[port(2), port(3)],
            |_| Some(&counted),
            &HashMap::from([(1, 7)]),
            &Names::default(),
        );
        for line in [
            "maclearn_loaded 1",
            "maclearn_bridge_memory_bytes{bridge=\"if1\"} 4096",
            "# TYPE maclearn_bridge_never_made_per_frame gauge",
            "maclearn_bridge_never_made_per_frame{bridge=\"if1\"} 7",
            "maclearn_port_enabled{bridge=\"if1\",port=\"if2\"} 1",
            "maclearn_port_macs{bridge=\"if1\",port=\"if3\"} 3",
            "# TYPE maclearn_port_suppressed_total counter",
            "maclearn_port_suppressed_total{bridge=\"if1\",port=\"if3\"} 18446744073709551615",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
        let (mut described, mut current) = (HashSet::new(), "");
        for line in text.lines() {
            match line.strip_prefix("# HELP ") {
                Some(rest) => {
                    current = rest.split(' ').next().unwrap();
                    assert!(described.insert(current), "{current} is described twice");
                }
                None => assert!(
                    line.trim_start_matches("# TYPE ").starts_with(current),
                    "{line}"
                ),
            }
        }
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escape("a\"b\\c"), "a\\\"b\\\\c");
    }
}
