// SPDX-License-Identifier: GPL-2.0

//! State of the module for each network namespace.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use core::{cell::UnsafeCell, marker::PhantomData, mem, ptr};

use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::{Atomic, Full, Release},
        new_mutex, Arc, Mutex,
    },
    types::Opaque,
};

use super::{atomic::AtomicU32, bindings, netdevice::Net, rcu};

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

/// The number under which a namespace finds the state of type `T` (`net_generic()`).
///
/// # Invariants
///
/// `number` is written by the registration that set `taken`, while nothing is published. While
/// `published` is not 0 it is that number, and until a grace period after, what a namespace has
/// there is null or points to a [`State<T>`].
pub(crate) struct Slot<T> {
    number: UnsafeCell<c_uint>,
    published: AtomicU32,
    taken: Atomic<i32>,
    _state: PhantomData<fn(T) -> T>,
}

// SAFETY: By the type invariants nobody reads the number while it is written.
unsafe impl<T> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// For [`slot_for`].
    pub(crate) const fn new() -> Self {
        // INVARIANT: Nothing is published.
        Self {
            number: UnsafeCell::new(0),
            published: AtomicU32::new(0),
            taken: Atomic::new(0),
            _state: PhantomData,
        }
    }
}

/// A type that has a [`Slot`] of its own. For [`slot_for`].
///
/// # Safety
///
/// `slot` returns the same one each time.
pub(crate) unsafe trait HasSlot: Sized + 'static {
    /// The slot.
    fn slot() -> &'static Slot<Self>;
}

/// Gives a type its [`Slot`].
macro_rules! slot_for {
    ($type:ty) => {
        const _: () = {
            static SLOT: $crate::kapi::pernet::Slot<$type> = $crate::kapi::pernet::Slot::new();

            // SAFETY: There is one static.
            unsafe impl $crate::kapi::pernet::HasSlot for $type {
                fn slot() -> &'static $crate::kapi::pernet::Slot<Self> {
                    &SLOT
                }
            }
        };
    };
}
pub(crate) use slot_for;

/// State that each namespace has one of, from the time the module is loaded or the namespace is
/// made.
pub(crate) trait PerNetwork: HasSlot + Send + Sync {
    /// Makes the state of a namespace. Process context.
    fn new(net: NetHandle) -> Result<Arc<Self>>;

    /// The namespace is at its end, and still has its devices; or [`Registration::close`] was
    /// called. Process context.
    fn close(&self);
}

/// What a namespace has a pointer to under a slot's number.
struct State<T> {
    state: Arc<T>,
    handle: NetHandle,
}

/// Keeps state of type `T` in every namespace until it is dropped.
///
/// # Invariants
///
/// The operations are registered, and set the number of the slot of `T`.
pub(crate) struct Registration<T: PerNetwork> {
    operations: Pin<KBox<Opaque<bindings::pernet_operations>>>,
    _state: PhantomData<T>,
}

// SAFETY: Registering and unregistering may be done by different threads.
unsafe impl<T: PerNetwork> Send for Registration<T> {}
// SAFETY: Nothing can be done with a shared reference.
unsafe impl<T: PerNetwork> Sync for Registration<T> {}

impl<T: PerNetwork> Registration<T> {
    /// Makes the state in every namespace. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is a registration of `T`, `ENOMEM`, or what [`PerNetwork::new`] returns.
    pub(crate) fn new() -> Result<Self> {
        let slot = T::slot();
        if slot.taken.xchg(1, Full) != 0 {
            return Err(EBUSY);
        }
        let registered = Self::register();
        match &registered {
            // INVARIANT: It is the number, and every namespace has been set up with it.
            // SAFETY: The slot is this registration's, which has written the number.
            Ok(_) => slot.published.store_release(unsafe { *slot.number.get() }),
            Err(_) => slot.taken.store(0, Release),
        }
        registered
    }

