// SPDX-License-Identifier: GPL-2.0

//! What the bridge itself knows, asked by rtnetlink: its ports, whether it filters VLANs, and whom
//! its forwarding database (FDB) sends a frame to.

use std::collections::HashSet;

use maclearn_family::{
    Connection, Error, Listener, Mac,
    message::{self, attribute, number},
    protocols::NETLINK_ROUTE,
};
use nix::libc;

// <linux/rtnetlink.h>, <linux/if.h>, <linux/if_link.h>, <linux/if_bridge.h>, <linux/neighbour.h>
const NEW_LINK: u16 = 16;
const DEL_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const GET_NEIGHBOUR: u16 = 30;
const AF_BRIDGE: u8 = 7;
const FILTER_VLANS: u32 = 1 << 1;
const LINK_NAME: u16 = 3;
const LINK_MASTER: u16 = 10;
const LINK_PORT: u16 = 12;
const LINK_INFO: u16 = 18;
const LINK_FAMILY: u16 = 26;
const LINK_FILTER: u16 = 29;
const INFO_DATA: u16 = 2;
const BRIDGE_AGEING_TIME: u16 = 4;
const BRIDGE_FILTERS_VLANS: u16 = 7;
const BRIDGE_CALLS_IPTABLES: u16 = 36;
const BRIDGE_CALLS_IP6TABLES: u16 = 37;
const BRIDGE_OPTIONS: u16 = 46;
const BRIDGE_QUERIERS: u16 = 47;
/// `BR_BOOLOPT_MST_ENABLE`
const OPTION_MST: u32 = 1 << 2;
const PORT_STATE: u16 = 1;
const PORT_HAIRPIN: u16 = 4;
const PORT_LEARNING: u16 = 8;
const PORT_FLOOD: u16 = 9;
const PORT_PROXY_ARP: u16 = 10;
const PORT_PROXY_ARP_WIFI: u16 = 12;
const PORT_MULTICAST_FLOOD: u16 = 27;
const PORT_VLAN_TUNNEL: u16 = 29;
const PORT_BROADCAST_FLOOD: u16 = 30;
const PORT_NEIGH_SUPPRESS: u16 = 32;
const PORT_ISOLATED: u16 = 33;
const PORT_BACKUP: u16 = 34;
const PORT_LOCKED: u16 = 39;
const PORT_NEIGH_VLAN_SUPPRESS: u16 = 43;
const FAMILY_VLAN: u16 = 2;
const NEIGHBOUR_MAC: u16 = 2;
const NEIGHBOUR_TIMES: u16 = 3;
const NEIGHBOUR_VLAN: u16 = 5;
const NEIGHBOUR_MASTER: u16 = 9;
const PERMANENT: u16 = 0x80;

const FORWARDING: u8 = 3;
const UP: u32 = 1;
const RUNNING: u32 = 1 << 6;

/// Ticks of a second in what rtnetlink tells (`USER_HZ`).
const TICKS: u32 = 100;

/// Bytes of `struct ifinfomsg` and `struct ndmsg`.
const LINK_HEADER: usize = 16;
const NEIGHBOUR_HEADER: usize = 12;

/// A port as the bridge has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Port {
    /// Its interface index.
    pub index: u32,
    /// Its bridge.
    pub bridge: u32,
    /// Whether it sends and receives: the spanning tree lets it, and it has a link.
    pub forwards: bool,
    /// Whether it is up and has a link.
    pub has_link: bool,
    /// Whether it gets copies of what the FDB does not know.
    pub floods: bool,
    /// Whether it gets multicast.
    pub floods_multicast: bool,
    /// Whether it gets broadcast.
    pub floods_broadcast: bool,
    /// Whether it gets back what comes from there.
    pub is_hairpin: bool,
    /// Whether the bridge, if it learns, does so there.
    pub learns: bool,
    /// Whether the bridge takes from there only what its FDB has there.
    pub is_locked: bool,
    /// Who gets what is forwarded to it while it has no link.
    pub backup: Option<u32>,
    /// Whether the bridge answers ARP for it, and floods nothing there.
    pub is_proxy_arp: bool,
    /// Whether it gets nothing from other such ports.
    pub is_isolated: bool,
    /// Other settings than these for which the MACs behind it are not offloaded, by their names.
    pub keeps_back: Vec<&'static str>,
    /// Whether it maps VLANs to tunnels (`vlan_tunnel`).
    pub is_vlan_tunnel: bool,
    /// The VLANs that it is in, where the bridge filters them.
    pub vlans: HashSet<u16>,
}

