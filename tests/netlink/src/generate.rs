// SPDX-License-Identifier: GPL-2.0

//! Messages that the specification allows, and such that it does not.

use maclearn_family::{Attribute, Kind, Request, REQUESTS};
use rand::{
    rngs::StdRng,
    seq::{IndexedRandom, IteratorRandom},
    Rng, RngExt,
};

use crate::{
    message::{
        put, request, GENERIC_HEADER, HEADER, NLMSG_MIN_TYPE, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST,
    },
    spec::length,
};

/// Few, so that messages are often about the same entry.
const MACS: u8 = 6;

pub struct Generator {
    pub family: u16,
    /// Interface indices of bridges, ports, and devices that are neither.
    pub devices: Vec<u32>,
    pub random: StdRng,
}

type Attributes = Vec<(u16, Vec<u8>)>;

impl Generator {
    /// A message, its length as its header says or, rarely, not.
    pub fn message(&mut self, sequence: u32) -> Vec<u8> {
        // A dump is an exchange of its own, and takes as long as many messages.
        let dumps = self.random.random_bool(0.005);
        let requests = REQUESTS.iter().filter(|one| one.is_dump == dumps);
        let operation = requests.choose(&mut self.random).unwrap();
        let mut attributes = self.attributes(operation);
        let faults = if self.random.random_bool(0.5) {
            0
        } else {
            self.random.random_range(1..=3)
        };
        for _ in 0..self.random.random_range(0..=faults) {
            self.spoil_attributes(operation, &mut attributes);
        }
        let mut encoded = Vec::new();
        for (number, payload) in &attributes {
            put(&mut encoded, *number, payload);
        }
        let dump = if operation.is_dump { NLM_F_DUMP } else { 0 };
        let flags = NLM_F_REQUEST | NLM_F_ACK | dump;
        let mut bytes = request(self.family, flags, sequence, operation.command, &encoded);
        for _ in 0..self.random.random_range(0..=faults) {
            self.spoil_bytes(&mut bytes);
        }
        bytes
    }

    fn attributes(&mut self, operation: &Request) -> Attributes {
        let mut attributes = Vec::new();
        for attribute in operation.set {
            let numbers = operation.attributes.unwrap_or_default();
            let often = matches!(attribute.name, "ifindex" | "port" | "mac");
            let chance = if often { 0.95 } else { 0.4 };
            if numbers.contains(&attribute.number) && self.random.random_bool(chance) {
                attributes.push((attribute.number, self.payload(attribute)));
            }
        }
        attributes
    }

    /// A payload that the specification allows.
    fn payload(&mut self, attribute: &Attribute) -> Vec<u8> {
        match (attribute.kind, length(attribute)) {
            (Kind::Mac | Kind::Name, length) => {
                let mut payload = vec![0; length.unwrap_or(6)];
                payload[0] = 2;
                *payload.last_mut().unwrap() = self.random.random_range(0..MACS);
                payload
            }
            (_, bytes) => {
                let bytes = bytes.unwrap_or(8);
                let max = attribute.max.min(u64::MAX >> (64 - 8 * bytes));
                let number = match attribute.name {
                    "ifindex" | "port" | "bridge" => {
                        (*self.devices.choose(&mut self.random).unwrap()).into()
                    }
                    _ => match self.random.random_range(0..10) {
                        0 => max,
                        1 => self.random.random_range(attribute.min..=max),
                        _ => self
                            .random
                            .random_range(attribute.min..=max.min(attribute.min + 3)),
                    },
                };
                number.to_le_bytes()[..bytes].to_vec()
            }
        }
    }

    fn noise(&mut self, most: usize) -> Vec<u8> {
        let mut noise = vec![0; self.random.random_range(0..=most)];
        self.random.fill_bytes(&mut noise);
        noise
    }

