// SPDX-License-Identifier: GPL-2.0

//! `maclearn`: shows and changes what the kernel module maclearn does, in the manner of iproute2's
//! `bridge`.
//!
//! `grammar` is what can be said, as a definition of clap; `words` reads it as iproute2 does; the
//! modules of `commands` carry it out.

mod commands;
mod completion;
mod devices;
mod failure;
mod firewall;
mod grammar;
mod kernel;
mod lock;
mod manual;
mod namespace;
mod output;
mod route;
mod rules;
mod setting;
mod usage;
mod words;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

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
        let text = argument.into_string().map_err(|argument| {
            Failure::usage(format!("\"{}\" is not UTF-8.", argument.to_string_lossy()))
        })?;
        arguments.push(text);
    }
    let grammar = grammar::grammar();
    match arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        // What is for the shell and for man is no part of what can be said.
        Some(("complete", words)) => {
            return print(&completion::candidates(&grammar, words).join("\n"));
        }
        Some(("completion", [])) => {
            return print(completion::BASH);
        }
        Some(("manual", [])) => {
            return print(&manual::page(&grammar));
        }
        _ => (),
    }
    let matches = words::read(&grammar, &arguments)?;
    commands::run(&matches)
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}
