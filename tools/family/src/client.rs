// SPDX-License-Identifier: GPL-2.0

//! A socket that asks the family, and one that listens to it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use nix::{
    libc,
    sys::{
        socket::{setsockopt, sockopt},
        time::TimeVal,
    },
};

use crate::{
    attribute::{Attributes, Operation, decode, encode},
    error::Error,
    exchange::Exchange,
    family::{EventAttributes, NAME, group},
    message::{self, attribute, number},
};

/// The kernel answers before the request returns. If it does not, it never will.
const PATIENCE: TimeVal = TimeVal::new(60, 0);

/// A part of a dump is at most half of this.
const DATAGRAM: usize = 64 << 10;

/// Bytes of events that may wait to be read.
const EVENTS: usize = 8 << 20;

/// How a dump came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dump {
    /// What was there all the time was shown.
    Whole,
    /// Things have changed meanwhile: some may be missing.
    Interrupted,
}

/// Asks the family.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
    family: Family,
}

/// The family's numbers in this kernel.
#[derive(Clone, Copy, Debug)]
struct Family {
    id: u16,
    /// The multicast group of events.
    events: u32,
}

impl Client {
    /// Connects, in the network namespace that the thread is in.
    ///
    /// # Errors
    ///
    /// [`Error::NoFamily`] if the module is not loaded.
    pub fn open() -> Result<Self, Error> {
        let mut client = Self {
            socket: connect()?,
            buffer: Vec::with_capacity(DATAGRAM),
            sequence: 0,
            family: Family { id: 0, events: 0 },
        };
        client.family = client.resolve()?;
        Ok(client)
    }

    /// Carries out an operation that answers nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel does not want to; then nothing has changed.
    pub fn set<A: Attributes>(&mut self, operation: &Operation<A>, with: &A) -> Result<(), Error> {
        self.carry_out(operation, 0, with, |_| Ok(())).map(drop)
    }

    /// Carries out an operation that answers once.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel does not want to.
    pub fn get<A: Attributes>(&mut self, operation: &Operation<A>, with: &A) -> Result<A, Error> {
        let mut answer = None;
        self.carry_out(operation, 0, with, |part| {
            answer = Some(part);
            Ok::<_, Error>(())
        })?;
        answer.ok_or(Error::Malformed("it says nothing"))
    }

    /// Shows all that there is, one after the other, in constant memory.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel does not want to, or the first that `part` returns.
    pub fn dump<A: Attributes, E: From<Error>>(
        &mut self,
        operation: &Operation<A>,
        with: &A,
        part: impl FnMut(A) -> Result<(), E>,
    ) -> Result<Dump, E> {
        self.carry_out(operation, NLM_F_DUMP, with, part)
    }

    /// All that there is. It is asked for again if it has changed meanwhile, some times.
    ///
    /// # Errors
    ///
    /// As those of [`Client::dump`].
    pub fn list<A: Attributes>(
        &mut self,
        operation: &Operation<A>,
        with: &A,
    ) -> Result<Vec<A>, Error> {
        const TRIES: usize = 10;
        let mut all = Vec::new();
        for _ in 0..TRIES {
            all.clear();
            let dump = self.dump(operation, with, |part| {
                all.push(part);
                Ok::<_, Error>(())
            })?;
            if dump == Dump::Whole {
                break;
            }
        }
        Ok(all)
    }

