// SPDX-License-Identifier: GPL-2.0

//! Netfilter hooks of the bridge family and of a device's egress.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use core::{marker::PhantomData, mem, ops::Deref, ptr};

use kernel::{
    error::to_result,
    prelude::*,
    sync::{aref::ARef, Arc},
    types::NotThreadSafe,
};

use super::{
    bindings,
    netdevice::NetDevice,
    pernet::NetHandle,
    rcu,
    skb::{BridgeSkBuff, Call, EgressSkBuff, Verdict},
};

/// Where on the way of a frame through the bridge a hook stands: one of the [`points`].
///
/// # Safety
///
/// The constants are those of one point.
pub(crate) unsafe trait Point {
    /// Its number (`NF_BR_...`).
    const NUMBER: c_uint;
    /// Which device of the state a hook there is about, and which is never null: the one that the
    /// frame came in through (`in`), or else the one that a copy leaves through (`out`).
    const IS_INPUT: bool;
}

/// A [`Point`] that a frame comes to when the bridge has dealt with it, or from who makes frames
/// for its ports. The first bytes of its control block say which: there the bridge has what it
/// needs to forward the frame (`struct br_input_skb_cb`), or all is 0.
///
/// # Safety
///
/// That is so.
pub(crate) unsafe trait Bridged: Point {}

/// The points of a frame's way.
pub(crate) mod points {
    use super::{bindings, Bridged, Point};
    use kernel::ffi::c_uint;

    /// A frame has entered the bridge through a port, once (`NF_BR_PRE_ROUTING`).
    pub(crate) enum PreRouting {}
    /// A frame goes up to the host (`NF_BR_LOCAL_IN`).
    pub(crate) enum LocalIn {}
    /// A copy leaves through a port (`NF_BR_FORWARD`).
    pub(crate) enum Forward {}
    /// A copy of a frame that came in through no port leaves through one (`NF_BR_LOCAL_OUT`): the
    /// bridge device sent it, the bridge made it (BPDUs, multicast queries), or nft to reject one.
    pub(crate) enum LocalOut {}

    // SAFETY: `nf_hook_bridge_pre()` passes the port, and so does br_netfilter, which has the later
    // hooks called after those of IP (`br_nf_hook_thresh()`).
    unsafe impl Point for PreRouting {
        const NUMBER: c_uint = bindings::NF_BR_PRE_ROUTING;
        const IS_INPUT: bool = true;
    }

    // SAFETY: `br_pass_frame_up()` and `br_handle_frame()` pass the port.
    unsafe impl Point for LocalIn {
        const NUMBER: c_uint = bindings::NF_BR_LOCAL_IN;
        const IS_INPUT: bool = true;
    }

    // SAFETY: `__br_forward()` passes the port that the copy leaves through, and so does
    // br_netfilter (`br_nf_hook_thresh()`).
    unsafe impl Point for Forward {
        const NUMBER: c_uint = bindings::NF_BR_FORWARD;
        const IS_INPUT: bool = false;
    }

    // SAFETY: `__br_forward()` does the same here, and so do those who send to groups
    // (`br_send_bpdu()`).
    unsafe impl Point for LocalOut {
        const NUMBER: c_uint = bindings::NF_BR_LOCAL_OUT;
        const IS_INPUT: bool = false;
    }

    // SAFETY: `br_handle_frame()` has cleared the control block, and `br_handle_frame_finish()` has
    // filled it in, unless the frame is one for a link-local group that the bridge keeps to itself.
    unsafe impl Bridged for LocalIn {}
    // SAFETY: `br_dev_xmit()` has done both. In what the bridge itself makes (`br_send_bpdu()`,
    // `br_multicast_send_query()`), and in what nft rejects with (`nft_reject_bridge.c`), it is as
    // `alloc_skb()` leaves it, cleared.
    unsafe impl Bridged for LocalOut {}
}