/// A bridge by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bridge {
    /// Whether it filters VLANs.
    pub filters_vlans: bool,
    /// Seconds after which it forgets a MAC; 0 is a hub.
    pub ageing_time: u32,
    /// Whether the IPv4 packets that it bridges pass iptables, wherever it is said for all bridges.
    pub calls_iptables: bool,
    /// The same of IPv6.
    pub calls_ip6tables: bool,
    /// Whether it has multiple spanning trees (`mst_enabled`).
    pub has_mst: bool,
    /// Whether it snoops multicast and knows of a querier.
    pub has_querier: bool,
}

impl Bridge {
    /// Whether maclearn learns nothing and lets every copy pass there.
    pub fn passes_all(&self) -> bool {
        self.has_mst && self.filters_vlans
    }
}

/// Whom the bridge's FDB sends frames for a MAC to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// It has no entry: copies go to all ports.
    Flooded,
    /// The host that the bridge is on.
    Host,
    /// One port.
    Port(u32),
}

/// What the FDB says of a MAC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// Whom frames are sent to.
    pub to: Destination,
    /// Milliseconds since the last one from a port, or since the entry was made.
    pub used: Option<u32>,
    /// Milliseconds since the entry was made, or said again by whoever made it.
    pub updated: Option<u32>,
}

impl Way {
    /// There is no entry.
    pub const NONE: Self = Self {
        to: Destination::Flooded,
        used: None,
        updated: None,
    };
}

/// What rtnetlink tells of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// It is there, has this name, and filters VLANs or not, if it is a bridge.
    There(u32, String, Option<bool>),
    /// It is gone.
    Gone(u32),
}

/// Listens to what rtnetlink tells of devices: they come, change or go.
pub fn listen() -> Result<Listener, Error> {
    /// `RTNLGRP_LINK`
    const LINKS: u32 = 1;
    Listener::open(NETLINK_ROUTE, LINKS)
}

/// What a message says, if it is about a device and not about its being a port.
pub fn told(kind: u16, message: &[u8]) -> Option<Told> {
    if message.first() == Some(&AF_BRIDGE) {
        return None;
    }
    let index = at(message, 4)?;
    match kind {
        NEW_LINK => {
            let name = attribute(after(message, LINK_HEADER)?, LINK_NAME)?;
            let name = name.strip_suffix(b"\0").unwrap_or(name);
            let filters = bridge(message).map(|bridge| bridge.filters_vlans);
            let name = String::from_utf8_lossy(name).into();
            Some(Told::There(index, name, filters))
        }
        DEL_LINK => Some(Told::Gone(index)),
        _ => None,
    }
}

/// Whether a bridge, which filters VLANs or not, uses an entry of this VLAN, 0 for none: not one of
/// before it began to filter them, or stopped. If it is not known whether it does, it is taken to.
pub fn uses_entry(filters_vlans: Option<bool>, vlan: u16) -> bool {
    filters_vlans.is_none_or(|filters| filters == (vlan != 0))
}

/// Asks rtnetlink.
pub struct Route(Connection);

impl Route {
    /// Connects, in the network namespace that the thread is in.
    pub fn open() -> Result<Self, Error> {
        let mut connection = Connection::open(NETLINK_ROUTE)?;
        connection.be_strict()?;
        Ok(Self(connection))
    }

