// SPDX-License-Identifier: GPL-2.0

//! Preemption and softirqs.
//!
//! C header: [`include/linux/preempt.h`](srctree/include/linux/preempt.h)

use kernel::types::NotThreadSafe;

use super::bindings;

/// Preemption is disabled on this CPU while a value exists: nothing but softirqs and interrupts
/// runs in between, on PREEMPT_RT as well, where a spin lock does not see to that.
///
/// # Invariants
///
/// While a value exists, preemption is disabled, by a call that nobody else undoes.
#[must_use = "preemption is enabled again when the value is dropped"]
pub(crate) struct PreemptDisabled(NotThreadSafe);

/// Disables preemption on this CPU (`preempt_disable()`). Nests. Any context.
#[inline(always)]
pub(crate) fn preempt_disable() -> PreemptDisabled {
    // SAFETY: It may be called anywhere.
    unsafe { bindings::maclearn_preempt_disable() };
    // INVARIANT: It was just disabled.
    PreemptDisabled(NotThreadSafe)
}

impl Drop for PreemptDisabled {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: Pairs with the call in `preempt_disable`, on the same CPU since the value is not
        // `Send`.
        unsafe { bindings::maclearn_preempt_enable() };
    }
}

/// Whether nothing but hard interrupts can come in between here: softirqs are off on this CPU, and
/// with that preemption. Never on PREEMPT_RT, where a bottom half can be preempted by another one.
#[inline(always)]
pub(super) fn are_softirqs_excluded() -> bool {
    softirqs::are_off()
}

/// What `in_softirq()` looks at on x86: bits 8 to 15 of the preemption count.
#[cfg(all(
    target_arch = "x86_64",
    CONFIG_SMP,
    not(CONFIG_UML),
    not(CONFIG_PREEMPT_RT)
))]
mod softirqs {
    use core::arch::asm;

    use kernel::prelude::*;

    extern "C" {
        /// `arch/x86/include/asm/preempt.h`, a per-CPU variable.
        #[cfg_attr(maclearn_pcpu_hot, link_name = "pcpu_hot")]
        static __preempt_count: c_ulong;
    }

    /// Which byte of that it is: in older kernels it is a field of a larger variable (see
    /// `helpers.c`).
    const BYTE: usize = if cfg!(maclearn_pcpu_hot) { 8 + 1 } else { 1 };

    #[inline(always)]
    pub(super) fn are_off() -> bool {
        let count: u32;
        // SAFETY: It reads a byte of this CPU's copy of the variable.
        unsafe {
            asm!("movzx {count:e}, byte ptr gs:[rip + {preempt_count} + {byte}]",
                count = out(reg) count, preempt_count = sym __preempt_count, byte = const BYTE,
                options(nostack, preserves_flags, readonly));
        }
        count != 0
    }
}

#[cfg(not(all(
    target_arch = "x86_64",
    CONFIG_SMP,
    not(CONFIG_UML),
    not(CONFIG_PREEMPT_RT)
)))]
mod softirqs {
    use super::bindings;

    pub(super) fn are_off() -> bool {
        // SAFETY: No requirement.
        !cfg!(CONFIG_PREEMPT_RT) && unsafe { bindings::maclearn_in_softirq() }
    }
}
