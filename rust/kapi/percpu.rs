// SPDX-License-Identifier: GPL-2.0

//! 64-bit counters, one copy for each CPU, so that counting writes no shared cache line.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use core::{marker::PhantomData, mem, ptr::NonNull};

use kernel::prelude::*;

use super::{bh_lock::SoftirqsOff, bindings};

/// `N` counters for each possible CPU.
///
/// # Invariants
///
/// `base` is a per-CPU allocation of `[u64; N]`, zero to begin with, owned by this value.
pub(crate) struct Counters<const N: usize> {
    base: NonNull<c_void>,
}

// SAFETY: The allocation belongs to no thread.
unsafe impl<const N: usize> Send for Counters<N> {}
// SAFETY: Each CPU writes its own copy only, through `Local`; readers of other copies tolerate a
// stale value, and an aligned 64-bit load does not tear on the 64-bit architectures that Rust in
// the kernel supports.
unsafe impl<const N: usize> Sync for Counters<N> {}

impl<const N: usize> Counters<N> {
    /// Allocates zeroed counters. May sleep.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: No requirement but process context.
        let base = unsafe {
            bindings::maclearn_alloc_percpu(mem::size_of::<[u64; N]>(), mem::align_of::<[u64; N]>())
        };
        // INVARIANT: `__alloc_percpu()` zeroes what it hands out.
        Ok(Self {
            base: NonNull::new(base).ok_or(ENOMEM)?,
        })
    }

    /// This CPU's copy, while softirqs are off: nothing else counts here then.
    #[inline(always)]
    pub(crate) fn local<'a>(&'a self, _softirqs_off: &'a impl SoftirqsOff) -> Local<'a, N> {
        // INVARIANT: With softirqs off the caller stays on this CPU.
        Local {
            counters: self.base.as_ptr().cast(),
            _borrow: PhantomData,
        }
    }

    /// The sum of counter `index` over all CPUs.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        assert!(index < N);
        let mut sum = 0u64;
        let mut cpu = -1;
        loop {
            // SAFETY: No requirement.
            cpu = unsafe { bindings::maclearn_next_possible_cpu(cpu) };
            if cpu < 0 {
                return sum;
            }
            // SAFETY: By the type invariants `base` is a per-CPU allocation of `[u64; N]`, `cpu` is
            // a possible CPU and `index` is in bounds. The load is volatile since that CPU may be
            // counting.
            sum = sum.wrapping_add(unsafe {
                bindings::maclearn_per_cpu_ptr(self.base.as_ptr(), cpu)
                    .cast::<u64>()
                    .add(index)
                    .read_volatile()
            });
        }
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this value owns the allocation.
        unsafe { bindings::maclearn_free_percpu(self.base.as_ptr()) };
    }
}

/// This CPU's copy of [`Counters`].
///
/// # Invariants
///
/// `counters` is a per-CPU allocation of `[u64; N]`. Softirqs are off on the CPU that the value is
/// on, and it stays there.
pub(crate) struct Local<'a, const N: usize> {
    counters: *mut u64,
    _borrow: PhantomData<&'a Counters<N>>,
}

impl<const N: usize> Local<'_, N> {
    /// Adds `n` to counter `index`.
    #[inline(always)]
    pub(crate) fn add(&self, index: usize, n: u64) {
        assert!(index < N);
        let counter = self.counters.wrapping_add(index);
        // SAFETY: By the type invariants this is a counter of the allocation, and nothing else
        // writes this CPU's copy now.
        unsafe { add_on_this_cpu(counter, n) };
    }
}

/// Adds to a per-CPU number (`this_cpu_add()`): one instruction, whose segment register leads to
/// this CPU's copy.
///
/// # Safety
///
/// `number` is part of a per-CPU allocation, and nothing else writes this CPU's copy of it now.
#[cfg(all(target_arch = "x86_64", CONFIG_SMP, not(CONFIG_UML)))]
#[inline(always)]
unsafe fn add_on_this_cpu(number: *mut u64, n: u64) {
    // SAFETY: By the safety requirement; the instruction touches nothing else.
    unsafe {
        core::arch::asm!(
            "add qword ptr gs:[{number}], {n}",
            number = in(reg) number,
            n = in(reg) n,
            options(nostack),
        );
    }
}

/// Adds to a per-CPU number: a plain load, add and store.
///
/// # Safety
///
/// `number` is part of a per-CPU allocation, and nothing else writes this CPU's copy of it now.
#[cfg(not(all(target_arch = "x86_64", CONFIG_SMP, not(CONFIG_UML))))]
#[inline(always)]
unsafe fn add_on_this_cpu(number: *mut u64, n: u64) {
    // SAFETY: By the safety requirement. Readers on other CPUs want volatile accesses.
    unsafe {
        let number = bindings::maclearn_this_cpu_ptr(number.cast()).cast::<u64>();
        number.write_volatile(number.read_volatile().wrapping_add(n));
    }
}
