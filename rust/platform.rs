// SPDX-License-Identifier: GPL-2.0

//! What the table needs from its surroundings, as the kernel gives it.
//!
//! The table's host-side tests have a module with the same interface.
//!
//! The loads and stores are volatile accesses of a machine word or less, which is what
//! `READ_ONCE()` and `WRITE_ONCE()` are, rather than the `kernel` crate's `Atomic`: that one calls
//! a C function for each, a look-up in this table makes about ten, and it is done for every copy of
//! every frame.

use core::{cell::UnsafeCell, marker::PhantomData, ops::Deref, ptr::NonNull, slice};

use kernel::prelude::*;

use crate::kapi::{bindings, rcu};

pub(crate) use core::hint::spin_loop as relax;
pub(crate) use kernel::sync::Arc;
pub(crate) use rcu::wait_for_readers;

/// Enters a read-side section for the table's self-test.
#[cfg(CONFIG_KUNIT = "y")]
pub(crate) use rcu::read_lock;

/// Proof of a read-side section: what the table showed stays valid until it ends.
pub(crate) use rcu::ReadSection as ReadGuard;

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        /// A shared integer without read-modify-write operations.
        #[repr(transparent)]
        pub(crate) struct $name(UnsafeCell<$value>);

        // SAFETY: All accesses are volatile and of at most a machine word, hence do not tear.
        unsafe impl Sync for $name {}

        #[allow(dead_code)]
        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                Self(UnsafeCell::new(value))
            }

            #[inline(always)]
            pub(crate) fn load_relaxed(&self) -> $value {
                // SAFETY: The cell is valid for reads.
                unsafe { self.0.get().read_volatile() }
            }

            #[inline(always)]
            pub(crate) fn store_relaxed(&self, value: $value) {
                // SAFETY: The cell is valid for writes, and every other access is volatile as well.
                unsafe { self.0.get().write_volatile(value) };
            }

            #[inline(always)]
            pub(crate) fn load_acquire(&self) -> $value {
                let value = self.load_relaxed();
                read_barrier();
                value
            }

            #[inline(always)]
            pub(crate) fn store_release(&self, value: $value) {
                write_barrier();
                self.store_relaxed(value);
            }
        }
    };
}

atomic!(AtomicU16, u16);
atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);

/// A shared pointer without read-modify-write operations.
#[repr(transparent)]
pub(crate) struct AtomicPtr<T>(UnsafeCell<*mut T>);

// SAFETY: As for the integers; what is behind the pointer is the owner's business.
unsafe impl<T> Sync for AtomicPtr<T> {}
// SAFETY: As above.
unsafe impl<T> Send for AtomicPtr<T> {}

impl<T> AtomicPtr<T> {
    pub(crate) const fn new(pointer: *mut T) -> Self {
        Self(UnsafeCell::new(pointer))
    }

    #[inline(always)]
    pub(crate) fn load_acquire(&self) -> *mut T {
        // SAFETY: The cell is valid for reads.
        let pointer = unsafe { self.0.get().read_volatile() };
        read_barrier();
        pointer
    }

    #[inline(always)]
    pub(crate) fn store_release(&self, pointer: *mut T) {
        write_barrier();
        // SAFETY: The cell is valid for writes, and every other access is volatile as well.
        unsafe { self.0.get().write_volatile(pointer) };
    }
}

macro_rules! barrier {
    ($($architecture:literal: $instruction:literal),+) => {
        $(
            #[cfg(target_arch = $architecture)]
            // SAFETY: It orders accesses, and counts as touching all memory.
            unsafe {
                core::arch::asm!($instruction, options(nostack, preserves_flags))
            };
        )+
        #[cfg(not(any($(target_arch = $architecture),+)))]
        compile_error!("the barriers of this architecture are not known");
    };
}

/// Orders earlier loads before later loads and stores.
#[inline(always)]
pub(crate) fn read_barrier() {
    // x86 does not reorder loads, so only the compiler has to be kept from it.
    barrier!("x86_64": "", "aarch64": "dmb ishld");
}

/// Orders earlier loads and stores before later stores.
#[inline(always)]
pub(crate) fn write_barrier() {
    // x86 makes stores visible in order.
    barrier!("x86_64": "", "aarch64": "dmb ish");
}

/// Runs `change`, a few stores, without being preempted.
///
/// Who changes the table holds a spin lock, which keeps others from its CPU but on PREEMPT_RT.
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

/// No memory for an allocation.
#[derive(Debug)]
pub(crate) struct OutOfMemory;

impl From<OutOfMemory> for Error {
    fn from(_: OutOfMemory) -> Self {
        ENOMEM
    }
}

/// Allocates a shared value. May sleep.
pub(crate) fn new_arc<T>(value: T) -> core::result::Result<Arc<T>, OutOfMemory> {
    Arc::new(value, GFP_KERNEL_ACCOUNT).map_err(|_| OutOfMemory)
}

/// Types for which all-zero bytes are a value.
///
/// # Safety
///
/// That is so.
pub(crate) unsafe trait Zeroable {}

// SAFETY: Zero is a value of an integer.
unsafe impl Zeroable for AtomicU32 {}

/// A slice in memory of its own, which is physically contiguous or not, as there is room.
///
/// # Invariants
///
/// `first` points to `length` values from `kvzalloc()`, aligned to a cache line.
pub(crate) struct Buckets<T> {
    first: NonNull<T>,
    length: usize,
    _owns: PhantomData<T>,
}

// SAFETY: It owns its values.
unsafe impl<T: Send> Send for Buckets<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for Buckets<T> {}

impl<T: Zeroable> Buckets<T> {
    /// Allocates `length` zeroed values. May sleep.
    pub(crate) fn zeroed(length: usize) -> core::result::Result<Self, OutOfMemory> {
        let bytes = length.checked_mul(size_of::<T>()).ok_or(OutOfMemory)?;
        // SAFETY: No requirement but process context.
        let first = unsafe { bindings::maclearn_kvzalloc(bytes) };
        let first = NonNull::new(first.cast::<T>()).ok_or(OutOfMemory)?;
        // INVARIANT: Just allocated; the alignment is seen to below.
        let buckets = Self {
            first,
            length,
            _owns: PhantomData,
        };
        // `kvzalloc()` aligns to the largest power of two that divides the size, or to a page.
        if first.as_ptr() as usize % align_of::<T>() != 0 {
            return Err(OutOfMemory);
        }
        Ok(buckets)
    }
}

impl<T> Deref for Buckets<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariants.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl<T> Drop for Buckets<T> {
    fn drop(&mut self) {
        const { assert!(!core::mem::needs_drop::<T>()) };
        // SAFETY: By the type invariants; the values need no drop.
        unsafe { bindings::maclearn_kvfree(self.first.as_ptr().cast()) };
    }
}

/// A value in memory of its own.
pub(crate) struct Boxed<T>(KBox<T>);

impl<T> Boxed<T> {
    /// Allocates. May sleep.
    pub(crate) fn new(value: T) -> core::result::Result<Self, OutOfMemory> {
        KBox::new(value, GFP_KERNEL_ACCOUNT)
            .map(Self)
            .map_err(|_| OutOfMemory)
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
