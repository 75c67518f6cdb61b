// SPDX-License-Identifier: GPL-2.0

//! What there is: bridges and ports with their settings, tables, flags and counters, and what
//! waits.
//!
//! What is here stores, and asks for a work to run. Who wants a change that takes more calls the
//! part of `work/` that makes it. The exception is [`revoke`], which deletes in the bridge's own
//! database, since the packet path has to do that as well.

pub(crate) mod addresses;
pub(crate) mod ageing;
pub(crate) mod bridge;
pub(crate) mod counters;
pub(crate) mod events;
pub(crate) mod flags;
pub(crate) mod foreign;
pub(crate) mod locked;
pub(crate) mod memo;
pub(crate) mod mirror;
pub(crate) mod pending;
pub(crate) mod port;
pub(crate) mod port_set;
pub(crate) mod retry;
pub(crate) mod revoke;
pub(crate) mod settings;
pub(crate) mod tag;
pub(crate) mod vlans;
