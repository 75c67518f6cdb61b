// SPDX-License-Identifier: GPL-2.0

//! What the measured frames say: the cost of a copy, of a source, of a MAC's memory.

use crate::{
    plan::{FEW_MACS, FEW_PORTS, PORTS, SOME_MACS},
    results::{Results, Work},
};

/// Rules of nftables that leave the packet as it is. Those that keep the decision in the packet
/// mark do less: see `peers/netdev-mark.nft`.
pub const NFTABLES: [&str; 3] = ["nft-bridge-sets", "nft-netdev-sets", "nft-netdev-port-sets"];

/// A figure that is to stay as good as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub name: String,
    pub instructions: f64,
}

impl Results {
    /// Instructions of each further copy, between two numbers of ports.
    pub fn copy(
        &self,
        peer: &str,
        work: Work,
        (few, many): (usize, usize),
        macs: u32,
    ) -> Option<f64> {
        let difference = self.cost(peer, work, many, macs)? - self.cost(peer, work, few, macs)?;
        Some(difference / (many - few) as f64)
    }

    /// The same between the two numbers of ports that everything is measured with.
    pub fn usual_copy(&self, peer: &str, work: Work) -> Option<f64> {
        self.copy(peer, work, (FEW_PORTS, PORTS), FEW_MACS)
    }

    /// By how much a frame that enters and is copied nowhere costs more than on the plain hub.
    pub fn entering(&self, peer: &str, work: Work, macs: u32) -> Option<f64> {
        let hub = self.cost("hub", work, FEW_PORTS, FEW_MACS)?;
        Some(self.cost(peer, work, FEW_PORTS, macs)? - hub)
    }

    /// The cost of a known source.
    pub fn known_source(&self, peer: &str, macs: u32) -> Option<f64> {
        self.entering(peer, Work::Sources, macs)
    }

    /// What a frame of known unicast costs more than on the plain hub, apart from its suppressed
    /// copies: what is done once a frame, for the source, the destination and the copy that is
    /// delivered.
    pub fn once_a_frame(&self, peer: &str) -> Option<f64> {
        const SUPPRESSED: f64 = (FEW_PORTS - 2) as f64;
        let frame = |peer| {
            let copies = SUPPRESSED * self.usual_copy(peer, Work::Unicast)?;
            Some(self.cost(peer, Work::Unicast, FEW_PORTS, FEW_MACS)? - copies)
        };
        Some(frame(peer)? - frame("hub")?)
    }

    /// The cost of a new MAC, with the largest table that it was measured with.
    pub fn new_source(&self, peer: &str) -> Option<f64> {
        self.entering(
            peer,
            Work::NewSources,
            self.most_macs(peer, Work::NewSources)?,
        )
    }

    /// The largest table that `work` was measured with.
    pub fn most_macs(&self, peer: &str, work: Work) -> Option<u32> {
        self.cells
            .iter()
            .filter(|cell| cell.peer == peer && cell.work == work)
            .map(|cell| cell.macs)
            .max()
    }

    /// Bytes that a MAC takes, where there are so many that nothing else matters.
    pub fn bytes_a_mac(&self, peer: &str) -> Option<f64> {
        const ENOUGH_MACS: u32 = 100_000;
        let memory = self
            .memory
            .iter()
            .find(|memory| memory.peer == peer && memory.macs >= ENOUGH_MACS)?;
        Some(memory.bytes as f64 / f64::from(memory.macs))
    }

