// SPDX-License-Identifier: GPL-2.0

//! Counts the frames of a port where they arrive: at the NIC at the other end of its cable.
//!
//! How many there are the kernel says (`rx_packets`); a packet(7) socket tells unicast frames from
//! the others. The two must agree.

use std::{
    fs,
    os::fd::{AsRawFd, OwnedFd},
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    libc::PACKET_OUTGOING,
    net::if_::if_nametoindex,
    sys::socket::{
        recvfrom, setsockopt, socket, sockopt::RcvBufForce, AddressFamily, LinkAddr, SockFlag,
        SockProtocol, SockType,
    },
};

use crate::namespace::inside;

/// The NIC, in the namespace that has the port's name.
const NIC: &str = "nic";

/// Room for all frames of a run, since they are looked at after it.
const RECEIVE_BUFFER_BYTES: usize = 256 << 20;

/// Frames of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// All of them.
    pub all: u64,
    /// Those that were for one MAC, the rest being broadcast and multicast.
    pub unicast: u64,
}

/// Frames since a meter was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// What the NIC received.
    pub received: Frames,
    /// What the NIC sent.
    pub sent: Frames,
}

impl Frames {
    /// Those that were for several, broadcast ones included.
    pub fn multicast(self) -> u64 {
        self.all - self.unicast
    }

    fn add(&mut self, is_unicast: bool) {
        self.all += 1;
        self.unicast += u64::from(is_unicast);
    }
}

/// The kernel's `rx_packets` and `tx_packets` of a NIC.
struct Statistics {
    received: u64,
    sent: u64,
}

/// Counts frames at one NIC.
pub struct Meter {
    namespace: &'static str,
    /// Gets a copy of each frame at any device of the namespace.
    tap: OwnedFd,
    /// Index of the NIC.
    nic: usize,
    before: Statistics,
    tapped: Count,
}

impl Meter {
    /// Begins to count at the NIC behind `port`.
    pub fn open(port: &'static str) -> Result<Self> {
        inside(port, || {
            let tap = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_NONBLOCK,
                SockProtocol::EthAll,
            )?;
            setsockopt(&tap, RcvBufForce, &RECEIVE_BUFFER_BYTES)?;
            Ok(Self {
                namespace: port,
                tap,
                nic: if_nametoindex(NIC)? as usize,
                before: statistics()?,
                tapped: Count::default(),
            })
        })
    }

    /// What was counted so far; `None` unless the tap's count is that of the NIC itself.
    pub fn read(&mut self) -> Result<Option<Count>> {
        let now = inside(self.namespace, statistics)?;
        self.look_at_tap()?;
        let agrees = self.tapped.received.all == now.received - self.before.received
            && self.tapped.sent.all == now.sent - self.before.sent;
        Ok(agrees.then_some(self.tapped))
    }

    /// Counts the frames that have arrived at the tap.
    fn look_at_tap(&mut self) -> Result<()> {
        let mut destination = [0; 6];
        loop {
            let from = match recvfrom::<LinkAddr>(self.tap.as_raw_fd(), &mut destination) {
                Ok((_, from)) => from.context("a frame without an interface")?,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            if from.ifindex() != self.nic {
                continue;
            }
            let frames = if from.pkttype() == PACKET_OUTGOING {
                &mut self.tapped.sent
            } else {
                &mut self.tapped.received
            };
            frames.add(destination[0] & 1 == 0);
        }
    }
}

/// Reads them in the namespace of the calling thread.
fn statistics() -> Result<Statistics> {
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    parse_statistics(&table).context("no NIC in /proc/net/dev")
}

/// Finds the NIC's line: its name, eight numbers about receiving, eight about sending.
fn parse_statistics(table: &str) -> Option<Statistics> {
    let line = table
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(NIC)?.strip_prefix(':'))?;
    let mut numbers = line.split_whitespace();
    Some(Statistics {
        received: numbers.nth(1)?.parse().ok()?,
        sent: numbers.nth(7)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_the_nics_packets() {
        let table = "Inter-|   Receive                          |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo:     900      90    0    0    0     0          0         0      900      90    0    0
   nic:    1234      12    0    1    0     0          0         0     5678      56    0    2
nickel:       1       2    0    0    0     0          0         0        3       4    0    0
";
        let statistics = parse_statistics(table).unwrap();
        assert_eq!((statistics.received, statistics.sent), (12, 56));
        assert!(parse_statistics("nickel: 1 2\n").is_none());
    }

    #[test]
    fn frames_for_one_mac_are_counted_apart() {
        let mut frames = Frames::default();
        frames.add(true);
        frames.add(false);
        assert_eq!(frames, Frames { all: 2, unicast: 1 });
    }
}