/// Order among the hooks of one point.
#[derive(Clone, Copy)]
pub(crate) enum Priority {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

/// The surroundings of a call of a hook: an RCU read-side section, and no more than that.
///
/// The network stack has softirqs off when it comes to the hooks of these points. But where a hook
/// queued the frame to user space, those after it are called in process context with softirqs on
/// (`nf_reinject()`).
///
/// It is the state that netfilter hands over, as it stands there, so that passing it on costs
/// nothing.
///
/// # Invariants
///
/// Netfilter called a hook with it, on this thread, which has not returned yet.
#[repr(transparent)]
pub(crate) struct HookContext {
    state: bindings::nf_hook_state,
    _cpu: NotThreadSafe,
}

impl HookContext {
    /// Wraps the state of a hook.
    ///
    /// # Safety
    ///
    /// For `'a`, it is one that the type invariants hold for.
    #[inline(always)]
    unsafe fn from_raw<'a>(state: *const bindings::nf_hook_state) -> &'a Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: By the safety requirement the state is valid, and the call is inside a read-side
        // section; the type is transparent.
        unsafe { &*state.cast() }
    }

    /// The read-side section that the hook runs in.
    #[inline(always)]
    pub(crate) fn section(&self) -> &rcu::Guard {
        // SAFETY: Netfilter calls hooks under RCU, and by the type invariants this is such a call.
        unsafe { rcu::assume() }
    }

    /// The device that the frame came in through; `None` for a frame of the host.
    pub(crate) fn input(&self) -> Option<&NetDevice> {
        // SAFETY: A device in the hook's state is valid until the hook returns.
        (!self.state.in_.is_null()).then(|| unsafe { NetDevice::from_raw(self.state.in_) })
    }
}

/// The same, of the very call `'a` in which a hook at the point `P` was given a frame.
///
/// # Invariants
///
/// The call was at that point, and is the one in which the [`BridgeSkBuff`] of the same lifetime
/// was given.
#[repr(transparent)]
pub(crate) struct PointContext<'a, P> {
    context: HookContext,
    _call: Call<'a>,
    _point: PhantomData<P>,
}

impl<'a, P: Point> PointContext<'a, P> {
    /// Wraps the state of a hook.
    ///
    /// # Safety
    ///
    /// For `'b`, it is one that the type invariants hold for. `'a` belongs to this call alone.
    #[inline(always)]
    unsafe fn from_raw<'b>(state: *const bindings::nf_hook_state) -> &'b Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: As for [`HookContext::from_raw`].
        unsafe { &*state.cast() }
    }

    /// The device that the hook is about.
    #[inline(always)]
    fn device(&self) -> &NetDevice {
        let state = &self.context.state;
        let device = if P::IS_INPUT { state.in_ } else { state.out };
        // SAFETY: By the type invariants the call was at that point, where this one is never null;
        // it is valid until the hook returns.
        unsafe { NetDevice::from_raw(device) }
    }
}

impl<P> Deref for PointContext<'_, P> {
    type Target = HookContext;

    #[inline(always)]
    fn deref(&self) -> &HookContext {
        &self.context
    }
}

/// A function that sees frames at one point. `C` is what the hooks of one registration share.
pub(crate) trait Hook<C> {
    /// Where it stands.
    type Point: Point;
    /// Its place among others there.
    const PRIORITY: Priority;

    /// Decides on a frame that enters or leaves through `device`, and returns the verdict on that
    /// very frame. Must be quick: it runs for every frame at that point.
    fn run<'a>(
        shared: &C,
        device: &NetDevice,
        frame: BridgeSkBuff<'a>,
        context: &PointContext<'a, Self::Point>,
    ) -> Verdict<'a>;
}

/// A function that sees the frames that one device sends, after all others (`NF_NETDEV_EGRESS`).
pub(crate) trait EgressHook<C> {
    /// As [`Hook::run`].
    fn run<'a>(shared: &C, frame: EgressSkBuff<'a>, context: &HookContext) -> Verdict<'a>;
}

/// One hook, as a value to register.
///
/// # Invariants
///
/// Its function may be called with a `C` as `priv`.
pub(crate) struct HookEntry<C> {
    ops: bindings::nf_hook_ops,
    _shared: PhantomData<fn(&C)>,
}