    /// The cheapest of some peers.
    pub fn cheapest(
        &self,
        peers: &[&'static str],
        cost: impl Fn(&str) -> Option<f64>,
    ) -> Option<(&'static str, f64)> {
        peers
            .iter()
            .filter_map(|&peer| Some((peer, cost(peer)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// What is compared between the ways to build the module, each a whole frame but for copies:
    /// differences of two frames are no more certain than 2 % of what the module does for one.
    pub fn compared(&self) -> [(&'static str, Option<f64>); 7] {
        let (maclearn, few) = ("maclearn", FEW_PORTS);
        [
            ("suppressed copy", self.usual_copy(maclearn, Work::Unicast)),
            ("passed copy", self.usual_copy(maclearn, Work::Broadcast)),
            (
                "frame, known source",
                self.cost(maclearn, Work::Sources, few, FEW_MACS),
            ),
            (
                "frame, new source",
                self.cost(maclearn, Work::NewSources, few, SOME_MACS),
            ),
            ("frame", self.cost(maclearn, Work::Unicast, PORTS, FEW_MACS)),
            (
                "frame, offloaded",
                self.cost("maclearn-offloaded", Work::Unicast, PORTS, FEW_MACS),
            ),
            (
                "frame, no port enabled",
                self.cost("maclearn-idle", Work::Unicast, PORTS, FEW_MACS),
            ),
        ]
    }

    /// All of maclearn's figures that the guard watches.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut add = |name: &str, instructions: Option<f64>| {
            if let Some(instructions) = instructions {
                let name = name.to_owned();
                figures.push(Figure { name, instructions });
            }
        };
        let maclearn = "maclearn";
        for (mode, text) in [
            (maclearn, "suppressed copy"),
            ("maclearn-exclusive", "suppressed copy, exclusive"),
            ("maclearn-suppress", "suppressed copy, unknown suppressed"),
        ] {
            add(text, self.usual_copy(mode, Work::Unicast));
        }
        for (work, text) in [
            (Work::Destinations, "suppressed copy, many destinations"),
            (Work::Vlan, "suppressed copy, VLAN-aware bridge"),
            (Work::Gso, "suppressed copy, GSO buffer"),
            (Work::Broadcast, "delivered copy of a broadcast"),
            (Work::Multicast, "delivered copy of a multicast"),
        ] {
            add(text, self.usual_copy(maclearn, work));
        }
        add("known source", self.known_source(maclearn, FEW_MACS));
        add("new source", self.new_source(maclearn));
        for (mode, text) in [
            (maclearn, "frame"),
            ("maclearn-offloaded", "frame, offloaded"),
            ("maclearn-mirror", "frame, mirrored to one port"),
            ("maclearn-idle", "frame, no port enabled"),
        ] {
            add(text, self.cost(mode, Work::Unicast, PORTS, FEW_MACS));
        }
        figures
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::results::{Cell, Memory};

    pub fn cell(peer: &str, work: Work, ports: usize, macs: u32, instructions: f64) -> Cell {
        Cell {
            peer: peer.to_owned(),
            work,
            ports,
            macs,
            frames: 1000,
            instructions,
        }
    }

    #[test]
    fn a_copy_is_what_a_further_port_costs() {
        let results = Results {
            cells: vec![
                cell("tcx", Work::Unicast, 4, 64, 7000.0),
                cell("tcx", Work::Unicast, 16, 64, 19_000.0),
            ],
            ..Results::default()
        };
        assert_eq!(results.usual_copy("tcx", Work::Unicast), Some(1000.0));
        assert_eq!(results.usual_copy("tc", Work::Unicast), None);
    }

    #[test]
    fn a_source_costs_what_the_hub_does_not() {
        let results = Results {
            cells: vec![
                cell("hub", Work::Sources, 4, 64, 4010.0),
                cell("hub", Work::NewSources, 4, 64, 4000.0),
                cell("tcx", Work::Sources, 4, 64, 4350.0),
                cell("tcx", Work::NewSources, 4, 4096, 4600.0),
                cell("tcx", Work::NewSources, 4, 1_000_000, 4700.0),
            ],
            ..Results::default()
        };
        assert_eq!(results.known_source("tcx", 64), Some(340.0));
        assert_eq!(results.new_source("tcx"), Some(700.0));
    }

    #[test]
    fn once_a_frame_is_what_copies_do_not_explain() {
        let mut cells = Vec::new();
        // The hub delivers three copies at four ports, the other one and suppresses two.
        for (peer, once, copy) in [("hub", 3500.0, 1200.0), ("tcx", 3900.0, 1100.0)] {
            for ports in [4, 16] {
                let copies = 1200.0 + (ports - 2) as f64 * copy;
                cells.push(cell(peer, Work::Unicast, ports, 64, once + copies));
            }
        }
        let results = Results {
            cells,
            ..Results::default()
        };
        let once = results.once_a_frame("tcx").unwrap();
        assert!((once - 400.0).abs() < 1e-6, "{once}");
    }

    #[test]
    fn memory_of_a_few_macs_says_nothing() {
        let memory = |macs| Memory {
            peer: "tcx".into(),
            macs,
            bytes: 80_000_000,
            reported_bytes: None,
        };
        let mut results = Results {
            memory: vec![memory(4096)],
            ..Results::default()
        };
        assert_eq!(results.bytes_a_mac("tcx"), None);
        results.memory.push(memory(1_000_000));
        assert_eq!(results.bytes_a_mac("tcx"), Some(80.0));
    }

    #[test]
    fn the_cheapest_of_those_that_were_measured() {
        let results = Results::default();
        let cost = |peer: &str| match peer {
            "a" => Some(3.0),
            "b" => Some(2.0),
            _ => None,
        };
        assert_eq!(results.cheapest(&["a", "b", "c"], cost), Some(("b", 2.0)));
        assert_eq!(results.cheapest(&["c"], cost), None);
    }
}