    /// Begins to listen to what happens, on a socket of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if that is not possible.
    pub fn listen(&self) -> Result<Events, Error> {
        let socket = connect()?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 0))
            .map_err(io::Error::from)?;
        // More than the usual limit takes a capability.
        if setsockopt(&socket, sockopt::RcvBufForce, &EVENTS).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &EVENTS).map_err(io::Error::from)?;
        }
        socket.add_membership(self.family.events)?;
        Ok(Events {
            socket,
            buffer: Vec::with_capacity(DATAGRAM),
            family: self.family,
        })
    }

    fn carry_out<A: Attributes, E: From<Error>>(
        &mut self,
        operation: &Operation<A>,
        flags: u16,
        with: &A,
        mut part: impl FnMut(A) -> Result<(), E>,
    ) -> Result<Dump, E> {
        let mut request = self.begin(self.family.id, flags, operation.command);
        encode(&mut request, with);
        message::finish(&mut request);
        let mut exchange = Exchange {
            request: &request,
            sequence: self.sequence,
            set: A::ATTRIBUTES,
            is_interrupted: false,
        };
        self.exchange(&mut exchange, |bytes| part(decode(bytes)))?;
        Ok(if exchange.is_interrupted {
            Dump::Interrupted
        } else {
            Dump::Whole
        })
    }

    fn begin(&mut self, family: u16, flags: u16, command: u8) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        // What has an answer has an end only if it is to be acknowledged.
        let flags = flags | NLM_F_REQUEST | NLM_F_ACK;
        message::begin(family, flags, self.sequence, command)
    }

    fn exchange<E: From<Error>>(
        &mut self,
        exchange: &mut Exchange<'_>,
        mut part: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.socket.send(exchange.request, 0).map_err(Error::from)?;
        loop {
            let taken = receive(&self.socket, &mut self.buffer)
                .map_err(E::from)
                .and_then(|()| exchange.take(&self.buffer, &mut part));
            match taken {
                Ok(flow) if flow.is_continue() => (),
                Ok(_) => return Ok(()),
                Err(error) => {
                    // There may be more to come, which is no answer to the next request.
                    self.socket = connect()?;
                    return Err(error);
                }
            }
        }
    }

    /// Looks the family up.
    fn resolve(&mut self) -> Result<Family, Error> {
        // <linux/genetlink.h>
        const CONTROLLER: u16 = 16;
        const GET_FAMILY: u8 = 3;
        const FAMILY_ID: u16 = 1;
        const FAMILY_NAME: u16 = 2;
        const GROUPS: u16 = 7;
        const GROUP_NAME: u16 = 1;
        const GROUP_ID: u16 = 2;
        let mut request = self.begin(CONTROLLER, 0, GET_FAMILY);
        message::put(
            &mut request,
            FAMILY_NAME,
            &[NAME.as_bytes(), b"\0"].concat(),
        );
        message::finish(&mut request);
        let mut exchange = Exchange {
            request: &request,
            sequence: self.sequence,
            set: &[],
            is_interrupted: false,
        };
        let (mut id, mut events) = (None, None);
        let said = self.exchange(&mut exchange, |bytes| {
            id = attribute(bytes, FAMILY_ID)
                .and_then(number)
                .map(u16::from_ne_bytes);
            let groups = attribute(bytes, GROUPS).unwrap_or_default();
            for (_, told) in message::attributes(groups) {
                let name = attribute(told, GROUP_NAME).unwrap_or_default();
                if name.strip_suffix(b"\0").unwrap_or(name) == group::EVENTS.as_bytes() {
                    events = attribute(told, GROUP_ID)
                        .and_then(number)
                        .map(u32::from_ne_bytes);
                }
            }
            Ok::<_, Error>(())
        });
        match said {
            Err(Error::Refused(refusal)) if refusal.error == libc::ENOENT => Err(Error::NoFamily),
            Err(error) => Err(error),
            Ok(()) => Ok(Family {
                id: id.ok_or(Error::Malformed("the family has no number"))?,
                events: events.ok_or(Error::Malformed("the family has no events"))?,
            }),
        }
    }
}

/// Listens to what happens.
#[derive(Debug)]
pub struct Events {
    socket: Socket,
    buffer: Vec<u8>,
    family: Family,
}

impl Events {
    /// Waits for something to happen, and shows it. It returns false if more has happened than
    /// there was room for.
    ///
    /// # Errors
    ///
    /// The first that `event` returns, or [`Error::Socket`].
    pub fn next<E: From<Error>>(
        &mut self,
        mut event: impl FnMut(EventAttributes) -> Result<(), E>,
    ) -> Result<bool, E> {
        match receive(&self.socket, &mut self.buffer) {
            Err(Error::Socket(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                return Ok(false);
            }
            other => other?,
        }
        for message in message::messages(&self.buffer) {
            let message = message?;
            if message.header.message_type == self.family.id {
                event(decode(message.attributes()?))?;
            }
        }
        Ok(true)
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket that hears from the kernel only.
fn connect() -> Result<Socket, Error> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_ext_ack(true)?;
    socket.set_cap_ack(true)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &PATIENCE).map_err(io::Error::from)?;
    Ok(socket)
}

/// The next datagram is in `buffer` then.
fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        buffer.clear();
        let received = socket.recv(buffer, libc::MSG_TRUNC);
        match received {
            Ok(length) if length > DATAGRAM => return Err(Error::Malformed("it is too long")),
            Ok(_) => return Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => (),
                io::ErrorKind::WouldBlock => return Err(Error::Silent),
                _ => return Err(error.into()),
            },
        }
    }
}