/// The hook of a device's egress, likewise.
///
/// # Invariants
///
/// As of [`HookEntry`].
pub(crate) struct EgressEntry<C> {
    ops: bindings::nf_hook_ops,
    _shared: PhantomData<fn(&C)>,
}

// SAFETY: It is what a registration is made of, and points to nothing but code.
unsafe impl<C> Send for EgressEntry<C> {}
// SAFETY: As above.
unsafe impl<C> Sync for EgressEntry<C> {}

impl<C: Send + Sync> EgressEntry<C> {
    /// Describes the hook `H`.
    pub(crate) fn of<H: EgressHook<C>>() -> Self {
        // INVARIANT: The function is one for a `C`.
        Self {
            ops: operations(
                bindings::NFPROTO_NETDEV,
                bindings::nf_dev_hooks_NF_NETDEV_EGRESS,
                Priority::Last,
                egress_trampoline::<C, H>,
            ),
            _shared: PhantomData,
        }
    }
}

impl<C: Send + Sync> HookEntry<C> {
    /// Describes the hook `H`.
    pub(crate) fn of<H: Hook<C>>() -> Self {
        // INVARIANT: The function is one for a `C`.
        Self {
            ops: operations(
                bindings::NFPROTO_BRIDGE,
                H::Point::NUMBER,
                H::PRIORITY,
                trampoline::<C, H>,
            ),
            _shared: PhantomData,
        }
    }
}

fn operations(
    family: u32,
    number: u32,
    priority: Priority,
    hook: unsafe extern "C" fn(
        *mut c_void,
        *mut bindings::sk_buff,
        *const bindings::nf_hook_state,
    ) -> c_uint,
) -> bindings::nf_hook_ops {
    // SAFETY: All-zero is a valid `nf_hook_ops`.
    let mut ops: bindings::nf_hook_ops = unsafe { mem::zeroed() };
    ops.hook = Some(hook);
    ops.pf = family as u8;
    ops.hooknum = number;
    ops.priority = match priority {
        Priority::First => i32::MIN,
        Priority::Last => i32::MAX,
    };
    ops
}

/// # Safety
///
/// Called by netfilter, with the `priv` of a [`Registration`] of hooks that share a `C`.
unsafe extern "C" fn trampoline<C, H: Hook<C>>(
    shared: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
) -> c_uint {
    // SAFETY: `priv` points to the `C` that the registration keeps until no call can be under way.
    let shared = unsafe { &*shared.cast::<C>() };
    // SAFETY: The bridge has set the MAC header and pulled the Ethernet header, which it reads
    // itself, before it calls these hooks; or it has made the header and not pulled it
    // (`br_send_bpdu()`). It hands over an skb that is its alone, and takes it back only through
    // the verdict.
    let frame = unsafe { BridgeSkBuff::from_raw(skb) };
    // SAFETY: Netfilter calls hooks under RCU, and keeps the state until they return. This is one
    // of that point. Its lifetime is that of the frame, and of nothing that another call was given:
    // `run` takes any.
    let context = unsafe { PointContext::<H::Point>::from_raw(state) };
    H::run(shared, context.device(), frame, context).into_raw()
}

/// # Safety
///
/// As for [`trampoline`].
unsafe extern "C" fn egress_trampoline<C, H: EgressHook<C>>(
    shared: *mut c_void,
    skb: *mut bindings::sk_buff,
    state: *const bindings::nf_hook_state,
) -> c_uint {
    // SAFETY: As there.
    let (shared, context) = unsafe { (&*shared.cast::<C>(), HookContext::from_raw(state)) };
    // SAFETY: Who sends the frame hands it over and takes it back only through the verdict; a
    // packet socket that passes queues by has set no MAC header.
    let frame = unsafe { EgressSkBuff::from_raw(skb) };
    H::run(shared, frame, context).into_raw()
}

/// Hooks that are registered until the value is dropped, which waits for calls under way.
///
/// # Invariants
///
/// All of `ops` are registered in the namespace of `net`, unless that has died, with `priv`
/// pointing to the value of `_shared`. A device that they are bound to is held by `_device`.
pub(crate) struct Registration<C: Send + Sync + 'static> {
    ops: KVec<bindings::nf_hook_ops>,
    net: NetHandle,
    _shared: Arc<C>,
    _device: Option<ARef<NetDevice>>,
}

