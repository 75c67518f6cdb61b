// SPDX-License-Identifier: GPL-2.0

//! `maclearn why`: which ports would get a copy of a frame for a MAC, and for which reason.
//!
//! It follows the frame: the bridge's own database (FDB) first, then the bridge's rules of
//! flooding, then maclearn at each port.

use std::collections::{BTreeSet, HashMap};

use clap::ArgMatches;
use maclearn_family::{
    BridgeAttributes, EntryAttributes, Mac, PortAttributes, StatisticsAttributes, UnknownUnicast,
    operation,
};

use super::{Context, statistics};
use crate::{
    devices::{self, Names},
    failure::Failure,
    output::{Item, Paint, Record},
    route::{self, Destination, Port, Route, Way},
};

/// What is known of a MAC at a bridge.
struct Facts<'a> {
    mac: Mac,
    vlan: u16,
    way: Way,
    /// Whether the bridge learns by itself.
    is_learning: bool,
    /// Whether maclearn lets every copy pass there, since the bridge has multiple spanning trees.
    passes_all: bool,
    /// The owners, in the VLAN.
    owners: Vec<&'a EntryAttributes>,
    /// The port where the frame comes in.
    from: Option<&'a Port>,
    ports: Vec<&'a Port>,
    settings: &'a HashMap<u32, PortAttributes>,
    counted: &'a HashMap<u32, StatisticsAttributes>,
    with_details: bool,
    names: &'a Names,
}

/// Whether a port gets the frame, and why.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    gets: bool,
    reason: String,
}

impl Verdict {
    fn yes(reason: impl Into<String>) -> Self {
        Self {
            gets: true,
            reason: reason.into(),
        }
    }

    fn no(reason: impl Into<String>) -> Self {
        Self {
            gets: false,
            reason: reason.into(),
        }
    }
}

/// Shows it for each bridge where the MAC is known, or for the one that was said.
pub fn show(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let Some(mac) = matches.get_one::<Mac>("mac").copied() else {
        return Ok(());
    };
    let said_vlan = ["vid", "vlan"]
        .into_iter()
        .find_map(|name| matches.get_one::<u16>(name).copied());
    let from = devices::said(matches, "from")?;
    let said_bridge = devices::said(matches, "br")?;
    let client = &mut context.client;
    let mut route = Route::open()?;
    let ports = route.ports()?;
    let from = from
        .map(|index| port_of(&ports, index, matches))
        .transpose()?;
    let bridge = said_bridge.or(from.map(|port| port.bridge));
    let filter = EntryAttributes {
        bridge,
        mac: Some(mac),
        ..Default::default()
    };
    let entries = client.list(&operation::ENTRY_GET, &filter)?;
    let settings = client.list(&operation::PORT_GET, &PortAttributes::default())?;
    let settings = settings
        .into_iter()
        .filter_map(|port| Some((port.ifindex?, port)))
        .collect();
    let bridges = match bridge {
        Some(bridge) => BTreeSet::from([bridge]),
        None => {
            let known: BTreeSet<_> = entries.iter().filter_map(|entry| entry.bridge).collect();
            match known.is_empty() {
                true => {
                    let all = client.list(&operation::BRIDGE_GET, &BridgeAttributes::default())?;
                    all.into_iter()
                        .filter_map(|bridge| bridge.ifindex)
                        .collect()
                }
                false => known,
            }
        }
    };
    let counted = match context.with_statistics {
        true => statistics::all(client)?,
        false => HashMap::new(),
    };
    let names = Names::all()?;
    let mut told = Vec::new();
    for bridge in bridges {
        let Some(device) = route.bridge(bridge)? else {
            // One that was said was there a moment ago.
            continue;
        };
        let owners = |vlan: u16| {
            let here = entries
                .iter()
                .filter(move |entry| entry.bridge == Some(bridge));
            here.filter(move |entry| entry.vlan.unwrap_or_default() == vlan)
                .collect::<Vec<_>>()
        };
        for vlan in vlans(device, bridge, said_vlan, &entries, &names)? {
            let facts = Facts {
                mac,
                vlan,
                way: match mac.is_group() {
                    true => Way::NONE,
                    false => route.way(bridge, mac, vlan)?,
                },
                is_learning: device.ageing_time != 0,
                passes_all: device.passes_all(),
                owners: owners(vlan),
                from,
                ports: ports.iter().filter(|port| port.bridge == bridge).collect(),
                settings: &settings,
                counted: &counted,
                with_details: context.with_details,
                names: &names,
            };
            told.push((facts.head(bridge), facts.verdicts()));
        }
    }
    let is_json = context.output.is_json();
    context.output.list(|emit| {
        for (mut head, verdicts) in told {
            if is_json {
                head.hidden("ports", Item::List(verdicts));
                emit(&head)?;
                continue;
            }
            emit(&head)?;
            for verdict in verdicts {
                emit(&verdict.indented())?;
            }
        }
        Ok(())
    })
}

