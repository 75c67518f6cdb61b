// SPDX-License-Identifier: GPL-2.0

//! Notifications of what happens to network devices, in every namespace.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use kernel::{error::to_result, prelude::*};

use super::{
    bindings,
    netdevice::NetDevice,
    notifier_block::{Block, Notified},
    rtnl::Rtnl,
};

/// What happened to a device.
pub(crate) enum Event<'a> {
    /// It exists now in this namespace, or existed when the notifier was registered.
    Registered,
    /// It is about to leave this namespace, or the notifier is being unregistered.
    Unregistering,
    /// It became a port (or another lower device) of `upper`, or stopped being one.
    UpperChanged {
        /// The upper device.
        upper: &'a NetDevice,
        /// Whether the link was made, or else undone.
        linked: bool,
    },
    /// Its settings or its link changed while it is up, or it was brought up or taken down.
    Changed,
    /// Its hardware address changed.
    AddressChanged,
}

/// Who is told.
pub(crate) trait Listener: Send + Sync + 'static {
    /// Called for each event, in process context with RTNL held, after the bridge was: that has the
    /// same priority and was there first.
    fn event(&self, device: &NetDevice, event: Event<'_>, rtnl: &Rtnl);

    /// Called once before [`Event::Unregistering`] is replayed for the first device. Events of
    /// other kinds may still come in between.
    fn end(&self, rtnl: &Rtnl);
}

/// A notifier that is registered until the value is dropped.
///
/// Registering replays [`Event::Registered`] for every device that exists, dropping replays
/// [`Event::Unregistering`].
///
/// # Examples
///
/// ```
/// use kernel::{
///     net::{
///         netdevice::NetDevice,
///         notifier::{Event, Listener, Registration},
///         rtnl::Rtnl,
///     },
///     sync::{
///         atomic::{Atomic, Relaxed},
///         Arc,
///     },
/// };
///
/// /// How many devices there are.
/// struct Count(Arc<Atomic<i32>>);
///
/// impl Listener for Count {
///     fn event(&self, _device: &NetDevice, event: Event<'_>, _rtnl: &Rtnl) {
///         let change = match event {
///             Event::Registered => 1,
///             Event::Unregistering => -1,
///             _ => 0,
///         };
///         self.0.fetch_add(change, Relaxed);
///     }
///
///     fn end(&self, _rtnl: &Rtnl) {
///         // From here on devices go for this listener only.
///         assert!(self.0.load(Relaxed) > 0);
///     }
/// }
///
/// let count = Arc::new(Atomic::new(0), GFP_KERNEL)?;
/// let registration = Registration::new(Count(count.clone()))?;
/// // The loopback device at least was there before.
/// assert!(count.load(Relaxed) > 0);
/// drop(registration);
/// assert_eq!(count.load(Relaxed), 0);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The block is in the chain of network devices.
pub(crate) struct Registration<L: Listener>(Pin<KBox<Block<Chain<L>>>>);

struct Chain<L>(L);

impl<L: Listener> Registration<L> {
    /// Registers `listener`. Takes RTNL; may sleep.
    pub(crate) fn new(listener: L) -> Result<Self> {
        let block = Block::new(Chain(listener))?;
        // SAFETY: The block is pinned and stays until `drop`.
        to_result(unsafe { bindings::register_netdevice_notifier(block.as_raw()) })?;
        // INVARIANT: It was just registered.
        Ok(Self(block))
    }
}

impl<L: Listener> Notified for Chain<L> {
    unsafe fn notify(&self, event: c_ulong, info: *mut c_void) {
        // SAFETY: Every netdevice notification carries a `netdev_notifier_info` with a valid
        // device.
        let device =
            unsafe { NetDevice::from_raw((*info.cast::<bindings::netdev_notifier_info>()).dev) };
        let event = match event as u32 {
            bindings::netdev_cmd_NETDEV_REGISTER => Event::Registered,
            bindings::netdev_cmd_NETDEV_UNREGISTER => Event::Unregistering,
            bindings::netdev_cmd_NETDEV_CHANGE
            | bindings::netdev_cmd_NETDEV_UP
            | bindings::netdev_cmd_NETDEV_DOWN => Event::Changed,
            bindings::netdev_cmd_NETDEV_CHANGEADDR => Event::AddressChanged,
            bindings::netdev_cmd_NETDEV_CHANGEUPPER => {
                // SAFETY: This notification carries the larger struct, with a valid upper device.
                let info = unsafe { &*info.cast::<bindings::netdev_notifier_changeupper_info>() };
                Event::UpperChanged {
                    // SAFETY: As above.
                    upper: unsafe { NetDevice::from_raw(info.upper_dev) },
                    linked: info.linking,
                }
            }
            _ => return,
        };
        // SAFETY: Netdevice notifiers are called with RTNL held.
        let rtnl = unsafe { Rtnl::assume() };
        self.0.event(device, event, &rtnl);
    }
}

impl<L: Listener> Drop for Registration<L> {
    fn drop(&mut self) {
        self.0.notified().0.end(&Rtnl::lock());
        // SAFETY: By the type invariants.
        unsafe { bindings::unregister_netdevice_notifier(self.0.as_raw()) };
    }
}
