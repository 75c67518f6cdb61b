// SPDX-License-Identifier: GPL-2.0

//! RCU: sections that others entered, pointers that readers follow, and freeing after a grace
//! period.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use core::{
    marker::PhantomData,
    ptr::{self, NonNull},
};

use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Full},
};

use super::{atomic::read_barrier, bindings};

pub(crate) use kernel::sync::rcu::Guard;

/// A guard for a section that somebody else entered and leaves, so that a hook, which the network
/// stack calls with RCU held, pays nothing for it.
///
/// # Safety
///
/// An RCU read-side section surrounds `'a` on this CPU.
#[inline(always)]
pub(super) unsafe fn assume<'a>() -> &'a Guard {
    const { assert!(size_of::<Guard>() == 0) };
    // INVARIANT: By the safety requirement the section is there; as only a reference is handed out,
    // nobody leaves it by dropping the guard.
    // SAFETY: A value without a size is at any aligned address.
    unsafe { NonNull::dangling().as_ref() }
}

/// Runs `f` inside an RCU read-side section.
pub(crate) fn read<R>(f: impl FnOnce(&Guard) -> R) -> R {
    f(&kernel::sync::rcu::read_lock())
}

/// Waits until every read-side section that has begun has ended (`synchronize_net()`). May sleep.
pub(crate) fn wait_for_readers() {
    // SAFETY: No requirement but process context.
    unsafe { bindings::synchronize_net() };
}

/// Loads a pointer to follow (`rcu_dereference()`).
///
/// The `kernel` crate's atomics call a C function for each load; a volatile load is the same
/// instruction without the call, and what follows the pointer depends on its address. A compiler
/// that sees the whole program might know the address otherwise; where `READ_ONCE()` provides for
/// that, so does this.
#[inline(always)]
pub(super) fn load<T>(pointer: &Atomic<*mut T>) -> *mut T {
    // SAFETY: The pointer is valid, and a load of a pointer's size is atomic.
    let pointer = unsafe { pointer.as_ptr().read_volatile() };
    if cfg!(any(CONFIG_LTO, maclearn_static)) {
        read_barrier();
    }
    pointer
}

/// A boxed value that readers reach under RCU and writers replace as a whole.
///
/// # Invariants
///
/// The pointer is null or comes from [`KBox::into_raw`], and what it points to is freed only a
/// grace period after it was taken out.
pub(crate) struct RcuBox<T: Send + Sync> {
    pointer: Atomic<*mut T>,
    owns: PhantomData<KBox<T>>,
}

// SAFETY: Whoever holds an `RcuBox` can only get shared references to the value (`T: Sync`), or
// drop it (`T: Send`).
unsafe impl<T: Send + Sync> Send for RcuBox<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for RcuBox<T> {}

impl<T: Send + Sync> RcuBox<T> {
    /// Makes one that holds a value.
    pub(crate) fn new(value: KBox<T>) -> Self {
        // INVARIANT: The pointer comes from `KBox::into_raw`.
        Self {
            pointer: Atomic::new(KBox::into_raw(value)),
            owns: PhantomData,
        }
    }

    /// Makes one that holds nothing.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: The pointer is null.
        Self {
            pointer: Atomic::new(ptr::null_mut()),
            owns: PhantomData,
        }
    }

    /// The value, for as long as the read-side section lasts.
    #[inline]
    pub(crate) fn read<'a>(&'a self, _section: &'a Guard) -> Option<&'a T> {
        // SAFETY: By the type invariants the value is freed a grace period after it was taken out,
        // hence not before this read-side section ends.
        unsafe { load(&self.pointer).as_ref() }
    }

    /// Puts `new` in place and frees the old value after a grace period. May sleep.
    ///
    /// Two calls at once each take out a value of their own; the caller's lock decides which one
    /// stays.
    pub(crate) fn replace(&self, new: Option<KBox<T>>) {
        let new = new.map_or(ptr::null_mut(), KBox::into_raw);
        // INVARIANT: It is null or comes from `KBox::into_raw`. What was there is freed below.
        let old = self.pointer.xchg(new, Full);
        if !old.is_null() {
            wait_for_readers();
            // SAFETY: By the type invariants `old` came from `KBox::into_raw`; the exchange made
            // this call its only owner, and the readers that could have seen it have ended.
            drop(unsafe { KBox::from_raw(old) });
        }
    }
}

impl<T: Send + Sync> Drop for RcuBox<T> {
    fn drop(&mut self) {
        let pointer = *self.pointer.get_mut();
        if !pointer.is_null() {
            // SAFETY: The exclusive reference means that no reader is left, and the pointer came
            // from `KBox::into_raw`.
            drop(unsafe { KBox::from_raw(pointer) });
        }
    }
}
