// SPDX-License-Identifier: GPL-2.0

//! The kernel module's table, compiled for the host, and what its tests share.

#[path = "../../../rust/table/mod.rs"]
pub mod table;

#[cfg_attr(loom, path = "platform_loom.rs")]
pub mod platform;

mod boxed;

use table::{Array, Key, Limits, Migration, Secret, Writer};

pub const NO_LIMITS: Limits = Limits { port: 0, total: 0 };

/// The key of a MAC address that ends in `number`, as a guest would count them up.
pub fn key(number: u64) -> Key {
    let [.., a, b, c, d] = number.to_be_bytes();
    Key::new(0, [0x02, 0, a, b, c, d])
}

/// A secret that only `seed` decides.
pub fn secret(seed: u64) -> Secret {
    let word = |index: u64| {
        let mixed = (seed.wrapping_mul(4) + index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    };
    Secret::new([word(0), word(1), word(2), word(3)])
}

/// Does what the maintenance work does, to the end. Returns whether there was anything to do.
pub fn resize(writer: &mut Writer, seed: &mut u64) -> bool {
    let mut resized = false;
    while let Some(buckets) = writer.wanted() {
        resized = true;
        *seed += 1;
        writer.begin_resize(Array::allocate(buckets, secret(*seed)).unwrap());
        while writer.migrate(64) == Migration::More {}
        drop(writer.retire());
    }
    resized
}
