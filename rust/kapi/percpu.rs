// SPDX-License-Identifier: GPL-2.0

//! 64-bit words, one copy for each CPU, so that writing them, to count for instance, touches no
//! shared cache line.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use core::{mem, ptr::NonNull};

use kernel::prelude::*;

use super::{bindings, preempt};

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
// SAFETY: A CPU writes its own copy only, a word at a time and in one step as seen by what else
// runs there; readers of other copies tolerate a stale value, and an aligned 64-bit load does not
// tear on the 64-bit architectures that Rust in the kernel supports.
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

    /// Adds 1 to word `INDEX` of this CPU's copy. Any context.
    #[inline(always)]
    pub(crate) fn increment<const INDEX: usize>(&self) {
        const { assert!(INDEX < N) };
        // SAFETY: By the type invariants this is a word of the allocation.
        unsafe { this_cpu::increment::<INDEX>(self.words()) };
    }

    /// Adds `n` to word `INDEX` of this CPU's copy. Any context.
    #[inline(always)]
    pub(crate) fn add<const INDEX: usize>(&self, n: u64) {
        const { assert!(INDEX < N) };
        // SAFETY: By the type invariants this is a word of the allocation.
        unsafe { this_cpu::add::<INDEX>(self.words(), n) };
    }

    #[inline(always)]
    fn words(&self) -> *mut u64 {
        self.base.as_ptr().cast()
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

/// Two words for each CPU that belong together.
///
/// They are of use only where nothing else of this CPU can come in between: with softirqs off, and
/// not on PREEMPT_RT. Each method looks whether that is so.
pub(crate) struct Pairs(Words<2>);

impl Pairs {
    /// Allocates zeroed ones. May sleep.
    pub(crate) fn new() -> Result<Self> {
        Words::new().map(Self)
    }

    /// Sets the first word of this CPU's pair. Whether it could.
    #[inline(always)]
    pub(crate) fn set_first(&self, first: u64) -> bool {
        let may = preempt::are_softirqs_excluded();
        if may {
            // SAFETY: It is a word of the allocation.
            unsafe { this_cpu::write::<0>(self.0.words(), first) };
        }
        may
    }

    /// Sets this CPU's pair. Whether it could.
    #[inline(always)]
    pub(crate) fn set(&self, first: u64, second: u64) -> bool {
        let may = preempt::are_softirqs_excluded();
        if may {
            // SAFETY: Both are words of the allocation.
            unsafe {
                this_cpu::write::<1>(self.0.words(), second);
                this_cpu::write::<0>(self.0.words(), first);
            }
        }
        may
    }

    /// Makes the pair `first` and what `second_of` says, which is given the second word if the
    /// first one is `first`. Does nothing if it can't.
    #[inline]
    pub(crate) fn update(&self, first: u64, second_of: impl FnOnce(Option<u64>) -> u64) {
        if !preempt::are_softirqs_excluded() {
            return;
        }
        // SAFETY: Both are words of the allocation.
        unsafe {
            if this_cpu::read::<0>(self.0.words()) == first {
                let second = this_cpu::read::<1>(self.0.words());
                this_cpu::write::<1>(self.0.words(), second_of(Some(second)));
            } else {
                this_cpu::write::<1>(self.0.words(), second_of(None));
                this_cpu::write::<0>(self.0.words(), first);
            }
        }
    }

    /// The second word of this CPU's pair, if it can be told and the first one is `first`, which
    /// becomes 0.
    #[inline]
    pub(crate) fn take(&self, first: u64) -> Option<u64> {
        if !preempt::are_softirqs_excluded() {
            return None;
        }
        // SAFETY: Both are words of the allocation.
        unsafe {
            let is_it = this_cpu::read::<0>(self.0.words()) == first;
            is_it.then(|| {
                this_cpu::write::<0>(self.0.words(), 0);
                this_cpu::read::<1>(self.0.words())
            })
        }
    }

    /// The second word of this CPU's pair, if it can be told and the first one is `first`.
    #[inline(always)]
    pub(crate) fn second_of(&self, first: u64) -> Option<u64> {
        if !preempt::are_softirqs_excluded() {
            return None;
        }
        // SAFETY: Both are words of the allocation.
        unsafe {
            (this_cpu::read::<0>(self.0.words()) == first)
                .then(|| this_cpu::read::<1>(self.0.words()))
        }
    }
}

/// Reads a word of this CPU's copy of what C has allocated per CPU. With softirqs off: the thread
/// might be on another CPU by now otherwise.
///
/// # Safety
///
/// Word `INDEX` from `words` on is part of a per-CPU allocation.
#[inline(always)]
pub(super) unsafe fn read<const INDEX: usize>(words: *mut u64) -> u64 {
    // SAFETY: By the safety requirement.
    unsafe { this_cpu::read::<INDEX>(words) }
}

/// Adds `n` to a word of this CPU's copy of what C has allocated per CPU. With softirqs off, and
/// only if nobody writes the word in a hard interrupt.
///
/// # Safety
///
/// Word `INDEX` from `words` on is part of a per-CPU allocation.
#[inline(always)]
pub(super) unsafe fn add<const INDEX: usize>(words: *mut u64, n: u64) {
    // SAFETY: By the safety requirement.
    unsafe { this_cpu::add::<INDEX>(words, n) };
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
    /// As for [`read`].
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
    /// As for [`read`].
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
    /// As for [`read`].
    #[inline(always)]
    pub(super) unsafe fn increment<const INDEX: usize>(words: *mut u64) {
        // SAFETY: As above.
        unsafe {
            asm!("inc qword ptr gs:[{words} + 8 * {index}]",
                words = in(reg) words, index = const INDEX, options(nostack));
        }
    }
}

/// The same elsewhere, as C does it there.
#[cfg(not(all(target_arch = "x86_64", CONFIG_SMP, not(CONFIG_UML))))]
mod this_cpu {
    use super::bindings;

    /// # Safety
    ///
    /// Word `INDEX` from `words` on is part of a per-CPU allocation.
    pub(super) unsafe fn read<const INDEX: usize>(words: *mut u64) -> u64 {
        // SAFETY: By the safety requirement.
        unsafe { bindings::maclearn_this_cpu_read(words.wrapping_add(INDEX)) }
    }

    /// # Safety
    ///
    /// As for [`read`].
    pub(super) unsafe fn write<const INDEX: usize>(words: *mut u64, value: u64) {
        // SAFETY: By the safety requirement.
        unsafe { bindings::maclearn_this_cpu_write(words.wrapping_add(INDEX), value) };
    }

    /// # Safety
    ///
    /// As for [`read`].
    pub(super) unsafe fn add<const INDEX: usize>(words: *mut u64, n: u64) {
        // SAFETY: By the safety requirement.
        unsafe { bindings::maclearn_this_cpu_add(words.wrapping_add(INDEX), n) };
    }

    /// # Safety
    ///
    /// As for [`read`].
    pub(super) unsafe fn increment<const INDEX: usize>(words: *mut u64) {
        // SAFETY: By the safety requirement.
        unsafe { add::<INDEX>(words, 1) };
    }
}