    fn register() -> Result<Self> {
        let operations = KBox::pin_init(
            Opaque::ffi_init(|slot: *mut bindings::pernet_operations| {
                // SAFETY: `slot` is valid for writes; the struct has constant fields, hence a write
                // as a whole.
                unsafe {
                    slot.write(bindings::pernet_operations {
                        init: Some(Self::init),
                        pre_exit: Some(Self::pre_exit),
                        exit: Some(Self::exit),
                        id: T::slot().number.get(),
                        size: mem::size_of::<*mut State<T>>(),
                        ..mem::zeroed()
                    });
                }
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The operations stay in place, since they are pinned, until `drop`.
        to_result(unsafe { bindings::register_pernet_subsys(operations.get()) })?;
        // INVARIANT: They were just registered.
        Ok(Self {
            operations,
            _state: PhantomData,
        })
    }

    /// Calls [`PerNetwork::close`] in every namespace. May sleep.
    pub(crate) fn close(&self) {
        // SAFETY: While this is registered, which by the type invariants it is, every namespace
        // that is found has been set up by `init`, and has not come to `exit` since it can't go
        // meanwhile.
        unsafe { bindings::maclearn_visit_nets(Some(Self::pre_exit)) };
    }

    /// Where `net` has the pointer to its state.
    ///
    /// # Safety
    ///
    /// Called by one of the operations, with their `net`.
    unsafe fn place_in(net: *mut bindings::net) -> *mut *mut State<T> {
        // SAFETY: The number is set while the operations are called, and does not change then.
        unsafe { bindings::maclearn_net_generic(net, *T::slot().number.get()).cast() }
    }

    /// # Safety
    ///
    /// Called by the namespace code, with a namespace that is being set up, or that is there when
    /// the operations are registered.
    unsafe extern "C" fn init(net: *mut bindings::net) -> c_int {
        let make = || {
            let handle = NetHandle::new(net)?;
            let state = T::new(handle.clone())?;
            let state = KBox::new(State { state, handle }, GFP_KERNEL_ACCOUNT)?;
            // SAFETY: The namespace has a place of a pointer's size, which nobody looks at before
            // it is set up and the number is published.
            unsafe { *Self::place_in(net) = KBox::into_raw(state) };
            Ok(())
        };
        match make() {
            Ok(()) => 0,
            Err::<(), Error>(error) => error.to_errno(),
        }
    }

    /// # Safety
    ///
    /// Called by the namespace code before it calls `exit`, or between `init` and that.
    unsafe extern "C" fn pre_exit(net: *mut bindings::net) {
        // SAFETY: As in `init`, which has put a valid pointer there, or has failed; `exit` is yet
        // to take it.
        if let Some(state) = unsafe { (*Self::place_in(net)).as_ref() } {
            state.state.close();
        }
    }

    /// # Safety
    ///
    /// Called by the namespace code, with a namespace that is at its end, or when the operations
    /// are unregistered.
    unsafe extern "C" fn exit(net: *mut bindings::net) {
        // SAFETY: As in `init`. Nobody looks there any more: in a namespace at its end there is
        // neither a device nor a socket, and before the operations are unregistered a grace period
        // has passed since the number was published.
        let state = unsafe { mem::replace(&mut *Self::place_in(net), ptr::null_mut()) };
        if state.is_null() {
            // `init` failed.
            return;
        }
        // SAFETY: The pointer came from `KBox::into_raw`.
        let State { state, handle } = KBox::into_inner(unsafe { KBox::from_raw(state) });
        // What it has registered in the namespace goes while there is still a way to that.
        drop(state);
        // INVARIANT: It is valid until here.
        handle.0.net.lock().0 = ptr::null_mut();
    }
}

impl<T: PerNetwork> Drop for Registration<T> {
    fn drop(&mut self) {
        let slot = T::slot();
        slot.published.store_relaxed(0);
        rcu::wait_for_readers();
        // SAFETY: By the type invariants they are registered.
        unsafe { bindings::unregister_pernet_subsys(self.operations.get()) };
        slot.taken.store(0, Release);
    }
}

/// The state of a namespace, while a [`Registration`] of `T` exists. Any context.
pub(crate) fn get<T: PerNetwork>(net: &Net) -> Option<Arc<T>> {
    rcu::read(|_section| {
        let number = T::slot().published.load_acquire();
        if number == 0 {
            return None;
        }
        // SAFETY: By the slot's invariants, in a read-side section. The namespace has not come to
        // its end since `net` is valid: its devices and sockets go first.
        let place: *mut *mut State<T> =
            unsafe { bindings::maclearn_net_generic(net.as_raw(), number).cast() };
        if place.is_null() {
            // A namespace that is being set up, and has a device already.
            return None;
        }
        // SAFETY: As above.
        let state = unsafe { *place };
        // SAFETY: As above.
        unsafe { state.as_ref() }.map(|state| state.state.clone())
    })
}

#[kernel::macros::kunit_tests(maclearn_pernet)]
mod tests {
    use super::*;

    struct Nothing;

    slot_for!(Nothing);

    impl PerNetwork for Nothing {
        fn new(_net: NetHandle) -> Result<Arc<Self>> {
            Ok(Arc::new(Self, GFP_KERNEL)?)
        }

        fn close(&self) {}
    }

    #[test]
    fn a_type_is_registered_once_at_a_time() -> Result {
        let first = Registration::<Nothing>::new()?;
        assert!(Registration::<Nothing>::new().is_err());
        drop(first);
        Registration::<Nothing>::new().map(drop)
    }
}
