// SPDX-License-Identifier: GPL-2.0

//! The kernel's clock of ticks (`jiffies`).
//!
//! C header: [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)

use super::bindings;

/// Jiffies in a second. (`HZ` is first defined as that of user space, which is what bindgen takes.)
pub(crate) const HZ: u64 = bindings::CONFIG_HZ as u64;

/// Jiffies since some time before boot (`jiffies`).
#[inline(always)]
pub(crate) fn jiffies() -> u64 {
    // SAFETY: The counter may be read at any time; it is one word on 64-bit architectures.
    unsafe { (&raw const bindings::jiffies).read_volatile() as u64 }
}
