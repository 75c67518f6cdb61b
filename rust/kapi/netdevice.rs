// SPDX-License-Identifier: GPL-2.0

//! Network devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use core::ptr::NonNull;

use kernel::{
    ffi::c_char,
    sync::aref::{ARef, AlwaysRefCounted},
    types::Opaque,
};

use super::{bindings, rcu, rtnl::Rtnl};

/// A network namespace (`struct net`).
#[repr(transparent)]
pub(crate) struct Net(Opaque<bindings::net>);

impl Net {
    /// Wraps a `struct net`.
    ///
    /// # Safety
    ///
    /// `net` is valid for `'a`.
    pub(super) unsafe fn from_raw<'a>(net: *mut bindings::net) -> &'a Self {
        // SAFETY: By the safety requirement; the type is transparent.
        unsafe { &*net.cast() }
    }

    /// The one that is there from the beginning to the end (`init_net`).
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn initial() -> &'static Self {
        // SAFETY: It is a static of the kernel's.
        unsafe { Self::from_raw(&raw mut bindings::init_net) }
    }

    pub(super) fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }
}

/// The name of a device at one time.
pub(crate) struct Name([c_char; 16]);

impl Name {
    /// Its bytes up to and with the zero.
    pub(crate) fn with_zero(&self) -> &[u8] {
        let length = self.0.iter().position(|byte| *byte == 0);
        &self.0[..length.map_or(self.0.len(), |length| length + 1)]
    }
}

/// A network device (`struct net_device`).
///
/// # Invariants
///
/// It is registered, or was and has not been freed.
#[repr(transparent)]
pub(crate) struct NetDevice(Opaque<bindings::net_device>);

// SAFETY: References to a `net_device` may be held and used by any thread.
unsafe impl Send for NetDevice {}
// SAFETY: What the methods below read may be read by any thread at any time.
unsafe impl Sync for NetDevice {}

// SAFETY: `dev_hold()` and `dev_put()` count references, and unregistering waits for them.
unsafe impl AlwaysRefCounted for NetDevice {
    fn inc_ref(&self) {
        // SAFETY: By the type invariants the device is valid.
        unsafe { bindings::maclearn_dev_hold(self.as_raw()) };
    }

    unsafe fn dec_ref(device: NonNull<Self>) {
        // SAFETY: The caller owns a reference.
        unsafe { bindings::maclearn_dev_put(device.as_ptr().cast()) };
    }
}

impl NetDevice {
    /// Wraps a `struct net_device`.
    ///
    /// # Safety
    ///
    /// `device` is valid for `'a`.
    #[inline(always)]
    pub(super) unsafe fn from_raw<'a>(device: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the safety requirement; the type is transparent.
        unsafe { &*device.cast() }
    }

    #[inline(always)]
    pub(super) fn as_raw(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// A counted reference.
    pub(crate) fn hold(&self) -> ARef<Self> {
        self.into()
    }

    /// Whether both are the same device.
    #[inline(always)]
    pub(crate) fn is(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }

    /// The interface index, unique in the namespace, at least 1.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        // SAFETY: By the type invariants the device is valid; the index is set before a device is
        // registered and changes only while it is in no namespace.
        unsafe { (*self.as_raw()).ifindex as u32 }
    }

    /// The name. RTNL keeps it as it is: who renames a device holds it, and so does who moves one
    /// to another namespace (`netif_change_name()`, `__dev_change_net_namespace()`).
    pub(crate) fn name(&self, _rtnl: &Rtnl) -> Name {
        // SAFETY: By the type invariants the device is valid, and nobody writes the name meanwhile.
        Name(unsafe { (*self.as_raw()).name })
    }

    /// The namespace that the device is in. RTNL keeps it there.
    pub(crate) fn net<'a>(&'a self, _rtnl: &'a Rtnl) -> &'a Net {
        // SAFETY: The namespace outlives the devices in it, and only who holds RTNL moves one.
        unsafe { Net::from_raw(bindings::maclearn_dev_net(self.as_raw())) }
    }

    /// The namespace that the device is in, or was in until a moment ago.
    pub(crate) fn net_rcu<'a>(&'a self, _section: &'a rcu::Guard) -> &'a Net {
        // SAFETY: The namespace outlives the devices in it, and a grace period passes between a
        // device's move and the end of the namespace that it was in.
        unsafe { Net::from_raw(bindings::maclearn_dev_net_rcu(self.as_raw())) }
    }

    /// The hardware address, a little-endian word like that of a frame's.
    pub(crate) fn address(&self) -> u64 {
        // SAFETY: `dev_addr` always points to a buffer of at least 6 bytes (32) for the device's
        // lifetime. It may change while it is read; the change is followed by a notification.
        let bytes = unsafe { (*self.as_raw()).dev_addr.cast::<[u8; 6]>().read_volatile() };
        bytes
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte))
    }

    /// Whether it is up (`netif_running()`). That may change at any time, but under RTNL.
    pub(crate) fn is_running(&self) -> bool {
        // SAFETY: By the type invariants the device is valid.
        unsafe { bindings::maclearn_is_running(self.as_raw()) }
    }

    /// Whether its link is up (`netif_carrier_ok()`). That may change at any time.
    pub(crate) fn has_carrier(&self) -> bool {
        // SAFETY: By the type invariants the device is valid.
        unsafe { bindings::maclearn_has_carrier(self.as_raw()) }
    }

    /// Whether the calling thread has `CAP_NET_ADMIN` over the device's namespace.
    pub(crate) fn may_configure(&self) -> bool {
        // SAFETY: By the type invariants the device is valid.
        unsafe { bindings::maclearn_may_configure(self.as_raw()) }
    }
}
