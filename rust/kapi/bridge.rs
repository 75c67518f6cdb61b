// SPDX-License-Identifier: GPL-2.0

//! Questions that a module may ask of the kernel's bridge.
//!
//! C header: [`include/linux/if_bridge.h`](srctree/include/linux/if_bridge.h)

use core::{
    mem::{self, MaybeUninit},
    ops::Deref,
    ptr::{self, NonNull},
};

use kernel::{
    ffi::{c_int, c_ulong},
    sync::{
        aref::{ARef, AlwaysRefCounted},
        rcu,
    },
};

use super::{bindings, netdevice::NetDevice, rtnl::Rtnl, vlan::VlanTag};

/// A network device that is a bridge.
///
/// # Examples
///
/// ```
/// use kernel::net::{bridge::BridgeDevice, netdevice::Net};
///
/// assert!(BridgeDevice::of(Net::initial().loopback()).is_none());
/// ```
///
/// # Invariants
///
/// It was made by the kernel's bridge, so that its private data are a `struct net_bridge`, and
/// stays so for as long as it is there (`netif_is_bridge_master()`).
#[repr(transparent)]
pub(crate) struct BridgeDevice(NetDevice);

impl BridgeDevice {
    /// The device, if it is a bridge.
    pub(crate) fn of(device: &NetDevice) -> Option<&Self> {
        // SAFETY: The device is valid.
        unsafe { bindings::maclearn_netif_is_bridge_master(device.as_raw()) }.then(|| {
            // SAFETY: The type is transparent.
            // INVARIANT: It was just seen.
            unsafe { &*core::ptr::from_ref(device).cast() }
        })
    }

    /// A counted reference.
    pub(crate) fn hold(&self) -> ARef<Self> {
        self.into()
    }
}

impl Deref for BridgeDevice {
    type Target = NetDevice;

    #[inline(always)]
    fn deref(&self) -> &NetDevice {
        &self.0
    }
}

// SAFETY: As for `NetDevice`.
unsafe impl AlwaysRefCounted for BridgeDevice {
    fn inc_ref(&self) {
        self.0.inc_ref();
    }

    unsafe fn dec_ref(device: NonNull<Self>) {
        // SAFETY: The caller owns a reference, and the type is transparent.
        unsafe { NetDevice::dec_ref(device.cast()) };
    }
}

/// Whether the device is a bridge.
pub(crate) fn is_bridge(device: &NetDevice) -> bool {
    BridgeDevice::of(device).is_some()
}

/// The bridge that the device is a port of.
///
/// # Examples
///
/// ```
/// use kernel::net::{
///     bridge::{self, bridge_of},
///     netdevice::{Net, NetDevice},
///     rtnl::Rtnl,
/// };
///
/// /// The other ports of the bridge that a device is a port of.
/// fn count_neighbours(device: &NetDevice, rtnl: &Rtnl) -> Option<usize> {
///     bridge_of(device, rtnl).map(|bridge| bridge::count_ports(bridge, rtnl) - 1)
/// }
///
/// let rtnl = Rtnl::lock();
/// assert_eq!(count_neighbours(Net::initial().loopback(), &rtnl), None);
/// ```
pub(crate) fn bridge_of<'a>(device: &'a NetDevice, _rtnl: &'a Rtnl) -> Option<&'a BridgeDevice> {
    // SAFETY: The device is valid; the caller holds RTNL, which also keeps the bridge enslaving it.
    let master = unsafe {
        if !bindings::maclearn_netif_is_bridge_port(device.as_raw()) {
            return None;
        }
        bindings::netdev_master_upper_dev_get(device.as_raw())
    };
    if master.is_null() {
        return None;
    }
    // SAFETY: It is a device that stays while RTNL is held.
    BridgeDevice::of(unsafe { NetDevice::from_raw(master) })
}

