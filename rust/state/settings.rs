// SPDX-License-Identifier: GPL-2.0

//! The settings of ports and bridges.

use super::flags::{Flag, Flags};
use crate::{kapi::atomic::AtomicU32, table::Writer};

/// Greatest `max_macs` of a port.
pub(crate) const MAX_PORT_MACS: u64 = 1 << 20;

/// Greatest `max_macs` of a bridge.
pub(crate) const MAX_BRIDGE_MACS: u64 = 1 << 24;

/// Settings to change together; `None` leaves one as it is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PortChange {
    /// Whether copies to the port are filtered.
    pub(crate) enabled: Option<bool>,
    /// Whether sources behind the port are learned.
    pub(crate) learning: Option<bool>,
    /// Whether copies for unknown destinations are suppressed.
    pub(crate) suppress_unknown: Option<bool>,
    /// Whether frames are dropped on failure, rather than every copy passed.
    pub(crate) fail_closed: Option<bool>,
    /// Greatest number of MACs; 0 is unlimited.
    pub(crate) max_macs: Option<u32>,
}

/// Settings to change together; `None` leaves one as it is.
#[derive(Default)]
pub(crate) struct BridgeChange {
    /// What ports that join get from now on.
    pub(crate) defaults: PortChange,
    /// Seconds after which a MAC that is not seen is forgotten; 0 is never. They are then its own.
    pub(crate) ageing_seconds: Option<u32>,
    /// Whether that is the bridge's, if it learns by itself (`ageing`).
    pub(crate) follows_ageing: Option<bool>,
    /// Whether the newest port takes a MAC from the others.
    pub(crate) exclusive: Option<bool>,
    /// Greatest number of MACs of all ports together; 0 is unlimited.
    pub(crate) max_macs: Option<u32>,
    /// Whether the bridge is told where MACs are (`fdb_offload`).
    pub(crate) offload: Option<bool>,
}

/// The settings of a new bridge.
pub(crate) struct Initial {
    /// `ageing_time`.
    pub(crate) ageing_seconds: u32,
    /// `exclusive`.
    pub(crate) exclusive: bool,
    /// `max_macs`.
    pub(crate) max_macs: u32,
    /// `fdb_offload`.
    pub(crate) offload: bool,
    /// `auto_enable` and what else a port gets that joins; all are there.
    pub(crate) defaults: PortChange,
}

/// The settings that a port gets when it joins a bridge.
pub(crate) struct Defaults {
    flags: AtomicU32,
    max_macs: AtomicU32,
}

impl Defaults {
    pub(crate) fn new() -> Self {
        Self {
            flags: AtomicU32::new(0),
            max_macs: AtomicU32::new(0),
        }
    }

    /// Settings that are on or off; [`Flag::Enabled`] says whether the port is enabled.
    pub(crate) fn flags(&self) -> Flags {
        Flags::from_bits(self.flags.load_relaxed())
    }

    /// `max_macs`.
    pub(crate) fn max_macs(&self) -> u32 {
        self.max_macs.load_relaxed()
    }

    /// Changes those that are given. The table's writer stands for its lock.
    pub(crate) fn change(&self, _locked: &Writer, change: &PortChange) {
        self.flags
            .store_relaxed(change.apply(self.flags()).to_bits());
        if let Some(macs) = change.max_macs {
            self.max_macs.store_relaxed(macs);
        }
    }
}

impl PortChange {
    /// `flags` with the settings that this gives.
    pub(crate) fn apply(&self, flags: Flags) -> Flags {
        [
            (Flag::Enabled, self.enabled),
            (Flag::Learning, self.learning),
            (Flag::SuppressUnknown, self.suppress_unknown),
            (Flag::FailClosed, self.fail_closed),
        ]
        .into_iter()
        .fold(flags, |flags, (flag, on)| match on {
            Some(on) => flags.with(flag, on),
            None => flags,
        })
    }
}
