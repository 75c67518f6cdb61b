// SPDX-License-Identifier: GPL-2.0

//! Large zeroed arrays.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use core::{marker::PhantomData, ops::Deref, ptr::NonNull, slice};

use kernel::{alloc::AllocError, prelude::*};

use super::bindings;

/// A slice in memory of its own, which is physically contiguous or not, as there is room.
///
/// # Invariants
///
/// `first` points to `length` values from `kvzalloc()`, aligned to a cache line.
pub(crate) struct KvSlice<T> {
    first: NonNull<T>,
    length: usize,
    _owns: PhantomData<T>,
}

// SAFETY: It owns its values.
unsafe impl<T: Send> Send for KvSlice<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for KvSlice<T> {}

impl<T: Zeroable> KvSlice<T> {
    /// Allocates `length` zeroed values (`kvzalloc()`), charged to the memory cgroup of the caller.
    /// May sleep.
    ///
    /// # Errors
    ///
    /// If there is no memory; then nobody is killed for it.
    pub(crate) fn zeroed(length: usize) -> Result<Self, AllocError> {
        let bytes = length.checked_mul(size_of::<T>()).ok_or(AllocError)?;
        // SAFETY: No requirement but process context.
        let first = unsafe { bindings::maclearn_kvzalloc(bytes) };
        let first = NonNull::new(first.cast::<T>()).ok_or(AllocError)?;
        // INVARIANT: Just allocated; the alignment is seen to below.
        let slice = Self {
            first,
            length,
            _owns: PhantomData,
        };
        // `kvzalloc()` aligns to the largest power of two that divides the size, or to a page.
        if first.as_ptr() as usize % align_of::<T>() != 0 {
            return Err(AllocError);
        }
        Ok(slice)
    }
}

impl<T> Deref for KvSlice<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: By the type invariants.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.length) }
    }
}

impl<T> Drop for KvSlice<T> {
    fn drop(&mut self) {
        const { assert!(!core::mem::needs_drop::<T>()) };
        // SAFETY: By the type invariants; the values need no drop.
        unsafe { bindings::maclearn_kvfree(self.first.as_ptr().cast()) };
    }
}
