// SPDX-License-Identifier: GPL-2.0

//! What is compared: each way to keep copies from ports that don't want them.

use std::{fs, process::Command};

use anyhow::{bail, Context, Result};

use crate::{
    ebpf::{Attachment, Programs},
    hub::{run_with_input, set, Hub, BRIDGE, OWNER},
    maclearn,
};

/// A way to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The bridge with `ageing_time 0` and nothing else: every copy is delivered.
    Hub,
    /// Two netfilter hooks that do nothing.
    EmptyHooks,
    /// A netfilter hook that drops all copies but those to the owner's port, without a look-up.
    Floor,
    /// The bridge's own learning.
    Learning,
    /// A file of rules in `peers/`.
    Nftables(&'static str),
    Ebpf(Attachment),
    Maclearn(maclearn::Mode),
}

/// Their names, in the order of the tables.
pub const PEERS: &[(&str, Peer)] = &[
    ("hub", Peer::Hub),
    ("empty-hooks", Peer::EmptyHooks),
    ("floor", Peer::Floor),
    ("nft-bridge-sets", Peer::Nftables("bridge-sets")),
    ("nft-netdev-sets", Peer::Nftables("netdev-sets")),
    ("nft-netdev-port-sets", Peer::Nftables("netdev-port-sets")),
    ("nft-netdev-mark", Peer::Nftables("netdev-mark")),
    ("tc", Peer::Ebpf(Attachment::Clsact)),
    ("tcx", Peer::Ebpf(Attachment::Tcx)),
    ("learning", Peer::Learning),
    ("maclearn", Peer::Maclearn(maclearn::Mode::Default)),
    (
        "maclearn-exclusive",
        Peer::Maclearn(maclearn::Mode::Exclusive),
    ),
    (
        "maclearn-suppress",
        Peer::Maclearn(maclearn::Mode::SuppressUnknown),
    ),
    (
        "maclearn-offloaded",
        Peer::Maclearn(maclearn::Mode::Offloaded),
    ),
    ("maclearn-mirror", Peer::Maclearn(maclearn::Mode::Mirror(1))),
    (
        "maclearn-mirror-2",
        Peer::Maclearn(maclearn::Mode::Mirror(2)),
    ),
    (
        "maclearn-mirror-4",
        Peer::Maclearn(maclearn::Mode::Mirror(4)),
    ),
    ("maclearn-sniffer", Peer::Maclearn(maclearn::Mode::Sniffer)),
    ("maclearn-idle", Peer::Maclearn(maclearn::Mode::Idle)),
    (
        "maclearn-unloaded",
        Peer::Maclearn(maclearn::Mode::Unloaded),
    ),
];

impl Peer {
    pub fn named(name: &str) -> Result<Self> {
        match PEERS.iter().find(|peer| peer.0 == name) {
            Some(peer) => Ok(peer.1),
            None => bail!("no such peer: {name}"),
        }
    }

    /// Whether it finds out by itself who owns a MAC.
    pub fn learns(self) -> bool {
        !matches!(
            self,
            Self::Hub
                | Self::EmptyHooks
                | Self::Floor
                | Self::Maclearn(maclearn::Mode::Idle | maclearn::Mode::Unloaded)
        )
    }

    /// Whether frames to a known destination go to its owner only.
    pub fn filters(self) -> bool {
        self.learns() || self == Self::Floor
    }

    /// Whether it differs little from another peer, so that few figures of it will do.
    pub fn is_variant(self) -> bool {
        use maclearn::Mode;
        match self {
            Self::EmptyHooks => false,
            Self::Nftables(rules) => !matches!(rules, "netdev-mark" | "netdev-port-sets"),
            Self::Maclearn(mode) => {
                !matches!(mode, Mode::Default | Mode::Offloaded | Mode::Mirror(1))
            }
            _ => false,
        }
    }

    /// Whether the bridge's FDB has its MACs, so that no copies are made for ports that are
    /// enabled.
    pub fn offloads(self) -> bool {
        use maclearn::Mode;
        matches!(self, Self::Maclearn(Mode::Offloaded | Mode::Mirror(_)))
    }

    /// Ports that get every copy, beside those that are counted.
    pub fn sniffers(self) -> usize {
        match self {
            Self::Maclearn(mode) => mode.sniffers(),
            _ => 0,
        }
    }
}

const AGEING_CENTISECONDS: u32 = 30_000;

/// A peer that does its work; `stop` ends it.
pub enum Running {
    Nothing,
    Floor,
    Nftables { family: &'static str },
    Ebpf(Programs),
    Maclearn,
}

/// Lets `peer` do its work on all ports that `hub` has and may get.
pub fn start(peer: Peer, hub: &mut Hub, capacity: u32) -> Result<Running> {
    Ok(match peer {
        Peer::Hub => Running::Nothing,
        Peer::Learning => {
            set(BRIDGE, "bridge/ageing_time", AGEING_CENTISECONDS)?;
            Running::Nothing
        }
        Peer::EmptyHooks => {
            command("insmod", &[&floor_module()?])?;
            Running::Floor
        }
        Peer::Floor => {
            command("insmod", &[&floor_module()?, &format!("deliver={OWNER}")])?;
            Running::Floor
        }
        Peer::Nftables(name) => {
            run_with_input("nft", &["-f", "-"], &rules(name, hub)?)?;
            let family = if name.starts_with("bridge") {
                "bridge"
            } else {
                "netdev"
            };
            Running::Nftables { family }
        }
        Peer::Ebpf(attachment) => Running::Ebpf(Programs::start(attachment, hub, capacity)?),
        Peer::Maclearn(mode) => {
            command("modprobe", &["maclearn"])?;
            if mode == maclearn::Mode::Unloaded {
                command("rmmod", &["maclearn"])?;
                Running::Nothing
            } else {
                hub.add_sniffers(mode.sniffers())?;
                maclearn::set_up(mode)?;
                Running::Maclearn
            }
        }
    })
}

impl Running {
    pub fn stop(self) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Floor => command("rmmod", &["floor"]),
            Self::Nftables { family } => command("nft", &["delete", "table", family, "learn"]),
            Self::Ebpf(programs) => programs.stop(),
            Self::Maclearn => command("rmmod", &["maclearn"]),
        }
    }
}

/// A file of rules. What follows "for each port" in it is repeated for each, up to the table's end.
fn rules(name: &str, hub: &Hub) -> Result<String> {
    let path = format!("tests/bench/peers/{name}.nft");
    let text = fs::read_to_string(&path).context(path)?;
    let ports = hub.devices();
    Ok(match text.split_once("# for each port\n") {
        None => format!("define ports = {{ {} }}\n{text}", ports.join(", ")),
        Some((head, rest)) => {
            let each = rest
                .trim_end()
                .strip_suffix('}')
                .context("a table without an end")?;
            let mut rules = String::from(head);
            for (number, port) in ports.iter().enumerate() {
                let number = (number + 1).to_string();
                rules += &each.replace("PORT", port).replace("NUMBER", &number);
            }
            rules + "}\n"
        }
    })
}

fn floor_module() -> Result<String> {
    Ok(format!("/out/bench/{}/floor.ko", kernel_release()?))
}

/// That of the running kernel.
pub fn kernel_release() -> Result<String> {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(text.trim().to_owned())
}

pub fn command(program: &str, arguments: &[&str]) -> Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .status()
        .context(program.to_owned())?;
    if !status.success() {
        bail!("{program} {}: {status}", arguments.join(" "));
    }
    Ok(())
}
