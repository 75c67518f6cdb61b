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
use state::settings::bridge_settings;

macro_rules! define_module {
    (
        $($(#[$_doc:meta])* $_variant:ident = $name:ident:
            $_form:expr, $_attribute:expr, $default:tt, $description:tt;)*
        ---
        $($_without_parameter:tt)*
    ) => {
        module! {
            type: Maclearn,
            name: "maclearn",
            authors: ["The maclearn authors"],
            description: "MAC learning filter for bridge ports",
            license: "GPL",
            params: {
                $(
                    $name: u32 {
                        default: $default,
                        description: $description,
                    },
                )*
            },
        }
    };
}
bridge_settings!(define_module);

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
