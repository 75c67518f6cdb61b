// SPDX-License-Identifier: GPL-2.0

//! The module's parameters: what the settings of a bridge are at first.

use core::borrow::Borrow;

use kernel::prelude::*;

use crate::{
    module_parameters as given,
    state::{
        ageing::MAX_AGEING_SECONDS,
        settings::{Initial, PortChange, MAX_BRIDGE_MACS, MAX_PORT_MACS},
    },
};

/// What the parameters say, which [`check`] has accepted.
pub(crate) fn initial() -> Initial {
    Initial {
        ageing_seconds: number(given::ageing_time.value()),
        exclusive: is_on(given::exclusive.value()),
        max_macs: number(given::max_macs.value()),
        offload: is_on(given::fdb_offload.value()),
        defaults: PortChange {
            enabled: Some(is_on(given::auto_enable.value())),
            learning: Some(is_on(given::default_learning.value())),
            suppress_unknown: Some(is_on(given::default_unknown_unicast.value())),
            fail_closed: Some(is_on(given::default_on_failure.value())),
            max_macs: Some(number(given::default_max_macs.value())),
        },
    }
}

/// The value of a parameter, which the `kernel` crate hands out itself since 7.3, by reference before.
fn number(value: impl Borrow<u32>) -> u32 {
    *value.borrow()
}

fn is_on(value: impl Borrow<u32>) -> bool {
    number(value) != 0
}

/// Refuses values that are out of range.
///
/// # Errors
///
/// `EINVAL`, and the kernel log says which.
pub(crate) fn check() -> Result {
    for (name, value, most) in [
        ("auto_enable", number(given::auto_enable.value()), 1),
        (
            "ageing_time",
            number(given::ageing_time.value()),
            u64::from(MAX_AGEING_SECONDS),
        ),
        ("exclusive", number(given::exclusive.value()), 1),
        ("max_macs", number(given::max_macs.value()), MAX_BRIDGE_MACS),
        ("fdb_offload", number(given::fdb_offload.value()), 1),
        (
            "default_learning",
            number(given::default_learning.value()),
            1,
        ),
        (
            "default_unknown_unicast",
            number(given::default_unknown_unicast.value()),
            1,
        ),
        (
            "default_on_failure",
            number(given::default_on_failure.value()),
            1,
        ),
        (
            "default_max_macs",
            number(given::default_max_macs.value()),
            MAX_PORT_MACS,
        ),
    ] {
        if u64::from(value) > most {
            pr_err!("{name} is {value}, it may be 0 to {most}\n");
            return Err(EINVAL);
        }
    }
    Ok(())
}
