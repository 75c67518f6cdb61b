// SPDX-License-Identifier: GPL-2.0

//! What is printed: the picture, the tables and the verdicts.

use comfy_table::{
    presets::{NOTHING, UTF8_BORDERS_ONLY},
    Cell, CellAlignment, Color, Table,
};

use crate::{
    meter::{Count, Frames},
    traffic::{Traffic, PINGS, TRANSFER_BYTES},
};

/// The ports of the bridge.
pub const PORTS: [&str; 5] = ["host1", "host2", "host3", "host4", "sniffer"];
/// Those of the nested hosts, which get enabled.
pub const HOSTS: [&str; 4] = ["host1", "host2", "host3", "host4"];
/// The nested hosts' guests.
pub const GUESTS: [&str; 12] = [
    "g11", "g12", "g13", "g21", "g22", "g23", "g31", "g32", "g33", "g41", "g42", "g43",
];
/// The guest of host1 that talks.
pub const CLIENT: &str = "g11";
/// The guest of host2 that it talks to.
pub const SERVER: &str = "g21";

const BEHIND: [&str; 5] = [
    "g11 g12 g13",
    "g21 g22 g23",
    "g31 g32 g33",
    "g41 g42 g43",
    "sees all",
];
/// Indices in [`PORTS`].
const HOST1: usize = 0;
const HOST2: usize = 1;
const HOST3: usize = 2;
const HOST4: usize = 3;
const SNIFFER: usize = 4;

/// One run of the traffic.
pub struct Run {
    /// For each of [`PORTS`], what the NIC behind it received and sent.
    pub counts: [Count; PORTS.len()],
    /// What became of the traffic.
    pub traffic: Traffic,
}

/// Both runs.
pub struct Results {
    pub without: Run,
    pub with: Run,
    /// MACs learned behind each of [`PORTS`].
    pub macs: [u32; PORTS.len()],
}

/// Whether a promise was kept.
pub struct Verdict {
    pub kept: bool,
    promise: &'static str,
    numbers: String,
}

/// What is going to be shown.
pub fn introduction() -> String {
    format!(
        "\
Guest {CLIENT} of host1 talks to guest {SERVER} of host2: {PINGS} pings, then {} KiB over TCP.
How many frames does the NIC of each host get?

       br0, a bridge in hub mode: a frame that enters is copied to all other ports
      ┌───────────────┬───────────────┼───────────────┬───────────────┐
    host1           host2           host3           host4          sniffer
  ┌───┼───┐       ┌───┼───┐       ┌───┼───┐       ┌───┼───┐
 g11 g12 g13     g21 g22 g23     g31 g32 g33     g41 g42 g43
  ↑               ↑
  └── ping, TCP ──┘
",
        TRANSFER_BYTES >> 10
    )
}

/// What each port got without maclearn.
pub fn first_table(without: &Run, coloured: bool) -> Table {
    let mut table = new_table(UTF8_BORDERS_ONLY, coloured);
    table.set_header(["port", "behind it", "frames", "of them\nunicast"]);
    for (port, count) in without.counts.iter().enumerate() {
        let mut row = name_cells(port);
        row.extend(frame_cells(port, count.received));
        table.add_row(row);
    }
    table
}

/// What each port got without maclearn, and beside it what it got with it.
pub fn comparison(results: &Results, coloured: bool) -> Table {
    let mut table = new_table(UTF8_BORDERS_ONLY, coloured);
    table.set_header([
        "port",
        "behind it",
        "frames\nwithout",
        "of them\nunicast",
        "frames\nwith",
        "of them\nunicast",
        "saved",
        "MACs\nknown",
    ]);
    for port in 0..PORTS.len() {
        let without = results.without.counts[port].received;
        let with = results.with.counts[port].received;
        let saved = saved_percent(without.all, with.all);
        let saved_cell = number(format!("{saved} %"));
        let mut row = name_cells(port);
        row.extend(frame_cells(port, without));
        row.extend(frame_cells(port, with));
        row.push(if saved > 0 {
            saved_cell.fg(Color::Green)
        } else {
            saved_cell
        });
        row.push(number(results.macs[port].to_string()));
        table.add_row(row);
    }
    table
}

