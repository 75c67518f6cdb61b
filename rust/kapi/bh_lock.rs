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

/// Proof that softirqs do not run on this CPU while a value of the type exists.
///
/// # Safety
///
/// That is true of every value, and a value cannot move to another thread.
pub(crate) unsafe trait SoftirqsOff {}

/// Softirqs do not run on this CPU while a value exists.
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

// SAFETY: `new` disables them, `drop` enables them, and the value is not `Send`.
unsafe impl SoftirqsOff for BhDisabled {}

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

    /// Takes the lock where softirqs are off already (`spin_lock()`).
    pub(crate) fn lock_in_softirq<'a>(
        &'a self,
        _softirqs_off: &'a impl SoftirqsOff,
    ) -> Guard<'a, T, SpinLockBackend> {
        self.inner.lock()
    }

    /// Takes the lock. Process or softirq context.
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

// SAFETY: It contains a `BhDisabled`.
unsafe impl<T> SoftirqsOff for BhGuard<'_, T> {}
