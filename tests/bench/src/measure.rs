// SPDX-License-Identifier: GPL-2.0

//! Measures each peer, in the virtual machine. What it prints is one JSON value a line.

use std::{fs, ops::Range};

use anyhow::{bail, ensure, Context, Result};

use crate::{
    gso,
    hub::{set, Hub, Mac, BRIDGE, DESTINATION_IP, GENERATOR, OWNER},
    maclearn,
    peer::{self, command, Peer},
    pktgen::{self, Macs, Way},
    plan::{self, Extent, FEW_MACS, FEW_PORTS, PORTS},
    results::{self, Begin, Cell, Line, Memory, Work},
    unload,
};

/// A cell is measured so often, and the mean taken of all but the least and the most: now and then
/// the kernel has other work to do.
const BATCHES: u32 = 5;
/// What a batch may take, instructions, within these bounds of frames.
const BATCH_BUDGET: f64 = 12e6;
const FEWEST_FRAMES: u32 = 50;
const MOST_FRAMES: u32 = 2500;
/// Frames that are copied nowhere: small differences matter.
const ENTERING_FRAMES: u32 = 5000;
const GSO_BUFFERS: u32 = 100;
/// New sources in a batch: the more the better, but no great part of the table.
const MOST_NEW_SOURCES: u32 = 800;
const FEWEST_NEW_SOURCES: u32 = 200;
/// MACs that are learned in one go.
const CHUNK: u32 = 1 << 16;
/// How often what was not learned is sent again.
const TRIES: usize = 20;

/// MACs that nobody has. Where one of them is in the bridge's hash table is random, and worth some
/// 30 instructions.
const NOBODIES: Macs = Macs {
    first: Mac::NOBODY,
    count: 256,
};

pub fn run(extent: Extent, way: results::Way, peers: &[&str]) -> Result<()> {
    let begin = Line::Begin(Begin {
        kernel: peer::kernel_release()?,
        way,
        text_bytes: maclearn::text_bytes()?,
    });
    println!("{}", serde_json::to_string(&begin)?);
    command(
        "modprobe",
        &[
            "-a",
            "bridge",
            "dummy",
            "veth",
            "pktgen",
            "nf_tables",
            "cls_bpf",
        ],
    )?;
    for which in ["all", "default"] {
        fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1")?;
    }
    for &name in peers {
        let measured = match name {
            unload::NAME => unload::run(),
            _ => Peer::named(name).and_then(|peer| measure(extent, name, peer)),
        };
        measured.with_context(|| name.to_owned())?;
    }
    Ok(())
}

fn measure(extent: Extent, name: &str, peer: Peer) -> Result<()> {
    let levels = plan::levels(extent, peer);
    let most_ports = levels.iter().flat_map(|level| level.ports).max();
    let most_macs = levels.last().context("no level")?.macs;
    let mut hub = Hub::new(*most_ports.context("no ports")?)?;
    if peer.offloads() && !maclearn::can_offload()? {
        return hub.remove();
    }
    let memory_before = used_memory()?;
    // A twentieth more than is needed, as somebody would who knows about how many there will be.
    let running = peer::start(peer, &mut hub, most_macs + most_macs / 20)?;
    let mut bench = Bench {
        name,
        peer,
        hub,
        ports: 0,
        macs: FEW_MACS,
        learned: 0,
    };
    for level in levels {
        bench.set_ports(FEW_PORTS)?;
        bench.hub.set_copies(false)?;
        bench.fill(level.macs)?;
        if level.macs == most_macs && peer.learns() {
            bench.print(&Line::Memory(Memory {
                peer: name.to_owned(),
                macs: level.macs,
                bytes: used_memory()?.saturating_sub(memory_before),
                reported_bytes: match peer {
                    Peer::Maclearn(_) => Some(maclearn::memory()?),
                    _ => None,
                },
            }))?;
        }
        if !peer.offloads() {
            bench.cell(Work::Sources)?;
        }
        bench.hub.set_copies(true)?;
        if peer.learns() {
            bench.check_sources()?;
        }
        for &ports in level.ports {
            bench.set_ports(ports)?;
            bench.cell(Work::Unicast)?;
            if ports > PORTS {
                continue;
            }
            bench.cell(Work::Destinations)?;
            if peer.sniffers() > 0 {
                bench.cell(Work::Unknown)?;
            }
            if level.macs == FEW_MACS {
                if peer != Peer::Floor {
                    bench.cell(Work::Broadcast)?;
                    bench.cell(Work::Multicast)?;
                }
                bench.cell(Work::Gso)?;
            }
        }
        if level.macs == FEW_MACS {
            for &ports in level.ports.iter().rev().filter(|&&ports| ports <= PORTS) {
                bench.set_ports(ports)?;
                bench.vlan_cell()?;
            }
        }
    }
    pktgen::release()?;
    let hub = bench.hub;
    running.stop()?;
    hub.remove()
}