/// Each promise, and whether it was kept.
pub fn verdicts(results: &Results) -> Vec<Verdict> {
    let without = &results.without.counts;
    let with = &results.with.counts;
    let entered: u64 = with.iter().map(|count| count.sent.all).sum();
    let broadcasts: Vec<(u64, u64)> = (0..PORTS.len())
        .map(|port| {
            let sent_by_others = (0..PORTS.len())
                .filter(|&other| other != port)
                .map(|other| with[other].sent.multicast());
            (with[port].received.multicast(), sent_by_others.sum())
        })
        .collect();
    let traffics = [&results.without.traffic, &results.with.traffic];
    vec![
        Verdict {
            kept: [HOST3, HOST4].iter().all(|&port| {
                without[port].received.unicast > 0 && with[port].received.unicast == 0
            }),
            promise: "host3 and host4 get none of the unicast frames",
            numbers: format!(
                "{} and {} (without maclearn {} and {})",
                with[HOST3].received.unicast,
                with[HOST4].received.unicast,
                without[HOST3].received.unicast,
                without[HOST4].received.unicast
            ),
        },
        Verdict {
            kept: with[HOST1].received.unicast == with[HOST2].sent.unicast
                && with[HOST2].received.unicast == with[HOST1].sent.unicast,
            promise: "host1 and host2 get all of them that are for their guests",
            numbers: format!(
                "{} of {} and {} of {}",
                with[HOST1].received.unicast,
                with[HOST2].sent.unicast,
                with[HOST2].received.unicast,
                with[HOST1].sent.unicast
            ),
        },
        Verdict {
            kept: broadcasts.iter().all(|(received, sent)| received == sent),
            promise: "every port still gets all broadcasts",
            numbers: broadcasts
                .iter()
                .map(|(received, sent)| format!("{received} of {sent}"))
                .collect::<Vec<_>>()
                .join(", "),
        },
        Verdict {
            kept: with[SNIFFER].received.all == entered,
            promise: "the sniffer still sees every frame",
            numbers: format!("{} of {entered}", with[SNIFFER].received.all),
        },
        Verdict {
            kept: traffics.iter().all(|traffic| traffic.is_intact()),
            promise: "nothing is lost or damaged in either run",
            numbers: traffics.map(describe).join("; "),
        },
    ]
}

/// The verdicts, one a line.
pub fn verdict_lines(verdicts: &[Verdict], coloured: bool) -> String {
    let mut table = new_table(NOTHING, coloured);
    for verdict in verdicts {
        let kept = if verdict.kept {
            Cell::new("yes").fg(Color::Green)
        } else {
            Cell::new("NO").fg(Color::Red)
        };
        table.add_row([
            kept,
            Cell::new(format!("{}: {}", verdict.promise, verdict.numbers)),
        ]);
    }
    table.trim_fmt()
}

