// SPDX-License-Identifier: GPL-2.0

//! Changing settings, and what that takes.

use kernel::prelude::*;

use super::network::Network;
use crate::{
    state::{
        bridge::Bridge,
        port::Port,
        settings::{BridgeChange, PortChange},
    },
    work::{ageing, offload, recovery, walk::Walk},
};

/// Changes settings of a port of this namespace, all of those given or none. May sleep.
///
/// # Errors
///
/// Those of [`Network::set_enabled`].
pub(crate) fn change_port(network: &Network, port: &Port, change: &PortChange) -> Result {
    // The only step that can fail.
    if let Some(on) = change.enabled {
        network.set_enabled(port, on)?;
    }
    port.change(&mut port.bridge.writer.lock(), change);
    recovery::settle(&port.bridge);
    Ok(())
}

/// Changes settings of a bridge. May sleep.
pub(crate) fn change_bridge(bridge: &Bridge, change: &BridgeChange) {
    bridge
        .defaults
        .change(&bridge.writer.lock(), &change.defaults);
    if let Some(on) = change.exclusive {
        bridge.exclusive.store_relaxed(on.into());
    }
    if let Some(macs) = change.max_macs {
        bridge.max_macs.store_relaxed(macs);
        recovery::settle(bridge);
    }
    if let Some(seconds) = change.ageing_seconds {
        let walk = Walk::begin(bridge);
        bridge.follows_ageing.store_relaxed(0);
        ageing::set_seconds(&walk, seconds);
    }
    if let Some(on) = change.follows_ageing {
        bridge.follows_ageing.store_relaxed(on.into());
        ageing::follow_bridge(bridge);
    }
    if let Some(on) = change.offload {
        bridge.offload.store_relaxed(on.into());
        if !on {
            offload::flush(bridge);
        }
        bridge.ask_for_upkeep();
    }
    bridge.note_changed();
}
