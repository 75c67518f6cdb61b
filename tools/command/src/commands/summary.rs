// SPDX-License-Identifier: GPL-2.0

//! `maclearn` alone: how things are, at a glance.

use std::collections::{HashMap, HashSet};

use maclearn_family::{
    BridgeAttributes, Error, FdbOffload, PortAttributes, StatisticsAttributes, UnknownUnicast,
    operation,
};

use super::{
    Context,
    mirror::{self, Obstacle},
    statistics,
};
use crate::{
    devices::Names,
    failure::Failure,
    kernel,
    output::{Item, Paint, Record},
    route::{self, Route, unless_gone},
};

/// Shows the module, each bridge and each of its ports.
pub fn show(context: &mut Context) -> Result<(), Failure> {
    let client = &mut context.client;
    let bridges = client.list(&operation::BRIDGE_GET, &BridgeAttributes::default())?;
    let ports = client.list(&operation::PORT_GET, &PortAttributes::default())?;
    let counted = statistics::all(client)?;
    let mut route = Route::open()?;
    let (mut sums, mut devices) = (HashMap::new(), HashMap::new());
    for index in bridges.iter().filter_map(|bridge| bridge.ifindex) {
        // It may be gone by now.
        sums.extend(unless_gone(statistics::of(client, index))?.map(|sums| (index, sums)));
        devices.extend(route.bridge(index)?.map(|device| (index, device)));
    }
    let links = links(&mut route, &bridges, &ports)?;
    let host = mirror::obstacle_of_host();
    let names = Names::all()?;
    let mut of_bridge: HashMap<_, Vec<_>> = HashMap::new();
    for port in &ports {
        of_bridge.entry(port.bridge).or_default().push(port);
    }
    let summary = bridges.iter().map(|bridge| {
        let ports = of_bridge
            .get(&bridge.ifindex)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let sums = bridge.ifindex.and_then(|index| sums.get(&index));
        let device = bridge.ifindex.and_then(|index| devices.get(&index));
        let device = device.copied().unwrap_or_default();
        let links = links.iter();
        let links: Vec<_> = links
            .filter(|link| bridge.ifindex == Some(link.bridge))
            .collect();
        let never_made = sums.and_then(|sums| never_made(bridge, device, ports, &links, sums));
        let link = |port: &PortAttributes| {
            let mut links = links.iter().copied();
            links.find(|link| Some(link.index) == port.ifindex)
        };
        let linked = ports.iter().map(|port| (*port, link(port)));
        let obstacle = mirror::obstacle(bridge, device, linked, host);
        let copies = copies(bridge, device, ports, obstacle, &names);
        (
            bridge_record(bridge, ports, (sums, never_made), copies, &names),
            port_records(ports, is_offloading(bridge), &counted, &names),
        )
    });
    if context.output.is_json() {
        let mut record = Record::new();
        record.hidden("module", Item::Group(module()));
        let bridges = summary.map(|(mut bridge, ports)| {
            bridge.hidden("ports", Item::List(ports));
            bridge
        });
        record.hidden("bridges", Item::List(bridges.collect()));
        return context.output.line(&record);
    }
    let mut head = Record::new();
    head.title("module", Item::word("maclearn"));
    head.extend(module());
    context.output.list(|emit| {
        emit(&head)?;
        for (bridge, ports) in summary {
            emit(&bridge)?;
            for port in ports {
                emit(&port.indented())?;
            }
        }
        Ok(())
    })
}

/// Which module is loaded.
fn module() -> Record {
    let mut record = Record::new();
    for name in ["version", "srcversion"] {
        if let Some(text) = kernel::running(name) {
            record.field(name, Item::word(text));
        }
    }
    record
}

fn bridge_record(
    bridge: &BridgeAttributes,
    ports: &[&PortAttributes],
    (sums, never_made): (Option<&StatisticsAttributes>, Option<u64>),
    copies: String,
    names: &Names,
) -> Record {
    let mut record = Record::new();
    record.title(
        "ifname",
        Item::device(names.get(bridge.ifindex.unwrap_or_default())),
    );
    let enabled = ports
        .iter()
        .filter(|port| port.enabled == Some(true))
        .count();
    record.field("ports", Item::Number(ports.len() as u64));
    record.field("enabled", Item::Number(enabled as u64));
    record.field(
        "macs",
        Item::Number(bridge.n_macs.unwrap_or_default().into()),
    );
    record.field(
        "offloaded",
        Item::Number(bridge.n_offloaded.unwrap_or_default().into()),
    );
    let share = |sums| spared(sums, never_made.unwrap_or_default());
    record.field("spared", sums.map_or(Item::Unknown, share));
    if let Some(copies) = never_made {
        record.field("never_made", Item::Number(copies));
    }
    record.field("copies", Item::word(copies));
    record
}

