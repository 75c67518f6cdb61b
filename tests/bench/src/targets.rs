// SPDX-License-Identifier: GPL-2.0

//! What maclearn is meant to reach, and whether it does.

use crate::{
    cost::NFTABLES,
    peer::Peer,
    plan::{FEW_MACS, FEW_PORTS, MANY_MACS, MANY_PORTS, PORTS},
    results::{Results, Work},
    unload,
};

const MACLEARN: &str = "maclearn";
const OFFLOADED: &str = "maclearn-offloaded";
/// The name of the best where none was measured.
const NONE: &str = "none was measured";

/// What `results` say of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub text: String,
    /// Nothing where `results` lack something that it compares.
    pub value: Option<f64>,
    pub limit: f64,
}

impl Verdict {
    /// One that was not measured is not reached.
    pub fn reached(&self) -> bool {
        self.value.is_some_and(|value| value <= self.limit)
    }
}

/// The targets for which `results` has what they compare.
pub fn measured_verdicts(results: &Results) -> Vec<Verdict> {
    let mut measured = verdicts(results);
    measured.retain(|verdict| verdict.value.is_some());
    measured
}

/// All targets.
pub fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut verdicts = copy_verdicts(results, "");
    let mut add = |text: String, value: Option<f64>, limit: f64| {
        verdicts.push(Verdict { text, value, limit });
    };
    let frame = |peer: &str, ports| results.cost(peer, Work::Unicast, ports, FEW_MACS);

    add(
        "known source, instructions over the hub".into(),
        results.known_source(MACLEARN, FEW_MACS),
        200.0,
    );
    add(
        "new MAC, instructions over the hub".into(),
        results.new_source(MACLEARN),
        500.0,
    );
    add(
        "copy of a broadcast, instructions over empty hooks".into(),
        results
            .usual_copy(MACLEARN, Work::Broadcast)
            .zip(results.usual_copy("empty-hooks", Work::Broadcast))
            .map(|(maclearn, empty)| maclearn - empty),
        25.0,
    );
    add(
        "frame with no enabled port : without the module, difference".into(),
        ratio(frame("maclearn-idle", PORTS), frame("hub", PORTS)).map(|ratio| (ratio - 1.0).abs()),
        0.005,
    );
    add(
        format!("suppressed copy at most over least, {FEW_PORTS} to {MANY_PORTS} ports"),
        spread(
            &[(FEW_PORTS, PORTS), (PORTS, 64), (64, MANY_PORTS)]
                .map(|ports| results.copy(MACLEARN, Work::Unicast, ports, FEW_MACS)),
        ),
        1.10,
    );
    for (work, text) in [
        (Work::Unicast, "frame"),
        (Work::Destinations, "frame to one of many MACs"),
        (Work::Sources, "frame from one of many MACs"),
    ] {
        let ports = if work == Work::Sources {
            FEW_PORTS
        } else {
            PORTS
        };
        add(
            format!("{text}, most over least, {FEW_MACS} to {MANY_MACS} MACs"),
            spread(
                &[FEW_MACS, 4096, 262_144, MANY_MACS]
                    .map(|macs| results.cost(MACLEARN, work, ports, macs)),
            ),
            1.10,
        );
    }
    add("bytes a MAC".into(), results.bytes_a_mac(MACLEARN), 32.0);
    for ports in [FEW_PORTS, MANY_PORTS] {
        add(
            format!("frame, offloaded : the bridge's own learning, {ports} ports"),
            ratio(frame(OFFLOADED, ports), frame("learning", ports)),
            1.10,
        );
    }
    add(
        "frame, offloaded : tcx eBPF, 64 ports".into(),
        ratio(frame(OFFLOADED, 64), frame("tcx", 64)),
        1.0 / 12.0,
    );
    let (name, best) = results.cheapest(&NFTABLES, |peer| frame(peer, 64)).unzip();
    add(
        format!(
            "frame, offloaded : best nftables ({}), 64 ports",
            name.unwrap_or(NONE)
        ),
        ratio(frame(OFFLOADED, 64), best),
        1.0 / 20.0,
    );
    verdicts.extend(mirror_verdicts(results));
    let mut add = |text: String, value: Option<f64>, limit: f64| {
        verdicts.push(Verdict { text, value, limit });
    };
    let (empty, full) = (results.unloading(0), results.unloading(unload::MACS));
    add(
        format!(
            "unloading, {} ports: {} MACs : an empty table",
            unload::PORTS,
            unload::MACS
        ),
        ratio(full, empty),
        2.0,
    );
    add("the same, milliseconds".into(), full, 2000.0);
    for ((command, macs), limit) in [(unload::SUMMARY, 200.0), (unload::ENTRIES, 6000.0)] {
        add(
            format!(
                "maclearn {command}, {} ports, {macs} MACs, million instructions",
                unload::PORTS,
            ),
            results.telling(command),
            limit,
        );
    }
    if let Some(other) = results.other_way() {
        verdicts.extend(both_ways(results, &other));
    }
    for other in &results.others {
        if other.kernel != results.kernel {
            verdicts.extend(copy_verdicts(other, &format!("Linux {}: ", other.kernel)));
        }
    }
    for results in [results].into_iter().chain(&results.others) {
        verdicts.push(Verdict {
            text: format!(
                "bytes of code, {} way, Linux {}",
                results.way.name(),
                results.kernel
            ),
            value: (results.text_bytes > 0).then_some(results.text_bytes as f64),
            limit: 200_000.0,
        });
    }
    verdicts
}

