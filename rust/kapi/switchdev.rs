// SPDX-License-Identifier: GPL-2.0

//! The bridge as drivers of switches see it: what is configured in its forwarding database (FDB),
//! and entries that they give it; changes of the STP states and settings of its ports, of its
//! ageing time, and of VLANs; and whether a port is one of a switch.
//!
//! C header: [`include/net/switchdev.h`](srctree/include/net/switchdev.h)

use core::{
    mem::{self, MaybeUninit},
    ptr,
};

use kernel::{error::to_result, prelude::*, sync::rcu};

use super::{
    bindings,
    bridge::BridgeDevice,
    netdevice::NetDevice,
    notifier_block::{Block, Notified},
    rtnl::Rtnl,
};

/// What happened to an entry of a bridge's database, or to a port.
pub(crate) enum Event {
    /// The entry is there, perhaps changed, or it was there when [`Registration::replay`] asked.
    Added(Entry),
    /// It is gone.
    Removed(Entry),
    /// The driver of a switch is giving the bridge an entry.
    Given,
    /// A setting of the port is about to change.
    PortChanging,
}

/// An entry of a bridge's database.
pub(crate) struct Entry {
    /// The MAC address as it stands on the wire.
    pub(crate) mac: [u8; 6],
    /// VLAN identifier; 0 on a bridge that does not filter VLANs.
    pub(crate) vid: u16,
    /// Whether it was configured, rather than learned, or given by a driver.
    pub(crate) is_configured: bool,
}

/// What happened to a bridge or a port, in process context.
pub(crate) enum Change {
    /// The STP state or a setting of a port, a little while ago.
    Port,
    /// The ageing time of the bridge, a little while ago. The device is the bridge or a port.
    AgeingTime,
    /// Whether the bridge filters VLANs; another listener may still refuse that.
    VlanFiltering,
    /// A port, or the bridge itself, is about to leave a VLAN.
    VlanLeft,
    /// It is about to join one, or is a member and gets other settings there.
    VlanJoining,
}

/// Who is told of a [`Change`].
pub(crate) trait ChangeListener: Send + Sync + 'static {
    /// Called for each change, in process context with RTNL held.
    fn change(&self, device: &NetDevice, change: Change, rtnl: &Rtnl);
}

/// A listener to changes that is registered until the value is dropped.
///
/// # Examples
///
/// ```
/// use kernel::net::{
///     netdevice::NetDevice,
///     rtnl::Rtnl,
///     switchdev::{Change, ChangeListener, ChangeRegistration},
/// };
///
/// struct Log;
///
/// impl ChangeListener for Log {
///     fn change(&self, device: &NetDevice, change: Change, rtnl: &Rtnl) {
///         if let Change::VlanLeft = change {
///             pr_info!("{} leaves a VLAN\n", device.name(rtnl).as_c_str());
///         }
///     }
/// }
///
/// let registration = ChangeRegistration::new(Log)?;
/// # drop(registration);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The block is in the blocking chain of switchdev.
pub(crate) struct ChangeRegistration<L: ChangeListener>(Pin<KBox<Block<BlockingChain<L>>>>);

struct BlockingChain<L>(L);

impl<L: ChangeListener> ChangeRegistration<L> {
    /// Registers `listener`. Takes RTNL; may sleep.
    pub(crate) fn new(listener: L) -> Result<Self> {
        let block = Block::new(BlockingChain(listener))?;
        // SAFETY: The block is pinned and stays until `drop`.
        to_result(unsafe { bindings::register_switchdev_blocking_notifier(block.as_raw()) })?;
        // INVARIANT: It was just registered.
        Ok(Self(block))
    }
}

