// SPDX-License-Identifier: GPL-2.0

//! The kernel's packet generator, by its files in /proc.

use std::fs;

use anyhow::{Context, Result};

use crate::hub::{Mac, DESTINATION_IP};

/// MACs that follow one another, one a frame.
#[derive(Clone, Copy, Debug)]
pub struct Macs {
    pub first: Mac,
    pub count: u32,
}

impl From<Mac> for Macs {
    fn from(first: Mac) -> Self {
        Self { first, count: 1 }
    }
}

/// How frames get to the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Sent by the other end of the ingress port's cable.
    Cable,
    /// As if the device had received them.
    Received,
}

/// Sends frames of 60 bytes and returns the nanoseconds that each took.
pub fn send(
    device: &str,
    way: Way,
    frames: u32,
    source: impl Into<Macs>,
    destination: impl Into<Macs>,
) -> Result<f64> {
    let (source, destination) = (source.into(), destination.into());
    let mode = match way {
        Way::Cable => "start_xmit",
        Way::Received => "netif_receive",
    };
    write("kpktgend_0", "rem_device_all")?;
    write("kpktgend_0", &format!("add_device {device}"))?;
    for setting in [
        format!("xmit_mode {mode}"),
        format!("count {frames}"),
        "pkt_size 60".into(),
        "clone_skb 0".into(),
        "delay 0".into(),
        format!("dst {DESTINATION_IP}"),
        format!("src_mac {}", source.first),
        format!("src_mac_count {}", source.count),
        format!("dst_mac {}", destination.first),
        format!("dst_mac_count {}", destination.count),
    ] {
        write(device, &setting)?;
    }
    write("pgctrl", "start")?;
    // Older kernels show bytes there that are no text.
    let result = String::from_utf8_lossy(&fs::read(path(device))?).into_owned();
    let microseconds = parse_result(&result).with_context(|| result.clone())?;
    Ok(microseconds as f64 * 1000.0 / f64::from(frames))
}

/// Lets go of all devices.
pub fn release() -> Result<()> {
    write("kpktgend_0", "rem_device_all")
}

fn path(file: &str) -> String {
    format!("/proc/net/pktgen/{file}")
}

fn write(file: &str, command: &str) -> Result<()> {
    // Older kernels read a number on beyond the end of what is written, to the end of the line.
    fs::write(path(file), format!("{command}\n")).with_context(|| format!("{file}: {command}"))
}

/// "Result: OK: 5241(c5000+d241) usec, ...": microseconds of the whole run.
fn parse_result(text: &str) -> Option<u64> {
    let (_, result) = text.split_once("OK: ")?;
    let (microseconds, _) = result.split_once('(')?;
    microseconds.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read() {
        let text = "Current:\n     pkts-sofar: 10  errors: 0\n\
                    Result: OK: 5241(c5000+d241) usec, 10 (60byte,0frags)\n";
        assert_eq!(parse_result(text), Some(5241));
        assert_eq!(parse_result("Result: Idle\n"), None);
    }
}
