// SPDX-License-Identifier: GPL-2.0

//! Sends large UDP buffers, as a guest's stack does: segmented, if at all, where they leave.

use std::{net::UdpSocket, time::Instant};

use anyhow::{ensure, Result};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

const SEGMENTS: usize = 40;
const SEGMENT_BYTES: i32 = 1448;

/// Sends `buffers` of them by the route to `destination`, and returns the nanoseconds that each
/// took.
pub fn send(buffers: u32, destination: &str) -> Result<f64> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    setsockopt(&socket, UdpGsoSegment, &SEGMENT_BYTES)?;
    socket.connect((destination, 9))?;
    let buffer = vec![0; SEGMENTS * SEGMENT_BYTES as usize];
    let begin = Instant::now();
    for _ in 0..buffers {
        ensure!(
            socket.send(&buffer)? == buffer.len(),
            "a buffer was not sent whole"
        );
    }
    Ok(begin.elapsed().as_nanos() as f64 / f64::from(buffers))
}
