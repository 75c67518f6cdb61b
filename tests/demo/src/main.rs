// SPDX-License-Identifier: GPL-2.0

//! Runs the same traffic through a bridge in hub mode twice, without maclearn and with it, and
//! shows how many frames each port got. The network is made by `tests/demo/network`.

mod meter;
mod namespace;
mod report;
mod traffic;

use std::{
    env, fs,
    process::{Command, ExitCode},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use meter::{Count, Meter};
use report::{Results, Run, HOSTS, PORTS};

const SETTLE_DEADLINE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);

/// One count of frames for each of [`PORTS`].
type Counts = [Count; PORTS.len()];

fn main() -> Result<ExitCode> {
    let coloured = match env::args().nth(1).as_deref() {
        None => false,
        Some("--colour") => true,
        Some(_) => bail!("usage: demo [--colour]"),
    };

    println!("{}", report::introduction());
    println!("1. Without maclearn");
    let without = run()?;
    println!("{}\n", report::first_table(&without, coloured));

    println!("2. With maclearn, after");
    enable()?;
    let with = run()?;
    let mut macs = [0; PORTS.len()];
    for (macs, port) in macs.iter_mut().zip(PORTS) {
        *macs = learned_macs(port)?;
    }
    let results = Results {
        without,
        with,
        macs,
    };
    println!("{}\n", report::comparison(&results, coloured));

    let verdicts = report::verdicts(&results);
    println!("{}", report::verdict_lines(&verdicts, coloured));
    Ok(if verdicts.iter().all(|verdict| verdict.kept) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Lets the guests talk, and counts what reaches each port's other end meanwhile.
fn run() -> Result<Run> {
    let mut meters = Vec::new();
    for port in PORTS {
        meters.push(Meter::open(port)?);
    }
    let traffic = traffic::run()?;
    Ok(Run {
        counts: settle(&mut meters)?,
        traffic,
    })
}

/// Reads the meters until nothing is under way any more.
fn settle(meters: &mut [Meter]) -> Result<Counts> {
    let deadline = Instant::now() + SETTLE_DEADLINE;
    let mut last = None;
    while Instant::now() < deadline {
        let counts = read_all(meters)?;
        if counts.is_some() && counts == last {
            return counts.context("no meters");
        }
        last = counts;
        sleep(POLL);
    }
    bail!("after the traffic, frames are still arriving or were not all seen")
}

/// What each meter counts; `None` while one is not sure.
fn read_all(meters: &mut [Meter]) -> Result<Option<Counts>> {
    let mut counts = Counts::default();
    for (count, meter) in counts.iter_mut().zip(meters) {
        match meter.read()? {
            Some(read) => *count = read,
            None => return Ok(None),
        }
    }
    Ok(Some(counts))
}

/// Loads the module and enables the nested hosts' ports.
fn enable() -> Result<()> {
    show_command("modprobe maclearn");
    let loaded = Command::new("modprobe").arg("maclearn").status()?;
    ensure!(loaded.success(), "modprobe maclearn: {loaded}");
    for port in HOSTS {
        let enabled = format!("/sys/class/net/{port}/maclearn/enabled");
        show_command(&format!("echo 1 > {enabled}"));
        fs::write(&enabled, "1").context(enabled)?;
    }
    Ok(())
}

fn show_command(command: &str) {
    println!("   # {command}");
}

fn learned_macs(port: &str) -> Result<u32> {
    let path = format!("/sys/class/net/{port}/maclearn/n_macs");
    let text = fs::read_to_string(&path).context(path.clone())?;
    text.trim().parse().context(path)
}
