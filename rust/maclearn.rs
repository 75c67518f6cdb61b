// SPDX-License-Identifier: GPL-2.0

//! MAC learning filter for bridge ports.
//!
//! `Documentation/design.md` shows the parts; the way of a frame is in `frame.rs`.

use kernel::prelude::*;

mod ageing;
mod attributes;
mod bridge;
mod decision;
mod frame;
mod kapi;
mod learning;
mod mark;
mod netlink;
mod network;
mod platform;
mod port;
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "complete by itself, and public for its tests"
)]
mod table;
mod upkeep;

use kapi::{genetlink, notifier, pernet};

module! {
    type: Maclearn,
    name: "maclearn",
    authors: ["The maclearn authors"],
    description: "MAC learning filter for bridge ports",
    license: "GPL",
}

/// The module while it is loaded.
struct Maclearn {
    /// Goes first, so that no request comes later.
    _family: genetlink::Registration,
    /// Dropping it takes every bridge and port away, and then the state of every namespace.
    _follower: notifier::Registration<network::Follower>,
}

impl kernel::Module for Maclearn {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let networks = pernet::Registration::new()?;
        let follower = notifier::Registration::new(network::Follower(networks))?;
        Ok(Self {
            _family: genetlink::Registration::new()?,
            _follower: follower,
        })
    }
}
