// SPDX-License-Identifier: GPL-2.0

//! What a notifier chain calls.
//!
//! C header: [`include/linux/notifier.h`](srctree/include/linux/notifier.h)

use kernel::{container_of, prelude::*, types::Opaque};

use super::bindings;

/// What is called for an event of a chain of a certain kind.
pub(super) trait Notified: Send + Sync + 'static {
    /// Takes an event.
    ///
    /// # Safety
    ///
    /// Called by such a chain, with what comes with the event there.
    unsafe fn notify(&self, event: c_ulong, info: *mut c_void);
}

/// A `struct notifier_block` with what it calls.
///
/// # Invariants
///
/// `block` calls [`Block::call`], and is part of this value.
#[pin_data]
pub(super) struct Block<N> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    notified: N,
}

// SAFETY: A chain may be joined and left by different threads, and `N` is `Send`.
unsafe impl<N: Notified> Send for Block<N> {}
// SAFETY: Nothing but what is called, which is `Sync`, can be reached through a shared reference.
unsafe impl<N: Notified> Sync for Block<N> {}

impl<N: Notified> Block<N> {
    /// Makes one that is in no chain yet.
    pub(super) fn new(notified: N) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                // INVARIANT: It stays part of this value, which is pinned.
                block <- Opaque::ffi_init(|slot: *mut bindings::notifier_block| {
                    // SAFETY: `slot` is valid for writes, and all-zero is valid for the other
                    // fields.
                    unsafe {
                        slot.write_bytes(0, 1);
                        (*slot).notifier_call = Some(Self::call);
                    }
                }),
                notified,
            }),
            GFP_KERNEL,
        )
    }

    /// The block, for a chain of the kind that `N` is for. It must leave that before it is dropped.
    pub(super) fn as_raw(&self) -> *mut bindings::notifier_block {
        let this = core::ptr::from_ref(self);
        // SAFETY: It points to a block, from which `call` finds the way back to all of this value.
        Opaque::cast_into(unsafe { &raw const (*this).block })
    }

    /// What it calls.
    pub(super) fn notified(&self) -> &N {
        &self.notified
    }

    /// # Safety
    ///
    /// Called by a chain of the kind that `N` is for, on the block of a `Block<N>`.
    unsafe extern "C" fn call(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        // SAFETY: Only the block of a `Block<N>` has this function, and it stays while a chain
        // knows it.
        let this = unsafe { &*container_of!(Opaque::cast_from(block), Self, block) };
        // SAFETY: By the safety requirement.
        unsafe { this.notified.notify(event, info) };
        bindings::NOTIFY_DONE as c_int
    }
}
