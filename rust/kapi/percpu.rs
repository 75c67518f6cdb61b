// SPDX-License-Identifier: GPL-2.0

//! 64-bit words, one copy for each CPU, so that writing them, to count for instance, touches no
//! shared cache line.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use core::{marker::PhantomData, mem, ptr::NonNull};

use kernel::prelude::*;

use super::{bh_lock::SoftirqsOff, bindings};

/// `N` words for each possible CPU.
///
/// # Invariants
///
/// `base` is a per-CPU allocation of `[u64; N]`, zero to begin with, owned by this value.
pub(crate) struct Words<const N: usize> {
    base: NonNull<c_void>,
}

// SAFETY: The allocation belongs to no thread.
unsafe impl<const N: usize> Send for Words<N> {}
// SAFETY: Each CPU writes its own copy only, through `Local`; readers of other copies tolerate a
// stale value, and an aligned 64-bit load does not tear on the 64-bit architectures that Rust in
// the kernel supports.
unsafe impl<const N: usize> Sync for Words<N> {}

impl<const N: usize> Words<N> {
    /// Allocates zeroed words. May sleep.
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

    /// This CPU's copy, while softirqs are off: nothing else writes it then.
    #[inline(always)]
    pub(crate) fn local<'a>(&'a self, _softirqs_off: &'a impl SoftirqsOff) -> Local<'a, N> {
        // INVARIANT: With softirqs off the caller stays on this CPU.
        Local {
            words: self.base.as_ptr().cast(),
            _borrow: PhantomData,
        }
    }

    /// The sum of word `index` over all CPUs.
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
            // writing.
            sum = sum.wrapping_add(unsafe {
                bindings::maclearn_per_cpu_ptr(self.base.as_ptr(), cpu)
                    .cast::<u64>()
                    .add(index)
                    .read_volatile()
            });
        }
    }
}

impl<const N: usize> Drop for Words<N> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this value owns the allocation.
        unsafe { bindings::maclearn_free_percpu(self.base.as_ptr()) };
    }
}

/// This CPU's copy of [`Words`].
///
/// # Invariants
///
/// `words` is a per-CPU allocation of `[u64; N]`. Softirqs are off on the CPU that the value is on,
/// and it stays there.
pub(crate) struct Local<'a, const N: usize> {
    words: *mut u64,
    _borrow: PhantomData<&'a Words<N>>,
}

impl<const N: usize> Local<'_, N> {
    /// Word `INDEX`.
    #[inline(always)]
    pub(crate) fn get<const INDEX: usize>(&self) -> u64 {
        const { assert!(INDEX < N) };
        // SAFETY: By the type invariants this is a word of the allocation.
        unsafe { this_cpu::read::<INDEX>(self.words) }
    }

    /// Sets word `INDEX`.
    #[inline(always)]
    pub(crate) fn set<const INDEX: usize>(&self, value: u64) {
        const { assert!(INDEX < N) };
        // SAFETY: As above, and nothing else writes this CPU's copy now.
        unsafe { this_cpu::write::<INDEX>(self.words, value) };
    }

    /// Adds 1 to word `INDEX`.
    #[inline(always)]
    pub(crate) fn increment<const INDEX: usize>(&self) {
        const { assert!(INDEX < N) };
        // SAFETY: As above, and nothing else writes this CPU's copy now.
        unsafe { this_cpu::increment::<INDEX>(self.words) };
    }

    /// Adds `n` to word `INDEX`.
    #[inline(always)]
    pub(crate) fn add<const INDEX: usize>(&self, n: u64) {
        const { assert!(INDEX < N) };
        // SAFETY: As above, and nothing else writes this CPU's copy now.
        unsafe { this_cpu::add::<INDEX>(self.words, n) };
    }
}

/// What `this_cpu_read()`, `this_cpu_write()`, `this_cpu_add()` and `this_cpu_inc()` are here: an
/// instruction each, whose segment register leads to this CPU's copy.
#[cfg(all(target_arch = "x86_64", CONFIG_SMP, not(CONFIG_UML)))]
mod this_cpu {
    use core::arch::asm;

    /// # Safety
    ///
    /// Word `INDEX` from `words` on is part of a per-CPU allocation.
    #[inline(always)]
    pub(super) unsafe fn read<const INDEX: usize>(words: *mut u64) -> u64 {
        let value;
        // SAFETY: By the safety requirement; the instruction touches nothing else.
        unsafe {
            asm!("mov {value}, qword ptr gs:[{words} + 8 * {index}]",
                value = out(reg) value, words = in(reg) words, index = const INDEX,
                options(nostack, preserves_flags));
        }
        value
    }

    /// # Safety
    ///
    /// As for [`read`], and nothing else writes this CPU's copy of the word now.
    #[inline(always)]
    pub(super) unsafe fn write<const INDEX: usize>(words: *mut u64, value: u64) {
        // SAFETY: As above.
        unsafe {
            asm!("mov qword ptr gs:[{words} + 8 * {index}], {value}",
                value = in(reg) value, words = in(reg) words, index = const INDEX,
                options(nostack, preserves_flags));
        }
    }

    /// # Safety
    ///
    /// As for [`write`].
    #[inline(always)]
    pub(super) unsafe fn add<const INDEX: usize>(words: *mut u64, n: u64) {
        // SAFETY: As above.
        unsafe {
            asm!("add qword ptr gs:[{words} + 8 * {index}], {n}",
                n = in(reg) n, words = in(reg) words, index = const INDEX, options(nostack));
        }
    }

    /// # Safety
    ///
    /// As for [`write`].
    #[inline(always)]
    pub(super) unsafe fn increment<const INDEX: usize>(words: *mut u64) {
        // SAFETY: As above.
        unsafe {
            asm!("inc qword ptr gs:[{words} + 8 * {index}]",
                words = in(reg) words, index = const INDEX, options(nostack));
        }
    }
}

/// The same elsewhere: a plain load and store at the address of this CPU's copy, volatile since
/// other CPUs may read it.
#[cfg(not(all(target_arch = "x86_64", CONFIG_SMP, not(CONFIG_UML))))]
mod this_cpu {
    use super::bindings;

    fn copy_of(words: *mut u64, index: usize) -> *mut u64 {
        let word = words.wrapping_add(index);
        // SAFETY: It only computes an address.
        unsafe { bindings::maclearn_this_cpu_ptr(word.cast()).cast() }
    }

    /// # Safety
    ///
    /// Word `INDEX` from `words` on is part of a per-CPU allocation.
    pub(super) unsafe fn read<const INDEX: usize>(words: *mut u64) -> u64 {
        // SAFETY: By the safety requirement.
        unsafe { copy_of(words, INDEX).read_volatile() }
    }

    /// # Safety
    ///
    /// As for [`read`], and nothing else writes this CPU's copy of the word now.
    pub(super) unsafe fn write<const INDEX: usize>(words: *mut u64, value: u64) {
        // SAFETY: By the safety requirement.
        unsafe { copy_of(words, INDEX).write_volatile(value) };
    }

    /// # Safety
    ///
    /// As for [`write`].
    pub(super) unsafe fn add<const INDEX: usize>(words: *mut u64, n: u64) {
        // SAFETY: By the safety requirement.
        unsafe { write::<INDEX>(words, read::<INDEX>(words).wrapping_add(n)) };
    }

    /// # Safety
    ///
    /// As for [`write`].
    pub(super) unsafe fn increment<const INDEX: usize>(words: *mut u64) {
        // SAFETY: By the safety requirement.
        unsafe { add::<INDEX>(words, 1) };
    }
}