/// A frame of which one port gets every copy, beside others.
fn mirror_verdicts(results: &Results) -> Vec<Verdict> {
    let (mirror, sniffer) = ("maclearn-mirror", "maclearn-sniffer");
    let cost = |peer: &str, work, ports| results.cost(peer, work, ports, FEW_MACS);
    let frame = |peer: &str, ports| cost(peer, Work::Unicast, ports);
    let more = |work| Some(cost(mirror, work, PORTS)? - cost(sniffer, work, PORTS)?);
    let (name, nftables) = results.cheapest(&NFTABLES, |peer| frame(peer, 64)).unzip();
    let further = ["maclearn-mirror-2", "maclearn-mirror-4"].map(|peer| {
        let sniffers = Peer::named(peer).ok()?.sniffers();
        Some((frame(peer, PORTS)? - frame(mirror, PORTS)?) / (sniffers - 1) as f64)
    });
    let mut verdicts = vec![Verdict {
        text: format!("frame, mirrored to one port : offloaded, {PORTS} ports"),
        value: ratio(frame(mirror, PORTS), frame(OFFLOADED, PORTS)),
        limit: 1.40,
    }];
    for (further, sniffers) in further.into_iter().zip([2, 4]) {
        verdicts.push(Verdict {
            text: format!("the same, each further port of {sniffers}, instructions"),
            value: further,
            limit: 1450.0,
        });
    }
    verdicts.push(Verdict {
        text: format!("the same, most over least, {FEW_PORTS} to {MANY_PORTS} ports"),
        value: spread(&[FEW_PORTS, PORTS, 64, MANY_PORTS].map(|ports| frame(mirror, ports))),
        limit: 1.03,
    });
    for (other, cost, factor) in [
        ("suppressed copies".to_owned(), frame(MACLEARN, 64), 8.5),
        ("tcx eBPF".to_owned(), frame("tcx", 64), 11.0),
        (
            format!("best nftables ({})", name.unwrap_or(NONE)),
            nftables,
            18.0,
        ),
    ] {
        verdicts.push(Verdict {
            text: format!("frame, mirrored to one port : {other}, 64 ports"),
            value: ratio(frame(mirror, 64), cost),
            limit: 1.0 / factor,
        });
    }
    for (work, text, limit) in [
        (Work::Unknown, "unknown unicast", 800.0),
        (Work::Broadcast, "broadcast", 25.0),
        (Work::Multicast, "multicast", 25.0),
    ] {
        verdicts.push(Verdict {
            text: format!("{text} where frames are mirrored, instructions over suppressing"),
            value: more(work),
            limit,
        });
    }
    verdicts
}

/// A suppressed copy beside those of others, on one kernel.
fn copy_verdicts(results: &Results, prefix: &str) -> Vec<Verdict> {
    let copy = |peer: &str| results.usual_copy(peer, Work::Unicast);
    let best = results.cheapest(&NFTABLES, copy);
    let (name, nftables) = best.unzip();
    [
        ("hook with no look-up".to_owned(), copy("floor"), 1.10),
        ("tcx eBPF".to_owned(), copy("tcx"), 0.80),
        (
            format!("best nftables ({})", name.unwrap_or(NONE)),
            nftables,
            0.50,
        ),
    ]
    .into_iter()
    .map(|(other, cost, limit)| Verdict {
        text: format!("{prefix}suppressed copy : {other}"),
        value: ratio(copy(MACLEARN), cost),
        limit,
    })
    .collect()
}

