// SPDX-License-Identifier: GPL-2.0

//! Sends Ethernet frames, and counts exactly which of them arrive where.
//!
//! Starting a process is dear on an emulated CPU, so one process does a whole exchange between many
//! ports, in any number of network namespaces, and compares the outcome with what was expected.

mod accept;
mod backlog;
mod count;
mod endpoint;
mod exchange;
mod frame;
mod mac;
mod plan;
mod stop;
mod tally;

use clap::{Parser, Subcommand};
use endpoint::Endpoint;
use frame::{Label, Tags, MIN_SIZE};
use mac::MacRange;
use plan::Traffic;
use std::{io::Read, process::ExitCode};
use stop::RunArgs;

#[derive(Parser)]
#[command(about = "Sends Ethernet frames, and counts exactly which of them arrive where")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Carry out the plan on standard input; fail when anything else arrives than it expects
    #[command(after_help = PLAN_HELP)]
    Exchange {
        /// Expect every sent frame at every other port, as a hub delivers it, whatever the plan
        /// expects
        #[arg(long)]
        hub: bool,
        /// Frames a second of each stream
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
        rate: u32,
        /// Print all that has arrived as JSON, not a summary line for each port
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        run: RunArgs,
    },
    /// Send frames from one interface
    Send {
        /// IFACE, or NAMESPACE:IFACE
        interface: String,
        /// Source address, or ADDRESS+N for N consecutive ones
        src: MacRange,
        /// Destination address or addresses
        dst: MacRange,
        /// Frames from each source to its destination
        #[arg(long, default_value_t = 1)]
        count: u64,
        /// VLAN tag, or two: OUTER.INNER
        #[arg(long)]
        vlan: Option<Tags>,
        /// Bytes without the checksum
        #[arg(long, default_value_t = MIN_SIZE)]
        size: usize,
    },
    /// Let every packet that a firewall queues to user space go on its way
    Accept {
        /// Number of the queue
        queue: u16,
        #[command(flatten)]
        run: RunArgs,
    },
    /// Count every frame that arrives until the end, and print the counts as JSON
    Count {
        /// IFACE or NAMESPACE:IFACE, with NAME= before it to have it called NAME
        #[arg(required = true)]
        interfaces: Vec<String>,
        #[command(flatten)]
        run: RunArgs,
    },
}

const PLAN_HELP: &str = "\
Orders of a plan, one a line:
  port NAME [NAMESPACE:]IFACE          an interface that frames are sent from and counted at
  hello PORT SRC [vlan V]              broadcast a frame that is not compared
  send PORT SRC DST [count N] [vlan V] [size BYTES]
  expect PORT SRC DST [count N] [vlan V]
                                       all that is expected; expectations for the same frames add up
  allow PORT SRC DST [vlan V]          may arrive any number of times
  ignore PORT                          whatever arrives there
  repeat PORT                          frames may arrive there twice
  stream PORT SRC DST to PORT,... [vlan V]
                                       send until the end; each frame has to reach the ports named
SRC and DST are addresses or ranges (ADDRESS+N). V is a VLAN or OUTER.INNER.

Output, a line for each port: its name, unicast frames and bytes received, unicast frames and bytes that a
hub would have delivered, broadcast and multicast frames received.";

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Exchange {
            hub,
            rate,
            json,
            run,
        } => exchange(exchange::Settings { hub, rate, json }, run),
        Command::Send {
            interface,
            src,
            dst,
            count,
            vlan,
            size,
        } => {
            let traffic = Traffic {
                src,
                dst,
                tags: vlan.unwrap_or_default(),
                count,
            };
            send(&interface, &traffic, size)
        }
        Command::Accept { queue, run } => accept::accept(queue, run),
        Command::Count { interfaces, run } => count::count(&interfaces, run),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("frames: {error}");
            ExitCode::FAILURE
        }
    }
}

fn exchange(settings: exchange::Settings, run: RunArgs) -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| e.to_string())?;
    exchange::exchange(&plan::parse(&text)?, &settings, run)
}

fn send(interface: &str, traffic: &Traffic, size: usize) -> Result<(), String> {
    let endpoint = Endpoint::open(interface, interface)?;
    let mut frame = Vec::new();
    for seq in 0..traffic.frames() {
        frame::build(
            &mut frame,
            &traffic.flow(seq),
            Label {
                run: 0,
                send: 0,
                seq,
            },
            size,
        );
        endpoint
            .send(&frame)
            .map_err(|e| format!("{interface}: {e}"))?;
    }
    Ok(())
}
