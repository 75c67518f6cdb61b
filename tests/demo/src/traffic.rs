// SPDX-License-Identifier: GPL-2.0

//! The traffic: every guest announces itself, then a guest of host1 pings one of host2 and sends it
//! data over TCP.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream, UdpSocket},
    process::Command,
    thread,
};

use anyhow::{anyhow, ensure, Context, Result};
use sha2::{Digest, Sha256};

use crate::{
    namespace::inside,
    report::{CLIENT, GUESTS, SERVER},
};

const SERVER_ADDRESS: &str = "10.0.0.21";
const BROADCAST_ADDRESS: &str = "10.0.0.255";
const PORT: u16 = 5001;
/// Where nobody listens.
const DISCARD_PORT: u16 = 9;

pub const PINGS: u32 = 20;
pub const TRANSFER_BYTES: usize = 512 << 10;

/// What became of it.
pub struct Traffic {
    /// Pings that were answered.
    pub answered_pings: u32,
    /// Checksum of the data as sent.
    pub sent: Vec<u8>,
    /// Checksum of the data as received.
    pub received: Vec<u8>,
}

impl Traffic {
    /// Whether nothing was lost or damaged.
    pub fn is_intact(&self) -> bool {
        self.answered_pings == PINGS && self.sent == self.received
    }
}

/// Makes the traffic once.
pub fn run() -> Result<Traffic> {
    forget_neighbours()?;
    for guest in GUESTS {
        inside(guest, announce)?;
    }
    let answered_pings = inside(CLIENT, ping)?;
    let (sent, received) = transfer()?;
    Ok(Traffic {
        answered_pings,
        sent,
        received,
    })
}

/// Each run begins with ARP.
fn forget_neighbours() -> Result<()> {
    for guest in [CLIENT, SERVER] {
        let status = Command::new("ip")
            .args(["-n", guest, "neigh", "flush", "all"])
            .status()?;
        ensure!(status.success(), "ip neigh flush: {status}");
    }
    Ok(())
}

/// Sends one broadcast frame.
fn announce() -> Result<()> {
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.set_broadcast(true)?;
    socket.send_to(b"I am here", (BROADCAST_ADDRESS, DISCARD_PORT))?;
    Ok(())
}

fn ping() -> Result<u32> {
    let output = Command::new("ping")
        .args(["-q", "-i", "0.01", "-c", &PINGS.to_string(), SERVER_ADDRESS])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    parse_received(&text).with_context(|| format!("ping said: {text}"))
}

/// The number in "… 20 packets transmitted, 20 received, …".
fn parse_received(text: &str) -> Option<u32> {
    let (before, _) = text.split_once(" received")?;
    before.rsplit(' ').next()?.parse().ok()
}

/// Sends data from the client to the server; returns the checksums of what was sent and received.
fn transfer() -> Result<(Vec<u8>, Vec<u8>)> {
    let listener = inside(SERVER, || Ok(TcpListener::bind((SERVER_ADDRESS, PORT))?))?;
    let server = thread::spawn(move || receive(&listener));
    let sent = inside(CLIENT, send)?;
    let received = server.join().map_err(|_| anyhow!("it panicked"))??;
    Ok((sent, received))
}

fn receive(listener: &TcpListener) -> Result<Vec<u8>> {
    let (mut connection, _) = listener.accept()?;
    let mut data = Vec::new();
    connection.read_to_end(&mut data)?;
    Ok(Sha256::digest(&data).to_vec())
}

fn send() -> Result<Vec<u8>> {
    let data: Vec<u8> = (0..TRANSFER_BYTES)
        .map(|position| (position * position / 7) as u8)
        .collect();
    let mut connection = TcpStream::connect((SERVER_ADDRESS, PORT))?;
    connection.write_all(&data)?;
    connection.shutdown(Shutdown::Write)?;
    // Until the server has closed it too.
    connection.read_to_end(&mut Vec::new())?;
    Ok(Sha256::digest(&data).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answered_pings_are_read_from_the_summary() {
        let text = "\n20 packets transmitted, 19 received, 5% packet loss, time 95ms\n";
        assert_eq!(parse_received(text), Some(19));
        assert_eq!(parse_received("connect: Network is unreachable\n"), None);
    }
}