fn new_table(style: &str, coloured: bool) -> Table {
    let mut table = Table::new();
    table.load_preset(style);
    // The terminal, if there is one, is outside the virtual machine.
    if coloured {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

fn number(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn name_cells(port: usize) -> Vec<Cell> {
    vec![Cell::new(PORTS[port]), Cell::new(BEHIND[port])]
}

/// Unicast frames stand out where nobody wants them.
fn frame_cells(port: usize, frames: Frames) -> [Cell; 2] {
    let unicast = number(frames.unicast.to_string());
    [
        number(frames.all.to_string()),
        match port {
            HOST3 | HOST4 if frames.unicast > 0 => unicast.fg(Color::Red),
            HOST3 | HOST4 => unicast.fg(Color::Green),
            _ => unicast,
        },
    ]
}

/// How much less `with` is than `without`, rounded.
fn saved_percent(without: u64, with: u64) -> i64 {
    if without == 0 {
        return 0;
    }
    ((without as f64 - with as f64) * 100.0 / without as f64).round() as i64
}

fn describe(traffic: &Traffic) -> String {
    let checksum = if traffic.sent == traffic.received {
        "equal"
    } else {
        "other"
    };
    format!(
        "{} of {PINGS} pings, {checksum} SHA-256",
        traffic.answered_pings
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(unicast: u64, multicast: u64) -> Frames {
        Frames {
            all: unicast + multicast,
            unicast,
        }
    }

    fn run(received: [Frames; 5], sent: [Frames; 5]) -> Run {
        let mut counts = [Count::default(); 5];
        for port in 0..PORTS.len() {
            counts[port] = Count {
                received: received[port],
                sent: sent[port],
            };
        }
        Run {
            counts,
            traffic: Traffic {
                answered_pings: PINGS,
                sent: vec![1],
                received: vec![1],
            },
        }
    }

    /// host1 sends 30 frames to host2, which sends 20 back; each host broadcasts 2.
    fn good() -> Results {
        let sent = [
            frames(30, 2),
            frames(20, 2),
            frames(0, 2),
            frames(0, 2),
            frames(0, 0),
        ];
        let hub = [
            frames(20, 6),
            frames(30, 6),
            frames(50, 6),
            frames(50, 6),
            frames(50, 8),
        ];
        let mut filtered = hub;
        filtered[HOST3] = frames(0, 6);
        filtered[HOST4] = frames(0, 6);
        Results {
            without: run(hub, sent),
            with: run(filtered, sent),
            macs: [3, 3, 3, 3, 0],
        }
    }

    fn kept(results: &Results) -> Vec<bool> {
        verdicts(results)
            .iter()
            .map(|verdict| verdict.kept)
            .collect()
    }

    #[test]
    fn all_promises_kept() {
        assert_eq!(kept(&good()), [true; 5]);
    }

    #[test]
    fn an_unwanted_copy_is_noticed() {
        let mut results = good();
        results.with.counts[HOST4].received = frames(1, 6);
        assert_eq!(kept(&results), [false, true, true, true, true]);
    }

    #[test]
    fn nothing_is_shown_where_nothing_was_copied_without_maclearn() {
        let mut results = good();
        results.without.counts[HOST3].received = frames(0, 6);
        assert_eq!(kept(&results), [false, true, true, true, true]);
    }

    #[test]
    fn a_lost_frame_is_noticed() {
        let mut results = good();
        results.with.counts[HOST2].received = frames(29, 6);
        assert_eq!(kept(&results), [true, false, true, true, true]);
    }

    #[test]
    fn a_lost_broadcast_is_noticed() {
        let mut results = good();
        results.with.counts[HOST3].received = frames(0, 5);
        assert_eq!(kept(&results), [true, true, false, true, true]);
    }

    #[test]
    fn a_frame_that_the_sniffer_missed_is_noticed() {
        let mut results = good();
        results.with.counts[SNIFFER].received = frames(49, 8);
        assert_eq!(kept(&results), [true, true, true, false, true]);
    }

    #[test]
    fn damage_and_loss_are_noticed_in_either_run() {
        let mut results = good();
        results.without.traffic.received = vec![2];
        assert_eq!(kept(&results), [true, true, true, true, false]);
        let mut results = good();
        results.with.traffic.answered_pings = PINGS - 1;
        assert_eq!(kept(&results), [true, true, true, true, false]);
    }

    #[test]
    fn saving_is_a_share_of_the_frames_without() {
        assert_eq!(saved_percent(200, 3), 99);
        assert_eq!(saved_percent(200, 200), 0);
        assert_eq!(saved_percent(100, 110), -10);
        assert_eq!(saved_percent(0, 0), 0);
    }
}
