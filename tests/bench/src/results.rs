// SPDX-License-Identifier: GPL-2.0

//! What is measured, as it is written to and read from JSON.

use std::{env, fs, path::Path, process::Command, str::FromStr};

use anyhow::{ensure, Context, Result};
use serde::{Deserialize, Serialize};

use crate::peer::PEERS;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// From one known source to one MAC, which port d1 owns.
    Unicast,
    /// The same to one after another of the MACs that d1 owns.
    Destinations,
    /// To MACs that nobody has.
    Unknown,
    Broadcast,
    Multicast,
    /// [`Work::Unicast`] with `vlan_filtering 1`, untagged.
    Vlan,
    /// [`Work::Unicast`] with buffers of 40 TCP segments.
    Gso,
    /// From one after another of the MACs behind the ingress port, to MACs that nobody has, while
    /// no port gets copies.
    Sources,
    /// The same, each frame from a MAC that was never seen.
    NewSources,
}

/// One cell: the cost of one kind of frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    pub peer: String,
    pub work: Work,
    pub ports: usize,
    /// MACs learned before.
    pub macs: u32,
    /// Frames that were sent.
    pub frames: u32,
    /// Instructions a frame.
    pub instructions: f64,
}

/// What a peer's table takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub peer: String,
    pub macs: u32,
    /// By how much the kernel's free memory shrank.
    pub bytes: u64,
    /// What maclearn itself says, its attribute `memory`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_bytes: Option<u64>,
}

/// What it takes to unload maclearn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unload {
    pub ports: usize,
    pub macs: u32,
    /// By the virtual machine's clock, waiting included.
    pub milliseconds: f64,
}

/// What it takes to be told of many things.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Telling {
    /// Arguments of the command `maclearn`.
    pub command: String,
    pub ports: usize,
    pub macs: u32,
    /// Of the processor, by the virtual machine's clock: an instruction takes a nanosecond.
    pub milliseconds: f64,
}

/// What is measured: a module, on a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    pub kernel: String,
    pub way: Way,
    pub text_bytes: u64,
}

/// Where the crates come from that the module is built on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// They are the kernel's own.
    #[default]
    Kernel,
    /// They are part of the module.
    Static,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Static => "static",
        }
    }
}

impl FromStr for Way {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Kernel, Self::Static]
            .into_iter()
            .find(|way| way.name() == text)
            .with_context(|| format!("{text}: neither kernel nor static"))
    }
}

/// A line that `bench measure` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The lines up to the next of these are of it.
    Begin(Begin),
    Cell(Cell),
    Memory(Memory),
    Unload(Unload),
    Telling(Telling),
}

/// Everything that one run of the benchmark measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The command that made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Release of the kernel.
    pub kernel: String,
    /// That of the module.
    #[serde(default)]
    pub way: Way,
    /// Bytes of the module's code.
    #[serde(default)]
    pub text_bytes: u64,
    /// Versions of other things that it depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    pub cells: Vec<Cell>,
    pub memory: Vec<Memory>,
    #[serde(default)]
    pub unloads: Vec<Unload>,
    #[serde(default)]
    pub tellings: Vec<Telling>,
    /// The module built in the other way, and on another kernel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Results>,
}

impl Results {
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// Those of the module built in the other way, on the same kernel. What is not the module's was
    /// not measured again.
    pub fn other_way(&self) -> Option<Self> {
        let other = self
            .others
            .iter()
            .find(|other| other.kernel == self.kernel)?;
        let mut other = other.clone();
        let own = self
            .cells
            .iter()
            .filter(|cell| !cell.peer.starts_with("maclearn"));
        other.cells.extend(own.cloned());
        Some(other)
    }

    /// Milliseconds of unloading with so many MACs; `None` where it was not measured.
    pub fn unloading(&self, macs: u32) -> Option<f64> {
        self.unloads
            .iter()
            .find(|unload| unload.macs == macs)
            .map(|unload| unload.milliseconds)
    }

    /// Milliseconds of the command with these arguments; `None` where it was not measured.
    pub fn telling(&self, command: &str) -> Option<f64> {
        self.tellings
            .iter()
            .find(|telling| telling.command == command)
            .map(|telling| telling.milliseconds)
    }

    /// Instructions a frame; `None` where it was not measured.
    pub fn cost(&self, peer: &str, work: Work, ports: usize, macs: u32) -> Option<f64> {
        self.cells
            .iter()
            .find(|cell| {
                cell.peer == peer && cell.work == work && cell.ports == ports && cell.macs == macs
            })
            .map(|cell| cell.instructions)
    }
}

/// What `bench measure` printed into the file `measured`, beginning with what the others are others
/// of, and what made it.
pub fn collect(measured: &str) -> Result<Results> {
    let text = fs::read_to_string(measured).context(measured.to_owned())?;
    let mut all: Vec<Results> = Vec::new();
    let mut current = 0;
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).with_context(|| line.to_owned())?;
        if let Line::Begin(begin) = line {
            // The virtual machines ran side by side, and may have measured the same.
            let is_its =
                |results: &Results| (&results.kernel, results.way) == (&begin.kernel, begin.way);
            current = all.iter().position(is_its).unwrap_or(all.len());
            if current == all.len() {
                all.push(Results {
                    kernel: begin.kernel,
                    way: begin.way,
                    text_bytes: begin.text_bytes,
                    ..Results::default()
                });
            }
            continue;
        }
        let results = all.get_mut(current).context("of what?")?;
        match line {
            Line::Begin(_) => (),
            Line::Cell(cell) => results.cells.push(cell),
            Line::Memory(memory) => results.memory.push(memory),
            Line::Unload(unload) => results.unloads.push(unload),
            Line::Telling(telling) => results.tellings.push(telling),
        }
    }
    let order = |name: &str| PEERS.iter().position(|peer| peer.0 == name);
    for results in &mut all {
        results.cells.sort_by_key(|cell| order(&cell.peer));
        results.memory.sort_by_key(|memory| order(&memory.peer));
    }
    ensure!(!all.is_empty(), "{measured} is empty");
    let mut results = all.remove(0);
    results.command = env::var("BENCH_COMMAND").context("BENCH_COMMAND is not set")?;
    results.versions = versions()?;
    results.others = all;
    Ok(results)
}

/// What the tools say that made it.
fn versions() -> Result<Vec<String>> {
    let mut versions = Vec::new();
    if let Ok(commit) = env::var("BENCH_COMMIT") {
        versions.push(format!("maclearn {commit}"));
    }
    for program in ["rustc", "gcc-14", "clang", "nft", "qemu-system-x86_64"] {
        let output = Command::new(program)
            .arg("--version")
            .output()
            .context(program)?;
        let text = String::from_utf8(output.stdout)?;
        versions.extend(text.lines().next().map(str::to_owned));
    }
    Ok(versions)
}