impl<L: ChangeListener> Notified for BlockingChain<L> {
    unsafe fn notify(&self, event: c_ulong, info: *mut c_void) {
        let change = match event as u32 {
            bindings::switchdev_notifier_type_SWITCHDEV_PORT_ATTR_SET => {
                // SAFETY: This notification carries the larger struct, with a valid attribute.
                let id = unsafe {
                    (*(*info.cast::<bindings::switchdev_notifier_port_attr_info>()).attr).id
                };
                match id {
                    bindings::switchdev_attr_id_SWITCHDEV_ATTR_ID_PORT_STP_STATE
                    | bindings::switchdev_attr_id_SWITCHDEV_ATTR_ID_PORT_BRIDGE_FLAGS => {
                        Change::Port
                    }
                    bindings::switchdev_attr_id_SWITCHDEV_ATTR_ID_BRIDGE_AGEING_TIME => {
                        Change::AgeingTime
                    }
                    bindings::switchdev_attr_id_SWITCHDEV_ATTR_ID_BRIDGE_VLAN_FILTERING => {
                        Change::VlanFiltering
                    }
                    _ => return,
                }
            }
            bindings::switchdev_notifier_type_SWITCHDEV_PORT_OBJ_DEL
            | bindings::switchdev_notifier_type_SWITCHDEV_PORT_OBJ_ADD => {
                // SAFETY: As above, with a valid object.
                let id = unsafe {
                    (*(*info.cast::<bindings::switchdev_notifier_port_obj_info>()).obj).id
                };
                if id != bindings::switchdev_obj_id_SWITCHDEV_OBJ_ID_PORT_VLAN {
                    return;
                }
                if event as u32 == bindings::switchdev_notifier_type_SWITCHDEV_PORT_OBJ_DEL {
                    Change::VlanLeft
                } else {
                    Change::VlanJoining
                }
            }
            _ => return,
        };
        // SAFETY: Every notification begins with a `switchdev_notifier_info` with a valid device.
        let device =
            unsafe { NetDevice::from_raw((*info.cast::<bindings::switchdev_notifier_info>()).dev) };
        // SAFETY: `call_switchdev_blocking_notifiers()` is called with RTNL held.
        let rtnl = unsafe { Rtnl::assume() };
        self.0.change(device, change, &rtnl);
    }
}

impl<L: ChangeListener> Drop for ChangeRegistration<L> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. This waits for RTNL, which calls hold.
        unsafe { bindings::unregister_switchdev_blocking_notifier(self.0.as_raw()) };
    }
}

/// Who is told.
pub(crate) trait Listener: Send + Sync + 'static {
    /// Called with the port that frames for the entry's address are sent to, or the bridge for
    /// an address of its own. The bridge may hold locks: must not sleep, nor change the database.
    fn event(&self, device: &NetDevice, event: Event, section: &rcu::Guard);
}

/// A listener that is registered until the value is dropped.
///
/// # Examples
///
/// ```
/// use kernel::{
///     net::{
///         netdevice::{Net, NetDevice},
///         rtnl::Rtnl,
///         switchdev::{Event, Listener, Registration},
///     },
///     sync::rcu,
/// };
///
/// struct Log;
///
/// impl Listener for Log {
///     fn event(&self, device: &NetDevice, event: Event, _section: &rcu::Guard) {
///         if let Event::Added(entry) = event {
///             pr_info!("{:02x?} is at device {}\n", entry.mac, device.ifindex());
///         }
///     }
/// }
///
/// let registration = Registration::new(Log)?;
/// // What is there already; nothing here, for this one is no port.
/// registration.replay(Net::initial().loopback(), &Rtnl::lock())?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The block is in the chain of switchdev that does not block.
pub(crate) struct Registration<L: Listener>(Pin<KBox<Block<Chain<L>>>>);

struct Chain<L>(L);

impl<L: Listener> Registration<L> {
    /// Registers `listener`. May sleep.
    pub(crate) fn new(listener: L) -> Result<Self> {
        let block = Block::new(Chain(listener))?;
        // SAFETY: The block is pinned and stays until `drop`.
        to_result(unsafe { bindings::register_switchdev_notifier(block.as_raw()) })?;
        // INVARIANT: It was just registered.
        Ok(Self(block))
    }

    /// Tells the listener of all entries of the bridge that `port` belongs to. May sleep.
    ///
    /// # Errors
    ///
    /// What `switchdev_bridge_port_replay()` returns.
    pub(crate) fn replay(&self, port: &NetDevice, rtnl: &Rtnl) -> Result {
        replay(&self.0, port, rtnl)
    }
}

/// Tells `listener` of all entries of the bridge that `port` belongs to, and asks it for the
/// `result`. May sleep.
///
/// # Errors
///
/// `ENOMEM`, or what `switchdev_bridge_port_replay()` returns.
///
/// # Examples
///
/// ```
/// use kernel::{
///     net::{
///         netdevice::{Net, NetDevice},
///         rtnl::Rtnl,
///         switchdev::{look_through, Event, Listener},
///     },
///     sync::{
///         atomic::{Atomic, Relaxed},
///         rcu,
///     },
/// };
///
/// /// How many entries were configured.
/// struct Configured(Atomic<i32>);
///
/// impl Listener for Configured {
///     fn event(&self, _device: &NetDevice, event: Event, _section: &rcu::Guard) {
///         if matches!(event, Event::Added(entry) if entry.is_configured) {
///             self.0.fetch_add(1, Relaxed);
///         }
///     }
/// }
///
/// let (rtnl, port) = (Rtnl::lock(), Net::initial().loopback());
/// let listener = Configured(Atomic::new(0));
/// let count = look_through(port, listener, |found| found.0.load(Relaxed), &rtnl)?;
/// // This one is no port.
/// assert_eq!(count, 0);
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn look_through<L: Listener, R>(
    port: &NetDevice,
    listener: L,
    result: impl FnOnce(&L) -> R,
    rtnl: &Rtnl,
) -> Result<R> {
    let block = Block::new(Chain(listener))?;
    replay(&block, port, rtnl)?;
    Ok(result(&block.notified().0))
}