/// Whether the bridge makes copies, and why. `obstacle` is what keeps maclearn from mirroring.
fn copies(
    bridge: &BridgeAttributes,
    device: route::Bridge,
    ports: &[&PortAttributes],
    obstacle: Option<Obstacle>,
    names: &Names,
) -> String {
    let named = |is_meant: &dyn Fn(&PortAttributes) -> bool| {
        let meant = ports.iter().filter(|port| is_meant(port));
        names.some(meant.filter_map(|port| port.ifindex))
    };
    let not_enabled = named(&|port| port.enabled != Some(true));
    let failing_open = named(&|port| port.failing_open == Some(true));
    let nothing_suppressed = match device.passes_all() {
        _ if ports.iter().all(|port| port.enabled != Some(true)) => Some("none is enabled"),
        true => Some("mst_enabled"),
        false => None,
    };
    if let Some(why) = nothing_suppressed {
        match device.ageing_time {
            0 => format!("made for every port, {why}"),
            _ => format!("made of what the bridge has not learned by itself, {why}"),
        }
    } else if bridge.fdb_offload == Some(FdbOffload::Off) {
        "made and suppressed, fdb_offload is off".to_string()
    } else if device.ageing_time != 0 {
        "made of what the bridge has not learned by itself".to_string()
    } else if !failing_open.is_empty() {
        format!("made and suppressed, failing open: {failing_open}")
    } else if not_enabled.is_empty() {
        "not made for what is offloaded".to_string()
    } else if is_offloading(bridge) {
        format!("not made for what is offloaded, mirrored to: {not_enabled}")
    } else if let Some(obstacle) = obstacle {
        let why = obstacle.text(names);
        format!("made and suppressed, not enabled: {not_enabled}; {why}")
    } else {
        format!("made and suppressed, not enabled: {not_enabled}")
    }
}

fn port_records(
    ports: &[&PortAttributes],
    is_offloading: bool,
    counted: &HashMap<u32, StatisticsAttributes>,
    names: &Names,
) -> Vec<Record> {
    let records = ports.iter().map(|port| {
        let index = port.ifindex.unwrap_or_default();
        let counted = counted.get(&index);
        let (state, paint) = match (port.enabled, port.failing_open) {
            (_, Some(true)) => ("failing-open", Paint::Bad),
            (Some(true), _) => ("enabled", Paint::Good),
            _ => ("disabled", Paint::Plain),
        };
        let mut record = Record::new();
        record.title("ifname", Item::device(names.get(index)));
        record.title("state", Item::Word(state.into(), paint));
        record.field("macs", Item::Number(port.n_macs.unwrap_or_default().into()));
        // Copies that are never made are of no port.
        let counted_all = counted.filter(|_| !is_offloading);
        let share = |counted| spared(counted, 0);
        record.field("spared", counted_all.map_or(Item::Unknown, share));
        if let Some(reason) = reason(port, counted) {
            record.field("passing", Item::word(reason));
        }
        record
    });
    records.collect()
}

/// Why the port still gets copies that are not its own, the worst reason first.
fn reason(port: &PortAttributes, counted: Option<&StatisticsAttributes>) -> Option<String> {
    let count = |field: fn(&StatisticsAttributes) -> Option<u64>| {
        counted.and_then(field).unwrap_or_default()
    };
    let unknown = count(|counted| counted.passed_unknown);
    if port.failing_open == Some(true) {
        let macs = port.n_macs.unwrap_or_default();
        let limit = match port.max_macs {
            Some(limit) if limit != 0 && macs >= limit => {
                format!("max_macs {limit} of the port is reached")
            }
            _ => "max_macs of the bridge is reached, or memory is short".to_string(),
        };
        Some(format!("all, since {limit}"))
    } else if port.enabled != Some(true) {
        Some("all, it is not enabled".to_string())
    } else if unknown != 0 && port.unknown_unicast == Some(UnknownUnicast::Flood) {
        Some(format!("{unknown} so far that nobody owned"))
    } else {
        None
    }
}

/// Copies that the bridge did not make since the MACs were offloaded, as far as that follows from
/// what is so now: of a frame that came to an owner, all but those that were made and suppressed.
fn never_made(
    bridge: &BridgeAttributes,
    device: route::Bridge,
    ports: &[&PortAttributes],
    links: &[&route::Port],
    sums: &StatisticsAttributes,
) -> Option<u64> {
    let ports = ports.iter().copied();
    let links = links.iter().copied();
    let copies = sums
        .passed_owned?
        .saturating_mul(never_made_per_frame(bridge, device, ports, links)?);
    copies.checked_sub(sums.suppressed?)
}

