// SPDX-License-Identifier: GPL-2.0

//! Whether a bridge can be told where MACs are although it has ports that are not enabled, as far
//! as that can be seen from outside: the module then mirrors frames to these. What of the module's
//! conditions does not show is whether a port is a hardware switch's.

use maclearn_family::{BridgeAttributes, FdbOffload, PortAttributes};

use crate::{devices::Names, kernel, route};

/// Least number of enabled ports for which the module mirrors (`PAYS_FROM` there).
const PAYS_FROM: usize = 4;

/// Ports that are not enabled for which it takes one enabled port more (`UNFILTERED_A_PORT`).
const UNFILTERED_A_PORT: usize = 15;

/// Why the module does not mirror.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// So few ports are enabled that it would cost more than it spares; it takes so many.
    Few(usize),
    /// The kernel is PREEMPT_RT.
    Realtime,
    /// A port has a setting of the bridge, by its name, with which it would not do what flooding
    /// does.
    Setting(u32, &'static str),
    /// The bridge snoops multicast, and there is a querier.
    Querier,
    /// `fdb_offload` says so.
    Filtered,
}

impl Obstacle {
    /// What is said of it.
    pub fn text(self, names: &Names) -> String {
        match self {
            Self::Few(least) => format!("fewer than {least} ports are"),
            Self::Realtime => "the kernel is PREEMPT_RT".to_string(),
            Self::Setting(port, setting) => format!("{} has {setting}", names.get(port)),
            Self::Querier => "there is a multicast querier".to_string(),
            Self::Filtered => "fdb_offload is filtered".to_string(),
        }
    }
}

/// What keeps the module from mirroring on any bridge of this host.
pub fn obstacle_of_host() -> Option<Obstacle> {
    kernel::is_realtime().then_some(Obstacle::Realtime)
}

/// What keeps the module from mirroring to the ports of a bridge that are not enabled, if there are
/// such ports. That MACs may be offloaded there at all is seen to elsewhere.
pub fn obstacle<'a>(
    bridge: &BridgeAttributes,
    device: route::Bridge,
    ports: impl Iterator<Item = (&'a PortAttributes, Option<&'a route::Port>)>,
    host: Option<Obstacle>,
) -> Option<Obstacle> {
    let (enabled, left_out): (Vec<_>, Vec<_>) =
        ports.partition(|(port, _)| port.enabled == Some(true));
    if left_out.is_empty() {
        return None;
    }
    let least = PAYS_FROM + left_out.len() / UNFILTERED_A_PORT;
    if enabled.len() < least {
        return Some(Obstacle::Few(least));
    }
    if host.is_some() {
        return host;
    }
    let links = |ports: &[(_, Option<&'a route::Port>)]| {
        let links = ports.iter().filter_map(|(_, link)| *link);
        links.collect::<Vec<_>>()
    };
    let (enabled, left_out) = (links(&enabled), links(&left_out));
    let suppresses = left_out.iter().find_map(|link| {
        let setting = link.keeps_back.first()?;
        Some(Obstacle::Setting(link.index, setting))
    });
    let mut all = enabled.iter().chain(&left_out);
    let tunnels = all.find(|link| link.is_vlan_tunnel);
    let tunnels = tunnels.map(|link| Obstacle::Setting(link.index, "vlan_tunnel"));
    let querier = device.has_querier.then_some(Obstacle::Querier);
    let is_filtered = bridge.fdb_offload == Some(FdbOffload::Filtered);
    let filtered = is_filtered.then_some(Obstacle::Filtered);
    suppresses.or(tunnels).or(querier).or(filtered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_when_the_module_mirrors() {
        let module = include_str!("../../../../rust/work/mirror.rs");
        for constant in [
            format!("const PAYS_FROM: usize = {PAYS_FROM};"),
            format!("const UNFILTERED_A_PORT: usize = {UNFILTERED_A_PORT};"),
        ] {
            assert!(module.contains(&constant), "{constant}");
        }
    }

    #[test]
    fn finds_what_keeps_it_from_mirroring() {
        let found = |enabled, left_out, change: fn(&mut BridgeAttributes, &mut route::Bridge, &mut [route::Port])| {
            let mut bridge = BridgeAttributes {
                fdb_offload: Some(FdbOffload::Auto),
                ..Default::default()
            };
            let mut device = route::Bridge::default();
            let (mut settings, mut links) = (Vec::new(), Vec::new());
            for index in 1..=enabled + left_out {
                settings.push(PortAttributes {
                    enabled: Some(index <= enabled),
                    ..Default::default()
                });
                links.push(route::Port {
                    index,
                    ..Default::default()
                });
            }
            change(&mut bridge, &mut device, &mut links);
            let ports = settings.iter().zip(links.iter().map(Some));
            let host = (device.ageing_time == 1).then_some(Obstacle::Realtime);
            let obstacle = obstacle(&bridge, device, ports, host);
            obstacle.map(|obstacle| obstacle.text(&Names::default()))
        };
        assert_eq!(found(2, 0, |_, _, _| ()), None);
        assert_eq!(
            found(3, 1, |_, _, _| ()).as_deref(),
            Some("fewer than 4 ports are")
        );
        assert_eq!(found(4, 1, |_, _, _| ()), None);
        assert_eq!(found(4, 14, |_, _, _| ()), None);
        assert_eq!(
            found(4, 15, |_, _, _| ()).as_deref(),
            Some("fewer than 5 ports are")
        );
        let found = |change| found(4, 1, change);
        let realtime = found(|_, device, _| device.ageing_time = 1);
        assert_eq!(realtime.as_deref(), Some("the kernel is PREEMPT_RT"));
        // At an enabled port it is no matter.
        assert_eq!(
            found(|_, _, links| links[0].keeps_back = vec!["neigh_suppress"]),
            None
        );
        let suppresses = found(|_, _, links| links[4].keeps_back = vec!["neigh_suppress"]);
        assert_eq!(suppresses.as_deref(), Some("if5 has neigh_suppress"));
        for tunnels in [
            found(|_, _, links| links[0].is_vlan_tunnel = true),
            found(|_, _, links| links[4].is_vlan_tunnel = true),
        ] {
            assert!(tunnels.is_some_and(|text| text.ends_with(" has vlan_tunnel")));
        }
        let querier = found(|_, device, _| device.has_querier = true);
        assert_eq!(querier.as_deref(), Some("there is a multicast querier"));
        let filtered = found(|bridge, _, _| bridge.fdb_offload = Some(FdbOffload::Filtered));
        assert_eq!(filtered.as_deref(), Some("fdb_offload is filtered"));
    }
}
