// SPDX-License-Identifier: GPL-2.0

//! What happens to devices, and what is done about it: bridges come and go, ports join and leave
//! them, and what they are set to changes.

use kernel::{prelude::*, sync::Arc};

use super::{fdb::FdbNotifier, network::Network, sysfs};
use crate::{
    kapi::{
        atomic::AtomicBool,
        bridge::{self as kernel_bridge, BridgeDevice},
        netdevice::NetDevice,
        notifier::{self, Event},
        pernet, rcu,
        rtnl::Rtnl,
        switchdev::{self, Change},
        sysfs::Directory,
    },
    state::bridge::Bridge,
    work::{addresses, link, offload, vlans},
};

/// A bridge is there, or has been.
fn add_bridge(network: &Network, device: &BridgeDevice, rtnl: &Rtnl) -> Result<Arc<Bridge>> {
    if let Some(bridge) = network.bridge(device) {
        return Ok(bridge);
    }
    let bridge = network.add_bridge(device, rtnl)?;
    match Directory::new(device, c"maclearn", sysfs::BRIDGE, bridge.clone()) {
        Ok(directory) => *bridge.directory.lock() = Some(directory),
        Err(error) => {
            network.remove_bridge(device, rtnl);
            return Err(error);
        }
    }
    Ok(bridge)
}

/// A device became a port.
fn join(
    network: &Network,
    device: &NetDevice,
    bridge_device: &BridgeDevice,
    rtnl: &Rtnl,
) -> Result {
    let bridge = add_bridge(network, bridge_device, rtnl)?;
    let joined = add_port(network, &bridge, device, rtnl);
    if joined.is_err() {
        // It is a port all the same, and gets every copy.
        offload::flush_offloaded(&bridge);
    }
    update_port(network, device, rtnl);
    joined
}

fn add_port(network: &Network, bridge: &Arc<Bridge>, device: &NetDevice, rtnl: &Rtnl) -> Result {
    let port = network.add_port(bridge, device, rtnl)?;
    match Directory::new(device, c"maclearn", sysfs::PORT, port.clone()) {
        Ok(directory) => *port.directory.lock() = Some(directory),
        Err(error) => {
            network.leave(&port, rtnl);
            return Err(error);
        }
    }
    Ok(())
}

/// A device is no port any more.
fn leave(network: &Network, device: &NetDevice, rtnl: &Rtnl) {
    if let Some(port) = network.port(device) {
        network.leave(&port, rtnl);
    }
}

/// The link of a port, its STP state or a setting may have changed.
fn update_port(network: &Network, device: &NetDevice, rtnl: &Rtnl) {
    rcu::read(|section| {
        if let Some(port) = network.every_port.get(device, section) {
            link::look(port, rtnl);
        }
    });
}

fn address_changed(network: &Network, device: &NetDevice, rtnl: &Rtnl) -> Result {
    let bridge = network
        .bridge(device)
        .or_else(|| network.port(device).map(|port| port.bridge.clone()));
    bridge.map_or(Ok(()), |bridge| addresses::update(&bridge, rtnl))
}

/// Follows devices through all namespaces.
pub(crate) struct NetdevNotifier {
    /// What follows the bridges' own databases. They are asked for what was there before.
    databases: switchdev::Registration<FdbNotifier>,
    _changes: switchdev::ChangeRegistration<BridgeNotifier>,
    /// The state of the namespaces, which is there for as long as anything is followed.
    networks: pernet::Registration<Network>,
    /// Whether nothing new is followed any more. Changes under RTNL.
    has_ended: AtomicBool,
}

impl NetdevNotifier {
    /// Makes the state of the namespaces. May sleep.
    pub(crate) fn new() -> Result<Self> {
        let networks = pernet::Registration::new()?;
        Ok(Self {
            databases: switchdev::Registration::new(FdbNotifier)?,
            _changes: switchdev::ChangeRegistration::new(BridgeNotifier)?,
            networks,
            has_ended: AtomicBool::new(false),
        })
    }

