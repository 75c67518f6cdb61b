// SPDX-License-Identifier: GPL-2.0

//! A socket that asks the kernel.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_sys::{Socket, SocketAddr};
use nix::{
    libc,
    sys::{
        socket::{setsockopt, sockopt},
        time::TimeVal,
    },
};

use crate::{attribute::Attribute, error::Error, exchange::Exchange, message};

/// The kernel answers before the request returns. If it does not, it never will.
const PATIENCE: TimeVal = TimeVal::new(60, 0);

/// A part of a dump is at most half of this.
pub(crate) const DATAGRAM: usize = 64 << 10;

/// How a dump came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dump {
    /// What was there all the time was shown.
    Whole,
    /// Things have changed meanwhile: some may be missing.
    Interrupted,
}

/// Asks one of the kernel's netlink protocols.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
    protocol: isize,
}

impl Connection {
    /// Connects, in the network namespace that the thread is in; `protocol` is one of
    /// [`netlink_sys::protocols`].
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if that is not possible.
    pub fn open(protocol: isize) -> Result<Self, Error> {
        Ok(Self {
            socket: connect(protocol)?,
            buffer: Vec::with_capacity(DATAGRAM),
            sequence: 0,
            protocol,
        })
    }

    /// Asks once: `body` is what comes after the header of netlink. Each answer is shown without
    /// that header.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel does not want to, or the first that `part` returns.
    pub fn ask<E: From<Error>>(
        &mut self,
        kind: u16,
        body: &[u8],
        part: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.carry_out(kind, 0, body, &[], part).map(drop)
    }

    /// Asks for all that there is.
    ///
    /// # Errors
    ///
    /// As those of [`Connection::ask`].
    pub fn dump<E: From<Error>>(
        &mut self,
        kind: u16,
        body: &[u8],
        part: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Dump, E> {
        self.carry_out(kind, NLM_F_DUMP, body, &[], part)
    }

    /// Has the kernel refuse what it does not understand, and heed filters of dumps.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if it can't.
    pub fn be_strict(&mut self) -> Result<(), Error> {
        Ok(self.socket.set_netlink_get_strict_chk(true)?)
    }

    /// The same as both, with the attributes that a refusal may name.
    pub(crate) fn carry_out<E: From<Error>>(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        set: &'static [Attribute],
        mut part: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Dump, E> {
        self.sequence = self.sequence.wrapping_add(1);
        // What has an answer has an end only if it is to be acknowledged.
        let flags = flags | NLM_F_REQUEST | NLM_F_ACK;
        let request = message::request(kind, flags, self.sequence, body);
        let mut exchange = Exchange {
            request: &request,
            sequence: self.sequence,
            set,
            is_interrupted: false,
        };
        self.socket.send(&request, 0).map_err(Error::from)?;
        loop {
            let taken = receive(&self.socket, &mut self.buffer)
                .map_err(E::from)
                .and_then(|()| exchange.take(&self.buffer, &mut part));
            match taken {
                Ok(flow) if flow.is_continue() => (),
                Ok(_) if exchange.is_interrupted => return Ok(Dump::Interrupted),
                Ok(_) => return Ok(Dump::Whole),
                Err(error) => {
                    // There may be more to come, which is no answer to the next request.
                    self.socket = connect(self.protocol)?;
                    return Err(error);
                }
            }
        }
    }
}

/// Listens to a multicast group.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Listener {
    /// Joins a group of one of [`netlink_sys::protocols`], in the network namespace that the thread
    /// is in.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if that is not possible.
    pub fn open(protocol: isize, group: u32) -> Result<Self, Error> {
        let socket = connect(protocol)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 0))
            .map_err(io::Error::from)?;
        socket.add_membership(group)?;
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(DATAGRAM),
        })
    }

    /// Waits for a datagram, and shows the type and the payload of each message. It returns false
    /// if more has come than there was room for.
    ///
    /// # Errors
    ///
    /// The first that `each` returns, [`Error::Socket`] or [`Error::Malformed`].
    pub fn next<E: From<Error>>(
        &mut self,
        mut each: impl FnMut(u16, &[u8]) -> Result<(), E>,
    ) -> Result<bool, E> {
        match receive(&self.socket, &mut self.buffer) {
            Err(Error::Socket(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                return Ok(false);
            }
            other => other?,
        }
        for message in message::messages(&self.buffer) {
            let message = message?;
            each(message.header.message_type, message.payload)?;
        }
        Ok(true)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket that hears from the kernel only.
pub(crate) fn connect(protocol: isize) -> Result<Socket, Error> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_ext_ack(true)?;
    socket.set_cap_ack(true)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &PATIENCE).map_err(io::Error::from)?;
    Ok(socket)
}

/// The next datagram is in `buffer` then.
pub(crate) fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        buffer.clear();
        let received = socket.recv(buffer, libc::MSG_TRUNC);
        match received {
            Ok(length) if length > buffer.len() => return Err(Error::Malformed("it is too long")),
            Ok(_) => return Ok(()),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => (),
                io::ErrorKind::WouldBlock => return Err(Error::Silent),
                _ => return Err(error.into()),
            },
        }
    }
}
