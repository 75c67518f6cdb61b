// SPDX-License-Identifier: GPL-2.0

//! A request and what comes back: which part of it a datagram is.

use std::ops::ControlFlow;

use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR};

use crate::{
    attribute::Attribute,
    error::Error,
    message::{self, Message},
    refusal::Refusal,
};

/// Bytes of the error number in an acknowledgement, and of the header that comes after it.
const ERROR: usize = 4;
const ECHOED_HEADER: usize = 16;

/// A request that was sent.
pub(crate) struct Exchange<'a> {
    /// The message.
    pub(crate) request: &'a [u8],
    /// Its sequence number.
    pub(crate) sequence: u32,
    /// What it had attributes of.
    pub(crate) set: &'static [Attribute],
    /// Whether what a dump goes through has changed under it.
    pub(crate) is_interrupted: bool,
}

impl Exchange<'_> {
    /// Takes a datagram of the answer: shows each part to `part`, and breaks at the end.
    pub(crate) fn take<E: From<Error>>(
        &mut self,
        datagram: &[u8],
        mut part: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<ControlFlow<()>, E> {
        if datagram.is_empty() {
            return Err(Error::Malformed("it is empty").into());
        }
        for message in message::messages(datagram) {
            let message = message?;
            if message.header.sequence_number != self.sequence {
                return Err(Error::Malformed("it is none to this request").into());
            }
            self.is_interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            match message.header.message_type {
                NLMSG_ERROR | NLMSG_DONE => {
                    self.end(&message)?;
                    return Ok(ControlFlow::Break(()));
                }
                _ => part(message.payload)?,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Looks whether the last message is a refusal.
    fn end(&self, message: &Message<'_>) -> Result<(), Error> {
        let number = message
            .payload
            .get(..ERROR)
            .and_then(|bytes| bytes.try_into().ok());
        let error = number.map(i32::from_ne_bytes);
        match error.ok_or(Error::Malformed("an acknowledgement is too short"))? {
            // That of a dump may be the number of bytes of its last part.
            0.. => Ok(()),
            error => {
                let told = self.told(message).unwrap_or_default();
                Err(Refusal::read(error, told, self.request, self.set).into())
            }
        }
    }

    /// The attributes of an acknowledgement.
    fn told<'m>(&self, message: &Message<'m>) -> Option<&'m [u8]> {
        let flags = message.header.flags;
        if flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let begin = match message.header.message_type {
            NLMSG_DONE => ERROR,
            _ if flags & NLM_F_CAPPED != 0 => ERROR + ECHOED_HEADER,
            // The whole request was sent back.
            _ => ERROR + self.request.len().next_multiple_of(4),
        };
        message.payload.get(begin..)
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{Emitable, NetlinkHeader};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Attributes, BridgeAttributes, EntryAttributes, EventAttributes, PortAttributes, decode,
    };

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut header = NetlinkHeader::default();
        header.length = 16 + payload.len() as u32;
        header.message_type = kind;
        header.flags = flags;
        header.sequence_number = 7;
        let mut bytes = vec![0; 16];
        header.emit(&mut bytes);
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn answer(datagram: &[u8]) -> Result<(ControlFlow<()>, usize, bool), Error> {
        let mut body = message::generic(1);
        message::put(&mut body, 1, &3u32.to_ne_bytes());
        let request = message::request(30, 5, 7, &body);
        let mut exchange = Exchange {
            request: &request,
            sequence: 7,
            set: PortAttributes::ATTRIBUTES,
            is_interrupted: false,
        };
        let mut parts = 0;
        let flow = exchange.take(datagram, |bytes| {
            parts += 1;
            let bytes = message::after_generic(bytes)?;
            // All sets, whatever the message is.
            let _: PortAttributes = decode(bytes);
            let _: BridgeAttributes = decode(bytes);
            let _: EntryAttributes = decode(bytes);
            let _: EventAttributes = decode(bytes);
            Ok::<_, Error>(())
        })?;
        Ok((flow, parts, exchange.is_interrupted))
    }

    #[test]
    fn ends_with_the_acknowledgement() {
        let part = message(30, 2, &[1, 1, 0, 0]);
        let end = message(NLMSG_ERROR, NLM_F_CAPPED, &[0; 20]);
        assert_eq!(
            answer(&part).unwrap(),
            (ControlFlow::Continue(()), 1, false)
        );
        let both = [part, end].concat();
        assert_eq!(answer(&both).unwrap(), (ControlFlow::Break(()), 1, false));
    }

    #[test]
    fn notices_an_interrupted_dump() {
        let end = message(NLMSG_DONE, NLM_F_DUMP_INTR, &[0; 4]);
        assert_eq!(answer(&end).unwrap(), (ControlFlow::Break(()), 0, true));
    }

    #[test]
    fn finds_the_attribute_at_fault_wherever_the_kernel_says_it() {
        let mut told = Vec::new();
        message::put(&mut told, 1, b"no such port\0");
        message::put(&mut told, 2, &20u32.to_ne_bytes());
        let error = (-19i32).to_ne_bytes();
        let capped = [&error[..], &[0; 16], &told].concat();
        let whole = [&error[..], &[0; 28], &told].concat();
        let done = [&error[..], &told].concat();
        for (kind, flags, payload) in [
            (NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, capped),
            (NLMSG_ERROR, NLM_F_ACK_TLVS, whole),
            (NLMSG_DONE, NLM_F_ACK_TLVS, done),
        ] {
            let refusal = answer(&message(kind, flags, &payload)).unwrap_err();
            assert_eq!(refusal.to_string(), "ifindex: no such port");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = answer(&bytes);
        }

        #[test]
        fn no_damage_makes_it_panic(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
            kind in prop_oneof![Just(NLMSG_ERROR), Just(NLMSG_DONE), Just(30)],
            flags in any::<u16>(),
            told in proptest::collection::vec((0u16..16, proptest::collection::vec(any::<u8>(), 0..12)), 0..8),
        ) {
            let mut payload = (-34i32).to_ne_bytes().to_vec();
            if kind == NLMSG_ERROR {
                payload.resize(20, 0);
            }
            for (number, value) in &told {
                let mut policy = Vec::new();
                message::put(&mut policy, *number, value);
                message::put(&mut payload, *number, if *number == 4 { &policy } else { value });
            }
            let mut bytes = message(kind, flags, &payload);
            let _ = answer(&bytes);
            for (index, byte) in &damage {
                *index.get_mut(&mut bytes) = *byte;
            }
            let _ = answer(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = answer(&bytes);
        }
    }
}
