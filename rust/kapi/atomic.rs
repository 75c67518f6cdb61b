// SPDX-License-Identifier: GPL-2.0

//! Shared words that the packet path reads and writes, and the barriers that go with them.
//!
//! The loads and stores are volatile accesses of a machine word or less, which is what
//! `READ_ONCE()` and `WRITE_ONCE()` are, rather than the `kernel` crate's `Atomic`: that one calls
//! a C function for each, a look-up in the table makes about ten, and it is done for every copy of
//! every frame.
//!
//! C headers: [`include/asm-generic/rwonce.h`](srctree/include/asm-generic/rwonce.h),
//! [`include/asm-generic/barrier.h`](srctree/include/asm-generic/barrier.h)

use core::cell::UnsafeCell;

use kernel::prelude::*;

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        /// A shared word of this type without read-modify-write operations.
        #[repr(transparent)]
        pub(crate) struct $name(UnsafeCell<$value>);

        // SAFETY: All accesses are volatile and of at most a machine word, hence do not tear.
        unsafe impl Sync for $name {}

        #[allow(dead_code)]
        impl $name {
            /// Makes one that has `value`.
            pub(crate) const fn new(value: $value) -> Self {
                Self(UnsafeCell::new(value))
            }

            /// Loads the value (`READ_ONCE()`).
            #[inline(always)]
            pub(crate) fn load_relaxed(&self) -> $value {
                // SAFETY: The cell is valid for reads.
                unsafe { self.0.get().read_volatile() }
            }

            /// Stores a value (`WRITE_ONCE()`).
            #[inline(always)]
            pub(crate) fn store_relaxed(&self, value: $value) {
                // SAFETY: The cell is valid for writes, and every other access is volatile as well.
                unsafe { self.0.get().write_volatile(value) };
            }

            /// Loads the value before whatever comes later (`smp_load_acquire()`).
            #[inline(always)]
            pub(crate) fn load_acquire(&self) -> $value {
                let value = self.load_relaxed();
                read_barrier();
                value
            }

            /// Stores a value after whatever came before (`smp_store_release()`).
            #[inline(always)]
            pub(crate) fn store_release(&self, value: $value) {
                write_barrier();
                self.store_relaxed(value);
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicU16, u16);
atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);

// SAFETY: Zero is a value of an integer.
unsafe impl Zeroable for AtomicU32 {}

/// A shared pointer without read-modify-write operations.
#[repr(transparent)]
pub(crate) struct AtomicPtr<T>(UnsafeCell<*mut T>);

// SAFETY: As for the integers; what is behind the pointer is the owner's business.
unsafe impl<T> Sync for AtomicPtr<T> {}
// SAFETY: As above.
unsafe impl<T> Send for AtomicPtr<T> {}

impl<T> AtomicPtr<T> {
    /// Makes one that has `pointer`.
    pub(crate) const fn new(pointer: *mut T) -> Self {
        Self(UnsafeCell::new(pointer))
    }

    /// Loads the pointer before whatever comes later (`smp_load_acquire()`).
    #[inline(always)]
    pub(crate) fn load_acquire(&self) -> *mut T {
        // SAFETY: The cell is valid for reads.
        let pointer = unsafe { self.0.get().read_volatile() };
        read_barrier();
        pointer
    }

    /// Stores a pointer after whatever came before (`smp_store_release()`).
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
