// SPDX-License-Identifier: GPL-2.0

//! State of the module for each network namespace.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use core::{cell::UnsafeCell, marker::PhantomData, mem, ptr};

use kernel::{
    error::to_result,
    prelude::*,
    sync::{new_mutex, Arc, Mutex},
    types::Opaque,
};

use super::{bindings, netdevice::Net};

/// A way to a namespace that does not keep it alive and notices that it has died.
#[derive(Clone)]
pub(crate) struct NetHandle(Arc<HandleState>);

/// # Invariants
///
/// The pointer is valid while it is not null: the namespace's exit sets it to null, under the lock.
#[pin_data]
struct HandleState {
    #[pin]
    net: Mutex<RawNet>,
}

struct RawNet(*mut bindings::net);

// SAFETY: A `struct net` belongs to no thread.
unsafe impl Send for RawNet {}

impl NetHandle {
    fn new(net: *mut bindings::net) -> Result<Self> {
        let state = Arc::pin_init(
            // INVARIANT: The namespace is being set up.
            pin_init!(HandleState { net <- new_mutex!(RawNet(net), "maclearn_net_handle") }),
            GFP_KERNEL_ACCOUNT,
        )?;
        Ok(Self(state))
    }

    /// Runs `f` on the namespace, which cannot finish dying meanwhile; `None` if it has. May sleep.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Net) -> R) -> Option<R> {
        let net = self.0.net.lock();
        // SAFETY: By the type invariants, with the lock held.
        (!net.0.is_null()).then(|| f(unsafe { Net::from_raw(net.0) }))
    }
}

/// The number under which a namespace finds the state of one kind (`net_generic()`).
///
/// # Invariants
///
/// Written by the registration of the state only, before and after any namespace uses it.
pub(crate) struct Slot(UnsafeCell<c_uint>);

// SAFETY: By the type invariants nobody writes while others read.
unsafe impl Sync for Slot {}

impl Slot {
    /// For a `static`.
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(0))
    }
}

/// State that each namespace has one of, from the time the module is loaded or the namespace is
/// made.
pub(crate) trait PerNetwork: Send + Sync + Sized + 'static {
    /// A `static` of this type's own.
    fn slot() -> &'static Slot;

    /// Makes the state of a namespace. Process context.
    fn new(net: NetHandle) -> Result<Arc<Self>>;
}

/// What a namespace's `net_generic()` area holds.
struct Area<T> {
    state: Arc<T>,
    handle: NetHandle,
}

/// Keeps state of type `T` in every namespace until it is dropped.
pub(crate) struct Registration<T: PerNetwork> {
    operations: Pin<KBox<Opaque<bindings::pernet_operations>>>,
    _state: PhantomData<T>,
}

// SAFETY: Registering and unregistering may be done by different threads.
unsafe impl<T: PerNetwork> Send for Registration<T> {}
// SAFETY: Nothing can be done with a shared reference.
unsafe impl<T: PerNetwork> Sync for Registration<T> {}

impl<T: PerNetwork> Registration<T> {
    /// Makes the state in every namespace. Must be the only registration of `T`. May sleep.
    pub(crate) fn new() -> Result<Self> {
        let operations = KBox::pin_init(
            Opaque::ffi_init(|slot: *mut bindings::pernet_operations| {
                // SAFETY: `slot` is valid for writes; the struct has constant fields, hence a write
                // as a whole.
                unsafe {
                    slot.write(bindings::pernet_operations {
                        init: Some(Self::init),
                        exit: Some(Self::exit),
                        id: T::slot().0.get(),
                        size: mem::size_of::<*mut Area<T>>(),
                        ..mem::zeroed()
                    });
                }
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The operations stay in place, since they are pinned, until `drop`.
        to_result(unsafe { bindings::register_pernet_subsys(operations.get()) })?;
        Ok(Self {
            operations,
            _state: PhantomData,
        })
    }

    /// # Safety
    ///
    /// Called by the namespace code, with a namespace that is being set up.
    unsafe extern "C" fn init(net: *mut bindings::net) -> c_int {
        let make = || {
            let handle = NetHandle::new(net)?;
            let state = T::new(handle.clone())?;
            let area = KBox::new(Area { state, handle }, GFP_KERNEL_ACCOUNT)?;
            // SAFETY: The namespace has an area of a pointer's size for this slot.
            unsafe { *area_of::<T>(net) = KBox::into_raw(area) };
            Ok(())
        };
        match make() {
            Ok(()) => 0,
            Err::<(), Error>(error) => error.to_errno(),
        }
    }

    /// # Safety
    ///
    /// Called by the namespace code, with a namespace that is at its end.
    unsafe extern "C" fn exit(net: *mut bindings::net) {
        // SAFETY: As in `init`, which has put a box there or was not successful.
        let area = unsafe { mem::replace(&mut *area_of::<T>(net), ptr::null_mut()) };
        if !area.is_null() {
            // SAFETY: The pointer came from `KBox::into_raw`, and nobody looks for state in a
            // namespace at its end.
            let area = unsafe { KBox::from_raw(area) };
            area.handle.0.net.lock().0 = ptr::null_mut();
        }
    }
}

impl<T: PerNetwork> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: It was registered by `new`.
        unsafe { bindings::unregister_pernet_subsys(self.operations.get()) };
        // SAFETY: Nobody asks for state any more: who does was unregistered first.
        unsafe { *T::slot().0.get() = 0 };
    }
}

/// # Safety
///
/// `net` is valid and `T` registered there, or about to be.
unsafe fn area_of<T: PerNetwork>(net: *mut bindings::net) -> *mut *mut Area<T> {
    // SAFETY: By the safety requirement and the slot's invariants.
    unsafe { bindings::maclearn_net_generic(net, *T::slot().0.get()).cast() }
}

/// The state of a namespace, while a [`Registration`] of `T` exists.
pub(crate) fn get<T: PerNetwork>(net: &Net) -> Option<Arc<T>> {
    // SAFETY: By the slot's invariants: 0 is no slot.
    if unsafe { *T::slot().0.get() } == 0 {
        return None;
    }
    // SAFETY: The slot is registered. The namespace has not come to its end since `net` is valid:
    // its devices and sockets go first.
    let area = unsafe { (*area_of::<T>(net.as_raw())).as_ref() };
    area.map(|area| area.state.clone())
}