/// A peer at work.
struct Bench<'a> {
    name: &'a str,
    peer: Peer,
    hub: Hub,
    ports: usize,
    /// Half of them behind the ingress port, half behind [`OWNER`].
    macs: u32,
    /// Of each half.
    learned: u32,
}

/// Frames that ports were given.
struct Receivers {
    owner: bool,
    others: bool,
}

impl Bench<'_> {
    fn set_ports(&mut self, ports: usize) -> Result<()> {
        self.ports = ports;
        self.hub.set_ports(ports)
    }

    /// Lets the peer learn MACs up to `macs`. No copies are made meanwhile. What the last new ones
    /// cost is a cell, or, where nothing is learned, what any cost.
    fn fill(&mut self, macs: u32) -> Result<()> {
        self.macs = macs;
        let half = macs / 2;
        if self.peer.learns() {
            self.learn(OWNER, Way::Received, Mac::destination, self.learned..half)?;
            let batch = MOST_NEW_SOURCES.min(half / 2 / BATCHES);
            let measured = if batch < FEWEST_NEW_SOURCES || self.peer.offloads() {
                0
            } else {
                batch * BATCHES
            };
            let before = self.learned..half - measured;
            self.learn(GENERATOR, Way::Cable, Mac::source, before)?;
            if measured > 0 {
                self.new_sources(half - measured, batch)?;
            }
            self.learned = half;
        } else {
            self.new_sources(0, MOST_NEW_SOURCES)?;
        }
        Ok(())
    }

    fn new_sources(&self, first: u32, batch: u32) -> Result<()> {
        let mut costs = Vec::new();
        for number in 0..BATCHES {
            let sources = Macs {
                first: Mac::source(first + number * batch),
                count: batch,
            };
            let mut cost = None;
            self.send_until_learned(batch, || {
                let sent = pktgen::send(GENERATOR, Way::Cable, batch, sources, NOBODIES)?;
                cost.get_or_insert(sent);
                Ok(())
            })?;
            costs.extend(cost);
        }
        self.print_cell(Work::NewSources, batch * BATCHES, trimmed_mean(costs))
    }

    /// Sends from MACs of `device` that the peer does not know yet.
    fn learn(
        &self,
        device: &str,
        way: Way,
        mac: fn(u32) -> Mac,
        numbers: Range<u32>,
    ) -> Result<()> {
        let mut first = numbers.start;
        while first < numbers.end {
            let count = CHUNK.min(numbers.end - first);
            let sources = Macs {
                first: mac(first),
                count,
            };
            self.send_until_learned(count, || {
                pktgen::send(device, way, count, sources, NOBODIES).map(drop)
            })?;
            first += count;
        }
        Ok(())
    }

    /// maclearn learns nothing while its table grows, and can be asked. The others are seen to have
    /// learned when they filter.
    fn send_until_learned(&self, count: u32, mut send: impl FnMut() -> Result<()>) -> Result<()> {
        let before = self.known()?;
        for _ in 0..TRIES {
            send()?;
            self.settle()?;
            match (before, self.known()?) {
                (Some(before), Some(now)) if now < before + u64::from(count) => (),
                _ => return Ok(()),
            }
        }
        bail!("of {count} new MACs some were not learned");
    }

    fn known(&self) -> Result<Option<u64>> {
        match self.peer {
            Peer::Maclearn(_) if self.peer.learns() => maclearn::learned().map(Some),
            _ => Ok(None),
        }
    }

    fn settle(&self) -> Result<()> {
        match self.peer {
            Peer::Maclearn(_) if self.peer.learns() => maclearn::settle(),
            _ => Ok(()),
        }
    }

    /// Frames to the first and the last MAC behind the ingress port must go there only.
    fn check_sources(&self) -> Result<()> {
        for number in [0, self.learned - 1] {
            let before = self.hub.sent()?;
            pktgen::send(
                OWNER,
                Way::Received,
                1,
                Mac::destination(0),
                Mac::source(number),
            )?;
            let after = self.hub.sent()?;
            let sent: Vec<u64> = after.iter().zip(before).map(|(a, b)| a - b).collect();
            ensure!(
                sent[0] == 1 && sent[1..].iter().all(|&sent| sent == 0),
                "source {number} of {} MACs was not learned: {sent:?}",
                self.macs
            );
        }
        Ok(())
    }

    /// [`Work::Vlan`]: the MACs are learned again, in the ports' VLAN, and all are to be learned
    /// anew after it: maclearn forgets them when the bridge begins or ceases to filter VLANs.
    fn vlan_cell(&mut self) -> Result<()> {
        set(BRIDGE, "bridge/vlan_filtering", 1)?;
        pktgen::send(OWNER, Way::Received, 1, Mac::destination(0), Mac::source(0))?;
        self.cell(Work::Vlan)?;
        set(BRIDGE, "bridge/vlan_filtering", 0)?;
        self.learned = 0;
        if self.known()?.is_some() {
            maclearn::wait_until_forgotten()?;
        }
        Ok(())
    }

    /// Measures, and checks on the devices who was given what.
    fn cell(&self, work: Work) -> Result<()> {
        self.send(work, FEWEST_FRAMES)?;
        self.settle()?;
        if self.peer.offloads() {
            maclearn::wait_until_offloaded()?;
        }
        let estimate = self.send(work, FEWEST_FRAMES)?;
        let batch = match work {
            Work::Gso => GSO_BUFFERS,
            Work::Sources => ENTERING_FRAMES,
            _ => ((BATCH_BUDGET / estimate) as u32).clamp(FEWEST_FRAMES, MOST_FRAMES),
        };
        let (before, sniffed) = (self.hub.sent()?, self.hub.sent_to_sniffers()?);
        let costs = (0..BATCHES)
            .map(|_| self.send(work, batch))
            .collect::<Result<_>>()?;
        let after = self.hub.sent()?;
        let frames = batch * BATCHES;
        let receivers = self.receivers(work);
        for (port, device) in self.hub.devices().iter().enumerate() {
            let receives = match port {
                0 => false,
                _ if port >= self.ports => false,
                1 => receivers.owner,
                _ => receivers.others,
            };
            let expected = if receives { u64::from(frames) } else { 0 };
            let sent = after[port] - before[port];
            ensure!(
                sent == expected,
                "{work:?}, {} ports, {} MACs: {device} was given {sent} frames, not {expected}",
                self.ports,
                self.macs
            );
        }
        // These get all that anybody but the owner would on a hub.
        let expected = if receivers.owner {
            u64::from(frames)
        } else {
            0
        };
        for (now, before) in self.hub.sent_to_sniffers()?.iter().zip(sniffed) {
            let sent = now - before;
            ensure!(
                sent == expected,
                "{work:?}, {} ports: one that gets every copy was given {sent} frames, not {expected}",
                self.ports
            );
        }
        self.print_cell(work, frames, trimmed_mean(costs))
    }

    fn receivers(&self, work: Work) -> Receivers {
        let (owner, others) = match work {
            Work::Unicast | Work::Destinations | Work::Vlan | Work::Gso => {
                (true, !self.peer.filters())
            }
            Work::Unknown | Work::Broadcast | Work::Multicast => (true, true),
            Work::Sources | Work::NewSources => (false, false),
        };
        Receivers { owner, others }
    }

    fn send(&self, work: Work, frames: u32) -> Result<f64> {
        let one: Macs = Mac::source(0).into();
        let half = self.macs / 2;
        let (sources, destinations) = match work {
            Work::Gso => return gso::send(frames, DESTINATION_IP),
            Work::Unicast | Work::Vlan => (one, Mac::destination(0).into()),
            Work::Destinations => (
                one,
                Macs {
                    first: Mac::destination(0),
                    count: half,
                },
            ),
            Work::Unknown => (one, NOBODIES),
            Work::Broadcast => (one, Mac::BROADCAST.into()),
            Work::Multicast => (one, Mac::MULTICAST.into()),
            Work::Sources | Work::NewSources => (
                Macs {
                    first: Mac::source(0),
                    count: half,
                },
                NOBODIES,
            ),
        };
        pktgen::send(GENERATOR, Way::Cable, frames, sources, destinations)
    }

    fn print_cell(&self, work: Work, frames: u32, instructions: f64) -> Result<()> {
        self.print(&Line::Cell(Cell {
            peer: self.name.to_owned(),
            work,
            ports: self.ports,
            macs: self.macs,
            frames,
            instructions,
        }))
    }

    fn print(&self, line: &Line) -> Result<()> {
        println!("{}", serde_json::to_string(line)?);
        Ok(())
    }
}

