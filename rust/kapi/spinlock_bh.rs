// SPDX-License-Identifier: GPL-2.0

//! A spinlock that is shared between softirqs and process context.
//!
//! C headers: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h),
//! [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)

use core::ops::{Deref, DerefMut};

use kernel::{
    prelude::*,
    str::CStr,
    sync::{
        lock::{spinlock::SpinLockBackend, Guard},
        LockClassKey, SpinLock,
    },
    types::NotThreadSafe,
};

use super::bindings;

/// Softirqs are disabled on this CPU while a value exists.
///
/// On PREEMPT_RT the thread stays on its CPU, and that is all: bottom halves there are threads that
/// preempt each other.
///
/// # Invariants
///
/// While a value exists, softirqs are disabled, by a call that nobody else undoes.
///
/// # Examples
///
/// ```
/// use kernel::sync::spinlock_bh::local_bh_disable;
///
/// let outer = local_bh_disable();
/// let inner = local_bh_disable();
/// drop(outer);
/// // Still disabled.
/// drop(inner);
/// ```
#[must_use = "softirqs are enabled again when the value is dropped"]
pub(crate) struct LocalBhDisabled(NotThreadSafe);

/// Disables softirqs on this CPU (`local_bh_disable()`). Nests.
///
/// Neither for a hard interrupt nor with interrupts disabled: there they must not be enabled again.
#[inline]
pub(crate) fn local_bh_disable() -> LocalBhDisabled {
    // SAFETY: It may be called in any context; in those named above the kernel complains.
    unsafe { bindings::maclearn_local_bh_disable() };
    // INVARIANT: They were just disabled.
    LocalBhDisabled(NotThreadSafe)
}

impl Drop for LocalBhDisabled {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Pairs with the call in `local_bh_disable`, on the same CPU since the value is not
        // `Send`.
        unsafe { bindings::maclearn_local_bh_enable() };
    }
}

/// A [`SpinLock`] that keeps softirqs off while it is held (`spin_lock_bh()`).
///
/// # Examples
///
/// ```
/// use kernel::sync::spinlock_bh::{new_spinlock_bh, SpinLockBh};
///
/// let packets = KBox::pin_init(new_spinlock_bh!(0u64, "packets"), GFP_KERNEL)?;
/// *packets.lock() += 1;
/// assert_eq!(*packets.lock(), 1);
/// # Ok::<(), Error>(())
/// ```
#[pin_data]
pub(crate) struct SpinLockBh<T> {
    #[pin]
    inner: SpinLock<T>,
}

impl<T> SpinLockBh<T> {
    /// Makes an unlocked lock around `value`; for [`new_spinlock_bh`].
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
    pub(crate) fn lock(&self) -> SpinLockBhGuard<'_, T> {
        let softirqs = local_bh_disable();
        SpinLockBhGuard {
            inner: self.inner.lock(),
            _softirqs: softirqs,
        }
    }
}

/// Makes a [`SpinLockBh`] with a lock class of its own.
macro_rules! new_spinlock_bh {
    ($value:expr, $name:literal) => {
        $crate::kapi::spinlock_bh::SpinLockBh::new(
            $value,
            ::kernel::c_str!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_spinlock_bh;

/// The lock is held while a value exists.
///
/// Fields drop in order: the lock is released before softirqs run again.
#[must_use = "the lock is released when the guard is dropped"]
pub(crate) struct SpinLockBhGuard<'a, T> {
    inner: Guard<'a, T, SpinLockBackend>,
    _softirqs: LocalBhDisabled,
}

impl<T> Deref for SpinLockBhGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: Unpin> DerefMut for SpinLockBhGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

#[kernel::macros::kunit_tests(maclearn_spinlock_bh)]
mod tests {
    use super::*;

    /// Whether softirqs are off here (`in_softirq()`).
    fn are_softirqs_off() -> bool {
        // SAFETY: It may be called anywhere.
        unsafe { bindings::maclearn_in_softirq() }
    }

    #[test]
    fn keeps_softirqs_off_while_it_is_held() -> Result {
        let lock = KBox::pin_init(new_spinlock_bh!(1, "maclearn_kunit_lock"), GFP_KERNEL)?;
        assert!(!are_softirqs_off());
        let mut guard = lock.lock();
        *guard += 1;
        assert!(are_softirqs_off());
        drop(guard);
        assert!(!are_softirqs_off());
        assert_eq!(*lock.lock(), 2);
        Ok(())
    }
}
