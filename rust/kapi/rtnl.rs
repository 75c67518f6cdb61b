// SPDX-License-Identifier: GPL-2.0

//! The lock around the configuration of network devices.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use core::ops::Deref;

use kernel::types::NotThreadSafe;

use super::bindings;

/// Proof that the caller holds RTNL.
pub(crate) struct Rtnl(NotThreadSafe);

impl Rtnl {
    /// Takes RTNL (`rtnl_lock()`). May sleep. Not for a work item that is cancelled by someone who
    /// holds it.
    pub(crate) fn lock() -> Locked {
        // SAFETY: No requirement but process context.
        unsafe { bindings::rtnl_lock() };
        // INVARIANT: It was just taken.
        Locked(Self(NotThreadSafe))
    }

    /// Takes RTNL if nobody holds it (`rtnl_trylock()`). Process context.
    ///
    /// To wait for it is not for a work item that is cancelled by someone who holds it.
    pub(crate) fn try_lock() -> Option<Locked> {
        // SAFETY: No requirement but process context.
        if unsafe { bindings::rtnl_trylock() } == 0 {
            return None;
        }
        // INVARIANT: It was just taken.
        Some(Locked(Self(NotThreadSafe)))
    }

    /// Takes it for granted that RTNL is held.
    ///
    /// # Safety
    ///
    /// The caller holds it for as long as the value exists.
    pub(super) unsafe fn assume() -> Self {
        Self(NotThreadSafe)
    }
}

/// RTNL, held until the value is dropped.
///
/// # Invariants
///
/// This thread took it, and nobody has released it since.
pub(crate) struct Locked(Rtnl);

impl Deref for Locked {
    type Target = Rtnl;

    fn deref(&self) -> &Rtnl {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::rtnl_unlock() };
    }
}
