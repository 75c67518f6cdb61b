// SPDX-License-Identifier: GPL-2.0

//! `frames accept`: what a firewall queues to user space goes on its way (`NETLINK_NETFILTER`, the
//! subsystem nfnetlink_queue).

use crate::{endpoint::netfilter_socket, stop::RunArgs};
use std::{
    fs::File,
    io::{self, ErrorKind, Read, Write},
    time::Duration,
};

/// How soon the end of the run is noticed.
const STOP_CHECK: Duration = Duration::from_millis(50);

// include/uapi/linux/netlink.h
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
/// `struct nlmsghdr` and `struct nfgenmsg`
const HEADER_LEN: usize = 16 + 4;
const ATTRIBUTE_LEN: usize = 4;

// include/uapi/linux/netfilter/nfnetlink_queue.h; the subsystem is the type's upper byte.
const PACKET: u16 = 3 << 8;
const VERDICT: u16 = (3 << 8) | 1;
const CONFIG: u16 = (3 << 8) | 2;
const NFQA_PACKET_HDR: u16 = 1;
const NFQA_VERDICT_HDR: u16 = 2;
const NFQA_CFG_CMD: u16 = 1;
const NFQA_CFG_PARAMS: u16 = 2;
const NFQA_CFG_QUEUE_MAXLEN: u16 = 3;
const BIND: u8 = 1;
const COPY_META: u8 = 1;
const NF_ACCEPT: u32 = 1;

/// More than a message has without the packet itself.
const BUFFER_LEN: usize = 8192;
/// Packets that wait at most.
const QUEUE_LEN: u32 = 1 << 16;

pub fn accept(queue: u16, run: RunArgs) -> Result<(), String> {
    let socket = netfilter_socket().map_err(|e| e.to_string())?;
    let mut socket = File::from(socket);
    configure(&mut socket, queue).map_err(|e| format!("queue {queue}: {e}"))?;
    let run = run.begin().map_err(|e| e.to_string())?;
    let mut accept = || -> io::Result<()> {
        while !run.has_ended()? {
            accept_waiting(&mut socket, queue)?;
            run.wait(&[&socket], STOP_CHECK)?;
        }
        Ok(())
    };
    accept().map_err(|e| format!("queue {queue}: {e}"))
}

/// Binds the socket to the queue, which then begins.
fn configure(socket: &mut File, queue: u16) -> io::Result<()> {
    // A command has a byte of padding and a protocol family, which is not looked at any more.
    request(socket, CONFIG, queue, NFQA_CFG_CMD, &[BIND, 0, 0, 0])?;
    // None of a packet's bytes
    let parameters = [0, 0, 0, 0, COPY_META];
    request(socket, CONFIG, queue, NFQA_CFG_PARAMS, &parameters)?;
    let most = QUEUE_LEN.to_be_bytes();
    request(socket, CONFIG, queue, NFQA_CFG_QUEUE_MAXLEN, &most)
}

/// Sends a message and waits for its being acknowledged.
fn request(
    socket: &mut File,
    kind: u16,
    queue: u16,
    attribute: u16,
    data: &[u8],
) -> io::Result<()> {
    send(socket, kind, NLM_F_ACK, queue, attribute, data)?;
    let mut buffer = [0; BUFFER_LEN];
    // The kernel answers before it returns from the sending.
    let len = socket.read(&mut buffer)?;
    for (kind, body) in messages(&buffer[..len]) {
        if kind == NLMSG_ERROR {
            return match number(body) as i32 {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(-error)),
            };
        }
    }
    Err(ErrorKind::InvalidData.into())
}

/// Accepts all that waits.
fn accept_waiting(socket: &mut File, queue: u16) -> io::Result<()> {
    let mut buffer = [0; BUFFER_LEN];
    loop {
        let len = match socket.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            len => len?,
        };
        for (kind, body) in messages(&buffer[..len]) {
            if kind != PACKET {
                continue;
            }
            let packet = attribute(&body[4..], NFQA_PACKET_HDR).ok_or(ErrorKind::InvalidData)?;
            let mut verdict = [0; 8];
            verdict[..4].copy_from_slice(&NF_ACCEPT.to_be_bytes());
            // It begins with the packet's number.
            verdict[4..].copy_from_slice(&packet[..4]);
            send(socket, VERDICT, 0, queue, NFQA_VERDICT_HDR, &verdict)?;
        }
    }
}

/// Sends a message with one attribute.
fn send(
    socket: &mut File,
    kind: u16,
    flags: u16,
    queue: u16,
    attribute: u16,
    data: &[u8],
) -> io::Result<()> {
    let attribute_len = ATTRIBUTE_LEN + data.len();
    let len = HEADER_LEN + attribute_len.next_multiple_of(4);
    let mut message = Vec::with_capacity(len);
    message.extend((len as u32).to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    // Sequence number and port
    message.extend([0; 8]);
    // Family and version
    message.extend([0; 2]);
    message.extend(queue.to_be_bytes());
    message.extend((attribute_len as u16).to_ne_bytes());
    message.extend(attribute.to_ne_bytes());
    message.extend(data);
    message.resize(len, 0);
    socket.write_all(&message)
}

/// The messages in a buffer, each with its type and what follows `struct nlmsghdr`.
fn messages(mut buffer: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = number(buffer.get(..4)?) as usize;
        let message = buffer.get(16..len)?;
        let kind = u16::from_ne_bytes([buffer[4], buffer[5]]);
        buffer = buffer.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, message))
    })
}

/// The data of an attribute among several.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let header = attributes.get(..ATTRIBUTE_LEN)?;
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        if u16::from_ne_bytes([header[2], header[3]]) == wanted {
            return attributes.get(ATTRIBUTE_LEN..len);
        }
        attributes = attributes.get(len.max(ATTRIBUTE_LEN).next_multiple_of(4)..)?;
    }
}

/// The number that the bytes begin with.
fn number(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