/// How many ports the bridge has.
pub(crate) fn count_ports(bridge: &BridgeDevice, _rtnl: &Rtnl) -> usize {
    let mut count = 0;
    // SAFETY: The device is valid; RTNL keeps the list of those below it, which for a bridge are
    // its ports (`netdev_for_each_lower_dev()`).
    unsafe {
        let mut next = (*bridge.as_raw()).adj_list.lower.next;
        while !bindings::netdev_lower_get_next(bridge.as_raw(), &mut next).is_null() {
            count += 1;
        }
    }
    count
}

/// Whether the bridge's database has a port for an address (`br_fdb_find_port()`).
pub(crate) fn has_entry(bridge: &BridgeDevice, mac: [u8; 6], vid: u16, _rtnl: &Rtnl) -> bool {
    // SAFETY: The device is valid, the address has six bytes, and RTNL is held.
    let port = unsafe { bindings::br_fdb_find_port(bridge.as_raw(), mac.as_ptr(), vid) };
    !port.is_null()
}

/// Whether the bridge filters VLANs (`vlan_filtering 1`).
pub(crate) fn filters_vlans(bridge: &BridgeDevice) -> bool {
    // SAFETY: `bridge` is a valid device.
    unsafe { bindings::br_vlan_enabled(bridge.as_raw()) }
}

/// Whether the bridge runs multiple spanning trees, whose states a module cannot see.
pub(crate) fn runs_mst(bridge: &BridgeDevice) -> bool {
    // SAFETY: `bridge` is a valid device.
    unsafe { bindings::br_mst_enabled(bridge.as_raw()) }
}

/// The EtherType of the tags by which a bridge filters VLANs.
pub(crate) fn vlan_protocol(bridge: &BridgeDevice) -> u16 {
    let mut protocol = 0;
    // SAFETY: `bridge` is a valid device, and a bridge.
    unsafe { bindings::br_vlan_get_proto(bridge.as_raw(), &mut protocol) };
    protocol
}

/// The VLAN that a VLAN-filtering `bridge` puts a frame in that enters through `device`, one of its
/// ports or the bridge itself, with `tag`; `None` if the bridge does not admit it there.
///
/// # Examples
///
/// ```
/// use kernel::{
///     net::{
///         bridge::{self, BridgeDevice},
///         netdevice::NetDevice,
///         vlan::VlanTag,
///     },
///     sync::rcu,
/// };
///
/// /// The VLAN of a frame, 0 on a bridge without.
/// fn vid(bridge: &BridgeDevice, port: &NetDevice, tag: Option<VlanTag>) -> Option<u16> {
///     if bridge::filters_vlans(bridge) {
///         bridge::classify(bridge, port, tag, &rcu::read_lock())
///     } else {
///         Some(0)
///     }
/// }
/// ```
pub(crate) fn classify(
    bridge: &BridgeDevice,
    device: &NetDevice,
    tag: Option<VlanTag>,
    _section: &rcu::Guard,
) -> Option<u16> {
    let mut protocol = 0;
    // SAFETY: `bridge` is one; of `device` the functions look whether it is a bridge or a port
    // before they look closer, inside the read-side section that the token proves.
    unsafe {
        bindings::br_vlan_get_proto(bridge.as_raw(), &mut protocol);
        match tag {
            Some(tag) if tag.protocol == protocol && tag.vid != 0 => {
                let mut info = MaybeUninit::uninit();
                (bindings::br_vlan_get_info_rcu(device.as_raw(), tag.vid, info.as_mut_ptr()) == 0)
                    .then_some(tag.vid)
            }
            _ => {
                let mut pvid = 0;
                (bindings::br_vlan_get_pvid_rcu(device.as_raw(), &mut pvid) == 0 && pvid != 0)
                    .then_some(pvid)
            }
        }
    }
}

/// Seconds after which the bridge forgets what it has learned by itself, rounded up; 0 if it learns
/// nothing.
pub(crate) fn ageing_seconds(bridge: &BridgeDevice) -> u64 {
    // SAFETY: `bridge` is a valid device, and a bridge.
    let ticks = unsafe { bindings::br_get_ageing_time(bridge.as_raw()) };
    (ticks as u64).div_ceil(u64::from(bindings::USER_HZ))
}

