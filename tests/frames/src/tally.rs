// SPDX-License-Identifier: GPL-2.0

//! What has arrived at one interface.

use crate::frame::{Arrived, Flow};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashMap};

#[derive(Default)]
pub struct Tally {
    pub flows: HashMap<Flow, Count>,
    /// By run and send.
    pub sends: BTreeMap<(u64, u32), Seen>,
}

#[derive(Clone, Copy, Default, Serialize)]
pub struct Count {
    pub frames: u64,
    pub segments: u64,
    pub bytes: u64,
}

impl Count {
    pub fn add(&mut self, other: Count) {
        self.frames += other.frames;
        self.segments += other.segments;
        self.bytes += other.bytes;
    }
}

/// Which frames of one send have been seen.
#[derive(Default)]
pub struct Seen {
    bits: Vec<u64>,
    pub distinct: u64,
    pub duplicates: u64,
}

impl Seen {
    pub fn add(&mut self, seq: u64) {
        let (word, bit) = ((seq / 64) as usize, 1 << (seq % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit == 0 {
            self.bits[word] |= bit;
            self.distinct += 1;
        } else {
            self.duplicates += 1;
        }
    }

    pub fn contains(&self, seq: u64) -> bool {
        self.bits
            .get((seq / 64) as usize)
            .is_some_and(|word| word & (1 << (seq % 64)) != 0)
    }

    /// Frames before the last one seen that were not.
    pub fn gaps(&self) -> u64 {
        match self.bits.last() {
            Some(last) => self.bits.len() as u64 * 64 - last.leading_zeros() as u64 - self.distinct,
            None => 0,
        }
    }
}

impl Tally {
    pub fn add(&mut self, arrived: Arrived) {
        let Arrived {
            flow,
            label,
            segments,
            bytes,
        } = arrived;
        if let Some(label) = label {
            self.sends
                .entry((label.run, label.send))
                .or_default()
                .add(label.seq);
        }
        self.flows.entry(flow).or_default().add(Count {
            frames: 1,
            segments,
            bytes,
        });
    }

    pub fn total(&self, wanted: impl Fn(&Flow) -> bool) -> Count {
        let mut total = Count::default();
        self.flows
            .iter()
            .filter(|(flow, _)| wanted(flow))
            .for_each(|(_, &count)| total.add(count));
        total
    }
}

#[derive(Serialize)]
struct TallyOut {
    #[serde(flatten)]
    total: Count,
    unicast: Count,
    flows: Vec<FlowOut>,
    sends: Vec<SendOut>,
}

#[derive(Serialize)]
struct FlowOut {
    #[serde(flatten)]
    flow: Flow,
    #[serde(flatten)]
    count: Count,
}

#[derive(Serialize)]
struct SendOut {
    run: u64,
    send: u32,
    received: u64,
    duplicates: u64,
    gaps: u64,
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut flows: Vec<_> = self
            .flows
            .iter()
            .map(|(flow, &count)| FlowOut {
                flow: flow.clone(),
                count,
            })
            .collect();
        flows.sort_by(|a, b| a.flow.cmp(&b.flow));
        let sends = self.sends.iter().map(|(&(run, send), seen)| SendOut {
            run,
            send,
            received: seen.distinct,
            duplicates: seen.duplicates,
            gaps: seen.gaps(),
        });
        TallyOut {
            total: self.total(|_| true),
            unicast: self.total(|flow| !flow.dst.is_multicast()),
            flows,
            sends: sends.collect(),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_duplicates() {
        let mut seen = Seen::default();
        assert_eq!(seen.gaps(), 0);
        for seq in [0, 1, 3, 200, 3] {
            seen.add(seq);
        }
        assert_eq!((seen.distinct, seen.duplicates, seen.gaps()), (4, 1, 197));
        assert!(seen.contains(200) && !seen.contains(2) && !seen.contains(10_000));
    }
}
