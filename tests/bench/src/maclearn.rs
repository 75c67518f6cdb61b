// SPDX-License-Identifier: GPL-2.0

//! maclearn as it is set up for measuring, and what it says about itself.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{ensure, Result};

use crate::{
    hub::{get, path, set, BRIDGE},
    peer::command,
};

/// How it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All ports enabled.
    Default,
    /// With `exclusive 1`.
    Exclusive,
    /// With `unknown_unicast suppress`.
    SuppressUnknown,
    /// With its MACs in the bridge's FDB.
    Offloaded,
    /// Loaded, and no port enabled.
    Idle,
    /// Loaded and unloaded again.
    Unloaded,
}

/// The clock of the virtual machine jumps over idle times: this is no waiting.
const POLL: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether this module can put its MACs in the bridge's FDB. There must be a bridge.
pub fn can_offload() -> Result<bool> {
    command("modprobe", &["maclearn"])?;
    let can = has_offload();
    command("rmmod", &["maclearn"])?;
    Ok(can)
}

fn has_offload() -> bool {
    Path::new(&path(BRIDGE, "maclearn/fdb_offload")).exists()
}

/// Sets the bridge's attributes, before it has ports.
pub fn set_up(mode: Mode) -> Result<()> {
    set(BRIDGE, "maclearn/max_macs", 0)?;
    set(BRIDGE, "maclearn/default_max_macs", 0)?;
    if has_offload() {
        let offload = if mode == Mode::Offloaded {
            "auto"
        } else {
            "off"
        };
        set(BRIDGE, "maclearn/fdb_offload", offload)?;
    }
    match mode {
        Mode::Exclusive => set(BRIDGE, "maclearn/exclusive", 1)?,
        Mode::SuppressUnknown => set(BRIDGE, "maclearn/default_unknown_unicast", "suppress")?,
        _ => (),
    }
    set(
        BRIDGE,
        "maclearn/auto_enable",
        u32::from(mode != Mode::Idle),
    )
}

/// MACs that it knows.
pub fn learned() -> Result<u64> {
    get(BRIDGE, "maclearn/n_macs")
}

/// Bytes of its table, as it says.
pub fn memory() -> Result<u64> {
    get(BRIDGE, "maclearn/memory")
}

/// Waits until its table has room for what comes.
pub fn settle() -> Result<()> {
    let mut before = 0;
    wait_until("the table is as large as it gets", || {
        let now = memory()?;
        let settled = now == before;
        before = now;
        Ok(settled)
    })
}

/// Waits until the bridge has been told of all MACs.
pub fn wait_until_offloaded() -> Result<()> {
    wait_until("all MACs are offloaded", || {
        Ok(get(BRIDGE, "maclearn/n_offloaded")? == learned()?)
    })
}

/// Waits until it has forgotten what it learned.
pub fn wait_until_forgotten() -> Result<()> {
    wait_until("all MACs are forgotten", || Ok(learned()? == 0))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        sleep(POLL);
        if is_so()? {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "waited in vain until {what}");
    }
}
