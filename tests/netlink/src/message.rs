// SPDX-License-Identifier: GPL-2.0

//! Netlink messages as bytes: made, so that they can also be wrong, and taken apart.

/// `struct nlmsghdr` and `struct genlmsghdr`.
pub const HEADER: usize = 16;
pub const GENERIC_HEADER: usize = 4;

pub const NLM_F_REQUEST: u16 = 1;
pub const NLM_F_ACK: u16 = 4;
pub const NLM_F_DUMP_INTR: u16 = 0x10;
pub const NLM_F_DUMP: u16 = 0x300;
pub const NLMSG_ERROR: u16 = 2;
pub const NLMSG_DONE: u16 = 3;
/// Types below this one are not a family's.
pub const NLMSG_MIN_TYPE: u16 = 16;

const NLA_TYPE_MASK: u16 = 0x3fff;

fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// The head of a message.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// With the header, without padding at the end.
    pub length: u32,
    pub family: u16,
    pub flags: u16,
    pub sequence: u32,
}

impl Header {
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let field = |at: usize| {
            bytes
                .get(at..at + 4)?
                .try_into()
                .ok()
                .map(u32::from_le_bytes)
        };
        let kind = field(4)?;
        Some(Self {
            length: field(0)?,
            family: kind as u16,
            flags: (kind >> 16) as u16,
            sequence: field(8)?,
        })
    }
}

/// Adds an attribute to those in `bytes`.
pub fn put(bytes: &mut Vec<u8>, number: u16, payload: &[u8]) {
    bytes.extend_from_slice(&(payload.len() as u16 + 4).to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(align(bytes.len()), 0);
}

/// A message for a family, with attributes as [`put`] makes them.
pub fn request(family: u16, flags: u16, sequence: u32, command: u8, attributes: &[u8]) -> Vec<u8> {
    let length = (HEADER + GENERIC_HEADER + attributes.len()) as u32;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&family.to_le_bytes());
    bytes.extend_from_slice(&flags.to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&[command, 1, 0, 0]);
    bytes.extend_from_slice(attributes);
    bytes
}

/// The messages of a datagram, each with all of its bytes.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (Header, &[u8])> {
    std::iter::from_fn(move || {
        let header = Header::read(bytes)?;
        let message = bytes.get(HEADER..header.length as usize)?;
        bytes = bytes.get(align(header.length as usize)..).unwrap_or(&[]);
        Some((header, message))
    })
}

/// The attributes in `bytes`, number and payload, up to the first that is none.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let field = |at: usize| {
            bytes
                .get(at..at + 2)?
                .try_into()
                .ok()
                .map(u16::from_le_bytes)
        };
        let (length, number) = (usize::from(field(0)?), field(2)?);
        let payload = bytes.get(4..length)?;
        bytes = bytes.get(align(length)..).unwrap_or(&[]);
        Some((number & NLA_TYPE_MASK, payload))
    })
}
