// SPDX-License-Identifier: GPL-2.0

//! Clients of the maclearn family for tests: a fuzzer, and what fills, dumps and measures large
//! tables.

mod fuzz;
mod generate;
mod message;
mod scale;
mod socket;
mod spec;
mod twin;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Clients of the maclearn family for tests")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send random messages, and check that only those that were taken have changed anything
    Fuzz {
        #[arg(long)]
        messages: u64,
        /// Repeats a run
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Make entries 02:01:00:00:00:00 and so on at a port, and print how many milliseconds that
    /// took
    Fill {
        port: String,
        entries: u32,
        /// As if they were seen so many milliseconds ago
        #[arg(long, default_value_t = 0)]
        age: u32,
    },
    /// The same at several ports, each of which gets so many of its own
    Spread { entries: u32, ports: Vec<String> },
    /// Dump all entries, which have to be so many, each once, and print how long it took
    Dump {
        entries: usize,
        /// Bytes to receive at a time
        #[arg(long)]
        buffer: Option<usize>,
    },
    /// Dump again and again while entries are made, and print how many dumps and entries that were
    Disturb {
        port: String,
        /// Those that `fill` made, all of which a dump must have unless it says that it was
        /// interrupted
        entries: u32,
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
}

fn main() -> Result<()> {
    let Cli { command } = Cli::parse();
    match command {
        Command::Fuzz { messages, seed } => fuzz::fuzz(messages, seed.unwrap_or_else(rand::random)),
        Command::Fill { port, entries, age } => scale::fill(&[port], entries, age),
        Command::Spread { entries, ports } => scale::fill(&ports, entries, 0),
        Command::Dump { entries, buffer } => scale::dump(entries, buffer),
        Command::Disturb {
            port,
            entries,
            seconds,
        } => scale::disturb(&port, entries, seconds),
    }
}