/// Whether the bridge learns nothing by itself, since its own entries would age at once
/// (`ageing_time 0`).
pub(crate) fn is_hub(bridge: &BridgeDevice) -> bool {
    // SAFETY: `bridge` is a valid device.
    unsafe { bindings::br_get_ageing_time(bridge.as_raw()) == 0 }
}

/// Whether a port of a bridge is in the STP state forwarding, the only one in which it is sent
/// frames.
pub(crate) fn is_forwarding(port: &NetDevice, _rtnl: &Rtnl) -> bool {
    // SAFETY: The device is valid, and the caller holds RTNL.
    let state = unsafe { bindings::br_port_get_stp_state(port.as_raw()) };
    u32::from(state) == bindings::BR_STATE_FORWARDING
}

/// Whether a port of a bridge is in an STP state in which the bridge admits frames: learning or
/// forwarding.
pub(crate) fn is_learning(port: &NetDevice, rtnl: &Rtnl) -> bool {
    // SAFETY: The device is valid, and the caller holds RTNL.
    let state = unsafe { bindings::br_port_get_stp_state(port.as_raw()) };
    u32::from(state) == bindings::BR_STATE_LEARNING || is_forwarding(port, rtnl)
}

/// Whether the bridge of `port` snoops, and its own multicast context has a querier: then it sends
/// frames for a group to the group's members only.
///
/// The contexts of single VLANs (`mcast_vlan_snooping`) are not asked. Entries of the MDB for MACs
/// need no querier.
pub(crate) fn has_querier(bridge: &BridgeDevice, port: &NetDevice) -> bool {
    snoops(bridge)
        && has_for_any_protocol(|protocol| {
            // SAFETY: The device is valid, and it is asked whether it is a port.
            unsafe { bindings::maclearn_br_multicast_has_querier_anywhere(port.as_raw(), protocol) }
        })
}

/// Like [`has_querier`], also where it will have one in a moment that is not behind `port`.
pub(crate) fn may_have_querier(bridge: &BridgeDevice, port: &NetDevice) -> bool {
    has_querier(bridge, port)
        || snoops(bridge)
            && has_for_any_protocol(|protocol| {
                // SAFETY: As above.
                unsafe {
                    bindings::maclearn_br_multicast_has_querier_adjacent(port.as_raw(), protocol)
                }
            })
}

fn snoops(bridge: &BridgeDevice) -> bool {
    // SAFETY: The device is valid, and a bridge.
    unsafe { bindings::maclearn_br_multicast_enabled(bridge.as_raw()) }
}

fn has_for_any_protocol(has: impl Fn(c_int) -> bool) -> bool {
    has(bindings::ETH_P_IP as c_int) || has(bindings::ETH_P_IPV6 as c_int)
}

/// Whether a bridge device is a member of a VLAN itself: it receives and sends the frames there.
pub(crate) fn is_member(bridge: &BridgeDevice, vid: u16, _section: &rcu::Guard) -> bool {
    let mut info = MaybeUninit::<bindings::bridge_vlan_info>::uninit();
    // SAFETY: The device is valid, and the lookups are inside a read-side section. The structure is
    // written where that returns 0.
    unsafe {
        bindings::br_vlan_get_info_rcu(bridge.as_raw(), vid, info.as_mut_ptr()) == 0
            && u32::from(info.assume_init_ref().flags) & bindings::BRIDGE_VLAN_INFO_BRENTRY != 0
    }
}

/// Whether a port of a bridge is a member of a VLAN.
pub(crate) fn has_vlan(port: &NetDevice, vid: u16, _section: &rcu::Guard) -> bool {
    let mut info = MaybeUninit::uninit();
    // SAFETY: The device is valid, and the lookups are inside a read-side section.
    unsafe { bindings::br_vlan_get_info_rcu(port.as_raw(), vid, info.as_mut_ptr()) == 0 }
}

