// SPDX-License-Identifier: GPL-2.0

//! `maclearn`: shows and changes what the kernel module maclearn does, in the manner of iproute2's
//! `bridge`.
//!
//! `grammar` is what can be said, as a definition of clap; `words` reads it as iproute2 does; the
//! modules of `commands` carry it out.

mod commands;
mod devices;
mod failure;
mod grammar;
mod namespace;
mod output;
mod route;
mod setting;
mod usage;
mod words;

use std::{env, process::ExitCode};

use failure::Failure;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run() -> Result<(), Failure> {
    let mut arguments = Vec::new();
    for argument in env::args_os().skip(1) {
        let text = argument.into_string();
        arguments.push(text.map_err(|_| Failure::usage("An argument is not UTF-8."))?);
    }
    let matches = words::read(&grammar::grammar(), &arguments)?;
    commands::run(&matches)
}