fn replay<L: Listener>(block: &Block<Chain<L>>, port: &NetDevice, _rtnl: &Rtnl) -> Result {
    // SAFETY: The device is valid, RTNL is held, and the block is used for the duration of the call
    // only; null stands for no interest in other objects, and in an explanation.
    to_result(unsafe {
        bindings::switchdev_bridge_port_replay(
            port.as_raw(),
            port.as_raw(),
            ptr::null(),
            block.as_raw(),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    })
}

impl<L: Listener> Notified for Chain<L> {
    unsafe fn notify(&self, event: c_ulong, info: *mut c_void) {
        // SAFETY: Every notification begins with a `switchdev_notifier_info` with a valid device.
        let device =
            unsafe { NetDevice::from_raw((*info.cast::<bindings::switchdev_notifier_info>()).dev) };
        let event = match event as u32 {
            bindings::switchdev_notifier_type_SWITCHDEV_FDB_ADD_TO_DEVICE => {
                // SAFETY: This notification carries the larger struct.
                Event::Added(unsafe { Entry::from_raw(info.cast()) })
            }
            bindings::switchdev_notifier_type_SWITCHDEV_FDB_DEL_TO_DEVICE => {
                // SAFETY: As above.
                Event::Removed(unsafe { Entry::from_raw(info.cast()) })
            }
            bindings::switchdev_notifier_type_SWITCHDEV_FDB_ADD_TO_BRIDGE => {
                // SAFETY: As for the device.
                let context = unsafe { (*info.cast::<bindings::switchdev_notifier_info>()).ctx };
                if ptr::eq(context, own_context()) {
                    return;
                }
                Event::Given
            }
            bindings::switchdev_notifier_type_SWITCHDEV_PORT_ATTR_SET => Event::PortChanging,
            _ => return,
        };
        self.0.event(device, event, &rcu::read_lock());
    }
}

impl<L: Listener> Drop for Registration<L> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. This waits for calls under way.
        unsafe { bindings::unregister_switchdev_notifier(self.0.as_raw()) };
    }
}

impl Entry {
    /// # Safety
    ///
    /// `info` is valid, with the address of a station.
    unsafe fn from_raw(info: *const bindings::switchdev_notifier_fdb_info) -> Self {
        // SAFETY: By the safety requirement; an address has six bytes.
        let (info, mac) = unsafe { (&*info, (*info).addr.cast::<[u8; 6]>().read()) };
        Self {
            mac,
            vid: info.vid,
            is_configured: info.added_by_user() != 0,
        }
    }
}

/// Whether a port of a bridge is one of a hardware switch, which may forward frames by itself.
pub(crate) fn is_switch_port(port: &NetDevice, _rtnl: &Rtnl) -> bool {
    let mut id = MaybeUninit::uninit();
    // SAFETY: The device is valid, and RTNL is held, which keeps what is below it. Nothing is read
    // of the identifier of its switch.
    let status = unsafe {
        bindings::maclearn_netif_get_port_parent_id(port.as_raw(), id.as_mut_ptr(), true)
    };
    status == 0
}

/// Has the bridge send frames for an address to `port`, as if a switch had learned it there
/// (`extern_learn`, `offload`). The bridge deletes it like its own when the port is disabled,
/// leaves the VLAN or is flushed, and tells of that. An entry for the address that is there is
/// changed. Does not sleep.
///
/// RTNL keeps the port in its bridge meanwhile.
///
/// # Errors
///
/// `ENOMEM`, or what another listener answers. For a device that is no port nothing is done, which
/// is no error.
///
/// # Examples
///
/// ```
/// use kernel::{
///     net::{bridge::bridge_of, netdevice::NetDevice, rtnl::Rtnl, switchdev},
///     sync::rcu,
/// };
///
/// /// Has the bridge know of a station, or no more.
/// fn tell(port: &NetDevice, mac: [u8; 6], is_there: bool, rtnl: &Rtnl) -> Result {
///     let bridge = bridge_of(port, rtnl).ok_or(EINVAL)?;
///     if is_there {
///         return switchdev::add_to_bridge(port, mac, 0, rtnl);
///     }
///     switchdev::delete_from_bridge(bridge, mac, 0, &rcu::read_lock());
///     Ok(())
/// }
/// ```
pub(crate) fn add_to_bridge(port: &NetDevice, mac: [u8; 6], vid: u16, _rtnl: &Rtnl) -> Result {
    notify(
        bindings::switchdev_notifier_type_SWITCHDEV_FDB_ADD_TO_BRIDGE,
        port,
        mac,
        vid,
    )
}

