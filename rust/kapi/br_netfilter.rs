// SPDX-License-Identifier: GPL-2.0

//! br_netfilter, the module that sends frames of bridges through the hooks of IP.
//!
//! C source: [`net/bridge/br_netfilter_hooks.c`](srctree/net/bridge/br_netfilter_hooks.c)

use super::bindings;

/// Whether it is loaded.
pub(crate) fn is_loaded() -> bool {
    // SAFETY: No requirement.
    unsafe { bindings::maclearn_has_br_netfilter() }
}