/// The module with its crates in itself, beside the one on the kernel's crates.
fn both_ways(kernel: &Results, in_itself: &Results) -> Vec<Verdict> {
    in_itself
        .compared()
        .into_iter()
        .zip(kernel.compared())
        .map(|((text, other), (_, own))| Verdict {
            text: format!("static way : kernel's crates, {text}"),
            value: ratio(other, own),
            limit: 1.02,
        })
        .collect()
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b?)
}

/// The largest over the smallest of values that must all be there.
fn spread(values: &[Option<f64>]) -> Option<f64> {
    let mut least = f64::INFINITY;
    let mut most: f64 = 0.0;
    for value in values {
        let value = (*value)?;
        least = least.min(value);
        most = most.max(value);
    }
    Some(most / least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cost::tests::cell, results::Way};

    #[test]
    fn what_was_not_measured_is_not_reached() {
        let results = Results::default();
        assert_eq!(measured_verdicts(&results), []);
        let verdicts = verdicts(&results);
        assert!(verdicts.len() > 20);
        assert!(!verdicts.iter().any(Verdict::reached));
    }

    #[test]
    fn a_copy_that_is_too_dear_is_seen() {
        let mut cells = Vec::new();
        for (peer, copy) in [("floor", 800.0), ("tcx", 1100.0), (MACLEARN, 900.0)] {
            cells.push(cell(peer, Work::Unicast, 4, 64, 6000.0));
            cells.push(cell(peer, Work::Unicast, 16, 64, 6000.0 + 12.0 * copy));
        }
        let verdicts = measured_verdicts(&Results {
            cells,
            ..Results::default()
        });
        let reached: Vec<bool> = verdicts.iter().map(Verdict::reached).collect();
        assert_eq!(reached, [false, false]);
        assert_eq!(verdicts[0].value, Some(1.125));
    }

    #[test]
    fn what_is_dearer_in_the_other_way_is_seen() {
        let copies = |copy: f64| {
            vec![
                cell(MACLEARN, Work::Unicast, 4, 64, 6000.0),
                cell(MACLEARN, Work::Unicast, 16, 64, 6000.0 + 12.0 * copy),
            ]
        };
        let other = |kernel: &str, copy| Results {
            kernel: kernel.into(),
            way: Way::Static,
            text_bytes: 250_000,
            cells: copies(copy),
            ..Results::default()
        };
        let results = Results {
            kernel: "7.3".into(),
            cells: copies(800.0),
            others: vec![other("6.12", 900.0), other("7.3", 820.0)],
            ..Results::default()
        };
        let reached: Vec<bool> = measured_verdicts(&results)
            .iter()
            .map(Verdict::reached)
            .collect();
        // The copy, the frame that it is the most of, and the code of either other module
        assert_eq!(reached, [false, true, false, false]);
    }

    #[test]
    fn another_kernel_has_ratios_of_its_own() {
        let copies = |peer: &str, copy: f64| {
            [
                cell(peer, Work::Unicast, 4, 64, 6000.0),
                cell(peer, Work::Unicast, 16, 64, 6000.0 + 12.0 * copy),
            ]
        };
        let results = Results {
            kernel: "7.3".into(),
            others: vec![Results {
                kernel: "6.12".into(),
                cells: [copies("floor", 800.0), copies(MACLEARN, 900.0)].concat(),
                ..Results::default()
            }],
            ..Results::default()
        };
        let verdicts = measured_verdicts(&results);
        assert_eq!(verdicts.len(), 1);
        assert_eq!(
            verdicts[0].text,
            "Linux 6.12: suppressed copy : hook with no look-up"
        );
        assert!(!verdicts[0].reached());
    }

    #[test]
    fn spread_is_of_all_values() {
        assert_eq!(spread(&[Some(2.0), Some(3.0), Some(2.5)]), Some(1.5));
        assert_eq!(spread(&[Some(2.0), None]), None);
    }
}