/// Whether the bridge's own database (FDB) has an entry by which it sends frames for an address to
/// a port, or up to the host for a port's own address. `true` if that can't be told.
///
/// It is what the bridge device's `ndo_fill_forward_path()` looks up. An entry for a port that is
/// not in the VLAN does not count.
pub(crate) fn has_path(
    bridge: &BridgeDevice,
    mac: [u8; 6],
    vid: u16,
    _section: &rcu::Guard,
) -> bool {
    // SAFETY: The device is valid, and its operations are for as long.
    let Some(fill) = (unsafe { (*(*bridge.as_raw()).netdev_ops).ndo_fill_forward_path }) else {
        return true;
    };
    // SAFETY: All-zero is a valid value of both: the device and the address are set next, and no
    // path was gone yet.
    let (mut context, mut path): (bindings::net_device_path_ctx, bindings::net_device_path) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    context.dev = bridge.as_raw();
    context.daddr = mac;
    if vid != 0 {
        let mut protocol = 0;
        // SAFETY: The device is a bridge.
        unsafe { bindings::br_vlan_get_proto(bridge.as_raw(), &mut protocol) };
        context.vlan[0].id = vid;
        context.vlan[0].proto = protocol.to_be();
        context.num_vlans = 1;
    }
    // SAFETY: Both point to values of this function's, and the read-side section that the lookup
    // needs is proven by the token.
    unsafe { fill(&mut context, &mut path) == 0 }
}

/// Whether the bridge's own database has an entry for an address that is about `port`.
pub(crate) fn has_entry_at(
    bridge: &BridgeDevice,
    port: &NetDevice,
    mac: [u8; 6],
    vid: u16,
    _rtnl: &Rtnl,
) -> bool {
    // SAFETY: The device is valid, the address has six bytes, and RTNL is held.
    let found = unsafe { bindings::br_fdb_find_port(bridge.as_raw(), mac.as_ptr(), vid) };
    ptr::eq(found, port.as_raw())
}

/// A setting of a port of the bridge.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum PortFlag {
    /// It admits only authorised sources (`locked on`).
    Locked = bindings::maclearn_port_flag_MACLEARN_BR_PORT_LOCKED,
    /// The bridge itself learns there (`learning on`).
    Learning = bindings::maclearn_port_flag_MACLEARN_BR_LEARNING,
    /// It gets frames for unknown unicast destinations (`flood on`).
    Flood = bindings::maclearn_port_flag_MACLEARN_BR_FLOOD,
    /// The bridge answers ARP for it (`proxy_arp on`).
    ProxyArp = bindings::maclearn_port_flag_MACLEARN_BR_PROXYARP,
    /// The same for wireless stations (`proxy_arp_wifi on`).
    ProxyArpWifi = bindings::maclearn_port_flag_MACLEARN_BR_PROXYARP_WIFI,
    /// ARP and neighbour discovery that the bridge can answer are kept from it
    /// (`neigh_suppress on`).
    NeighbourSuppress = bindings::maclearn_port_flag_MACLEARN_BR_NEIGH_SUPPRESS,
    /// The same, VLAN by VLAN (`neigh_vlan_suppress on`).
    NeighbourVlanSuppress = bindings::maclearn_port_flag_MACLEARN_BR_NEIGH_VLAN_SUPPRESS,
    /// It is sent nothing that came in through another port like it (`isolated on`).
    Isolated = bindings::maclearn_port_flag_MACLEARN_BR_ISOLATED,
    /// VLANs are mapped to tunnels there (`vlan_tunnel on`).
    VlanTunnel = bindings::maclearn_port_flag_MACLEARN_BR_VLAN_TUNNEL,
}

/// Whether the port has a setting.
///
/// # Examples
///
/// ```
/// use kernel::{
///     net::{
///         bridge::{has_flag, PortFlag},
///         netdevice::Net,
///     },
///     sync::rcu,
/// };
///
/// // This one is no port.
/// let loopback = Net::initial().loopback();
/// assert!(!has_flag(loopback, PortFlag::Flood, &rcu::read_lock()));
/// ```
pub(crate) fn has_flag(port: &NetDevice, flag: PortFlag, _section: &rcu::Guard) -> bool {
    // SAFETY: The device is valid, and the lookup of its port is inside a read-side section.
    unsafe { bindings::br_port_flag_is_set(port.as_raw(), flag as c_ulong) }
}
