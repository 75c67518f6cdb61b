// SPDX-License-Identifier: GPL-2.0

//! RTNL, the lock around the configuration of network devices.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use core::ops::Deref;

use kernel::types::NotThreadSafe;

use super::bindings;

/// Proof that the caller holds RTNL.
///
/// Functions that have to be called with it held take a reference to one. It is not [`Send`], for
/// it is this thread that holds the lock.
///
/// # Invariants
///
/// While a value exists, this thread holds RTNL.
///
/// # Examples
///
/// ```
/// use kernel::net::rtnl::Rtnl;
///
/// /// Counts something that changes under RTNL only.
/// fn count(_rtnl: &Rtnl) -> usize {
///     3
/// }
///
/// let rtnl = Rtnl::lock();
/// assert_eq!(count(&rtnl), 3);
/// ```
pub(crate) struct Rtnl(NotThreadSafe);

impl Rtnl {
    /// Takes RTNL (`rtnl_lock()`). May sleep. Not for a work item that is cancelled by someone who
    /// holds it.
    #[inline]
    pub(crate) fn lock() -> RtnlGuard {
        // SAFETY: No requirement but process context.
        unsafe { bindings::rtnl_lock() };
        // INVARIANT: It was just taken.
        RtnlGuard(Self(NotThreadSafe))
    }

    /// Takes RTNL if nobody holds it (`rtnl_trylock()`). Process context.
    ///
    /// To wait for it is not for a work item that is cancelled by someone who holds it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::net::rtnl::Rtnl;
    ///
    /// let rtnl = Rtnl::lock();
    /// assert!(Rtnl::try_lock().is_none());
    /// # drop(rtnl);
    /// ```
    #[inline]
    pub(crate) fn try_lock() -> Option<RtnlGuard> {
        // SAFETY: No requirement but process context.
        if unsafe { bindings::rtnl_trylock() } == 0 {
            return None;
        }
        // INVARIANT: It was just taken.
        Some(RtnlGuard(Self(NotThreadSafe)))
    }

    /// Takes it for granted that RTNL is held, as where C calls with it held.
    ///
    /// # Safety
    ///
    /// This thread holds it for as long as the value exists.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::net::rtnl::Rtnl;
    ///
    /// let guard = Rtnl::lock();
    /// // SAFETY: The guard holds it for longer.
    /// let rtnl = unsafe { Rtnl::assume() };
    /// # let _ = (&rtnl, &guard);
    /// ```
    #[inline]
    pub(crate) unsafe fn assume() -> Self {
        // INVARIANT: By the safety requirement.
        Self(NotThreadSafe)
    }
}

/// RTNL, held until the value is dropped.
///
/// # Invariants
///
/// This thread took it, and nobody has released it since.
#[must_use = "RTNL is released when the guard is dropped"]
pub(crate) struct RtnlGuard(Rtnl);

impl Deref for RtnlGuard {
    type Target = Rtnl;

    fn deref(&self) -> &Rtnl {
        &self.0
    }
}

impl Drop for RtnlGuard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::rtnl_unlock() };
    }
}

#[kernel::macros::kunit_tests(maclearn_rtnl)]
mod tests {
    use super::*;

    #[test]
    fn is_held_until_the_guard_is_dropped() {
        for _ in 0..2 {
            let rtnl = Rtnl::lock();
            assert!(Rtnl::try_lock().is_none());
            drop(rtnl);
        }
    }
}
