// SPDX-License-Identifier: GPL-2.0

//! Changing settings, and what that takes.

use kernel::prelude::*;

use super::network::Network;
use crate::{
    state::{
        bridge::Bridge,
        port::Port,
        settings::{BridgeSetting, Change, PortSetting, FDB_OFFLOAD_OFF},
    },
    work::{ageing, offload, recovery, walk::Walk},
};

/// Changes settings of a port of this namespace, all of those given or none. May sleep.
///
/// # Errors
///
/// Those of [`Network::set_enabled`].
pub(crate) fn change_port(network: &Network, port: &Port, change: &Change<PortSetting>) -> Result {
    // The only step that can fail.
    if let Some(on) = change.get(PortSetting::Enabled) {
        network.set_enabled(port, on != 0)?;
    }
    port.change(&mut port.bridge.table_lock.lock(), change);
    recovery::update_failure_state(&port.bridge);
    Ok(())
}

/// Changes settings of a bridge, in the order of the table. May sleep.
pub(crate) fn change_bridge(bridge: &Bridge, change: &Change<BridgeSetting>) {
    let set = |setting, value| {
        bridge
            .settings
            .set(&bridge.table_lock.lock(), setting, value)
    };
    for (setting, value) in change.iter() {
        match setting {
            // Read where they matter.
            BridgeSetting::AutoEnable
            | BridgeSetting::Exclusive
            | BridgeSetting::DefaultLearning
            | BridgeSetting::DefaultUnknownUnicast
            | BridgeSetting::DefaultOnFailure
            | BridgeSetting::DefaultMaxMacs => set(setting, value),
            BridgeSetting::MaxMacs => {
                set(setting, value);
                recovery::update_failure_state(bridge);
            }
            BridgeSetting::AgeingTime => {
                let walk = Walk::begin(bridge);
                // It is its own then.
                set(BridgeSetting::Ageing, 0);
                ageing::set_seconds(&walk, value);
            }
            BridgeSetting::Ageing => {
                set(setting, value);
                ageing::follow_bridge(bridge);
            }
            BridgeSetting::FdbOffload => {
                set(setting, value);
                if value == FDB_OFFLOAD_OFF {
                    offload::flush_offloaded(bridge);
                }
                bridge.queue_maintenance();
            }
        }
    }
    bridge.note_changed();
}
