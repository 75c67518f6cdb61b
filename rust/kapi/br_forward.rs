// SPDX-License-Identifier: GPL-2.0

//! Copies of a frame that the bridge has dealt with already: sent through its ports as it would
//! send them itself, `br_forward()`.
//!
//! C source: [`net/bridge/br_forward.c`](srctree/net/bridge/br_forward.c)

use super::{
    bindings,
    bridge::BridgeDevice,
    netdevice::NetDevice,
    netfilter::{points, Bridged, PointContext},
    percpu, preempt,
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
/// For a hook at a point where the bridge has dealt with the frame, whose `context` it takes. Does
/// nothing with a frame that has come there another way. The hooks of a copy's way run meanwhile.
pub(crate) fn send_copies<'a, 'p, P: Bridged>(
    frame: &mut BridgeSkBuff<'a>,
    origin: Origin<'_>,
    tag: Option<(u16, u16)>,
    ports: impl Iterator<Item = &'p NetDevice>,
    _context: &PointContext<'a, P>,
) {
    if !frame.is_bridged() {
        return;
    }
    let is_local = matches!(origin, Origin::Bridge(_));
    let device = frame.replace_device(origin.device().as_raw());
    let was_put = put_tag(frame, tag);
    for port in ports {
        // SAFETY: The device is valid. By its context, which is of the same call, and what was just
        // asked, the bridge has dealt with the frame, and this is a read-side section; the frame is
        // the hook's, and stays so: the bridge sends clones.
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
/// [`send_copies`] does with copies. What has not come through the bridge is consumed.
pub(crate) fn send<'a>(
    mut frame: BridgeSkBuff<'a>,
    port_in: &NetDevice,
    tag: Option<(u16, u16)>,
    port: &NetDevice,
    _context: &PointContext<'a, points::LocalIn>,
) -> Verdict<'a> {
    if !frame.is_bridged() {
        return frame.consume();
    }
    frame.replace_device(port_in.as_raw());
    put_tag(&mut frame, tag);
    // SAFETY: As in `send_copies`; the frame is given away.
    frame.give_away(|skb| unsafe { bindings::maclearn_br_forward(port.as_raw(), skb) })
}

/// Takes a frame that was on its way up to the host from `bridge` off what that has counted as
/// received (`rx_packets`, `rx_bytes`). Does nothing where softirqs have been on since.
#[inline]
pub(crate) fn uncount_received<'a>(
    bridge: &BridgeDevice,
    frame: &BridgeSkBuff<'a>,
    _context: &PointContext<'a, points::LocalIn>,
) {
    if !preempt::are_softirqs_excluded() {
        return;
    }
    let bytes = u64::from(frame.bytes_behind_header());
    let counters = counters(bridge);
    // SAFETY: They are per CPU, and begin with `rx_packets` and `rx_bytes` (`helpers.h` looks).
    // What `dev_sw_netstats_rx_add()` does is undone. That runs with softirqs off, never in a hard
    // interrupt, and they are off here.
    unsafe {
        percpu::add::<1>(counters, bytes.wrapping_neg());
        percpu::add::<0>(counters, 1u64.wrapping_neg());
    }
}

/// How many frames the bridge device has sent on this CPU (`tx_packets`), modulo 2^32: the same for
/// all copies of one of them, unless another one is sent meanwhile. The bridge counts before it
/// makes them (`br_dev_xmit()`). `None` where softirqs have been on since.
pub(crate) fn frames_sent(
    bridge: &BridgeDevice,
    _context: &PointContext<'_, points::LocalOut>,
) -> Option<u32> {
    if !preempt::are_softirqs_excluded() {
        return None;
    }
    // SAFETY: They are per CPU; the third of them is `tx_packets`.
    Some(unsafe { percpu::read::<2>(counters(bridge)) as u32 })
}

/// What the bridge device counts, a `struct pcpu_sw_netstats` per CPU.
#[inline]
fn counters(bridge: &BridgeDevice) -> *mut u64 {
    let offset = bindings::maclearn_layout_MACLEARN_NET_DEVICE_TSTATS as usize;
    // SAFETY: The device is a bridge, whose counters are `tstats` (`br_dev_setup()`): the constant
    // is the offset of that field, which is set before the device is registered, and stays as it is
    // until all of it is freed.
    unsafe { bridge.as_raw().byte_add(offset).cast::<*mut u64>().read() }
}
