// SPDX-License-Identifier: GPL-2.0

//! Rust sample for random numbers.

use kernel::{prelude::*, random};

module! {
    type: RustRandom,
    name: "rust_random",
    authors: ["Rust for Linux Contributors"],
    description: "Rust sample for random numbers",
    license: "GPL",
}

struct RustRandom;

impl kernel::Module for RustRandom {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let [first, second] = random::words();
        let differ = first != second;
        pr_info!("two words are different: {}\n", differ);
        Ok(Self)
    }
}
