// SPDX-License-Identifier: GPL-2.0

//! How long it takes to be told of many ports and MACs by the command, and to unload maclearn then.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{ensure, Context, Result};

use crate::{
    hub::{set, Hub, Mac, BRIDGE},
    maclearn::{self, Mode},
    peer::command,
    pktgen::{self, Macs, Way},
    results::{Line, Telling, Unload},
};

/// What this is called among the peers.
pub const NAME: &str = "unload";
pub const PORTS: usize = 1000;
pub const MACS: u32 = 1_000_000;
/// What the command is asked.
pub const SUMMARY: &str = "summary";
pub const ENTRIES: &str = "entry show";

/// Measures it with an empty table and with a full one, all of whose MACs are learned.
pub fn run() -> Result<()> {
    let mut hub = Hub::new(PORTS + 1)?;
    for macs in [0, MACS] {
        command("modprobe", &["maclearn"])?;
        maclearn::set_up(Mode::Default)?;
        // The virtual machine's clock jumps over idle times.
        set(BRIDGE, "maclearn/ageing_time", 0)?;
        hub.set_ports(PORTS + 1)?;
        hub.set_copies(false)?;
        learn(&hub, macs / PORTS as u32)?;
        if macs == MACS {
            tell(SUMMARY)?;
            tell(ENTRIES)?;
        }
        let begun = Instant::now();
        command("rmmod", &["maclearn"])?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
        let line = Line::Unload(Unload {
            ports: PORTS,
            macs,
            milliseconds,
        });
        println!("{}", serde_json::to_string(&line)?);
        hub.set_ports(0)?;
    }
    hub.remove()
}

/// Has the command tell of all that there is.
fn tell(command: &str) -> Result<()> {
    let begun = Instant::now();
    let status = Command::new("maclearn")
        .args(command.split(' '))
        .stdout(Stdio::null())
        .status()
        .context("maclearn")?;
    ensure!(status.success(), "maclearn {command}: {status}");
    let line = Line::Telling(Telling {
        command: command.to_owned(),
        ports: PORTS,
        macs: MACS,
        milliseconds: begun.elapsed().as_secs_f64() * 1000.0,
    });
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

/// Each port but the first, which has a cable, sends from `count` MACs.
fn learn(hub: &Hub, count: u32) -> Result<()> {
    for (number, device) in (0..).zip(&hub.devices()[1..]) {
        if count == 0 {
            break;
        }
        let sources = Macs {
            first: Mac::source(number * count),
            count,
        };
        pktgen::send(device, Way::Received, count, sources, Mac::NOBODY)?;
        maclearn::settle()?;
        let known = maclearn::learned()?;
        ensure!(
            known == u64::from((number + 1) * count),
            "{known} MACs are known after {device} has sent from {count}"
        );
    }
    pktgen::release()
}