    /// A device that is no bridge is there, perhaps a port since before the module was.
    fn port_registered(&self, network: &Network, device: &NetDevice, rtnl: &Rtnl) -> Result {
        let Some(bridge) = kernel_bridge::bridge_of(device, rtnl) else {
            return Ok(());
        };
        join(network, device, bridge, rtnl)?;
        let replayed = self.databases.replay(device, rtnl);
        if let (Err(_), Some(port)) = (&replayed, network.port(device)) {
            port.mark_fdb_incomplete(&mut port.bridge.table_lock.lock());
        }
        replayed
    }
}

impl notifier::Listener for NetdevNotifier {
    fn event(&self, device: &NetDevice, event: Event<'_>, rtnl: &Rtnl) {
        let Some(network) = pernet::get::<Network>(device.net(rtnl)) else {
            return;
        };
        let result = match event {
            Event::Registered | Event::UpperChanged { linked: true, .. }
                if self.has_ended.load_relaxed() =>
            {
                Ok(())
            }
            Event::Registered => match BridgeDevice::of(device) {
                Some(bridge) => add_bridge(&network, bridge, rtnl).map(drop),
                None => self.port_registered(&network, device, rtnl),
            },
            Event::UpperChanged { upper, linked } => match BridgeDevice::of(upper) {
                Some(bridge) if linked => join(&network, device, bridge, rtnl),
                Some(_) => {
                    leave(&network, device, rtnl);
                    Ok(())
                }
                None => Ok(()),
            },
            Event::Changed if kernel_bridge::is_bridge(device) => network
                .bridge(device)
                .map_or(Ok(()), |bridge| network.bridge_changed(&bridge)),
            Event::Changed => {
                update_port(&network, device, rtnl);
                Ok(())
            }
            Event::AddressChanged => address_changed(&network, device, rtnl),
            Event::Unregistering if kernel_bridge::is_bridge(device) => {
                network.remove_bridge(device, rtnl);
                Ok(())
            }
            Event::Unregistering => {
                leave(&network, device, rtnl);
                Ok(())
            }
        };
        if let Err(error) = result {
            pr_warn!(
                "interface {}: {:?}, it is not filtered\n",
                device.ifindex(),
                error
            );
        }
    }

    fn end(&self, _rtnl: &Rtnl) {
        self.has_ended.store_relaxed(true);
        self.networks.close();
    }
}

/// Follows what the bridge says of its state and that of its ports.
struct BridgeNotifier;

impl switchdev::ChangeListener for BridgeNotifier {
    fn change(&self, device: &NetDevice, change: Change, rtnl: &Rtnl) {
        let Some(network) = pernet::get::<Network>(device.net(rtnl)) else {
            return;
        };
        match change {
            Change::Port => update_port(&network, device, rtnl),
            Change::AgeingTime => {
                if let Some(bridge) = network.bridge(device) {
                    // It may be going to learn.
                    bridge.foreign.note(&mut bridge.table_lock.lock());
                    bridge.queue_maintenance();
                }
            }
            Change::VlanFiltering => {
                if let Some(bridge) = network.bridge(device) {
                    vlans::follow_filtering(&bridge, rtnl);
                }
            }
            Change::VlanLeft => rcu::read(|section| {
                if let Some(port) = network.every_port.get(device, section) {
                    port.bridge.vlans.note_left(&port.left_vlan, rtnl);
                    port.maintenance.run_within(0);
                }
            }),
            Change::VlanJoining => {
                let bridge = rcu::read(|section| {
                    let port = network.every_port.get(device, section)?;
                    let bridge = &port.bridge;
                    bridge
                        .vlans
                        .remembers(&port.left_vlan)
                        .then(|| bridge.clone())
                });
                if let Some(bridge) = bridge {
                    vlans::before_joined(&bridge, rtnl);
                }
            }
        }
    }
}
