// SPDX-License-Identifier: GPL-2.0

//! A socket that talks to the family.

use std::collections::HashMap;

use anyhow::{ensure, Context, Result};
use netlink_sys::{constants::NETLINK_GENERIC, Socket, SocketAddr};
use nix::{
    errno::Errno,
    sys::{
        socket::{setsockopt, sockopt},
        time::{TimeVal, TimeValLike},
    },
};

use crate::message::{
    attributes, messages, put, request, Header, GENERIC_HEADER, NLMSG_DONE, NLMSG_ERROR, NLM_F_ACK,
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
};

const PATIENCE_SECONDS: i64 = 20;
const RECEIVE_BUFFER: usize = 8 << 20;

/// The family's numbers in this kernel.
#[derive(Clone, Copy)]
pub struct Family {
    pub id: u16,
    /// Of its first multicast group.
    pub group: u32,
}

pub struct Connection {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Connection {
    pub fn open() -> Result<Self> {
        Self::with_buffer(64 << 10)
    }

    /// Receives so many bytes at a time; the kernel then makes a dump's parts no larger.
    pub fn with_buffer(bytes: usize) -> Result<Self> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
        setsockopt(&socket, sockopt::SndBufForce, &RECEIVE_BUFFER)?;
        let patience = TimeVal::seconds(PATIENCE_SECONDS);
        setsockopt(&socket, sockopt::ReceiveTimeout, &patience)?;
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(bytes),
            sequence: 0,
        })
    }

    /// A number for the next message.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence += 1;
        self.sequence
    }

    pub fn send(&self, datagram: &[u8]) -> Result<()> {
        let sent = self.socket.send(datagram, 0)?;
        ensure!(sent == datagram.len(), "{sent} bytes were sent");
        Ok(())
    }

    /// The next datagram.
    pub fn receive(&mut self) -> Result<&[u8]> {
        self.buffer.clear();
        self.socket
            .recv(&mut self.buffer, 0)
            .context("the kernel does not answer")?;
        Ok(&self.buffer)
    }

    /// Looks a family up by its name.
    pub fn family(&mut self, name: &str) -> Result<Family> {
        const CONTROLLER: u16 = 16;
        const GET_FAMILY: u8 = 3;
        const ID: u16 = 1;
        const NAME: u16 = 2;
        const GROUPS: u16 = 7;
        const GROUP_ID: u16 = 2;
        let mut with = Vec::new();
        put(&mut with, NAME, &[name.as_bytes(), b"\0"].concat());
        let answer = self.request(CONTROLLER, GET_FAMILY, &with)?;
        let found: HashMap<_, _> = attributes(&answer).collect();
        let id = found.get(&ID).context("a family without a number")?;
        let group = attributes(found.get(&GROUPS).copied().unwrap_or_default())
            .flat_map(|(_, group)| attributes(group))
            .find(|(number, _)| *number == GROUP_ID);
        Ok(Family {
            id: u16::from_le_bytes((*id).try_into()?),
            group: u32::from_le_bytes(group.context("a family without groups")?.1.try_into()?),
        })
    }

    /// Does one request, and returns the attributes of the answer, if it has any.
    pub fn request(&mut self, family: u16, command: u8, with: &[u8]) -> Result<Vec<u8>> {
        let sequence = self.next_sequence();
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        self.send(&request(family, flags, sequence, command, with))?;
        let mut answer = Vec::new();
        loop {
            for (header, body) in messages(self.receive()?) {
                ensure!(
                    header.sequence == sequence,
                    "an answer to nothing: {header:?}"
                );
                if header.family == NLMSG_ERROR {
                    refusal(body)?;
                    return Ok(answer);
                }
                answer = body[GENERIC_HEADER..].to_vec();
            }
        }
    }

    /// Does a dump, and shows the attributes of each part. Whether entries moved meanwhile.
    pub fn dump(
        &mut self,
        family: u16,
        command: u8,
        with: &[u8],
        part: impl FnMut(&[u8]),
    ) -> Result<bool> {
        self.dump_with_breaks(family, command, with, part, || Ok(()))
    }

    /// The same, with something to do after each datagram but the last. The kernel is one datagram
    /// ahead.
    pub fn dump_with_breaks(
        &mut self,
        family: u16,
        command: u8,
        with: &[u8],
        mut part: impl FnMut(&[u8]),
        mut between: impl FnMut() -> Result<()>,
    ) -> Result<bool> {
        let sequence = self.next_sequence();
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP;
        self.send(&request(family, flags, sequence, command, with))?;
        let mut interrupted = false;
        loop {
            for (header, body) in messages(self.receive()?) {
                ensure!(
                    header.sequence == sequence,
                    "an answer to nothing: {header:?}"
                );
                interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
                match header.family {
                    NLMSG_ERROR | NLMSG_DONE => {
                        refusal(body)?;
                        return Ok(interrupted);
                    }
                    _ => part(&body[GENERIC_HEADER..]),
                }
            }
            between()?;
        }
    }

    /// Has the kernel tell this socket of events, which nobody reads.
    pub fn listen(&mut self, family: Family) -> Result<()> {
        self.socket.add_membership(family.group)?;
        Ok(())
    }
}

/// The error that an `NLMSG_ERROR` or `NLMSG_DONE` gives.
pub fn status(body: &[u8]) -> i32 {
    let bytes = body.get(..4).and_then(|status| status.try_into().ok());
    bytes.map_or(0, i32::from_le_bytes)
}

fn refusal(body: &[u8]) -> Result<()> {
    match status(body) {
        0 => Ok(()),
        error => Err(Errno::from_raw(-error).into()),
    }
}

/// What a message of the kernel is to the one with the same sequence number.
pub enum Answer {
    /// The last one.
    Final { error: i32 },
    /// One before that.
    Part,
}

impl Answer {
    pub fn of(header: &Header, body: &[u8]) -> Self {
        match header.family {
            NLMSG_ERROR | NLMSG_DONE => Self::Final {
                error: status(body),
            },
            _ => Self::Part,
        }
    }
}
