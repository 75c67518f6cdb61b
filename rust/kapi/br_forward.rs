// SPDX-License-Identifier: GPL-2.0

//! Copies of a frame that the bridge has dealt with already: sent through its ports as it would
//! send them itself, `br_forward()`.
//!
//! C source: [`net/bridge/br_forward.c`](srctree/net/bridge/br_forward.c)

use super::{
    bindings,
    bridge::BridgeDevice,
    netdevice::NetDevice,
    rcu,
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