fn port_of<'p>(ports: &'p [Port], index: u32, matches: &ArgMatches) -> Result<&'p Port, Failure> {
    ports
        .iter()
        .find(|port| port.index == index)
        .ok_or_else(|| devices::no_port(matches, "from"))
}

/// The VLANs to look at: the one that was said, or those where the MAC is known.
fn vlans(
    device: route::Bridge,
    bridge: u32,
    said: Option<u16>,
    entries: &[EntryAttributes],
    names: &Names,
) -> Result<BTreeSet<u16>, Failure> {
    let name = names.get(bridge);
    match (device.filters_vlans, said) {
        (false, None | Some(0)) => return Ok(BTreeSet::from([0])),
        (false, Some(_)) => {
            return Err(Failure::usage(format!(
                "Error: the bridge \"{name}\" does not filter VLANs."
            )));
        }
        (true, Some(vlan)) if vlan != 0 => return Ok(BTreeSet::from([vlan])),
        (true, _) => (),
    }
    let here = entries.iter().filter(|entry| entry.bridge == Some(bridge));
    // Those without a VLAN were learned before the bridge began to filter, and are not used.
    let known: BTreeSet<_> = here
        .filter_map(|entry| entry.vlan)
        .filter(|vlan| *vlan != 0)
        .collect();
    match known.is_empty() {
        true => Err(Failure::usage(format!(
            "Error: the bridge \"{name}\" filters VLANs: vlan is required for a MAC that it does not know."
        ))),
        false => Ok(known),
    }
}

