// SPDX-License-Identifier: GPL-2.0

//! The hook that sees a bridge's own frames as they are sent: when it comes, and when it goes.
//!
//! It comes when the bridge is both tracked and filtering VLANs for the first time, be it that a
//! port is enabled or that filtering begins (`Network::update_egress()`): a port that sends a VLAN
//! untagged hides which one the bridge device's frame is in.
//!
//! It stays until the bridge goes: when any hook of a namespace is unregistered, netfilter drops
//! all that waits in a queue to user space there, whoever queued it.

use kernel::{prelude::*, sync::Arc};

use crate::{kapi::netfilter::Registration, state::bridge::Bridge};

/// Has the bridge's own frames seen as they are sent, until it goes. May sleep.
///
/// # Errors
///
/// `ENODEV` if it is about to go, or what registering a hook returns.
pub(crate) fn register(bridge: &Arc<Bridge>) -> Result {
    let mut egress = bridge.egress.lock();
    if bridge.is_closed() {
        return Err(ENODEV);
    }
    if egress.is_none() {
        *egress = Some(Registration::on_device(
            &bridge.net,
            &bridge.device,
            bridge.clone(),
            &bridge.egress_hook,
        )?);
    }
    Ok(())
}

/// Ends that, for good. The bridge is closed. May sleep.
pub(crate) fn unregister(bridge: &Bridge) {
    let egress = bridge.egress.lock().take();
    drop(egress);
}
