// SPDX-License-Identifier: GPL-2.0

//! What the table needs from its surroundings, made of the model checker's parts.

use std::ops::Deref;

use loom::sync::atomic::{self, fence, Ordering};

pub use crate::boxed::Boxed;
pub use loom::thread::yield_now as relax;
pub use std::sync::Arc;

macro_rules! atomic_integer {
    ($name:ident, $integer:ty) => {
        #[derive(Default)]
        pub struct $name(atomic::$name);

        impl $name {
            pub fn new(value: $integer) -> Self {
                Self(atomic::$name::new(value))
            }

            pub fn load_relaxed(&self) -> $integer {
                self.0.load(Ordering::Relaxed)
            }

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
    pub fn load_acquire(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    pub fn store_release(&self, value: u32) {
        self.0.store(value, Ordering::Release);
    }
}

pub struct AtomicPtr<T>(atomic::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    pub fn new(pointer: *mut T) -> Self {
        Self(atomic::AtomicPtr::new(pointer))
    }

    pub fn load_acquire(&self) -> *mut T {
        self.0.load(Ordering::Acquire)
    }

    pub fn store_release(&self, pointer: *mut T) {
        self.0.store(pointer, Ordering::Release);
    }
}

pub fn read_barrier() {
    fence(Ordering::Acquire);
}

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
/// The default value must be what all-zero bytes are elsewhere.
pub unsafe trait Zeroable: Default {}

// SAFETY: It is an integer, by default 0.
unsafe impl Zeroable for AtomicU32 {}

pub struct Buckets<T>(Box<[T]>);

impl<T: Zeroable> Buckets<T> {
    pub fn zeroed(len: usize) -> Result<Self, OutOfMemory> {
        Ok(Self((0..len).map(|_| T::default()).collect()))
    }
}

impl<T> Deref for Buckets<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// Shows nothing: the models keep what is retired until their threads are done.
pub struct ReadGuard;

pub fn read_lock() -> ReadGuard {
    ReadGuard
}

pub fn wait_for_readers() {}
