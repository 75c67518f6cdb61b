// SPDX-License-Identifier: GPL-2.0

//! What our frames look like on the wire, and what is read from any frame that arrives.
//!
//! Behind the Ethernet header and the VLAN tags, of EtherType "local experimental 1":
//! a magic word, the run's number, the send's number in the run, the frame's number in the send.

use crate::mac::Mac;
use etherparse::{
    EtherType, Ethernet2Header, LaxSlicedPacket, SingleVlanHeader, TransportSlice, VlanId,
};
use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

const ETHER_TYPE: EtherType = EtherType(0x88b5);
const MAGIC: [u8; 8] = *b"maclearn";
const PAYLOAD_LEN: usize = MAGIC.len() + 8 + 4 + 8;

pub const TAG_LEN: usize = 4;

/// Shortest frame on an Ethernet, without the checksum.
pub const MIN_SIZE: usize = 60;

/// The VLAN tags of a frame, outermost first. Written `20.10`, and `-` when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tags(pub Vec<u16>);

impl FromStr for Tags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let tags: Result<Vec<u16>, _> = text.split('.').map(str::parse).collect();
        match tags {
            Ok(tags) if tags.iter().all(|&vid| vid < 4096) => Ok(Tags(tags)),
            _ => Err(format!(
                "'{text}' is not a VLAN, nor two with a dot between them"
            )),
        }
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        let texts: Vec<_> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&texts.join("."))
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The frames that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Flow {
    pub src: Mac,
    pub dst: Mac,
    #[serde(rename = "vlan")]
    pub tags: Tags,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} vlan {}", self.src, self.dst, self.tags)
    }
}

/// Which of our frames it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub run: u64,
    pub send: u32,
    pub seq: u64,
}

/// Writes one of our frames, `size` bytes long (more when that is too short), to `out`.
pub fn build(out: &mut Vec<u8>, flow: &Flow, label: Label, size: usize) {
    out.clear();
    let mut types: Vec<_> = flow
        .tags
        .0
        .iter()
        .map(|_| EtherType::VLAN_TAGGED_FRAME)
        .collect();
    types.push(ETHER_TYPE);
    let ethernet = Ethernet2Header {
        source: flow.src.bytes(),
        destination: flow.dst.bytes(),
        ether_type: types[0],
    };
    out.extend(ethernet.to_bytes());
    for (&vid, &ether_type) in flow.tags.0.iter().zip(&types[1..]) {
        let tag = SingleVlanHeader {
            vlan_id: VlanId::try_new(vid).expect("checked when it was parsed"),
            ether_type,
            ..Default::default()
        };
        out.extend(tag.to_bytes());
    }
    out.extend(MAGIC);
    out.extend(label.run.to_be_bytes());
    out.extend(label.send.to_be_bytes());
    out.extend(label.seq.to_be_bytes());
    out.resize(out.len().max(size).max(MIN_SIZE), 0);
}

/// A frame that arrived.
pub struct Arrived {
    pub flow: Flow,
    /// None when the frame is not one of ours.
    pub label: Option<Label>,
    /// Segments that a segmentation offload would make of it.
    pub segments: u64,
    /// As network devices count them: with the Ethernet header, without the tag that the kernel
    /// took out.
    pub bytes: u64,
}

/// Reads a frame's first bytes. `stripped` is the tag that the kernel took out of them,
/// `len` the whole frame's length without that tag, `gso_size` the payload of a segment or 0.
pub fn parse(data: &[u8], stripped: Option<u16>, len: usize, gso_size: usize) -> Option<Arrived> {
    let packet = LaxSlicedPacket::from_ethernet(data).ok()?;
    let ethernet = data.get(..12)?;
    let mut tags: Vec<u16> = stripped.into_iter().collect();
    tags.extend(packet.vlan_ids().iter().map(|vid| vid.value()));
    let label = packet
        .ether_payload()
        .filter(|p| p.ether_type == ETHER_TYPE)
        .and_then(|p| parse_label(p.payload));
    let segments = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) if gso_size > 0 => {
            let headers = tcp.payload().as_ptr() as usize - data.as_ptr() as usize;
            len.saturating_sub(headers).div_ceil(gso_size).max(1)
        }
        _ => 1,
    };
    Some(Arrived {
        flow: Flow {
            dst: <[u8; 6]>::try_from(&ethernet[..6]).ok()?.into(),
            src: <[u8; 6]>::try_from(&ethernet[6..]).ok()?.into(),
            tags: Tags(tags),
        },
        label,
        segments: segments as u64,
        bytes: len as u64,
    })
}

fn parse_label(payload: &[u8]) -> Option<Label> {
    let payload = payload.get(..PAYLOAD_LEN)?.strip_prefix(&MAGIC)?;
    Some(Label {
        run: u64::from_be_bytes(payload[..8].try_into().ok()?),
        send: u32::from_be_bytes(payload[8..12].try_into().ok()?),
        seq: u64::from_be_bytes(payload[12..20].try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(tags: &str) -> Flow {
        Flow {
            src: "02:00:00:00:01:01".parse().unwrap(),
            dst: "02:00:00:00:02:01".parse().unwrap(),
            tags: if tags.is_empty() {
                Tags::default()
            } else {
                tags.parse().unwrap()
            },
        }
    }

    const LABEL: Label = Label {
        run: 1 << 60,
        send: 7,
        seq: 1 << 33,
    };

    #[test]
    fn a_built_frame_parses() {
        for tags in ["", "10", "20.10", "0"] {
            let mut data = Vec::new();
            build(&mut data, &flow(tags), LABEL, 0);
            let arrived = parse(&data, None, data.len(), 0).unwrap();
            assert_eq!(arrived.flow, flow(tags));
            assert_eq!(arrived.label, Some(LABEL));
            assert_eq!(arrived.bytes, MIN_SIZE as u64);
        }
    }

    #[test]
    fn a_stripped_tag_is_the_outermost() {
        let mut data = Vec::new();
        build(&mut data, &flow("10"), LABEL, 0);
        let arrived = parse(&data, Some(20), data.len(), 0).unwrap();
        assert_eq!(arrived.flow, flow("20.10"));
        assert_eq!(arrived.bytes, MIN_SIZE as u64);
    }

    #[test]
    fn a_foreign_frame_has_no_label() {
        let mut data = Vec::new();
        build(&mut data, &flow(""), LABEL, 0);
        data[14] ^= 1;
        assert_eq!(parse(&data, None, data.len(), 0).unwrap().label, None);
    }

    #[test]
    fn segments_are_counted() {
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .tcp(1, 2, 3, 4);
        let mut data = Vec::new();
        builder.write(&mut data, &[0; 200]).unwrap();
        let segments = |len, gso_size| parse(&data, None, len, gso_size).unwrap().segments;
        assert_eq!(segments(54 + 3000, 1000), 3);
        assert_eq!(segments(54 + 3001, 1000), 4);
        assert_eq!(segments(54 + 3001, 0), 1);
    }
}
