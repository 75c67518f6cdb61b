// SPDX-License-Identifier: GPL-2.0

//! Preemption.
//!
//! C header: [`include/linux/preempt.h`](srctree/include/linux/preempt.h)

use super::bindings;

/// Runs `change`, a few stores, without being preempted. The caller holds a spin lock, which keeps
/// others from its CPU anyway but on PREEMPT_RT.
#[inline(always)]
pub(crate) fn without_preemption(change: impl FnOnce()) {
    if cfg!(CONFIG_PREEMPT_RT) {
        // SAFETY: It may be called anywhere.
        unsafe { bindings::maclearn_preempt_disable() };
    }
    change();
    if cfg!(CONFIG_PREEMPT_RT) {
        // SAFETY: Preemption was disabled above.
        unsafe { bindings::maclearn_preempt_enable() };
    }
}