// SAFETY: Registering and unregistering may be done by different threads.
unsafe impl<C: Send + Sync> Send for Registration<C> {}
// SAFETY: Nothing can be done with a shared reference.
unsafe impl<C: Send + Sync> Sync for Registration<C> {}

impl<C: Send + Sync + 'static> Registration<C> {
    /// Registers hooks for all devices of a namespace. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOENT` if the namespace has died, or what `nf_register_net_hooks()` returns.
    pub(crate) fn in_namespace<const N: usize>(
        net: &NetHandle,
        shared: Arc<C>,
        hooks: [HookEntry<C>; N],
    ) -> Result<Self> {
        Self::new(net, None, shared, hooks.map(|hook| hook.ops))
    }

    /// Registers `hook` on one device, which can't go before it is dropped. May sleep.
    ///
    /// It is to be dropped before the device moves to another namespace; otherwise it stays for
    /// good.
    ///
    /// # Errors
    ///
    /// As [`Registration::in_namespace`].
    pub(crate) fn on_device(
        net: &NetHandle,
        device: &NetDevice,
        shared: Arc<C>,
        hook: &EgressEntry<C>,
    ) -> Result<Self> {
        Self::new(net, Some(device.hold()), shared, [hook.ops])
    }

    fn new<const N: usize>(
        net: &NetHandle,
        device: Option<ARef<NetDevice>>,
        shared: Arc<C>,
        hooks: [bindings::nf_hook_ops; N],
    ) -> Result<Self> {
        let mut ops = KVec::with_capacity(N, GFP_KERNEL_ACCOUNT)?;
        for mut hook in hooks {
            hook.dev = device
                .as_ref()
                .map_or(ptr::null_mut(), |device| device.as_raw());
            hook.priv_ = Arc::as_ptr(&shared).cast_mut().cast();
            ops.push(hook, GFP_KERNEL_ACCOUNT)?;
        }
        let registered = net.with(|net| {
            // SAFETY: `net` is valid, and the entries stay in place, in the vector's buffer, until
            // `drop`, or below until no call can be under way.
            to_result(unsafe {
                bindings::nf_register_net_hooks(net.as_raw(), ops.as_ptr(), ops.len() as u32)
            })
        });
        if let Some(Err(error)) = registered {
            // The first of them may have been registered for a moment, and a CPU may still be
            // there.
            rcu::wait_for_readers();
            return Err(error);
        }
        registered.ok_or(ENOENT)??;
        // INVARIANT: They were just registered.
        Ok(Self {
            ops,
            net: net.clone(),
            _shared: shared,
            _device: device,
        })
    }
}

impl<C: Send + Sync + 'static> Drop for Registration<C> {
    fn drop(&mut self) {
        let unregistered = self.net.with(|net| {
            let is_here = |device: &ARef<NetDevice>| {
                rcu::read(|section| ptr::eq(device.net_rcu(section), net))
            };
            // Netfilter finds the hooks of a device where the device is.
            let is_here = self._device.as_ref().is_none_or(is_here);
            if is_here {
                // SAFETY: By the type invariants these are registered there.
                unsafe {
                    bindings::nf_unregister_net_hooks(
                        net.as_raw(),
                        self.ops.as_ptr(),
                        self.ops.len() as u32,
                    );
                }
            }
            is_here
        });
        if unregistered != Some(true) {
            // They may be called as long as the namespace or the device is there: what they need is
            // not freed, nor is their code. (An unloading that has begun can't be stopped; but the
            // kernel moves no bridge, and hooks go with the last of a namespace's state.)
            // SAFETY: It may be called anywhere.
            unsafe { bindings::maclearn_keep_module() };
            mem::forget(mem::replace(&mut self.ops, KVec::new()));
            mem::forget(self._shared.clone());
            return;
        }
        // A CPU may still be in a hook; `_shared` is dropped only after this.
        rcu::wait_for_readers();
    }
}
