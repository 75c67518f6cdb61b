// SPDX-License-Identifier: GPL-2.0

//! The kernel's tick counter.
//!
//! C header: [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)

use super::bindings;

/// Ticks in a second. (`HZ` is first defined as that of user space, which is what bindgen takes.)
pub(crate) const TICKS_PER_SECOND: u64 = bindings::CONFIG_HZ as u64;

/// Ticks since some time before boot (`jiffies`).
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    // SAFETY: The counter may be read at any time; it is one word on 64-bit architectures.
    unsafe { (&raw const bindings::jiffies).read_volatile() as u64 }
}
