// SPDX-License-Identifier: GPL-2.0

//! What is measured, as it is written to and read from JSON.

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context, Result};
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
    Broadcast,
    Multicast,
    /// [`Work::Unicast`] with `vlan_filtering 1`, untagged.
    Vlan,
    /// [`Work::Unicast`] with buffers of 40 TCP segments.
    Gso,
    /// From one after another of the MACs behind the ingress port, to MACs that nobody has, while no port gets
    /// copies.
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

/// A line that `bench measure` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    Cell(Cell),
    Memory(Memory),
    Unload(Unload),
}

/// Everything that one run of the benchmark measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The command that made it.
    pub command: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Versions of other things that it depends on.
    pub versions: Vec<String>,
    pub cells: Vec<Cell>,
    pub memory: Vec<Memory>,
    #[serde(default)]
    pub unloads: Vec<Unload>,
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

    /// Milliseconds of unloading with so many MACs; `None` where it was not measured.
    pub fn unloading(&self, macs: u32) -> Option<f64> {
        self.unloads
            .iter()
            .find(|unload| unload.macs == macs)
            .map(|unload| unload.milliseconds)
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

/// What `bench measure` printed into the file `measured`, and what made it.
pub fn collect(measured: &str) -> Result<Results> {
    let mut results = Results {
        command: env::var("BENCH_COMMAND").context("BENCH_COMMAND is not set")?,
        kernel: fs::read_to_string("/etc/maclearn-kernel")?.trim().into(),
        versions: versions()?,
        ..Results::default()
    };
    let text = fs::read_to_string(measured).context(measured.to_owned())?;
    for line in text.lines() {
        match serde_json::from_str(line).with_context(|| line.to_owned())? {
            Line::Cell(cell) => results.cells.push(cell),
            Line::Memory(memory) => results.memory.push(memory),
            Line::Unload(unload) => results.unloads.push(unload),
        }
    }
    // The virtual machines ran side by side.
    let order = |name: &str| PEERS.iter().position(|peer| peer.0 == name);
    results.cells.sort_by_key(|cell| order(&cell.peer));
    results.memory.sort_by_key(|memory| order(&memory.peer));
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
