// SPDX-License-Identifier: GPL-2.0

//! A spinlock shared between the packet path and process context.
//!
//! C headers: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h),
//! [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)

use core::ops::{Deref, DerefMut};

use kernel::{
    prelude::*,
    str::CStr,
    sync::{lock::spinlock::SpinLockBackend, lock::Guard, LockClassKey, SpinLock},
    types::NotThreadSafe,
};

use super::bindings;

/// Whether softirqs are off on this CPU, and with that preemption and whatever else could come in
/// between here until they are on again. Never on PREEMPT_RT, where a bottom half can be preempted
/// by another one.
#[inline(always)]
pub(super) fn is_cpu_ours() -> bool {
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

/// Softirqs do not run on this CPU while a value exists; but on PREEMPT_RT, where the thread stays
/// on its CPU and that is all.
pub(crate) struct BhDisabled(NotThreadSafe);

impl BhDisabled {
    /// Disables softirqs on this CPU (`local_bh_disable()`). Nests.
    pub(crate) fn new() -> Self {
        // SAFETY: May be called in any context but a hard interrupt, which this module never runs
        // in.
        unsafe { bindings::maclearn_bh_disable() };
        Self(NotThreadSafe)
    }
}

impl Drop for BhDisabled {
    fn drop(&mut self) {
        // SAFETY: Pairs with the call in `new`, on the same CPU since the value is not `Send`.
        unsafe { bindings::maclearn_bh_enable() };
    }
}

/// A [`SpinLock`] that keeps softirqs off while it is held (`spin_lock_bh()`).
#[pin_data]
pub(crate) struct BhLock<T> {
    #[pin]
    inner: SpinLock<T>,
}

impl<T> BhLock<T> {
    /// Makes an unlocked lock around `value`.
    pub(crate) fn new(
        value: T,
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- SpinLock::new(value, name, class),
        })
    }

    /// Takes the lock. Any context but a hard interrupt, with softirqs off or on.
    pub(crate) fn lock(&self) -> BhGuard<'_, T> {
        let softirqs = BhDisabled::new();
        BhGuard {
            inner: self.inner.lock(),
            _softirqs: softirqs,
        }
    }
}

/// Makes a [`BhLock`] with a lock class of its own.
macro_rules! new_bh_lock {
    ($value:expr, $name:literal) => {
        $crate::kapi::bh_lock::BhLock::new(
            $value,
            ::kernel::c_str!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_bh_lock;

/// The lock is held while a value exists.
///
/// Fields drop in order: the lock is released before softirqs run again.
pub(crate) struct BhGuard<'a, T> {
    inner: Guard<'a, T, SpinLockBackend>,
    _softirqs: BhDisabled,
}

impl<T> Deref for BhGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: Unpin> DerefMut for BhGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}
