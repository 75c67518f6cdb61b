// SPDX-License-Identifier: GPL-2.0

//! Memory cgroups: whom memory is charged to that is allocated on behalf of someone else.
//!
//! Without `CONFIG_MEMCG` there are none, and nothing is charged.
//!
//! C headers: [`include/linux/memcontrol.h`](srctree/include/linux/memcontrol.h),
//! [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

use core::marker::PhantomData;

use kernel::types::NotThreadSafe;

use super::bindings;

/// A memory cgroup.
///
/// # Invariants
///
/// The pointer is null, or a reference that this value owns.
pub(crate) struct MemoryCgroup(*mut bindings::mem_cgroup);

// SAFETY: A reference to a memory cgroup belongs to no thread.
unsafe impl Send for MemoryCgroup {}
// SAFETY: Charging to it is done by any number of threads.
unsafe impl Sync for MemoryCgroup {}

impl MemoryCgroup {
    /// That of the process that runs. Process context.
    pub(crate) fn of_caller() -> Self {
        // INVARIANT: It returns a reference, or null.
        // SAFETY: No requirement but process context.
        Self(unsafe { bindings::maclearn_memcg_of_caller() })
    }

    /// Charges to it what this thread allocates with `GFP_KERNEL_ACCOUNT`, while the result exists.
    /// Process context.
    pub(crate) fn charge(&self) -> Charging<'_> {
        // SAFETY: The cgroup stays valid for longer than the result does.
        let previous = unsafe { bindings::maclearn_set_active_memcg(self.0) };
        Charging {
            previous,
            _cgroup: PhantomData,
            _thread: NotThreadSafe,
        }
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is this value's own, or null.
        unsafe { bindings::maclearn_memcg_put(self.0) };
    }
}

/// Allocations of this thread are charged to a cgroup while a value exists.
pub(crate) struct Charging<'a> {
    previous: *mut bindings::mem_cgroup,
    _cgroup: PhantomData<&'a MemoryCgroup>,
    _thread: NotThreadSafe,
}

impl Drop for Charging<'_> {
    fn drop(&mut self) {
        // SAFETY: It was active before, on this thread since the value is not `Send`; who made it
        // so keeps it valid.
        unsafe { bindings::maclearn_set_active_memcg(self.previous) };
    }
}
