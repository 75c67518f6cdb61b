// SPDX-License-Identifier: GPL-2.0

//! When a run that has no end of its own ends, and how others learn that it has begun.

use clap::Args;
use nix::{
    errno::Errno,
    poll::{poll, PollFd, PollFlags, PollTimeout},
    sys::signal::{SigSet, Signal},
    sys::signalfd::{SfdFlags, SignalFd},
};
use std::{
    fs, io,
    os::fd::AsFd,
    path::PathBuf,
    time::{Duration, Instant},
};

#[derive(Args)]
pub struct RunArgs {
    /// Write a line to this file or FIFO as soon as frames are counted
    #[arg(long, value_name = "FILE")]
    ready: Option<PathBuf>,
    /// End when this file exists
    #[arg(long, value_name = "FILE")]
    until: Option<PathBuf>,
    /// End after that many seconds at the latest
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

/// Ends at SIGINT and SIGTERM, too.
pub struct Run {
    signals: SignalFd,
    until: Option<PathBuf>,
    deadline: Instant,
}

impl RunArgs {
    pub fn begin(self) -> io::Result<Run> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block()?;
        let signals =
            SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        if let Some(ready) = self.ready {
            fs::write(ready, "ready\n")?;
        }
        let deadline = Instant::now() + Duration::from_secs(self.seconds);
        Ok(Run {
            signals,
            until: self.until,
            deadline,
        })
    }
}

impl Run {
    pub fn has_ended(&self) -> io::Result<bool> {
        Ok(Instant::now() >= self.deadline
            || self.until.as_ref().is_some_and(|file| file.exists())
            || self.signals.read_signal()?.is_some())
    }

    /// Waits for something to read at a descriptor, at most for `timeout`.
    pub fn wait(&self, descriptors: &[impl AsFd], timeout: Duration) -> io::Result<()> {
        let mut fds: Vec<_> = descriptors
            .iter()
            .map(|d| PollFd::new(d.as_fd(), PollFlags::POLLIN))
            .collect();
        fds.push(PollFd::new(self.signals.as_fd(), PollFlags::POLLIN));
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
