// SPDX-License-Identifier: GPL-2.0

//! Rust monitor of a bridge's forwarding database.

use kernel::{
    net::{
        netdevice::NetDevice,
        rtnl::Rtnl,
        switchdev::{Change, ChangeListener, ChangeRegistration, Event, Listener, Registration}, //
    },
    prelude::*,
    sync::rcu, //
};

module! {
    type: RustSwitchdev,
    name: "rust_switchdev",
    authors: ["Rust for Linux Contributors"],
    description: "Rust monitor of a bridge's forwarding database",
    license: "GPL",
}

struct Log;

impl Listener for Log {
    fn event(&self, device: &NetDevice, event: Event, _section: &rcu::Guard) {
        let port = device.ifindex();
        match event {
            Event::Added(entry) => {
                pr_info!(
                    "{:02x?} in VLAN {} is at device {}\n",
                    entry.mac,
                    entry.vid,
                    port
                );
            }
            Event::Removed(entry) => {
                pr_info!(
                    "{:02x?} in VLAN {} left device {}\n",
                    entry.mac,
                    entry.vid,
                    port
                );
            }
            Event::Given => pr_info!("a driver knows of somebody at device {}\n", port),
            Event::PortChanging => pr_info!("device {} gets a setting\n", port),
        }
    }
}

impl ChangeListener for Log {
    fn change(&self, device: &NetDevice, change: Change, rtnl: &Rtnl) {
        if let Change::VlanJoining = change {
            pr_info!("{} is in one more VLAN\n", device.name(rtnl).as_c_str());
        }
    }
}

struct RustSwitchdev {
    _events: Registration<Log>,
    _changes: ChangeRegistration<Log>,
}

impl kernel::Module for RustSwitchdev {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self {
            _events: Registration::new(Log)?,
            _changes: ChangeRegistration::new(Log)?,
        })
    }
}
