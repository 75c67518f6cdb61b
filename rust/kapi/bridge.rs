// SPDX-License-Identifier: GPL-2.0

//! Questions that a module may ask of the kernel's bridge.
//!
//! C header: [`include/linux/if_bridge.h`](srctree/include/linux/if_bridge.h)

use core::mem::MaybeUninit;

use super::{bindings, netdevice::NetDevice, notifier::Rtnl, rcu::ReadSection, skb::VlanTag};

/// Whether the device is a bridge.
pub(crate) fn is_bridge(device: &NetDevice) -> bool {
    // SAFETY: The device is valid.
    unsafe { bindings::maclearn_is_bridge(device.as_raw()) }
}

/// The bridge that the device is a port of.
pub(crate) fn bridge_of<'a>(device: &NetDevice, _rtnl: &'a Rtnl) -> Option<&'a NetDevice> {
    // SAFETY: The device is valid; the caller holds RTNL, which also keeps the bridge enslaving it.
    unsafe {
        if !bindings::maclearn_is_bridge_port(device.as_raw()) {
            return None;
        }
        let master = bindings::netdev_master_upper_dev_get(device.as_raw());
        (!master.is_null()).then(|| NetDevice::from_raw(master))
    }
}

/// Whether the bridge filters VLANs (`vlan_filtering 1`).
pub(crate) fn filters_vlans(bridge: &NetDevice) -> bool {
    // SAFETY: `bridge` is a valid device.
    unsafe { bindings::br_vlan_enabled(bridge.as_raw()) }
}

/// Whether the bridge runs multiple spanning trees, whose states a module cannot see.
pub(crate) fn runs_mst(bridge: &NetDevice) -> bool {
    // SAFETY: `bridge` is a valid device.
    unsafe { bindings::br_mst_enabled(bridge.as_raw()) }
}

/// The VLAN that a VLAN-filtering `bridge` puts a frame in that enters through `device`, one of its
/// ports or the bridge itself, with `tag`; `None` if the bridge does not admit it there.
pub(crate) fn classify(
    bridge: &NetDevice,
    device: &NetDevice,
    tag: Option<VlanTag>,
    _section: &ReadSection,
) -> Option<u16> {
    let mut protocol = 0;
    // SAFETY: Both devices are valid, and the read-side section that the lookups need is proven by
    // the token.
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

/// Whether the port admits only authorised sources (`locked on`).
pub(crate) fn is_locked(port: &NetDevice, _section: &ReadSection) -> bool {
    // SAFETY: The device is valid, and the lookup of its port is inside a read-side section.
    unsafe {
        bindings::br_port_flag_is_set(
            port.as_raw(),
            1 << bindings::bridge_flags_bit_BR_PORT_LOCKED_BIT,
        )
    }
}
