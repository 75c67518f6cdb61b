// SPDX-License-Identifier: GPL-2.0

//! Memory cgroups: whom memory is charged to that is allocated on behalf of someone else.
//!
//! Without `CONFIG_MEMCG` there are none, and nothing is charged.
//!
//! C headers: [`include/linux/memcontrol.h`](srctree/include/linux/memcontrol.h),
//! [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

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

    /// Charges to it what this thread allocates with `GFP_KERNEL_ACCOUNT` in `f`. Process context.
    ///
    /// Nests: a closure can neither be left undone nor ended out of order.
    pub(crate) fn charge<R>(&self, f: impl FnOnce() -> R) -> R {
        // SAFETY: The cgroup stays valid for as long as it is active: until `f` has returned,
        // during which `self` is borrowed. Unwinding does not exist in the kernel.
        let previous = unsafe { bindings::maclearn_set_active_memcg(self.0) };
        let result = f();
        // SAFETY: It was active on this thread before, and who made it so keeps it valid until this
        // function has returned.
        unsafe { bindings::maclearn_set_active_memcg(previous) };
        result
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is this value's own, or null.
        unsafe { bindings::maclearn_memcg_put(self.0) };
    }
}
