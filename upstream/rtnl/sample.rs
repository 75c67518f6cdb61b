// SPDX-License-Identifier: GPL-2.0

//! Rust RTNL sample.

use kernel::{net::rtnl::Rtnl, prelude::*};

module! {
    type: RustRtnl,
    name: "rust_rtnl",
    authors: ["Rust for Linux Contributors"],
    description: "Rust RTNL sample",
    license: "GPL",
}

struct RustRtnl;

/// Something that needs RTNL says so.
fn configure(_rtnl: &Rtnl) {
    pr_info!(
        "RTNL is held, others would get it: {}\n",
        Rtnl::try_lock().is_some()
    );
}

impl kernel::Module for RustRtnl {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        configure(&Rtnl::lock());
        Ok(Self)
    }
}
