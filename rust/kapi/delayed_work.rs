// SPDX-License-Identifier: GPL-2.0

//! Work that runs in process context after a delay and can be cancelled.
//!
//! The `kernel` crate's `DelayedWork` has no way to cancel, which unloading needs.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::{marker::PhantomPinned, ptr};

use kernel::{
    container_of,
    prelude::*,
    str::CStr,
    sync::{Arc, LockClassKey},
    types::Opaque,
};

use super::bindings;

/// What a [`DelayedWork`] runs.
pub(crate) trait Job: Send + Sync + 'static {
    /// Runs in process context on an unbound workqueue; never twice at once for one work item.
    ///
    /// Returns the delay in jiffies until the next run, or `None` to wait for a
    /// [`DelayedWork::schedule`].
    fn run(&self) -> Option<usize>;
}

/// A delayed work item that runs a [`Job`], cancelled when it is dropped.
///
/// # Invariants
///
/// `work` is initialised, and `job` is not dropped before it is cancelled for good.
#[pin_data(PinnedDrop)]
pub(crate) struct DelayedWork<J: Job> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    job: Arc<J>,
    #[pin]
    _pinned: PhantomPinned,
}

// SAFETY: `delayed_work` may be scheduled and cancelled from anywhere; the job is `Send + Sync`.
unsafe impl<J: Job> Send for DelayedWork<J> {}
// SAFETY: As above.
unsafe impl<J: Job> Sync for DelayedWork<J> {}

impl<J: Job> DelayedWork<J> {
    /// The work, from which `run` finds the way back to all of this value.
    fn work(&self) -> *mut bindings::delayed_work {
        let this = ptr::from_ref(self);
        // SAFETY: It points to a value.
        Opaque::cast_into(unsafe { &raw const (*this).work })
    }

    /// Makes a work item that is not yet scheduled; for [`new_delayed_work`].
    pub(crate) fn new(
        job: Arc<J>,
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            work <- Opaque::ffi_init(|slot| {
                // SAFETY: `slot` is valid for writes and pinned; `run` has the type that the C side
                // calls; the name and the class are static.
                unsafe {
                    bindings::maclearn_delayed_work_init(
                        slot,
                        Some(Self::run),
                        name.as_char_ptr(),
                        class.as_ptr().cast(),
                    )
                }
            }),
            job,
            _pinned: PhantomPinned,
        })
    }

    /// The job.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn job(&self) -> &J {
        &self.job
    }

    /// Runs the job `delay` jiffies from now; a run that was already due is moved. Any context.
    pub(crate) fn schedule(&self, delay: usize) {
        // SAFETY: By the type invariants the work is initialised.
        unsafe { bindings::maclearn_delayed_work_schedule(self.work(), delay) };
    }

    /// Runs the job `delay` jiffies from now, unless a run is due already. Any context.
    pub(crate) fn queue(&self, delay: usize) {
        // SAFETY: By the type invariants the work is initialised.
        unsafe { bindings::maclearn_delayed_work_queue(self.work(), delay) };
    }

    /// Cancels for good: waits for a run under way, and no later [`DelayedWork::schedule`] has an
    /// effect. May sleep.
    pub(crate) fn cancel(&self) {
        // SAFETY: By the type invariants the work is initialised.
        unsafe { bindings::disable_delayed_work_sync(self.work()) };
    }

    /// # Safety
    ///
    /// Called by the workqueue, on the `work` of a `DelayedWork<J>`.
    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        // SAFETY: Only the `work` of a `DelayedWork<J>` was initialised with this function, and it
        // is alive until it has been cancelled, which waits for this function to return.
        let this = unsafe {
            let delayed = container_of!(work, bindings::delayed_work, work);
            &*container_of!(Opaque::cast_from(delayed), Self, work)
        };
        if let Some(delay) = this.job.run() {
            // Not `schedule`: a run that was asked for meanwhile is not put off.
            this.queue(delay);
        }
    }
}

/// Makes a [`DelayedWork`] that has a lock class of its own.
macro_rules! new_delayed_work {
    ($job:expr, $name:literal) => {
        $crate::kapi::delayed_work::DelayedWork::new(
            $job,
            ::kernel::c_str!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_delayed_work;

#[pinned_drop]
impl<J: Job> PinnedDrop for DelayedWork<J> {
    fn drop(self: Pin<&mut Self>) {
        self.cancel();
    }
}
