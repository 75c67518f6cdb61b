// SPDX-License-Identifier: GPL-2.0

//! Rust bridge sample.

use kernel::{
    net::{
        bridge::{self, bridge_of, BridgeDevice},
        netdevice::NetDevice,
        notifier::{Event, Listener, Registration},
        rtnl::Rtnl, //
    },
    prelude::*, //
};

module! {
    type: RustBridge,
    name: "rust_bridge",
    authors: ["Rust for Linux Contributors"],
    description: "Rust bridge sample",
    license: "GPL",
}

/// Tells of each port that joins a bridge what it joins.
struct Joins;

impl Listener for Joins {
    fn event(&self, device: &NetDevice, event: Event<'_>, rtnl: &Rtnl) {
        let Event::UpperChanged {
            upper,
            linked: true,
        } = event
        else {
            return;
        };
        let Some(bridge) = BridgeDevice::of(upper) else {
            return;
        };
        pr_info!(
            "{} joins {}, {} port(s), ageing {} s, filters VLANs: {}, is a port: {}\n",
            device.name(rtnl).as_c_str(),
            bridge.name(rtnl).as_c_str(),
            bridge::count_ports(bridge, rtnl),
            bridge::ageing_seconds(bridge),
            bridge::filters_vlans(bridge),
            bridge_of(device, rtnl).is_some_and(|found| found.is(bridge)),
        );
    }

    fn end(&self, _rtnl: &Rtnl) {}
}

struct RustBridge {
    _registration: Registration<Joins>,
}

impl kernel::Module for RustBridge {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self {
            _registration: Registration::new(Joins)?,
        })
    }
}