impl Facts<'_> {
    /// Who owns the MAC, and what the FDB says.
    fn head(&self, bridge: u32) -> Record {
        let mut record = Record::new();
        record.title("mac", Item::Mac(self.mac));
        if self.vlan != 0 {
            record.field("vlan", Item::Number(self.vlan.into()));
        }
        record.field("master", Item::device(self.names.get(bridge)));
        record.field(
            "fdb",
            match self.way.to {
                Destination::Flooded => Item::Unknown,
                Destination::Host => Item::word("host"),
                Destination::Port(index) => Item::device(self.names.get(index)),
            },
        );
        if let (Destination::Port(_), Some(used)) = (self.way.to, self.way.used) {
            record.field("used", Item::Milliseconds(used));
            if let Some(updated) = self.way.updated.filter(|_| self.with_details) {
                record.field("updated", Item::Milliseconds(updated));
            }
        }
        let owners = self.owners.iter().map(|owner| {
            let mut record = Record::new();
            record.title(
                "ifname",
                Item::device(self.names.get(owner.port.unwrap_or_default())),
            );
            record.flag("static", owner.r#static == Some(true), Paint::Plain);
            if let Some(age) = owner.age {
                record.field("age", Item::Milliseconds(age));
            }
            // For this MAC and for others that the port owns.
            let counted = owner.port.and_then(|index| self.counted.get(&index));
            if let Some(passed) = counted.and_then(|counted| counted.passed_owned) {
                record.field("passed_owned", Item::Number(passed));
            }
            record
        });
        record.list("owners", owners.collect());
        record
    }

    fn verdicts(&self) -> Vec<Record> {
        let records = self.ports.iter().map(|port| {
            let Verdict { gets, reason } = self.verdict(port);
            let mut record = Record::new();
            record.title("ifname", Item::device(self.names.get(port.index)));
            record.choice("gets", gets, ["nothing", "copy"]);
            record.field("since", Item::word(reason));
            record
        });
        records.collect()
    }

    /// Whom the FDB sends it to, or the port that stands in for that one.
    fn receiver(&self) -> Destination {
        let Destination::Port(index) = self.way.to else {
            return self.way.to;
        };
        let without_link = |port: &&&Port| port.index == index && !port.has_link;
        let backup = self.ports.iter().find(without_link);
        Destination::Port(backup.and_then(|port| port.backup).unwrap_or(index))
    }

    /// Why the bridge does not take the frame at all, wherever it is for.
    fn kept_out(&self) -> Option<String> {
        let from = self.from?;
        let name = self.names.get(from.index);
        if !from.forwards {
            return Some(format!("{name} has no link or does not forward"));
        }
        (self.vlan != 0 && !from.vlans.contains(&self.vlan))
            .then(|| format!("{name} is not in VLAN {}", self.vlan))
    }

    fn verdict(&self, port: &Port) -> Verdict {
        let mut verdict = self.of_taken(port);
        // Whose frame it is was not said.
        if let Some(from) = self.from.filter(|from| from.is_locked && verdict.gets) {
            verdict.reason += &format!(
                "; but {} is locked, and only a sender that the bridge's fdb has there gets in",
                self.names.get(from.index)
            );
        }
        verdict
    }

    fn is_enabled(&self, port: &Port) -> bool {
        let settings = self.settings.get(&port.index);
        settings.and_then(|port| port.enabled) == Some(true)
    }

    /// Whether maclearn has offloaded the MAC, and makes a copy for the port as if it were flooded.
    fn is_mirrored_to(&self, port: &Port) -> bool {
        let mut owners = self.owners.iter();
        !self.is_enabled(port) && owners.any(|owner| owner.offloaded == Some(true))
    }

    /// What becomes of a frame, if a port that is locked takes it.
    fn of_taken(&self, port: &Port) -> Verdict {
        let destination = self.receiver();
        if let Some(why) = self.kept_out() {
            return Verdict::no(format!("the frame does not get in: {why}"));
        }
        if self.from == Some(port) && !port.is_hairpin {
            return Verdict::no("the frame comes from there");
        }
        match destination {
            Destination::Host => return Verdict::no("the MAC is one of this host"),
            Destination::Port(index) if index != port.index && !self.is_mirrored_to(port) => {
                let name = self.names.get(index);
                return Verdict::no(format!("the bridge's fdb sends it to {name} only"));
            }
            _ => (),
        }
        if !port.forwards {
            return Verdict::no("it has no link or does not forward");
        }
        if self.vlan != 0 && !port.vlans.contains(&self.vlan) {
            return Verdict::no(format!("it is not in VLAN {}", self.vlan));
        }
        if port.is_isolated && self.from.is_some_and(|from| from.is_isolated) {
            return Verdict::no("both ports are isolated");
        }
        if destination == Destination::Port(port.index) {
            return Verdict::yes(match destination == self.way.to {
                true => "the bridge's fdb sends it there",
                false => "it stands in for the port that the bridge's fdb sends it to",
            });
        }
        if self.mac.is_group() {
            return group(port, self.mac);
        }
        if !port.floods {
            return Verdict::no(match destination {
                Destination::Flooded => {
                    "flood is off at the port, and the bridge's fdb does not know the MAC"
                }
                _ => "flood is off at the port",
            });
        }
        if port.is_proxy_arp {
            return Verdict::no("proxy_arp is on at the port");
        }
        self.filtered(port)
    }

    /// What maclearn makes of a copy.
    fn filtered(&self, port: &Port) -> Verdict {
        if self.passes_all {
            return Verdict::yes("the bridge has mst_enabled and filters VLANs");
        }
        if !self.is_enabled(port) {
            return Verdict::yes(match self.is_mirrored_to(port) {
                true => "it is not enabled, and what is offloaded is mirrored to it",
                false => "it is not enabled",
            });
        }
        let settings = self.settings.get(&port.index);
        if self
            .owners
            .iter()
            .any(|owner| owner.port == Some(port.index))
        {
            return Verdict::yes("it owns the MAC");
        }
        if settings.and_then(|port| port.failing_open) == Some(true) {
            return Verdict::yes("it fails open: sources behind it could not be learned");
        }
        let owners = self.owners.iter().filter_map(|owner| owner.port);
        // What the bridge has forgotten, or found no room for.
        let is_left_to_it = |index| {
            self.ports
                .iter()
                .any(|port| port.index == index && (port.learns || port.is_locked))
        };
        let is_forgotten = self.is_learning && owners.clone().all(is_left_to_it);
        // What a port owns that can't receive keeps nothing from others.
        let forwarding: Vec<_> = owners
            .filter(|index| {
                self.ports
                    .iter()
                    .any(|port| port.index == *index && port.forwards)
            })
            .filter(|_| !is_forgotten)
            .map(|index| self.names.get(index))
            .collect();
        if !forwarding.is_empty() {
            return Verdict::no(format!("{} owns the MAC", forwarding.join(", ")));
        }
        let nobody = match self.owners.is_empty() {
            true => "nobody owns the MAC",
            false if is_forgotten => "the bridge learns, and its fdb does not have the MAC",
            false => "its owners can't receive",
        };
        match settings.and_then(|port| port.unknown_unicast) {
            Some(UnknownUnicast::Suppress) => {
                Verdict::no(format!("{nobody}, and unknown_unicast is suppress"))
            }
            _ => Verdict::yes(nobody),
        }
    }
}