    /// The ports of all bridges.
    pub fn ports(&mut self) -> Result<Vec<Port>, Error> {
        let mut body = vec![0; LINK_HEADER];
        if let Some(family) = body.first_mut() {
            *family = AF_BRIDGE;
        }
        message::put(&mut body, LINK_FILTER, &FILTER_VLANS.to_ne_bytes());
        let mut ports = Vec::new();
        self.0.dump(GET_LINK, &body, |link| {
            ports.extend(port(link));
            Ok::<_, Error>(())
        })?;
        Ok(ports)
    }

    /// A bridge, if it is still there.
    pub fn bridge(&mut self, index: u32) -> Result<Option<Bridge>, Error> {
        let mut body = vec![0; 4];
        body.extend_from_slice(&index.to_ne_bytes());
        body.resize(LINK_HEADER, 0);
        let mut found = Bridge::default();
        let said = self.0.ask(GET_LINK, &body, |link| {
            found = bridge(link).unwrap_or_default();
            Ok::<_, Error>(())
        });
        Ok(unless_gone(said)?.map(|()| found))
    }

    /// Whom a bridge sends frames for `mac` to; `vlan` is 0 where it filters none.
    pub fn way(&mut self, bridge: u32, mac: Mac, vlan: u16) -> Result<Way, Error> {
        let mut body = vec![0; NEIGHBOUR_HEADER];
        if let Some(family) = body.first_mut() {
            *family = AF_BRIDGE;
        }
        message::put(&mut body, NEIGHBOUR_MAC, &mac.0);
        message::put(&mut body, NEIGHBOUR_MASTER, &bridge.to_ne_bytes());
        if vlan != 0 {
            message::put(&mut body, NEIGHBOUR_VLAN, &vlan.to_ne_bytes());
        }
        let mut found = Way::NONE;
        let said = self.0.ask(GET_NEIGHBOUR, &body, |entry| {
            found = way(entry, bridge).unwrap_or(Way::NONE);
            Ok::<_, Error>(())
        });
        match said {
            Err(Error::Refused(refusal)) if refusal.error == libc::ENOENT => Ok(Way::NONE),
            Err(error) => Err(error),
            Ok(()) => Ok(found),
        }
    }
}

/// What was done, or nothing if the kernel says that the device is gone, or the module is.
pub fn unless_gone<T>(done: Result<T, Error>) -> Result<Option<T>, Error> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Error::Refused(refusal)) if [libc::ENODEV, libc::ENOENT].contains(&refusal.error) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn after(message: &[u8], header: usize) -> Option<&[u8]> {
    message.get(header..)
}

fn switch(told: &[u8], wanted: u16) -> Option<bool> {
    attribute(told, wanted)?.first().map(|byte| *byte != 0)
}

/// The number at an offset of a message.
fn at(message: &[u8], offset: usize) -> Option<u32> {
    message
        .get(offset..offset + 4)
        .and_then(number)
        .map(u32::from_ne_bytes)
}

fn bridge(link: &[u8]) -> Option<Bridge> {
    let told = attribute(after(link, LINK_HEADER)?, LINK_INFO)?;
    let data = attribute(told, INFO_DATA)?;
    let ticks = attribute(data, BRIDGE_AGEING_TIME).and_then(number)?;
    Some(Bridge {
        filters_vlans: switch(data, BRIDGE_FILTERS_VLANS)?,
        ageing_time: u32::from_ne_bytes(ticks) / TICKS,
        calls_iptables: switch(data, BRIDGE_CALLS_IPTABLES) == Some(true),
        calls_ip6tables: switch(data, BRIDGE_CALLS_IP6TABLES) == Some(true),
        // `struct br_boolopt_multi`: values, which of them are meant.
        has_mst: attribute(data, BRIDGE_OPTIONS)
            .and_then(|options| at(options, 0))
            .is_some_and(|options| options & OPTION_MST != 0),
        has_querier: attribute(data, BRIDGE_QUERIERS).is_some_and(|queriers| !queriers.is_empty()),
    })
}

