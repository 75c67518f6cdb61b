// SPDX-License-Identifier: GPL-2.0

//! How a sender knows that all it has sent has arrived.
//!
//! A veth device queues a frame on the backlog of the CPU that sends it, and whatever a bridge
//! makes of the frame is queued on the same backlog. A task that runs on that CPU and sees its
//! backlog empty knows that no frame is under way there: the receiving side works through it with
//! bottom halves off, so not in the midst of this task.

use nix::{
    sched::{sched_setaffinity, sched_yield, CpuSet},
    unistd::Pid,
};
use std::{
    fs, io,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(60);

pub struct Backlog {
    cpu: usize,
    dropped_before: u64,
}

/// A CPU's line of `/proc/net/softnet_stat`.
struct Softnet {
    cpu: usize,
    dropped: u64,
    queued: u64,
}

impl Backlog {
    /// Binds this process to the CPU that it is on.
    pub fn bind() -> io::Result<Backlog> {
        let cpu = nix::sched::sched_getcpu()?;
        let mut cpus = CpuSet::new();
        cpus.set(cpu)?;
        sched_setaffinity(Pid::from_raw(0), &cpus)?;
        Ok(Backlog {
            cpu,
            dropped_before: dropped(&softnet()?),
        })
    }

    pub fn wait_until_empty(&self) -> io::Result<()> {
        let deadline = Instant::now() + DEADLINE;
        while softnet()?.iter().any(|s| s.cpu == self.cpu && s.queued > 0) {
            if Instant::now() > deadline {
                return Err(io::Error::other("frames stay under way"));
            }
            sched_yield()?;
        }
        Ok(())
    }

    /// Fails when a backlog has overflowed, which loses frames that no bridge had a say in.
    pub fn check_nothing_lost(&self) -> Result<(), String> {
        let now = softnet().map_err(|e| e.to_string())?;
        match dropped(&now) - self.dropped_before {
            0 => Ok(()),
            lost => Err(format!("a CPU's backlog overflowed by {lost} frames")),
        }
    }
}

fn dropped(softnet: &[Softnet]) -> u64 {
    softnet.iter().map(|s| s.dropped).sum()
}

fn softnet() -> io::Result<Vec<Softnet>> {
    let text = fs::read_to_string("/proc/net/softnet_stat")?;
    let lines: Option<Vec<_>> = text.lines().map(parse_line).collect();
    lines.ok_or_else(|| io::Error::other("/proc/net/softnet_stat has another form"))
}

fn parse_line(line: &str) -> Option<Softnet> {
    let fields: Result<Vec<u64>, _> = line
        .split_whitespace()
        .map(|f| u64::from_str_radix(f, 16))
        .collect();
    match fields.ok()?.as_slice() {
        [_, dropped, _, _, _, _, _, _, _, _, _, _, cpu, input, process, ..] => Some(Softnet {
            cpu: *cpu as usize,
            dropped: *dropped,
            queued: input + process,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line() {
        let line = "00000018 00000002 00000000 00000000 00000000 00000000 00000000 00000000 \
                    00000000 00000000 00000000 00000000 00000001 0000000a 00000001";
        let softnet = parse_line(line).unwrap();
        assert_eq!((softnet.cpu, softnet.dropped, softnet.queued), (1, 2, 11));
        assert!(parse_line("00000018 00000002").is_none());
    }
}
