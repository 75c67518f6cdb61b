// SPDX-License-Identifier: GPL-2.0

//! Work that runs in process context after a delay and can be cancelled.
//!
//! The `kernel` crate's `DelayedWork` has no way to cancel, which unloading needs, nor one to have
//! a run come earlier.
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

use super::{
    bindings, clock,
    spinlock_bh::{new_spinlock_bh, SpinLockBh},
};

/// What a [`DelayedWork`] runs.
pub(crate) trait Job: Send + Sync + 'static {
    /// Runs in process context on an unbound workqueue; never twice at once for one work item.
    ///
    /// Returns the delay in jiffies until the next run, as for [`DelayedWork::run_within`], or
    /// `None` to wait until one is asked for.
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
    /// Held by who looks whether a run is due and then sets when.
    #[pin]
    timing: SpinLockBh<()>,
    job: Arc<J>,
    #[pin]
    _pinned: PhantomPinned,
}

// SAFETY: `delayed_work` may be queued and cancelled from anywhere; the job is `Send + Sync`.
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

    /// Makes a work item of which no run is due; for [`new_delayed_work`].
    pub(crate) fn new(
        job: Arc<J>,
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        // INVARIANT: The work is initialised here; `drop` cancels it, before the job is dropped.
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
            timing <- new_spinlock_bh!((), "delayed_work_timing"),
            job,
            _pinned: PhantomPinned,
        })
    }

    /// The job.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn job(&self) -> &J {
        &self.job
    }

    /// Runs the job `delay` jiffies from now, unless a run is due already, whenever that is
    /// (`queue_delayed_work()`). Any context but a hard interrupt.
    pub(crate) fn queue(&self, delay: usize) {
        let _timing = self.timing.lock();
        // SAFETY: By the type invariants the work is initialised.
        unsafe { bindings::maclearn_queue_delayed_work(self.work(), delay) };
    }

    /// Has the job run within `delay` jiffies from now: a run that is due later is moved
    /// (`mod_delayed_work()`), one that is due by then stays, as `timer_reduce()` does it with
    /// timers. Any context but a hard interrupt.
    pub(crate) fn run_within(&self, delay: usize) {
        let _timing = self.timing.lock();
        if !self.is_due_within(delay) {
            // SAFETY: By the type invariants the work is initialised.
            unsafe { bindings::maclearn_mod_delayed_work(self.work(), delay) };
        }
    }

    /// Whether a run is due that has not begun, and begins within `delay` jiffies. For who holds
    /// `timing`.
    fn is_due_within(&self, delay: usize) -> bool {
        let work = self.work();
        let latest = clock::jiffies().wrapping_add(delay as u64);
        // SAFETY: By the type invariants the work is initialised; who sets `expires` holds
        // `timing`. A work that is pending without its timer is in a queue, or will be in a moment.
        unsafe {
            bindings::maclearn_delayed_work_pending(work)
                && (!bindings::maclearn_timer_pending(&raw const (*work).timer)
                    || latest.wrapping_sub((*work).timer.expires as u64) as i64 >= 0)
        }
    }

    /// Cancels for good: waits for a run under way, and what asks for one later has no effect. May
    /// sleep.
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
            this.run_within(delay);
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

#[kernel::macros::kunit_tests(maclearn_delayed_work)]
mod tests {
    use super::*;
    use crate::kapi::atomic::{AtomicBool, AtomicU32};
    use kernel::time::{delay::fsleep, Delta};

    /// A delay that no test sees the end of, in jiffies.
    const LONG: usize = 1000 * clock::HZ as usize;

    /// Most milliseconds that a run is waited for.
    const PATIENCE: usize = 10_000;

    /// Counts its runs, which last until they may end.
    struct Counter {
        runs: AtomicU32,
        may_end: AtomicBool,
    }

    impl Job for Counter {
        fn run(&self) -> Option<usize> {
            // There is one run at a time.
            self.runs.store_release(self.runs.load_relaxed() + 1);
            wait_until(|| self.may_end.load_acquire());
            None
        }
    }

    fn wait_until(is_so: impl Fn() -> bool) -> bool {
        (0..PATIENCE).any(|_| {
            let is_so = is_so();
            if !is_so {
                fsleep(Delta::from_millis(1));
            }
            is_so
        })
    }

    fn new_work(may_end: bool) -> Result<Arc<DelayedWork<Counter>>> {
        let counter = Counter {
            runs: AtomicU32::new(0),
            may_end: AtomicBool::new(may_end),
        };
        Arc::pin_init(
            new_delayed_work!(Arc::new(counter, GFP_KERNEL)?, "kunit_delayed_work"),
            GFP_KERNEL,
        )
    }

    fn has_run(work: &DelayedWork<Counter>, times: u32) -> bool {
        wait_until(|| work.job().runs.load_acquire() == times)
    }

    #[test]
    fn run_that_is_due_later_comes_earlier() -> Result {
        let work = new_work(true)?;
        work.queue(LONG);
        work.run_within(LONG / 2);
        assert!(!work.is_due_within(LONG / 4));
        work.run_within(0);
        assert!(has_run(&work, 1));
        Ok(())
    }

    #[test]
    fn run_that_is_due_is_not_put_off() -> Result {
        let work = new_work(false)?;
        work.run_within(0);
        assert!(has_run(&work, 1));
        // This one can't begin before that has ended.
        work.run_within(0);
        work.run_within(LONG);
        work.queue(LONG);
        assert!(work.is_due_within(0));
        work.job().may_end.store_release(true);
        assert!(has_run(&work, 2));
        Ok(())
    }

    #[test]
    fn nothing_runs_once_it_is_cancelled() -> Result {
        let work = new_work(true)?;
        work.queue(LONG);
        work.cancel();
        work.run_within(0);
        assert!(!work.is_due_within(LONG));
        assert_eq!(work.job().runs.load_acquire(), 0);
        Ok(())
    }
}