fn port(link: &[u8]) -> Option<Port> {
    let told = after(link, LINK_HEADER)?;
    // A bridge is told of in the same dump, but is no port.
    let about = attribute(told, LINK_PORT)?;
    let flags = at(link, 8)?;
    let is_up = flags & UP != 0 && flags & RUNNING != 0;
    let is = |wanted| switch(about, wanted) == Some(true);
    let floods = |wanted| switch(about, wanted) != Some(false);
    let reasons = [
        ("neigh_suppress", is(PORT_NEIGH_SUPPRESS)),
        ("neigh_vlan_suppress", is(PORT_NEIGH_VLAN_SUPPRESS)),
        ("proxy_arp_wifi", is(PORT_PROXY_ARP_WIFI)),
    ];
    let backup = attribute(about, PORT_BACKUP).and_then(number);
    let vlans = attribute(told, LINK_FAMILY).unwrap_or_default();
    let vlans = message::attributes(vlans).filter(|(kind, _)| *kind == FAMILY_VLAN);
    Some(Port {
        index: at(link, 4)?,
        bridge: attribute(told, LINK_MASTER)
            .and_then(number)
            .map(u32::from_ne_bytes)?,
        forwards: attribute(about, PORT_STATE)?.first() == Some(&FORWARDING) && is_up,
        has_link: is_up,
        floods: floods(PORT_FLOOD),
        floods_multicast: floods(PORT_MULTICAST_FLOOD),
        floods_broadcast: floods(PORT_BROADCAST_FLOOD),
        is_hairpin: is(PORT_HAIRPIN),
        learns: is(PORT_LEARNING),
        is_locked: is(PORT_LOCKED),
        backup: backup.map(u32::from_ne_bytes),
        is_proxy_arp: is(PORT_PROXY_ARP),
        is_isolated: is(PORT_ISOLATED),
        keeps_back: reasons
            .into_iter()
            .filter_map(|(name, is_so)| is_so.then_some(name))
            .collect(),
        is_vlan_tunnel: is(PORT_VLAN_TUNNEL),
        // `struct bridge_vlan_info`: flags, number.
        vlans: vlans
            .filter_map(|(_, vlan)| vlan.get(2..4).and_then(number).map(u16::from_ne_bytes))
            .collect(),
    })
}

