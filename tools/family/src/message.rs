// SPDX-License-Identifier: GPL-2.0

//! Messages as bytes. Whatever the bytes are, nothing here panics or goes on for ever.

use netlink_packet_core::{
    Emitable, NLA_HEADER_SIZE, NLMSG_ALIGNTO, NetlinkBuffer, NetlinkHeader, NlasIterator, Parseable,
};

use crate::error::Error;

/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// Bytes of `struct genlmsghdr`.
const GENERIC_HEADER: usize = 4;

/// Where the attributes of a generic message begin.
pub(crate) const ATTRIBUTES: usize = HEADER + GENERIC_HEADER;

const VERSION: u8 = 1;

/// A message of a datagram.
#[derive(Debug)]
pub struct Message<'a> {
    /// What it is.
    pub header: NetlinkHeader,
    /// What comes after the header.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// What comes after the header of generic netlink: its attributes.
    pub fn attributes(&self) -> Result<&'a [u8], Error> {
        self.payload
            .get(GENERIC_HEADER..)
            .ok_or(Error::Malformed("a message is too short"))
    }

    /// The command in the header of generic netlink.
    pub fn command(&self) -> Option<u8> {
        self.payload.first().copied()
    }
}

/// The messages of a datagram, up to the first that is none.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Error>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let message = first(rest);
        let length = match &message {
            Ok(message) => HEADER + message.payload.len(),
            Err(_) => rest.len(),
        };
        let next = length.next_multiple_of(usize::from(NLMSG_ALIGNTO));
        rest = rest.get(next..).unwrap_or_default();
        Some(message)
    })
}

fn first(bytes: &[u8]) -> Result<Message<'_>, Error> {
    let malformed = |_| Error::Malformed("a message is cut short");
    let buffer = NetlinkBuffer::new_checked(bytes).map_err(malformed)?;
    Ok(Message {
        header: NetlinkHeader::parse(&buffer).map_err(malformed)?,
        payload: buffer.payload(),
    })
}

/// The attributes in `bytes`, number and payload, up to the first that is none.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(bytes).map_while(|attribute| {
        let attribute = attribute.ok()?;
        let (number, length) = (attribute.kind(), usize::from(attribute.length()));
        let payload = attribute.into_inner().get(NLA_HEADER_SIZE..length)?;
        Some((number, payload))
    })
}

/// The payload of the first attribute with that number.
pub fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    let found = attributes(bytes).find(|(number, _)| *number == wanted);
    found.map(|(_, payload)| payload)
}

/// The bytes of a number, if it has so many.
pub fn number<const N: usize>(payload: &[u8]) -> Option<[u8; N]> {
    payload.try_into().ok()
}

/// The number of the attribute that begins at `offset` of a generic message that was sent.
pub(crate) fn attribute_at(message: &[u8], offset: usize) -> Option<u16> {
    let bytes = message.get(offset..).filter(|_| offset >= ATTRIBUTES)?;
    attributes(bytes).next().map(|(number, _)| number)
}

/// Adds an attribute.
pub fn put(bytes: &mut Vec<u8>, number: u16, payload: &[u8]) {
    // The longest is the name of a family.
    let length = u16::try_from(NLA_HEADER_SIZE + payload.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A request for a family, without attributes yet.
pub(crate) fn begin(family: u16, flags: u16, sequence: u32, command: u8) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.message_type = family;
    header.flags = flags;
    header.sequence_number = sequence;
    let mut bytes = vec![0; HEADER];
    header.emit(&mut bytes);
    bytes.extend_from_slice(&[command, VERSION, 0, 0]);
    bytes
}

/// Completes a request to which its attributes were added.
pub(crate) fn finish(bytes: &mut [u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    NetlinkBuffer::new(bytes).set_length(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_datagram_apart() {
        let mut one = begin(30, 5, 7, 2);
        put(&mut one, 3, &[1]);
        put(&mut one, 4, b"four");
        finish(&mut one);
        let two = [one.clone(), one].concat();
        let all: Vec<_> = messages(&two).map(Result::unwrap).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[1].header.message_type, all[1].header.sequence_number),
            (30, 7)
        );
        assert_eq!(all[1].command(), Some(2));
        let found: Vec<_> = attributes(all[1].attributes().unwrap()).collect();
        assert_eq!(found, [(3, &[1][..]), (4, b"four")]);
    }

    #[test]
    fn says_that_a_message_is_cut_short_and_ends() {
        let mut bytes = begin(30, 5, 7, 2);
        put(&mut bytes, 4, b"four");
        finish(&mut bytes);
        bytes.pop();
        assert!(matches!(
            messages(&bytes).collect::<Vec<_>>()[..],
            [Err(Error::Malformed(_))]
        ));
        // A length of 0 must not be looked at for ever.
        assert_eq!(messages(&[0; 64]).count(), 1);
    }
}
