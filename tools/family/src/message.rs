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

/// What comes after the header of generic netlink: the attributes.
pub fn after_generic(payload: &[u8]) -> Result<&[u8], Error> {
    payload
        .get(GENERIC_HEADER..)
        .ok_or(Error::Malformed("a message is too short"))
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

/// The header of a generic request, to which its attributes are added.
pub fn generic(command: u8) -> Vec<u8> {
    vec![command, VERSION, 0, 0]
}

/// A message to the kernel: `body` is what comes after the header of netlink.
pub(crate) fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    header.message_type = kind;
    header.flags = flags;
    header.sequence_number = sequence;
    let mut bytes = vec![0; HEADER];
    header.emit(&mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_datagram_apart() {
        let mut body = generic(2);
        put(&mut body, 3, &[1]);
        put(&mut body, 4, b"four");
        let one = request(30, 5, 7, &body);
        let two = [one.clone(), one].concat();
        let all: Vec<_> = messages(&two).map(Result::unwrap).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(
            (all[1].header.message_type, all[1].header.sequence_number),
            (30, 7)
        );
        let found: Vec<_> = attributes(after_generic(all[1].payload).unwrap()).collect();
        assert_eq!(found, [(3, &[1][..]), (4, b"four")]);
    }

    #[test]
    fn says_that_a_message_is_cut_short_and_ends() {
        let mut bytes = request(30, 5, 7, b"four");
        bytes.pop();
        assert!(matches!(
            messages(&bytes).collect::<Vec<_>>()[..],
            [Err(Error::Malformed(_))]
        ));
        // A length of 0 must not be looked at for ever.
        assert_eq!(messages(&[0; 64]).count(), 1);
    }
}