fn way(entry: &[u8], bridge: u32) -> Option<Way> {
    let port = at(entry, 4)?;
    let state = entry.get(8..10).and_then(number).map(u16::from_ne_bytes)?;
    // `struct nda_cacheinfo`: confirmed, used, updated, references.
    let times = attribute(after(entry, NEIGHBOUR_HEADER)?, NEIGHBOUR_TIMES);
    let time = |offset| {
        let ticks = times.and_then(|times| at(times, offset));
        ticks.map(|ticks| ticks.saturating_mul(1000 / TICKS))
    };
    Some(Way {
        to: match state & PERMANENT != 0 || port == bridge {
            true => Destination::Host,
            false => Destination::Port(port),
        },
        used: time(4),
        updated: time(8),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bridge_that_is_gone_is_no_failure() {
        let nobody = i32::MAX.unsigned_abs();
        let mut route = Route::open().unwrap();
        assert_eq!(route.bridge(nobody).unwrap(), None);
    }

    #[test]
    fn reads_a_port() {
        let mut link = vec![AF_BRIDGE, 0, 1, 0];
        link.extend_from_slice(&7u32.to_ne_bytes());
        link.extend_from_slice(&0x1_1043u32.to_ne_bytes());
        link.extend_from_slice(&[0; 4]);
        let (mut about, mut vlans) = (Vec::new(), Vec::new());
        message::put(&mut about, PORT_STATE, &[FORWARDING]);
        message::put(&mut about, PORT_FLOOD, &[0]);
        message::put(&mut about, PORT_HAIRPIN, &[1]);
        message::put(&mut about, PORT_BACKUP, &9u32.to_ne_bytes());
        message::put(&mut vlans, FAMILY_VLAN, &[0, 0, 10, 0]);
        message::put(&mut vlans, FAMILY_VLAN, &[0, 0, 20, 0]);
        message::put(&mut link, LINK_MASTER, &3u32.to_ne_bytes());
        message::put(&mut link, LINK_PORT, &about);
        message::put(&mut link, LINK_FAMILY, &vlans);
        let wanted = Port {
            index: 7,
            bridge: 3,
            forwards: true,
            has_link: true,
            floods_multicast: true,
            floods_broadcast: true,
            is_hairpin: true,
            backup: Some(9),
            vlans: HashSet::from([10, 20]),
            ..Default::default()
        };
        assert_eq!(port(&link), Some(wanted));
    }

    #[test]
    fn reads_a_bridge_and_whether_it_lets_every_copy_pass() {
        let read = |filters: u8, options: u32| {
            let (mut link, mut info, mut data) = (vec![0; LINK_HEADER], Vec::new(), Vec::new());
            message::put(&mut data, BRIDGE_AGEING_TIME, &30_000u32.to_ne_bytes());
            message::put(&mut data, BRIDGE_FILTERS_VLANS, &[filters]);
            let options = [options.to_ne_bytes(), [0xff; 4]].concat();
            message::put(&mut data, BRIDGE_OPTIONS, &options);
            // The address of one, and none of IPv6.
            message::put(&mut data, BRIDGE_QUERIERS, &[8, 0, 1, 0, 10, 0, 0, 1]);
            message::put(&mut info, INFO_DATA, &data);
            message::put(&mut link, LINK_INFO, &info);
            bridge(&link).unwrap()
        };
        let wanted = Bridge {
            filters_vlans: true,
            ageing_time: 300,
            calls_iptables: false,
            calls_ip6tables: false,
            has_mst: true,
            has_querier: true,
        };
        assert_eq!(read(1, OPTION_MST), wanted);
        assert!(wanted.passes_all());
        assert!(!read(1, !OPTION_MST).passes_all() && !read(0, OPTION_MST).passes_all());
    }

    #[test]
    fn reads_where_a_mac_is_sent_to_and_when_it_last_was() {
        let mut entry = vec![AF_BRIDGE, 0, 0, 0];
        entry.extend_from_slice(&7u32.to_ne_bytes());
        entry.extend_from_slice(&[0; 4]);
        let times: Vec<u8> = [1u32, 25, 3, 4]
            .iter()
            .flat_map(|time| time.to_ne_bytes())
            .collect();
        message::put(&mut entry, NEIGHBOUR_TIMES, &times);
        let there = Way {
            to: Destination::Port(7),
            used: Some(250),
            updated: Some(30),
        };
        assert_eq!(way(&entry, 1), Some(there));
        assert_eq!(way(&entry, 7).map(|way| way.to), Some(Destination::Host));
    }

    #[test]
    fn hears_of_devices_but_not_of_ports() {
        let mut link = vec![0; 4];
        link.extend_from_slice(&7u32.to_ne_bytes());
        link.resize(LINK_HEADER, 0);
        message::put(&mut link, LINK_NAME, b"vnet0\0");
        assert_eq!(
            told(NEW_LINK, &link),
            Some(Told::There(7, "vnet0".into(), None))
        );
        assert_eq!(told(DEL_LINK, &link), Some(Told::Gone(7)));
        link[0] = AF_BRIDGE;
        assert_eq!(told(DEL_LINK, &link), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = told(NEW_LINK, &bytes);
            let _ = port(&bytes);
            let _ = way(&bytes, 1);
            let _ = bridge(&bytes);
        }
    }
}