/// What a port gets of a frame for a group.
fn group(port: &Port, mac: Mac) -> Verdict {
    let (floods, setting) = match mac == Mac([0xff; 6]) {
        true => (port.floods_broadcast, "bcast_flood"),
        false => (port.floods_multicast, "mcast_flood"),
    };
    match (floods, port.is_proxy_arp) {
        (false, _) => Verdict::no(format!("{setting} is off at the port")),
        (_, true) => Verdict::no("proxy_arp is on at the port"),
        _ => Verdict::yes("what is for a group always passes, but for the bridge's mdb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 1, 1]);

    fn port(index: u32) -> Port {
        Port {
            index,
            bridge: 1,
            forwards: true,
            has_link: true,
            floods: true,
            floods_broadcast: true,
            ..Default::default()
        }
    }

    fn enabled(index: u32) -> (u32, PortAttributes) {
        let settings = PortAttributes {
            ifindex: Some(index),
            enabled: Some(true),
            unknown_unicast: Some(UnknownUnicast::Flood),
            ..Default::default()
        };
        (index, settings)
    }

    fn owner(index: u32) -> EntryAttributes {
        EntryAttributes {
            port: Some(index),
            mac: Some(MAC),
            ..Default::default()
        }
    }

    /// What a case has else than the others: ports, their settings, owners, whom the bridge sends
    /// the frame to, its VLAN.
    type Change<'a> = dyn Fn(
            &mut Vec<Port>,
            &mut HashMap<u32, PortAttributes>,
            &mut Vec<EntryAttributes>,
            &mut Destination,
            &mut u16,
        ) + 'a;

    /// What port 3 gets of a frame from port 2 for a MAC that port 4 owns, after changes to all
    /// that.
    fn verdict(change: &Change) -> Verdict {
        verdict_for(MAC, false, change)
    }

    /// The same with a frame for another MAC, or at a bridge that learns.
    fn verdict_for(mac: Mac, is_learning: bool, change: &Change) -> Verdict {
        verdict_at(1, mac, is_learning, false, change)
    }

    /// The same of the port at another place, or at a bridge with multiple spanning trees.
    fn verdict_at(
        at: usize,
        mac: Mac,
        is_learning: bool,
        passes_all: bool,
        change: &Change,
    ) -> Verdict {
        let mut ports = vec![port(2), port(3), port(4)];
        let mut settings = HashMap::from([enabled(2), enabled(3), enabled(4)]);
        let mut owners = vec![owner(4)];
        let (mut destination, mut vlan) = (Destination::Flooded, 0);
        change(
            &mut ports,
            &mut settings,
            &mut owners,
            &mut destination,
            &mut vlan,
        );
        let facts = Facts {
            mac,
            vlan,
            way: Way {
                to: destination,
                ..Way::NONE
            },
            is_learning,
            passes_all,
            owners: owners.iter().collect(),
            from: ports.first(),
            ports: ports.iter().collect(),
            settings: &settings,
            counted: &HashMap::new(),
            with_details: false,
            names: &Names::default(),
        };
        facts.verdict(&ports[at])
    }

    #[test]
    fn follows_the_frame() {
        let no = |reason: &str| Verdict::no(reason);
        let yes = |reason: &str| Verdict::yes(reason);
        assert_eq!(verdict(&|_, _, _, _, _| ()), no("if4 owns the MAC"));
        assert_eq!(
            verdict(&|_, _, owners, _, _| owners.push(owner(3))),
            yes("it owns the MAC")
        );
        assert_eq!(
            verdict(&|_, _, owners, _, _| owners.clear()),
            yes("nobody owns the MAC")
        );
        assert_eq!(
            verdict(&|_, settings, owners, _, _| {
                owners.clear();
                settings.get_mut(&3).unwrap().unknown_unicast = Some(UnknownUnicast::Suppress);
            }),
            no("nobody owns the MAC, and unknown_unicast is suppress")
        );
        assert_eq!(
            verdict(&|ports, _, _, _, _| ports[2].forwards = false),
            yes("its owners can't receive")
        );
        assert_eq!(
            verdict(&|_, settings, _, _, _| settings.get_mut(&3).unwrap().enabled = Some(false)),
            yes("it is not enabled")
        );
        assert_eq!(
            verdict(
                &|_, settings, _, _, _| settings.get_mut(&3).unwrap().failing_open = Some(true)
            ),
            yes("it fails open: sources behind it could not be learned")
        );
        assert_eq!(
            verdict(&|_, _, _, destination, _| *destination = Destination::Port(4)),
            no("the bridge's fdb sends it to if4 only")
        );
        assert_eq!(
            verdict(&|_, _, _, destination, _| *destination = Destination::Port(3)),
            yes("the bridge's fdb sends it there")
        );
        // What maclearn has offloaded is mirrored, and what else is in the fdb is not.
        let left_out = |is_offloaded, change: fn(&mut Port)| {
            verdict(&|ports, settings, owners, destination, _| {
                settings.get_mut(&3).unwrap().enabled = Some(false);
                owners[0].offloaded = Some(is_offloaded);
                *destination = Destination::Port(4);
                change(&mut ports[1]);
            })
        };
        assert_eq!(
            left_out(true, |_| ()),
            yes("it is not enabled, and what is offloaded is mirrored to it")
        );
        assert_eq!(
            left_out(false, |_| ()),
            no("the bridge's fdb sends it to if4 only")
        );
        assert_eq!(
            left_out(true, |port| port.floods = false),
            no("flood is off at the port")
        );
        assert_eq!(
            verdict(&|_, _, _, destination, _| *destination = Destination::Host),
            no("the MAC is one of this host")
        );
        assert_eq!(
            verdict(&|ports, _, _, _, _| ports[1].forwards = false),
            no("it has no link or does not forward")
        );
        assert_eq!(
            verdict(&|ports, _, _, _, vlan| {
                *vlan = 10;
                ports[0].vlans.insert(10);
            }),
            no("it is not in VLAN 10")
        );
        assert_eq!(
            verdict(&|_, _, _, _, vlan| *vlan = 10),
            no("the frame does not get in: if2 is not in VLAN 10")
        );
        assert_eq!(
            verdict(&|ports, _, _, _, _| ports[0].forwards = false),
            no("the frame does not get in: if2 has no link or does not forward")
        );
        assert_eq!(
            verdict(&|ports, _, _, destination, _| {
                *destination = Destination::Port(4);
                (ports[2].has_link, ports[2].backup) = (false, Some(3));
            }),
            yes("it stands in for the port that the bridge's fdb sends it to")
        );
        assert_eq!(
            verdict(&|ports, _, owners, _, _| {
                owners.clear();
                ports[0].is_locked = true;
            }),
            yes(
                "nobody owns the MAC; but if2 is locked, and only a sender that the bridge's fdb has there gets in"
            )
        );
        let group = Mac([0xff; 6]);
        assert_eq!(
            verdict_for(group, false, &|_, _, _, _, _| ()),
            yes("what is for a group always passes, but for the bridge's mdb")
        );
        assert_eq!(
            verdict_for(group, false, &|ports, _, _, _, _| ports[1]
                .floods_broadcast =
                false),
            no("bcast_flood is off at the port")
        );
        assert_eq!(
            verdict_for(MAC, true, &|_, _, _, _, _| ()),
            no("if4 owns the MAC")
        );
        assert_eq!(
            verdict_for(MAC, true, &|ports, _, _, _, _| ports[2].learns = true),
            yes("the bridge learns, and its fdb does not have the MAC")
        );
        assert_eq!(
            verdict(&|ports, _, _, _, _| ports.iter_mut().for_each(|port| port.is_isolated = true)),
            no("both ports are isolated")
        );
        assert_eq!(
            verdict(&|ports, _, _, _, _| ports[1].floods = false),
            no("flood is off at the port, and the bridge's fdb does not know the MAC")
        );
    }

    #[test]
    fn a_frame_goes_back_through_a_hairpin_port_alone() {
        let back = |is_hairpin, change: fn(&mut Vec<EntryAttributes>, &mut Destination)| {
            verdict_at(0, MAC, false, false, &|ports, _, owners, destination, _| {
                ports[0].is_hairpin = is_hairpin;
                change(owners, destination);
            })
        };
        let comes = Verdict::no("the frame comes from there");
        assert_eq!(back(false, |owners, _| owners.clear()), comes);
        assert_eq!(back(false, |_, to| *to = Destination::Port(2)), comes);
        let nobodys = back(true, |owners, _| owners.clear());
        assert_eq!(nobodys, Verdict::yes("nobody owns the MAC"));
        assert_eq!(back(true, |_, _| ()), Verdict::no("if4 owns the MAC"));
        let own = back(true, |owners, _| owners.push(owner(2)));
        assert_eq!(own, Verdict::yes("it owns the MAC"));
        let forwarded = back(true, |_, to| *to = Destination::Port(2));
        assert_eq!(forwarded, Verdict::yes("the bridge's fdb sends it there"));
        let elsewhere = back(true, |_, to| *to = Destination::Port(4));
        let only = Verdict::no("the bridge's fdb sends it to if4 only");
        assert_eq!(elsewhere, only);
    }

    #[test]
    fn a_bridge_with_multiple_spanning_trees_keeps_nothing_back() {
        let verdict = |change: fn(&mut Vec<Port>)| {
            verdict_at(1, MAC, false, true, &|ports, settings, _, _, _| {
                let settings = settings.get_mut(&3).unwrap();
                settings.unknown_unicast = Some(UnknownUnicast::Suppress);
                change(ports);
            })
        };
        let passes = Verdict::yes("the bridge has mst_enabled and filters VLANs");
        assert_eq!(verdict(|_| ()), passes);
        // The bridge itself does.
        let off =
            Verdict::no("flood is off at the port, and the bridge's fdb does not know the MAC");
        assert_eq!(verdict(|ports| ports[1].floods = false), off);
    }
}