/// The mean of all but the least and the most.
fn trimmed_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let kept = &values[1..values.len() - 1];
    kept.iter().sum::<f64>() / kept.len() as f64
}

/// Bytes of memory that are neither free nor can be freed.
fn used_memory() -> Result<u64> {
    let table = fs::read_to_string("/proc/meminfo")?;
    parse_used_memory(&table).context("/proc/meminfo")
}

fn parse_used_memory(table: &str) -> Option<u64> {
    let kilobytes = |name: &str| -> Option<u64> {
        table
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?
            .trim()
            .strip_suffix(" kB")?
            .parse()
            .ok()
    };
    let free = ["MemFree", "Buffers", "Cached", "SReclaimable"]
        .iter()
        .try_fold(0, |sum, name| Some(sum + kilobytes(name)?))?;
    Some((kilobytes("MemTotal")? - free) << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_count() {
        assert_eq!(trimmed_mean(vec![900.0, 1.0, 3.0, 5.0]), 4.0);
    }

    #[test]
    fn used_memory_is_what_cannot_be_had() {
        let table = "MemTotal:    1000 kB\nMemFree:   500 kB\nMemAvailable:   900 kB\n\
                     Buffers:   10 kB\nCached:   100 kB\nSReclaimable:     5 kB\n";
        assert_eq!(parse_used_memory(table), Some(385 << 10));
        assert_eq!(parse_used_memory("MemTotal:    1000 kB\n"), None);
    }
}