/// Whether MACs are offloaded to the bridge's own fdb, so that there are copies that are never
/// made.
pub fn is_offloading(bridge: &BridgeAttributes) -> bool {
    bridge.n_offloaded > Some(0)
}

/// The ports of all bridges, if MACs are offloaded to any or could be but for ports that are not
/// enabled: only then they are asked for.
fn links(
    route: &mut Route,
    bridges: &[BridgeAttributes],
    ports: &[PortAttributes],
) -> Result<Vec<route::Port>, Error> {
    let enabled = |on| ports.iter().any(|port| (port.enabled == Some(true)) == on);
    match bridges.iter().any(is_offloading) || enabled(true) && enabled(false) {
        true => route.ports(),
        false => Ok(Vec::new()),
    }
}

/// Least number of copies that the bridge, since the MACs are offloaded, does not make of a frame
/// for an owner that is enabled: one for each enabled port but that and the frame's own. Nothing
/// follows where a MAC may have two owners, or where not every port floods to every other. `ports`
/// and `links` are the bridge's.
pub fn never_made_per_frame<'a>(
    bridge: &BridgeAttributes,
    device: route::Bridge,
    ports: impl Iterator<Item = &'a PortAttributes>,
    mut links: impl Iterator<Item = &'a route::Port>,
) -> Option<u64> {
    let enabled = ports.filter(|port| port.enabled == Some(true));
    let enabled: HashSet<_> = enabled.filter_map(|port| port.ifindex).collect();
    let offloaded = bridge.n_offloaded.filter(|offloaded| *offloaded != 0)?;
    if bridge.n_macs != Some(offloaded) || device.filters_vlans {
        return None;
    }
    let receiving = links.try_fold(0_u64, |receiving, link| {
        let is_plain = link.floods && !link.is_isolated && !link.is_proxy_arp;
        let receives = link.forwards && enabled.contains(&link.index);
        is_plain.then_some(receiving + u64::from(receives))
    })?;
    receiving.checked_sub(2)
}

