// SPDX-License-Identifier: GPL-2.0

//! The kernel's log.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use super::bindings;

/// Whether a line may be written that traffic is the cause of: what networking writes for that
/// reason is limited to some lines a second (`net_ratelimit()`). Any context.
pub(crate) fn may_write() -> bool {
    // SAFETY: It may be called anywhere.
    unsafe { bindings::net_ratelimit() != 0 }
}
