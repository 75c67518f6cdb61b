// SPDX-License-Identifier: GPL-2.0

//! `frames exchange`: carries a plan out, and compares what arrived with what the plan expects.

use crate::{
    backlog::Backlog,
    endpoint::{self, Endpoint},
    frame::{self, Arrived, Flow, Label, MIN_SIZE, TAG_LEN},
    plan::{Order, Traffic},
    stop::{Run, RunArgs},
    tally::Tally,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// Frames between two looks at what has arrived: fewer than fill a CPU's backlog
/// even when a bridge copies each of them to many ports.
const BURST: u64 = 32;
/// Mismatches that are printed.
const REPORTED: usize = 20;

pub struct Settings {
    /// Expect what a plain hub delivers, and not what the plan says.
    pub hub: bool,
    /// Frames a second of each stream.
    pub rate: u32,
    pub json: bool,
}

struct Exchange {
    run_id: u64,
    endpoints: Vec<Endpoint>,
    /// One for each endpoint.
    tallies: Vec<Tally>,
    /// One for each endpoint: frames that are compared with the plan's expectations.
    exact: Vec<BTreeMap<Flow, u64>>,
    backlog: Backlog,
    /// One for each hello, send and stream of the plan; its place is the number in the frames.
    sends: Vec<Send>,
    buffer: Vec<u8>,
    unseen: u64,
}

struct Send {
    port: usize,
    traffic: Traffic,
    size: usize,
    kind: Kind,
    sent: u64,
    unicast_frames: u64,
    unicast_bytes: u64,
}

#[derive(PartialEq)]
enum Kind {
    /// Arrivals are not compared.
    Hello,
    Exact,
    /// Every frame has to reach these ports, and others may get it.
    Stream(Vec<usize>),
}

pub fn exchange(orders: &[Order], settings: &Settings, run: RunArgs) -> Result<(), String> {
    let mut exchange = Exchange::open(orders)?;
    let run = run.begin().map_err(|e| e.to_string())?;
    exchange.send_once()?;
    exchange.send_streams(&run, settings.rate)?;
    exchange.backlog.check_nothing_lost()?;
    for endpoint in &exchange.endpoints {
        endpoint.check_nothing_lost()?;
    }

    exchange.print(settings.json)?;
    let mismatches = exchange.mismatches(orders, settings.hub)?;
    endpoint::close(exchange.endpoints);
    if mismatches.is_empty() {
        return Ok(());
    }
    let mut text = format!("{} mismatches", mismatches.len());
    for mismatch in mismatches.iter().take(REPORTED) {
        text += &format!("\n  {mismatch}");
    }
    Err(text)
}

impl Exchange {
    fn open(orders: &[Order]) -> Result<Exchange, String> {
        let mut endpoints = Vec::new();
        for order in orders {
            if let Order::Port { name, interface } = order {
                endpoints.push(Endpoint::open(name, interface)?);
            }
        }
        let mut exchange = Exchange {
            run_id: run_id().map_err(|e| e.to_string())?,
            tallies: endpoints.iter().map(|_| Tally::default()).collect(),
            exact: vec![BTreeMap::new(); endpoints.len()],
            endpoints,
            backlog: Backlog::bind().map_err(|e| e.to_string())?,
            sends: Vec::new(),
            buffer: Vec::new(),
            unseen: 0,
        };
        for order in orders {
            let (port, traffic, size, kind) = match order {
                Order::Hello { port, traffic } => (port, traffic, MIN_SIZE, Kind::Hello),
                Order::Send {
                    port,
                    traffic,
                    size,
                } => (port, traffic, *size, Kind::Exact),
                Order::Stream { port, traffic, to } => {
                    let to: Result<_, _> = to.iter().map(|port| exchange.port(port)).collect();
                    (port, traffic, MIN_SIZE, Kind::Stream(to?))
                }
                _ => continue,
            };
            let port = exchange.port(port)?;
            exchange.sends.push(Send {
                port,
                traffic: traffic.clone(),
                size,
                kind,
                sent: 0,
                unicast_frames: 0,
                unicast_bytes: 0,
            });
        }
        Ok(exchange)
    }

    fn port(&self, name: &str) -> Result<usize, String> {
        let place = self
            .endpoints
            .iter()
            .position(|endpoint| endpoint.name == name);
        place.ok_or_else(|| format!("there is no port '{name}'"))
    }

    fn send_once(&mut self) -> Result<(), String> {
        for number in 0..self.sends.len() {
            if matches!(self.sends[number].kind, Kind::Stream(_)) {
                continue;
            }
            for _ in 0..self.sends[number].traffic.frames() {
                self.send_one(number)?;
            }
        }
        self.collect()
    }

    /// Sends one frame of each stream in turn until the run ends.
    fn send_streams(&mut self, run: &Run, rate: u32) -> Result<(), String> {
        let is_stream = |&i: &usize| matches!(self.sends[i].kind, Kind::Stream(_));
        let streams: Vec<_> = (0..self.sends.len()).filter(is_stream).collect();
        let begin = Instant::now();
        let mut rounds = 0;
        while !streams.is_empty() && !run.has_ended().map_err(|e| e.to_string())? {
            for &number in &streams {
                self.send_one(number)?;
            }
            rounds += 1;
            let due = begin + Duration::from_secs(rounds) / rate;
            let pause = due.saturating_duration_since(Instant::now());
            run.wait(&[] as &[Endpoint], pause)
                .map_err(|e| e.to_string())?;
        }
        self.collect()
    }

    fn send_one(&mut self, number: usize) -> Result<(), String> {
        let send = &mut self.sends[number];
        let label = Label {
            run: self.run_id,
            send: number as u32,
            seq: send.sent,
        };
        let flow = send.traffic.flow(send.sent);
        frame::build(&mut self.buffer, &flow, label, send.size);
        let endpoint = &self.endpoints[send.port];
        endpoint
            .send(&self.buffer)
            .map_err(|e| format!("send from {}: {e}", endpoint.name))?;
        send.sent += 1;
        if !flow.dst.is_multicast() {
            send.unicast_frames += 1;
            // As they are counted when they arrive.
            let stripped = if flow.tags.0.is_empty() { 0 } else { TAG_LEN };
            send.unicast_bytes += (self.buffer.len() - stripped) as u64;
        }
        self.unseen += 1;
        if self.unseen == BURST {
            self.collect()?;
        }
        Ok(())
    }

    /// Waits until everything sent has arrived, and counts it.
    fn collect(&mut self) -> Result<(), String> {
        self.backlog.wait_until_empty().map_err(|e| e.to_string())?;
        for (place, endpoint) in self.endpoints.iter_mut().enumerate() {
            let count = |arrived: Arrived| {
                let Some(label) = arrived.label.filter(|label| label.run == self.run_id) else {
                    return;
                };
                if self.sends[label.send as usize].kind == Kind::Exact {
                    *self.exact[place].entry(arrived.flow.clone()).or_default() += 1;
                }
                self.tallies[place].add(arrived);
            };
            endpoint.drain(count).map_err(|e| e.to_string())?;
        }
        self.unseen = 0;
        Ok(())
    }

    /// Prints what scripts go on with, a line for each port.
    fn print(&self, json: bool) -> Result<(), String> {
        let names = self.endpoints.iter().map(|endpoint| &endpoint.name);
        if json {
            let by_name: BTreeMap<_, _> = names.zip(&self.tallies).collect();
            println!(
                "{}",
                serde_json::to_string_pretty(&by_name).map_err(|e| e.to_string())?
            );
            return Ok(());
        }
        for (place, (name, tally)) in names.zip(&self.tallies).enumerate() {
            let unicast = tally.total(|flow| !flow.dst.is_multicast());
            let multicast = tally.total(|flow| flow.dst.is_multicast());
            let others = || self.sends.iter().filter(|send| send.port != place);
            let hub_frames: u64 = others().map(|send| send.unicast_frames).sum();
            let hub_bytes: u64 = others().map(|send| send.unicast_bytes).sum();
            println!(
                "{name} {} {} {hub_frames} {hub_bytes} {}",
                unicast.frames, unicast.bytes, multicast.frames
            );
        }
        Ok(())
    }

    fn mismatches(&self, orders: &[Order], hub: bool) -> Result<Vec<String>, String> {
        let mut mismatches = Vec::new();
        for (endpoint, tally) in self.endpoints.iter().zip(&self.tallies) {
            let is_it =
                |order: &Order| matches!(order, Order::Repeat { port } if *port == endpoint.name);
            if orders.iter().any(is_it) {
                continue;
            }
            let duplicates: u64 = tally.sends.values().map(|seen| seen.duplicates).sum();
            if duplicates > 0 {
                mismatches.push(format!(
                    "{}: {duplicates} frames arrived twice",
                    endpoint.name
                ));
            }
        }
        self.lost_of_streams(&mut mismatches);

        let expected = if hub {
            self.hub_delivers()
        } else {
            self.plan_expects(orders)?
        };
        let allowed = self.allowed(orders, hub)?;
        let mut arrived = BTreeMap::new();
        for (place, flows) in self.exact.iter().enumerate() {
            arrived.extend(
                flows
                    .iter()
                    .map(|(flow, &count)| ((place, flow.clone()), count)),
            );
        }
        let keys: BTreeSet<_> = expected.keys().chain(arrived.keys()).collect();
        for key in keys {
            let (place, flow) = key;
            let count = |counts: &BTreeMap<_, u64>| counts.get(key).copied().unwrap_or(0);
            if count(&expected) != count(&arrived) && !allowed.contains(key) {
                mismatches.push(format!(
                    "{}: {flow}: expected {}, arrived {}",
                    self.endpoints[*place].name,
                    count(&expected),
                    count(&arrived)
                ));
            }
        }
        Ok(mismatches)
    }

    fn lost_of_streams(&self, mismatches: &mut Vec<String>) {
        for (number, send) in self.sends.iter().enumerate() {
            let Kind::Stream(to) = &send.kind else {
                continue;
            };
            if send.sent == 0 {
                mismatches.push(format!("stream {} sent nothing", send.traffic.flow(0)));
            }
            for &place in to {
                let seen = self.tallies[place].sends.get(&(self.run_id, number as u32));
                let lost: Vec<_> = (0..send.sent)
                    .filter(|&seq| !seen.is_some_and(|s| s.contains(seq)))
                    .collect();
                if let Some(first) = lost.first() {
                    mismatches.push(format!(
                        "{}: {}: {} of {} frames lost, the first with number {first}",
                        self.endpoints[place].name,
                        send.traffic.flow(*first),
                        lost.len(),
                        send.sent,
                    ));
                }
            }
        }
    }

    /// Every frame at every port but the sender's.
    fn hub_delivers(&self) -> BTreeMap<(usize, Flow), u64> {
        let mut expected = BTreeMap::new();
        for send in self.sends.iter().filter(|send| send.kind == Kind::Exact) {
            for place in (0..self.endpoints.len()).filter(|&place| place != send.port) {
                expect(&mut expected, place, &send.traffic);
            }
        }
        expected
    }

    fn plan_expects(&self, orders: &[Order]) -> Result<BTreeMap<(usize, Flow), u64>, String> {
        let mut expected = BTreeMap::new();
        for order in orders {
            if let Order::Expect { port, traffic } = order {
                expect(&mut expected, self.port(port)?, traffic);
            }
        }
        Ok(expected)
    }

    /// What may arrive any number of times.
    fn allowed(&self, orders: &[Order], hub: bool) -> Result<BTreeSet<(usize, Flow)>, String> {
        let mut allowed = BTreeSet::new();
        for order in orders {
            match order {
                Order::Allow { port, traffic } if !hub => {
                    let place = self.port(port)?;
                    allowed.extend(traffic.flows().map(|flow| (place, flow)));
                }
                Order::Ignore { port } => {
                    let place = self.port(port)?;
                    let flows = self.exact[place].keys().cloned();
                    allowed.extend(flows.map(|flow| (place, flow)));
                }
                _ => (),
            }
        }
        Ok(allowed)
    }
}

fn expect(expected: &mut BTreeMap<(usize, Flow), u64>, place: usize, traffic: &Traffic) {
    for flow in traffic.flows() {
        *expected.entry((place, flow)).or_default() += traffic.count;
    }
}

/// A number that no other run has, so that a frame from another one is not taken for ours.
fn run_id() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}