/// The share of the unicast copies for other ports that was suppressed or never made.
fn spared(counted: &StatisticsAttributes, never_made: u64) -> Item {
    let suppressed = counted.suppressed.unwrap_or_default();
    let suppressed = suppressed.saturating_add(never_made);
    let passed = [counted.passed_unknown, counted.passed_failing_open];
    let passed: u64 = passed.into_iter().flatten().fold(0, u64::saturating_add);
    match suppressed.saturating_add(passed) {
        0 => Item::Unknown,
        #[allow(
            clippy::cast_precision_loss,
            reason = "it is told with one digit after the point"
        )]
        all => Item::Percent(suppressed as f64 * 100.0 / all as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(index: u32, is_enabled: bool) -> PortAttributes {
        PortAttributes {
            ifindex: Some(index),
            enabled: Some(is_enabled),
            unknown_unicast: Some(UnknownUnicast::Flood),
            ..Default::default()
        }
    }

    fn text(record: &Record) -> String {
        let mut bytes = Vec::new();
        record.write(&mut bytes, false).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn says_why_copies_are_made() {
        let bridge = |offload| BridgeAttributes {
            fdb_offload: Some(offload),
            ..Default::default()
        };
        let auto = bridge(FdbOffload::Auto);
        let (on, off) = (port(1, true), port(2, false));
        let mut open = port(3, true);
        open.failing_open = Some(true);
        let many: Vec<_> = (10..20).map(|index| port(index, false)).collect();
        let many: Vec<_> = many.iter().chain([&on]).collect();
        let mirrored = BridgeAttributes {
            n_offloaded: Some(1),
            ..bridge(FdbOffload::Auto)
        };
        for (bridge, ports, obstacle, wanted) in [
            (
                &auto,
                vec![&off],
                None,
                "made for every port, none is enabled",
            ),
            (
                &bridge(FdbOffload::Off),
                vec![&on, &off],
                None,
                "made and suppressed, fdb_offload is off",
            ),
            (
                &auto,
                vec![&on, &off],
                None,
                "made and suppressed, not enabled: if2",
            ),
            (
                &auto,
                vec![&on, &off],
                Some(Obstacle::Querier),
                "made and suppressed, not enabled: if2; there is a multicast querier",
            ),
            (
                &mirrored,
                vec![&on, &off],
                None,
                "not made for what is offloaded, mirrored to: if2",
            ),
            (
                &auto,
                vec![&on, &off, &open],
                None,
                "made and suppressed, failing open: if3",
            ),
            (
                &auto,
                many,
                None,
                "made and suppressed, not enabled: if10, if11, if12 and 7 more",
            ),
            (&auto, vec![&on], None, "not made for what is offloaded"),
        ] {
            let hub = route::Bridge::default();
            let told = copies(bridge, hub, &ports, obstacle, &Names::default());
            assert_eq!(told, wanted);
        }
        let learning = route::Bridge {
            ageing_time: 300,
            ..Default::default()
        };
        let trees = route::Bridge {
            filters_vlans: true,
            has_mst: true,
            ..learning
        };
        let hub_of_trees = route::Bridge {
            ageing_time: 0,
            ..trees
        };
        let wanted = "made for every port, mst_enabled";
        let told =
            |device, port: &PortAttributes| copies(&auto, device, &[port], None, &Names::default());
        assert_eq!(told(hub_of_trees, &on), wanted);
        let wanted = "made of what the bridge has not learned by itself, mst_enabled";
        assert_eq!(told(trees, &on), wanted);
        let wanted = "made of what the bridge has not learned by itself, none is enabled";
        assert_eq!(told(learning, &off), wanted);
        let wanted = "made of what the bridge has not learned by itself";
        assert_eq!(told(learning, &on), wanted);
    }

    #[test]
    fn a_port_that_fails_open_stands_out_with_the_limit() {
        let mut open = port(1, true);
        (open.failing_open, open.n_macs, open.max_macs) = (Some(true), Some(2), Some(2));
        let counted = StatisticsAttributes {
            ifindex: Some(1),
            suppressed: Some(30),
            passed_unknown: Some(9),
            passed_failing_open: Some(1),
            passed_owned: Some(1000),
            ..Default::default()
        };
        let counted = HashMap::from([(1, counted)]);
        let records = port_records(&[&open], false, &counted, &Names::default());
        let wanted = "if1 failing-open macs 2 spared 75.0% passing all, since max_macs 2 of the port is reached\n";
        assert_eq!(text(&records[0]), wanted);
        // Of a port it is not known what was never made for it.
        let records = port_records(&[&port(1, true)], true, &counted, &Names::default());
        let wanted = "if1 enabled macs 0 spared - passing 9 so far that nobody owned\n";
        assert_eq!(text(&records[0]), wanted);
    }

    #[test]
    fn what_was_never_made_follows_only_where_each_mac_has_one_owner() {
        let bridge = |n_macs, n_offloaded| BridgeAttributes {
            n_macs: Some(n_macs),
            n_offloaded: Some(n_offloaded),
            ..Default::default()
        };
        let link = |index| route::Port {
            index,
            forwards: index != 5,
            floods: true,
            ..Default::default()
        };
        let mut links: Vec<_> = (1..=5).map(link).collect();
        let sums = StatisticsAttributes {
            suppressed: Some(30),
            passed_unknown: Some(10),
            passed_owned: Some(100),
            ..Default::default()
        };
        let hub = route::Bridge::default();
        let left_out = |left_out: u32, bridge, device, links: &[route::Port]| {
            let ports: Vec<_> = (1..=5).map(|index| port(index, index > left_out)).collect();
            let ports: Vec<_> = ports.iter().collect();
            let links: Vec<_> = links.iter().collect();
            never_made(&bridge, device, &ports, &links, &sums)
        };
        let copies = |bridge, device, links: &[route::Port]| left_out(0, bridge, device, links);
        // Two of the four that receive would have had a copy of each.
        assert_eq!(copies(bridge(7, 7), hub, &links), Some(170));
        // One of them is not enabled, and has its copy.
        assert_eq!(left_out(1, bridge(7, 7), hub, &links), Some(70));
        assert_eq!(copies(bridge(8, 7), hub, &links), None);
        assert_eq!(copies(bridge(0, 0), hub, &links), None);
        assert_eq!(copies(bridge(7, 7), hub, &links[..1]), None);
        let filtering = route::Bridge {
            filters_vlans: true,
            ..hub
        };
        assert_eq!(copies(bridge(7, 7), filtering, &links), None);
        links[0].is_isolated = true;
        assert_eq!(copies(bridge(7, 7), hub, &links), None);
        let share = spared(&sums, 170);
        assert!(matches!(share, Item::Percent(share) if (95.2..95.3).contains(&share)));
    }

    #[test]
    fn nothing_counted_is_no_share() {
        let records = port_records(&[&port(1, true)], false, &HashMap::new(), &Names::default());
        assert_eq!(text(&records[0]), "if1 enabled macs 0 spared -\n");
    }
}
