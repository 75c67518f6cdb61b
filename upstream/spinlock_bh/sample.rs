// SPDX-License-Identifier: GPL-2.0

//! Rust sample for a spinlock that is shared with softirqs.

use kernel::{
    prelude::*,
    sync::{
        spinlock_bh::{new_spinlock_bh, SpinLockBh},
        Arc, //
    },
    workqueue::{self, impl_has_work, new_work, Work, WorkItem}, //
};

module! {
    type: RustSpinlockBh,
    name: "rust_spinlock_bh",
    authors: ["Rust for Linux Contributors"],
    description: "Rust sample for a spinlock that is shared with softirqs",
    license: "GPL",
}

#[pin_data]
struct Counter {
    #[pin]
    count: SpinLockBh<u32>,
    #[pin]
    work: Work<Counter>,
}

impl_has_work! {
    impl HasWork<Self> for Counter { self.work }
}

impl WorkItem for Counter {
    type Pointer = Arc<Counter>;

    // Runs in softirq context.
    fn run(this: Arc<Counter>) {
        *this.count.lock() += 1;
        pr_info!("a softirq has counted\n");
    }
}

struct RustSpinlockBh {
    counter: Arc<Counter>,
}

impl kernel::Module for RustSpinlockBh {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let counter = Arc::pin_init(
            pin_init!(Counter {
                count <- new_spinlock_bh!(0, "rust_spinlock_bh"),
                work <- new_work!("rust_spinlock_bh"),
            }),
            GFP_KERNEL,
        )?;
        let _ = workqueue::system_bh().enqueue(counter.clone());
        *counter.count.lock() += 1;
        Ok(Self { counter })
    }
}

impl Drop for RustSpinlockBh {
    fn drop(&mut self) {
        pr_info!("counted to {}\n", *self.counter.count.lock());
    }
}
