// SPDX-License-Identifier: GPL-2.0

//! What the table needs from its surroundings, made of the host's standard library.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::atomic::{self, fence, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

pub use crate::boxed::Boxed;
pub use std::hint::spin_loop as relax;
pub use std::sync::Arc;

thread_local! {
    static LOADS: Cell<u64> = const { Cell::new(0) };
}

/// Shared words that this thread has read so far: what work costs on any machine.
pub fn loads() -> u64 {
    LOADS.get()
}

#[inline]
fn count_load() {
    LOADS.set(LOADS.get() + 1);
}

macro_rules! atomic_integer {
    ($name:ident, $integer:ty) => {
        pub struct $name(atomic::$name);

        impl $name {
            pub const fn new(value: $integer) -> Self {
                Self(atomic::$name::new(value))
            }

            #[inline]
            pub fn load_relaxed(&self) -> $integer {
                count_load();
                self.0.load(Ordering::Relaxed)
            }

            #[inline]
            pub fn store_relaxed(&self, value: $integer) {
                self.0.store(value, Ordering::Relaxed);
            }
        }
    };
}

atomic_integer!(AtomicU64, u64);
atomic_integer!(AtomicU32, u32);
atomic_integer!(AtomicU16, u16);

impl AtomicU32 {
    #[inline]
    pub fn load_acquire(&self) -> u32 {
        count_load();
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub fn store_release(&self, value: u32) {
        self.0.store(value, Ordering::Release);
    }
}

pub struct AtomicPtr<T>(atomic::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    pub const fn new(pointer: *mut T) -> Self {
        Self(atomic::AtomicPtr::new(pointer))
    }

    #[inline]
    pub fn load_acquire(&self) -> *mut T {
        count_load();
        self.0.load(Ordering::Acquire)
    }

    #[inline]
    pub fn store_release(&self, pointer: *mut T) {
        self.0.store(pointer, Ordering::Release);
    }
}

#[inline]
pub fn read_barrier() {
    fence(Ordering::Acquire);
}

#[inline]
pub fn write_barrier() {
    fence(Ordering::Release);
}

pub struct PreemptDisabled;

/// A reader here waits for a writer that was preempted.
pub fn preempt_disable_nested() -> PreemptDisabled {
    PreemptDisabled
}

#[derive(Debug)]
pub struct OutOfMemory;

pub fn new_arc<T>(value: T) -> Result<Arc<T>, OutOfMemory> {
    Ok(Arc::new(value))
}

/// # Safety
///
/// All-zero bytes must be a valid value.
pub unsafe trait Zeroable {}

// SAFETY: It is an integer.
unsafe impl Zeroable for AtomicU32 {}

pub struct Buckets<T>(Box<[T]>);

impl<T: Zeroable> Buckets<T> {
    pub fn zeroed(len: usize) -> Result<Self, OutOfMemory> {
        // SAFETY: `Zeroable` says that all-zero bytes are a valid value.
        let one = || unsafe { std::mem::zeroed() };
        Ok(Self((0..len).map(|_| one()).collect()))
    }
}

impl<T> Deref for Buckets<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.0
    }
}

static READERS: RwLock<()> = RwLock::new(());

/// Shows that retired arrays are not freed now.
pub struct ReadGuard(#[allow(dead_code)] RwLockReadGuard<'static, ()>);

pub fn read_lock() -> ReadGuard {
    ReadGuard(READERS.read().unwrap_or_else(PoisonError::into_inner))
}

pub fn wait_for_readers() {
    drop(READERS.write().unwrap_or_else(PoisonError::into_inner));
}
