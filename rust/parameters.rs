// SPDX-License-Identifier: GPL-2.0

//! The module's parameters: what the settings of a bridge are at first.

use kernel::prelude::*;

use crate::{
    ageing::MAX_AGEING_SECONDS, bridge, module_parameters as given, port, port::PortChange,
};

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

/// What the parameters say, which [`check`] has accepted.
pub(crate) fn initial() -> Initial {
    Initial {
        ageing_seconds: given::ageing_time.value(),
        exclusive: given::exclusive.value() != 0,
        max_macs: given::max_macs.value(),
        offload: given::fdb_offload.value() != 0,
        defaults: PortChange {
            enabled: Some(given::auto_enable.value() != 0),
            learning: Some(given::default_learning.value() != 0),
            suppress_unknown: Some(given::default_unknown_unicast.value() != 0),
            fail_closed: Some(given::default_on_failure.value() != 0),
            max_macs: Some(given::default_max_macs.value()),
        },
    }
}

/// Refuses values that are out of range.
///
/// # Errors
///
/// `EINVAL`, and the kernel log says which.
pub(crate) fn check() -> Result {
    for (name, value, most) in [
        ("auto_enable", given::auto_enable.value(), 1),
        (
            "ageing_time",
            given::ageing_time.value(),
            u64::from(MAX_AGEING_SECONDS),
        ),
        ("exclusive", given::exclusive.value(), 1),
        ("max_macs", given::max_macs.value(), bridge::MAX_MACS),
        ("fdb_offload", given::fdb_offload.value(), 1),
        ("default_learning", given::default_learning.value(), 1),
        (
            "default_unknown_unicast",
            given::default_unknown_unicast.value(),
            1,
        ),
        ("default_on_failure", given::default_on_failure.value(), 1),
        (
            "default_max_macs",
            given::default_max_macs.value(),
            port::MAX_MACS,
        ),
    ] {
        if u64::from(value) > most {
            pr_err!("{name} is {value}, it may be 0 to {most}\n");
            return Err(EINVAL);
        }
    }
    Ok(())
}
