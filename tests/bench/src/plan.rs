// SPDX-License-Identifier: GPL-2.0

//! How much is measured of a peer.

use std::str::FromStr;

use anyhow::{bail, Result};

use crate::{maclearn::Mode, peer::Peer};

/// The fewest ports: what is compared has copies to suppress at two of them.
pub const FEW_PORTS: usize = 4;
/// The number of ports that single figures are for.
pub const PORTS: usize = 16;
pub const MANY_PORTS: usize = 256;
/// The table that most is measured with.
pub const FEW_MACS: u32 = 64;
/// The smallest table that new MACs are measured with.
pub const SOME_MACS: u32 = 4096;
pub const MANY_MACS: u32 = 1_000_000;

/// How much time a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What the guard needs.
    Quick,
    Full,
    /// What the module is compared by that is built in the other way, and on another kernel.
    Other,
}

impl FromStr for Extent {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "quick" => Self::Quick,
            "full" => Self::Full,
            "other" => Self::Other,
            _ => bail!("{text}: neither quick nor full nor other"),
        })
    }
}

/// What is measured with a table of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// MACs learned before.
    pub macs: u32,
    /// Numbers of ports, ascending; all but few figures need [`FEW_PORTS`] as the first.
    pub ports: &'static [usize],
}

/// The levels of a peer, ascending.
pub fn levels(extent: Extent, peer: Peer) -> &'static [Level] {
    const fn level(macs: u32, ports: &'static [usize]) -> Level {
        Level { macs, ports }
    }
    const BRIEF: &[Level] = &[level(FEW_MACS, &[FEW_PORTS, PORTS])];
    // With few ports it does not pay to make copies for several that get every one.
    const ENOUGH: &[Level] = &[level(FEW_MACS, &[PORTS])];
    const QUICK: &[Level] = &[
        level(FEW_MACS, &[FEW_PORTS, PORTS]),
        level(16_384, &[FEW_PORTS]),
    ];
    const OTHER: &[Level] = &[
        level(FEW_MACS, &[FEW_PORTS, PORTS]),
        level(SOME_MACS, &[FEW_PORTS]),
    ];
    const PORTS_ONLY: &[Level] = &[level(FEW_MACS, &[FEW_PORTS, PORTS, 64, MANY_PORTS])];
    const ALL: &[Level] = &[
        level(FEW_MACS, &[FEW_PORTS, PORTS, 64, MANY_PORTS]),
        level(SOME_MACS, &[FEW_PORTS, PORTS]),
        level(262_144, &[FEW_PORTS, PORTS]),
        level(MANY_MACS, &[FEW_PORTS, PORTS, 64, MANY_PORTS]),
    ];
    // It offloads 65,536 MACs at most.
    const OFFLOADED: &[Level] = &[
        level(FEW_MACS, &[FEW_PORTS, PORTS, 64, MANY_PORTS]),
        level(SOME_MACS, &[FEW_PORTS, PORTS]),
    ];
    let offloads = peer == Peer::Maclearn(Mode::Offloaded);
    match (extent, peer.is_variant(), peer.learns()) {
        (_, true, _) if peer.sniffers() > 1 => ENOUGH,
        (Extent::Full, true, _) if peer.sniffers() == 1 => PORTS_ONLY,
        (_, true, _) | (Extent::Quick | Extent::Other, _, false) => BRIEF,
        (Extent::Quick | Extent::Other, ..) if offloads || peer.sniffers() > 0 => BRIEF,
        (Extent::Full, ..) if peer.sniffers() > 0 => PORTS_ONLY,
        (Extent::Full, ..) if offloads => OFFLOADED,
        (Extent::Quick, ..) => QUICK,
        (Extent::Other, ..) => OTHER,
        (Extent::Full, _, false) => PORTS_ONLY,
        (Extent::Full, ..) => ALL,
    }
}
