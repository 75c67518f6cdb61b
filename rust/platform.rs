// SPDX-License-Identifier: GPL-2.0

//! What the table needs from its surroundings, as the kernel gives it.
//!
//! The table's host-side tests have a module with the same interface.

use core::{ops::Deref, result::Result};

use kernel::prelude::{KBox, GFP_KERNEL_ACCOUNT};

pub(crate) use core::hint::spin_loop as relax;
pub(crate) use kernel::{alloc::AllocError as OutOfMemory, prelude::Zeroable, sync::Arc};

use crate::kapi::preempt::{preempt_disable, PreemptDisabled};

pub(crate) use crate::kapi::{
    atomic::{read_barrier, write_barrier, AtomicPtr, AtomicU16, AtomicU32, AtomicU64},
    kvalloc::KvSlice as Buckets,
    rcu::{wait_for_readers, Guard as ReadGuard},
};

/// Disables preemption where a spin lock is held (`preempt_disable_nested()`): that does so by
/// itself, but on PREEMPT_RT. A table is changed under one.
#[inline(always)]
pub(crate) fn preempt_disable_nested() -> Option<PreemptDisabled> {
    cfg!(CONFIG_PREEMPT_RT).then(preempt_disable)
}

/// Enters a read-side section for the table's self-test.
#[cfg(CONFIG_KUNIT = "y")]
pub(crate) use kernel::sync::rcu::read_lock;

/// Allocates a shared value. May sleep.
pub(crate) fn new_arc<T>(value: T) -> Result<Arc<T>, OutOfMemory> {
    Arc::new(value, GFP_KERNEL_ACCOUNT)
}

/// A value in memory of its own.
pub(crate) struct Boxed<T>(KBox<T>);

impl<T> Boxed<T> {
    /// Allocates. May sleep.
    pub(crate) fn new(value: T) -> Result<Self, OutOfMemory> {
        KBox::new(value, GFP_KERNEL_ACCOUNT).map(Self)
    }

    /// Gives the value up as a pointer.
    pub(crate) fn into_raw(self) -> *mut T {
        KBox::into_raw(self.0)
    }

    /// Takes a value back.
    ///
    /// # Safety
    ///
    /// The pointer came from [`Boxed::into_raw`], and nothing uses it any more.
    pub(crate) unsafe fn from_raw(pointer: *mut T) -> Self {
        // SAFETY: By the safety requirement.
        Self(unsafe { KBox::from_raw(pointer) })
    }
}

impl<T> Deref for Boxed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
