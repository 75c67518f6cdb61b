// SPDX-License-Identifier: GPL-2.0

//! maclearn as it is set up for measuring, and what it says about itself.

use std::{
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};

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
    /// The same, beside so many ports that are not enabled, for which copies are made.
    Mirror(usize),
    /// Beside one port that is not enabled, with its MACs in the bridge's FDB only if there were
    /// none: the copies for the other ports are made, and suppressed.
    Sniffer,
    /// Loaded, and no port enabled.
    Idle,
    /// Loaded and unloaded again.
    Unloaded,
}

impl Mode {
    /// Ports that are not enabled.
    pub fn sniffers(self) -> usize {
        match self {
            Self::Mirror(sniffers) => sniffers,
            Self::Sniffer => 1,
            _ => 0,
        }
    }
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

/// Bytes of the code of the module that is loaded, that for its beginning and its end included.
pub fn text_bytes() -> Result<u64> {
    let file = output("modinfo", &["-n", "maclearn"])?;
    let sections = output("size", &["-A", "-d", file.trim()])?;
    parse_text_bytes(&sections).context(sections)
}

fn parse_text_bytes(sections: &str) -> Option<u64> {
    let sizes = sections.lines().filter_map(|section| {
        let mut words = section.split_whitespace();
        let is_code = words.next()?.contains("text");
        let size = words.next()?.parse::<u64>().ok()?;
        is_code.then_some(size)
    });
    Some(sizes.sum()).filter(|&bytes| bytes > 0)
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.context(program.to_owned())?;
    ensure!(output.status.success(), "{program}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Sets the bridge's attributes, before it has ports.
pub fn set_up(mode: Mode) -> Result<()> {
    set(BRIDGE, "maclearn/max_macs", 0)?;
    set(BRIDGE, "maclearn/default_max_macs", 0)?;
    if has_offload() {
        let offload = match mode {
            Mode::Offloaded | Mode::Mirror(_) => "auto",
            Mode::Sniffer => "filtered",
            _ => "off",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_code_counts() {
        let sections = "maclearn.ko  :\nsection size addr\n.text 1000 0\n.text.unlikely 20 0\n\
                        .init.text 3 0\n.rodata 500 0\nTotal 1523\n\n\n";
        assert_eq!(parse_text_bytes(sections), Some(1023));
        assert_eq!(parse_text_bytes("maclearn.ko  :\n.data 5 0\n"), None);
    }
}