    fn spoil_attributes(&mut self, operation: &Request, attributes: &mut Attributes) {
        if attributes.is_empty() {
            let number = self.random.random_range(0..20);
            attributes.push((number, self.noise(12)));
        }
        let at = self.random.random_range(0..attributes.len());
        let (number, payload) = &mut attributes[at];
        match self.random.random_range(0..9) {
            0 => {
                attributes.remove(at);
            }
            1 => {
                let again = self.attributes(operation);
                attributes.extend(again);
            }
            2 => {
                let all = [0xff, 0x00, 0x80, 0x7f];
                payload.fill(*all.choose(&mut self.random).unwrap());
            }
            3 => {
                // Just beyond what is allowed.
                let all = operation.set.iter();
                let limits = all
                    .filter(|known| known.number == *number)
                    .flat_map(|known| [known.min.wrapping_sub(1), known.max.wrapping_add(1)]);
                let limits: Vec<_> = limits.collect();
                if let Some(beyond) = limits.choose(&mut self.random) {
                    let length = payload.len().min(8);
                    payload[..length].copy_from_slice(&beyond.to_le_bytes()[..length]);
                }
            }
            4 => payload.resize(self.random.random_range(0..12), 0),
            5 => *number |= *[0x8000, 0x4000].choose(&mut self.random).unwrap(),
            6 => *number = self.random.random_range(0..24),
            7 => *number = self.random.random(),
            _ => {
                let mut nested = Vec::new();
                for _ in 0..self.random.random_range(1..4) {
                    let inner = self.noise(9);
                    put(&mut nested, self.random.random_range(0..9), &inner);
                }
                attributes[at].1 = nested;
            }
        }
    }

    fn spoil_bytes(&mut self, bytes: &mut Vec<u8>) {
        const TYPE: usize = 4;
        const FLAGS: usize = 6;
        match self.random.random_range(0..24) {
            0..3 => {
                let dump = if self.random.random_bool(0.03) {
                    0
                } else {
                    NLM_F_DUMP
                };
                let flags = self.random.random::<u16>() & !dump | NLM_F_ACK;
                bytes[FLAGS..FLAGS + 2].copy_from_slice(&flags.to_le_bytes());
            }
            3 => {
                // What is no family's is only acknowledged.
                let kind = self.random.random_range(0..NLMSG_MIN_TYPE);
                bytes[TYPE..TYPE + 2].copy_from_slice(&kind.to_le_bytes());
            }
            4..7 => bytes.truncate(self.random.random_range(HEADER..=bytes.len())),
            7..10 => bytes.extend_from_slice(&self.noise(40)),
            10..12 => {
                bytes.truncate(HEADER + GENERIC_HEADER);
                bytes.extend_from_slice(&self.noise(200));
            }
            12..14 => {
                bytes.truncate(HEADER);
                bytes.extend_from_slice(&self.noise(100));
            }
            14..20 if bytes.len() > HEADER => {
                // An attribute's length or type, the command, or anything else.
                let at = self.random.random_range(HEADER..bytes.len());
                bytes[at] = self.random.random();
            }
            20..23 if bytes.len() > HEADER => {
                let at = self.random.random_range(HEADER..bytes.len());
                bytes[at] ^= 1 << self.random.random_range(0..8);
            }
            23 if self.random.random_bool(0.1) => {
                // No message at all. A length that is less than what is there would make one of the
                // rest.
                let beyond = bytes.len() as u32 + self.random.random_range(4..1000);
                let short = self.random.random_range(0..HEADER as u32);
                let length = *[beyond, short, u32::MAX].choose(&mut self.random).unwrap();
                bytes[..4].copy_from_slice(&length.to_le_bytes());
                return;
            }
            _ => {}
        }
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Header;
    use rand::SeedableRng;

    #[test]
    fn a_seed_repeats_a_run() {
        let run = |seed| {
            let mut generator = Generator {
                family: 30,
                devices: vec![1, 2, 3],
                random: StdRng::seed_from_u64(seed),
            };
            (0..1000).map(|n| generator.message(n)).collect::<Vec<_>>()
        };
        assert!(run(1) == run(1));
        assert!(run(1) != run(2));
        for message in run(1) {
            let header = Header::read(&message).unwrap();
            // None is for another family, and none makes another message of its rest.
            assert!(header.family == 30 || header.family < NLMSG_MIN_TYPE);
            let length = header.length as usize;
            assert!(length < HEADER || length >= message.len());
        }
    }
}
