// SPDX-License-Identifier: GPL-2.0

//! Network devices.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use core::ptr::NonNull;

use kernel::{
    error::{to_result, Result},
    ffi::c_int,
    str::CStr,
    sync::{
        aref::{ARef, AlwaysRefCounted},
        rcu,
    },
    types::Opaque,
};

use super::{bindings, rtnl::Rtnl};

/// Bytes of an Ethernet address (`ETH_ALEN`).
const ADDRESS_BYTES: usize = bindings::ETH_ALEN as usize;

/// A network namespace (`struct net`).
///
/// # Invariants
///
/// It has been set up, or is being, and has not been freed.
#[repr(transparent)]
pub(crate) struct Net(Opaque<bindings::net>);

impl Net {
    /// Wraps a `struct net`.
    ///
    /// # Safety
    ///
    /// For `'a`, `net` is a namespace that the type invariants hold for.
    pub(super) unsafe fn from_raw<'a>(net: *mut bindings::net) -> &'a Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: As above; the type is transparent.
        unsafe { &*net.cast() }
    }

    /// The one that is there from the beginning to the end (`init_net`).
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::net::netdevice::Net;
    ///
    /// assert_eq!(Net::initial().loopback().ifindex(), 1);
    /// ```
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn initial() -> &'static Self {
        // SAFETY: It is a static of the kernel's.
        unsafe { Self::from_raw(&raw mut bindings::init_net) }
    }

    /// Its loopback device, which goes as the last of its devices.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn loopback(&self) -> &NetDevice {
        // SAFETY: The namespace is valid; it gets the device before anybody else sees it, and keeps
        // it until it is at its end.
        unsafe { NetDevice::from_raw((*self.as_raw()).loopback_dev) }
    }

    pub(super) fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }
}

/// The name of a device at one time (`IFNAMSIZ` bytes, with the zero at its end).
pub(crate) struct Name([u8; bindings::IFNAMSIZ as usize]);

impl Name {
    /// The name as a C string.
    pub(crate) fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}

/// A network device (`struct net_device`).
///
/// # Examples
///
/// ```
/// use kernel::net::{netdevice::Net, rtnl::Rtnl};
///
/// let loopback = Net::initial().loopback().hold();
/// let rtnl = Rtnl::lock();
/// assert_eq!(loopback.name(&rtnl).as_c_str(), c"lo");
/// assert_eq!(loopback.address(), [0; 6]);
/// ```
///
/// # Invariants
///
/// It is registered, or was, and nothing of it has been freed: somebody holds it, or a read-side
/// section in which it was found has not ended. Unregistering waits for both.
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
    /// For `'a`, `device` is one that the type invariants hold for.
    #[inline(always)]
    pub(super) unsafe fn from_raw<'a>(device: *mut bindings::net_device) -> &'a Self {
        // INVARIANT: By the safety requirement.
        // SAFETY: As above; the type is transparent.
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

    /// The first bytes of the hardware address; of an Ethernet device, all of it.
    pub(crate) fn address(&self) -> [u8; ADDRESS_BYTES] {
        // SAFETY: `dev_addr` always points to a buffer of 32 bytes (`MAX_ADDR_LEN`) for the
        // device's lifetime. It may change while it is read; the change is followed by a
        // notification.
        unsafe { (*self.as_raw()).dev_addr.cast::<[u8; 6]>().read_volatile() }
    }

    /// Whether it is up (`netif_running()`). That may change at any time, but under RTNL.
    pub(crate) fn is_running(&self) -> bool {
        // SAFETY: By the type invariants the device is valid.
        unsafe { bindings::maclearn_netif_running(self.as_raw()) }
    }

    /// Whether its link is up (`netif_carrier_ok()`). That may change at any time.
    pub(crate) fn has_carrier(&self) -> bool {
        // SAFETY: By the type invariants the device is valid.
        unsafe { bindings::maclearn_netif_carrier_ok(self.as_raw()) }
    }

    /// How many want to see every frame that it receives (`promiscuity` of `ip -d link show`). That
    /// may change at any time, but under RTNL.
    pub(crate) fn promiscuity(&self) -> u32 {
        // SAFETY: By the type invariants the device is valid. Others may be writing.
        unsafe { (&raw const (*self.as_raw()).promiscuity).read_volatile() }
    }

    /// Makes it receive every frame, for one more who wants to see them, or ends that
    /// (`dev_set_promiscuity()`). May sleep.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW`, or what the driver says.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::net::{netdevice::Net, rtnl::Rtnl};
    ///
    /// let (loopback, rtnl) = (Net::initial().loopback(), Rtnl::lock());
    /// let before = loopback.promiscuity();
    /// loopback.set_promiscuous(true, &rtnl)?;
    /// assert_eq!(loopback.promiscuity(), before + 1);
    /// loopback.set_promiscuous(false, &rtnl)?;
    /// # Ok::<(), Error>(())
    /// ```
    pub(crate) fn set_promiscuous(&self, on: bool, _rtnl: &Rtnl) -> Result {
        // SAFETY: By the type invariants the device is valid, and RTNL is held.
        to_result(unsafe { bindings::dev_set_promiscuity(self.as_raw(), if on { 1 } else { -1 }) })
    }

    /// Whether the calling thread has `CAP_NET_ADMIN` over the device's namespace.
    pub(crate) fn may_configure(&self) -> bool {
        let section = rcu::read_lock();
        let net = self.net_rcu(&section).as_raw();
        // SAFETY: The namespace is valid during the section, and keeps its user namespace.
        unsafe { bindings::ns_capable((*net).user_ns, bindings::CAP_NET_ADMIN as c_int) }
    }
}

#[kernel::macros::kunit_tests(maclearn_netdevice)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_the_first_device_of_its_namespace() {
        let rtnl = Rtnl::lock();
        let (net, device) = (Net::initial(), Net::initial().loopback());
        assert_eq!(device.ifindex(), 1);
        assert_eq!(device.name(&rtnl).as_c_str().to_bytes(), b"lo");
        assert_eq!(device.address(), [0; ADDRESS_BYTES]);
        assert!(core::ptr::eq(device.net(&rtnl), net));
        assert!(core::ptr::eq(device.net_rcu(&rcu::read_lock()), net));
        assert!(device.may_configure());
    }

    #[test]
    fn reference_is_to_the_same_device() {
        let held = Net::initial().loopback().hold();
        assert!(held.is(Net::initial().loopback()));
    }
}
