// SPDX-License-Identifier: GPL-2.0

//! Compares a running kernel with what maclearn promises, by random sequences of what can happen to
//! a bridge. A sequence that breaks the promise is shrunk to the shortest that does, and printed as
//! a functional script.

mod bridge;
mod event;
mod generate;
mod lab;
mod netlink;
mod promise;
mod script;
mod shrink;
mod wire;

use clap::{Parser, Subcommand};
use event::Sequence;
use generate::{Kind, Wish};
use lab::{Breach, Lab};
use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Times that a sequence is tried which may fail only now and then.
const TRIES: u32 = 3;
/// Time that a sequence is shrunk for at most.
const SHRINKING: Duration = Duration::from_secs(120);

#[derive(Parser)]
#[command(about = "Compares a running kernel with what maclearn promises")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Carry out random sequences, until one fails
    Run {
        /// Number of the first sequence; a random one if it is not given
        #[arg(long)]
        seed: Option<u64>,
        /// How many sequences
        #[arg(long, default_value_t = 1000)]
        count: u64,
        /// For how many seconds at most
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Kinds of events, beside frames and moves; a choice of all of them if none is given
        #[arg(long, value_delimiter = ',')]
        only: Vec<Kind>,
        /// Whether the bridge learns by itself; either if it is not given
        #[arg(long)]
        learns: Option<bool>,
        /// Whether MACs are offloaded; either if it is not given
        #[arg(long)]
        offload: Option<bool>,
        /// Without maclearn: compare the models of hub and learning bridge
        #[arg(long)]
        without: bool,
        /// Most events in a sequence
        #[arg(long, default_value_t = 40)]
        most: usize,
    },
    /// Carry out sequences from files
    Replay {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print a sequence as a functional script
    Script { file: PathBuf },
    /// Print the sequence of a number
    Show { seed: u64 },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run {
            seed,
            count,
            seconds,
            only,
            learns,
            offload,
            without,
            most,
        } => {
            let wish = Wish {
                only,
                learns,
                offload,
                loaded: !without,
                most,
            };
            let seed = seed.unwrap_or_else(|| rand::random::<u32>().into());
            run(seed, count, Duration::from_secs(seconds), &wish)
        }
        Command::Replay { files } => replay(&files),
        Command::Script { file } => read(&file).map(|sequence| {
            print!("{}", script::script(&sequence));
            true
        }),
        Command::Show { seed } => {
            let wish = Wish {
                only: Vec::new(),
                learns: None,
                offload: None,
                loaded: true,
                most: 40,
            };
            print!("{}", generate::sequence(seed, &wish));
            Ok(true)
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("oracle: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(file: &PathBuf) -> Result<Sequence, String> {
    fs::read_to_string(file)
        .map_err(|error| error.to_string())
        .and_then(|text| text.parse())
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// Whether all went as it had to.
fn run(first: u64, count: u64, time: Duration, wish: &Wish) -> Result<bool, String> {
    println!("from sequence {first}");
    let mut lab = Lab::new()?;
    let begin = Instant::now();
    let (mut done, mut events, mut passing) = (0, 0, 0);
    while done < count && begin.elapsed() < time {
        let number = first.wrapping_add(done);
        let sequence = generate::sequence(number, wish);
        let breach = lab
            .carry_out(&sequence)
            .map_err(|error| format!("sequence {number}: {error}\n{sequence}"))?;
        match breach {
            // A copy too many is no breach of the promise. What the sequence before has left behind
            // may cause it.
            Some(breach) if breach.is_leak() && !leaks_again(&mut lab, &sequence)? => {
                println!("sequence {number}, once: {breach}");
                passing += 1;
            }
            Some(breach) => {
                println!("sequence {number} fails: {breach}");
                report(&mut lab, &sequence, breach)?;
                return Ok(false);
            }
            None => {}
        }
        done += 1;
        events += sequence.events.len();
    }
    println!(
        "{done} sequences, {events} events, {passing} copies too many that were not seen again, {} ms",
        begin.elapsed().as_millis()
    );
    Ok(true)
}

/// Whether a copy too many is seen in one of a few more tries of the sequence, or a frame is lost.
fn leaks_again(lab: &mut Lab, sequence: &Sequence) -> Result<bool, String> {
    for _ in 0..TRIES {
        if lab.carry_out(sequence)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Shrinks a sequence and prints it.
fn report(lab: &mut Lab, sequence: &Sequence, breach: Breach) -> Result<(), String> {
    let begin = Instant::now();
    let mut last = breach;
    let fails = |shorter: &Sequence| {
        for _ in 0..TRIES {
            if begin.elapsed() > SHRINKING {
                break;
            }
            if let Some(breach) = lab.carry_out(shorter)? {
                let is_same = std::mem::discriminant(&breach.expectation)
                    == std::mem::discriminant(&last.expectation);
                if is_same {
                    last = breach;
                    return Ok(true);
                }
            }
        }
        Ok::<_, String>(false)
    };
    let shortest = shrink::shrink(sequence, fails)?;
    println!(
        "# The shortest that fails, {} events: {last}",
        shortest.events.len()
    );
    println!("{shortest}");
    println!("# As a functional script:\n{}", script::script(&shortest));
    Ok(())
}

fn replay(files: &[PathBuf]) -> Result<bool, String> {
    let mut lab = Lab::new()?;
    let mut kept = true;
    for file in files {
        let sequence = read(file)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        match lab.carry_out(&sequence)? {
            None => println!("kept: {name}"),
            Some(breach) => {
                println!("broken: {name}: {breach}");
                kept = false;
            }
        }
    }
    Ok(kept)
}
