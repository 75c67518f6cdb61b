// SPDX-License-Identifier: GPL-2.0

//! Doing something in a named network namespace.

use std::{fs::File, thread};

use anyhow::{anyhow, Context, Result};
use nix::sched::{setns, CloneFlags};

/// Runs `action` on a thread that is in the namespace; a process that it starts is there too.
pub fn inside<T: Send>(name: &str, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        scope
            .spawn(|| {
                let namespace = File::open(format!("/run/netns/{name}"))?;
                setns(namespace, CloneFlags::CLONE_NEWNET)?;
                action()
            })
            .join()
            .map_err(|_| anyhow!("it panicked"))?
    })
    .with_context(|| format!("in the namespace {name}"))
}
