// SPDX-License-Identifier: GPL-2.0

//! Counts the instructions that a frame costs on a bridge in hub mode: with nothing else, with
//! maclearn, and with what else could do the same job.
//!
//! `bench measure` runs in a virtual machine in which a nanosecond is an instruction, and prints
//! what it measured; `bench collect` makes a file of results of that, `bench report` tables and
//! charts of such a file; `bench guard` compares two.

mod chart;
mod cost;
mod ebpf;
mod gso;
mod guard;
mod hub;
mod maclearn;
mod measure;
mod peer;
mod pktgen;
mod plan;
mod report;
mod results;
mod targets;
mod unload;

use std::{env, process::ExitCode};

use anyhow::{bail, Result};

const USAGE: &str = "usage: bench measure quick|full|other kernel|static PEER...
       bench collect RESULTS MEASURED
       bench report RESULTS [DIRECTORY]
       bench guard BASELINE RESULTS";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let good = match arguments[..] {
        ["measure", extent, way, ref peers @ ..] if !peers.is_empty() => {
            measure::run(extent.parse()?, way.parse()?, peers)?;
            true
        }
        ["collect", results, measured] => {
            results::collect(measured)?.write(results)?;
            true
        }
        ["report", results] => report::run(results, None)?,
        ["report", results, directory] => report::run(results, Some(directory))?,
        ["guard", baseline, results] => guard::run(baseline, results)?,
        _ => bail!("{USAGE}"),
    };
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
