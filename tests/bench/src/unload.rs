// SPDX-License-Identifier: GPL-2.0

//! How long it takes to be told of many ports and MACs by the command, and to unload maclearn then.

use std::{
    ops::Range,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{ensure, Context, Result};
use nix::sys::{
    resource::{getrusage, UsageWho},
    time::TimeVal,
};

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
/// What the command is asked, and with how many MACs.
pub const SUMMARY: (&str, u32) = ("summary", 100_000);
pub const ENTRIES: (&str, u32) = ("entry show", MACS);

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
        if macs > 0 {
            let mut known = 0;
            for (told, macs) in [SUMMARY, ENTRIES] {
                learn(&hub, known..macs)?;
                known = macs;
                tell(told, macs)?;
            }
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
fn tell(told: &str, macs: u32) -> Result<()> {
    // What it takes to read the program from the disk is not asked for.
    run_command("-V")?;
    let begun = children_time()?;
    run_command(told)?;
    let line = Line::Telling(Telling {
        command: told.to_owned(),
        ports: PORTS,
        macs,
        milliseconds: (children_time()? - begun) * 1000.0,
    });
    println!("{}", serde_json::to_string(&line)?);
    Ok(())
}

fn run_command(arguments: &str) -> Result<()> {
    let status = Command::new("maclearn")
        .args(arguments.split(' '))
        .stdout(Stdio::null())
        .status()
        .context("maclearn")?;
    ensure!(status.success(), "maclearn {arguments}: {status}");
    Ok(())
}

/// Seconds that the processor has worked for what was started and has ended: waiting is none.
fn children_time() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Each port but the first, which has a cable, sends from as many of the MACs with these numbers.
fn learn(hub: &Hub, numbers: Range<u32>) -> Result<()> {
    let count = numbers.len() as u32 / PORTS as u32;
    let mut first = numbers.start;
    for device in &hub.devices()[1..] {
        let sources = Macs {
            first: Mac::source(first),
            count,
        };
        pktgen::send(device, Way::Received, count, sources, Mac::NOBODY)?;
        maclearn::settle()?;
        first += count;
        let known = maclearn::learned()?;
        ensure!(
            known == u64::from(first),
            "{known} MACs are known after {device} has sent, not {first}"
        );
    }
    pktgen::release()
}