/// Deletes such an entry from `bridge`, whichever port it sends frames to, if there is one. Any
/// context.
///
/// The bridge is asked through one of its ports, and a port may leave at any time, so as many are
/// tried as it takes. Without any the bridge has no entry either: those of a port go before it
/// does.
pub(crate) fn delete_from_bridge(
    bridge: &BridgeDevice,
    mac: [u8; 6],
    vid: u16,
    _section: &rcu::Guard,
) {
    let asked = Asked {
        bridge: bridge.as_raw(),
        mac,
        vid,
    };
    let mut private = bindings::netdev_nested_priv {
        flags: 0,
        data: (&raw const asked).cast_mut().cast(),
    };
    // SAFETY: The device is valid, the read-side section keeps those below it, and `private` and
    // what it points to are used for the duration of the call only, by `ask_through`.
    unsafe {
        bindings::netdev_walk_all_lower_dev_rcu(bridge.as_raw(), Some(ask_through), &mut private);
    }
}

/// What [`ask_through`] is to take from which bridge.
struct Asked {
    bridge: *mut bindings::net_device,
    mac: [u8; 6],
    vid: u16,
}

/// Asks a bridge through a device below it. Not 0 if it has surely been asked.
///
/// # Safety
///
/// Called in an RCU read-side section with a valid device, and an [`Asked`] as private data.
unsafe extern "C" fn ask_through(
    device: *mut bindings::net_device,
    private: *mut bindings::netdev_nested_priv,
) -> c_int {
    // SAFETY: By the safety requirement.
    let (asked, port) = unsafe {
        (
            &*(*private).data.cast::<Asked>(),
            NetDevice::from_raw(device),
        )
    };
    // Whose port the device is does not change from one bridge to another within one read-side
    // section: a device leaves in `del_nbp()`, which first unlinks it and clears its flag, and then
    // waits for readers in `netdev_rx_handler_unregister()`, all under RTNL. So if it was a port of
    // this bridge before, and is a port after, then it was this bridge that was asked.
    let is_port = || {
        // SAFETY: The device is valid.
        unsafe { bindings::maclearn_netif_is_bridge_port(device) }
    };
    // SAFETY: The device is valid, and this is a read-side section.
    let master = unsafe { bindings::netdev_master_upper_dev_get_rcu(device) };
    if master != asked.bridge || !is_port() {
        return 0;
    }
    // The port was made before it was linked, so it is seen from here on, not what was before it.
    // SAFETY: It may be called anywhere.
    unsafe { bindings::maclearn_smp_mb() };
    // It may already be gone; ignore -ENOENT.
    let _ = notify(
        bindings::switchdev_notifier_type_SWITCHDEV_FDB_DEL_TO_BRIDGE,
        port,
        asked.mac,
        asked.vid,
    );
    is_port().into()
}

/// Tells this module's own notifications from others'.
fn own_context() -> *const c_void {
    static OWN: u8 = 0;
    (&raw const OWN).cast()
}

fn notify(
    kind: bindings::switchdev_notifier_type,
    port: &NetDevice,
    mac: [u8; 6],
    vid: u16,
) -> Result {
    // SAFETY: All-zero is a valid value.
    let mut info: bindings::switchdev_notifier_fdb_info = unsafe { mem::zeroed() };
    info.info.ctx = own_context();
    info.addr = mac.as_ptr();
    info.vid = vid;
    // Not looked at when it is deleted.
    info.set_offloaded(1);
    // SAFETY: The device, and what the struct points to, are valid for the duration of the call.
    let answer = unsafe {
        bindings::call_switchdev_notifiers(
            kind as c_ulong,
            port.as_raw(),
            &raw mut info.info,
            ptr::null_mut(),
        )
    };
    // As `notifier_to_errno()` does it.
    let stop = bindings::NOTIFY_STOP_MASK as c_int;
    let answer = answer & !stop;
    if answer > bindings::NOTIFY_OK as c_int {
        to_result(bindings::NOTIFY_OK as c_int - answer)
    } else {
        Ok(())
    }
}
