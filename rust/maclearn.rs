// SPDX-License-Identifier: GPL-2.0

//! MAC learning filter for bridge ports.
//!
//! `Documentation/design.md` shows the parts; the way of a frame is in `frame/mod.rs`.

use kernel::prelude::*;

mod control;
mod frame;
mod kapi;
#[cfg(CONFIG_KUNIT = "y")]
mod lab;
mod platform;
mod state;
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "complete by itself, and public for its tests"
)]
mod table;
mod work;

use control::{devices::NetdevNotifier, parameters};
use kapi::{genetlink, notifier};

module! {
    type: Maclearn,
    name: "maclearn",
    authors: ["The maclearn authors"],
    description: "MAC learning filter for bridge ports",
    license: "GPL",
    params: {
        auto_enable: u32 {
            default: 0,
            description: "Initial auto_enable of a bridge: 1 enables ports as they join, present ones included (0)",
        },
        ageing_time: u32 {
            default: 300,
            description: "Initial ageing_time of a bridge in seconds, 0 is never (300)",
        },
        exclusive: u32 {
            default: 0,
            description: "Initial exclusive of a bridge: 1 lets the newest port take a MAC from the others (0)",
        },
        max_macs: u32 {
            default: 1048576,
            description: "Initial max_macs of a bridge, 0 is unlimited (1048576)",
        },
        fdb_offload: u32 {
            default: 1,
            description: "Initial fdb_offload of a bridge: 1 is auto, 0 off (1)",
        },
        default_learning: u32 {
            default: 1,
            description: "Initial default_learning of a bridge (1)",
        },
        default_unknown_unicast: u32 {
            default: 0,
            description: "Initial default_unknown_unicast of a bridge: 0 flood, 1 suppress (0)",
        },
        default_on_failure: u32 {
            default: 0,
            description: "Initial default_on_failure of a bridge: 0 open, 1 closed (0)",
        },
        default_max_macs: u32 {
            default: 4096,
            description: "Initial default_max_macs of a bridge, 0 is unlimited (4096)",
        },
    },
}

/// The module while it is loaded.
struct Maclearn {
    /// Goes first, so that no request comes later.
    _family: genetlink::Registration,
    /// Dropping it takes every bridge and port away, and then the state of every namespace.
    _notifier: notifier::Registration<NetdevNotifier>,
}

impl kernel::Module for Maclearn {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        parameters::check()?;
        let notifier = notifier::Registration::new(NetdevNotifier::new()?)?;
        Ok(Self {
            _family: genetlink::Registration::new()?,
            _notifier: notifier,
        })
    }
}
