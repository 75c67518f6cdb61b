// SPDX-License-Identifier: GPL-2.0

//! Copies of a frame that the bridge has dealt with already: sent through its ports as it would
//! send them itself, `br_forward()`.
//!
//! C source: [`net/bridge/br_forward.c`](srctree/net/bridge/br_forward.c)

use kernel::{error::to_result, prelude::*};

use super::{
    bindings,
    bridge::BridgeDevice,
    netdevice::NetDevice,
    rcu,
    rtnl::Rtnl,
    skb::{BridgeSkBuff, Verdict},
};

/// From where a frame comes whose copies are sent.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// It came in through this port.
    Port(&'a NetDevice),
    /// The bridge device sent it.
    Bridge(&'a BridgeDevice),
}

impl<'a> Origin<'a> {
    fn device(self) -> &'a NetDevice {
        match self {
            Self::Port(port) => port,
            Self::Bridge(bridge) => bridge,
        }
    }
}

/// Has the bridge send a copy of `frame` through each of `ports`, if it would flood the frame to
/// that port, and leaves the frame as it was. `tag`, a protocol and a TCI, is the VLAN tag of the
/// frame as the bridge has classified it, if it filters VLANs; if the frame has it no more, the
/// copies get it.
///
/// For a frame that goes up to the host ([`Point::LocalIn`](super::netfilter::Point)) or leaves as
/// the bridge device's own ([`Point::LocalOut`](super::netfilter::Point)): the bridge's control
/// block is there. The hooks of a copy's way run meanwhile.
pub(crate) fn send_copies<'p>(
    frame: &mut BridgeSkBuff<'_>,
    origin: Origin<'_>,
    tag: Option<(u16, u16)>,
    ports: impl Iterator<Item = &'p NetDevice>,
    _section: &rcu::Guard,
) {
    let is_local = matches!(origin, Origin::Bridge(_));
    let device = frame.replace_device(origin.device().as_raw());
    let was_put = put_tag(frame, tag);
    for port in ports {
        // SAFETY: The device is valid. The frame has come through the bridge, which has filled in
        // its control block; it is the hook's, and stays so: the bridge sends clones. The read-side
        // section is proven by the token.
        unsafe { bindings::maclearn_br_forward_copy(port.as_raw(), frame.as_raw(), is_local) };
    }
    if was_put {
        frame.set_hwaccel_tag(0, 0);
    }
    frame.replace_device(device);
}

/// Puts `tag` beside the frame, if there is none. Whether it did.
fn put_tag(frame: &mut BridgeSkBuff<'_>, tag: Option<(u16, u16)>) -> bool {
    match tag {
        Some((protocol, tci)) if frame.hwaccel_tag().is_none() => {
            frame.set_hwaccel_tag(protocol, tci);
            true
        }
        _ => false,
    }
}

/// Has the bridge send `frame` itself, which came in through `port_in`, on through `port`, as
/// [`send_copies`] does with copies.
pub(crate) fn send<'a>(
    mut frame: BridgeSkBuff<'a>,
    port_in: &NetDevice,
    tag: Option<(u16, u16)>,
    port: &NetDevice,
    _section: &rcu::Guard,
) -> Verdict<'a> {
    frame.replace_device(port_in.as_raw());
    put_tag(&mut frame, tag);
    // SAFETY: As in `send_copies`; the frame is given away.
    frame.give_away(|skb| unsafe { bindings::maclearn_br_forward(port.as_raw(), skb) })
}

/// Takes a frame that was on its way up to the host from `bridge` off what that has counted as
/// received (`rx_packets`, `rx_bytes`). Does nothing where softirqs have been on since.
pub(crate) fn uncount_received(
    bridge: &BridgeDevice,
    frame: &BridgeSkBuff<'_>,
    _section: &rcu::Guard,
) {
    // SAFETY: The device is a bridge, whose counters are `tstats`.
    unsafe { bindings::maclearn_rx_uncount(bridge.as_raw(), frame.bytes_behind_header()) };
}

/// How many want to see every frame that `device` receives (`promiscuity` of `ip -d link show`).
pub(crate) fn promiscuity(device: &NetDevice) -> u32 {
    // SAFETY: The device is valid. Others may be writing.
    unsafe { (&raw const (*device.as_raw()).promiscuity).read_volatile() }
}

/// Makes `device` receive every frame, for one more who wants to see them, or ends that. May sleep.
///
/// # Errors
///
/// `EOVERFLOW`, or what the driver says.
pub(crate) fn set_promiscuous(device: &NetDevice, on: bool, _rtnl: &Rtnl) -> Result {
    // SAFETY: The device is valid, and RTNL is held.
    to_result(unsafe { bindings::dev_set_promiscuity(device.as_raw(), if on { 1 } else { -1 }) })
}

/// Whether a port of a bridge is one of a hardware switch, which may forward frames by itself.
pub(crate) fn is_switch_port(port: &NetDevice, _rtnl: &Rtnl) -> bool {
    // SAFETY: The device is valid, and RTNL is held.
    unsafe { bindings::maclearn_is_switch_port(port.as_raw()) }
}

/// Whether br_netfilter is loaded, so that frames of bridges go through the hooks of IP.
pub(crate) fn has_br_netfilter() -> bool {
    // SAFETY: No requirement.
    unsafe { bindings::maclearn_has_br_netfilter() }
}

/// Whether the bridge sends the frames of some groups to their members only, as `port` sees it: it
/// snoops, and a querier is about or will be in a moment.
pub(crate) fn has_querier(bridge: &BridgeDevice, port: &NetDevice) -> bool {
    // SAFETY: The devices are valid; of the port it is asked whether it is one.
    unsafe { bindings::maclearn_has_querier(bridge.as_raw(), port.as_raw()) }
}
