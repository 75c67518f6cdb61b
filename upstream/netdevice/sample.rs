// SPDX-License-Identifier: GPL-2.0

//! Rust network device sample.

use kernel::{
    net::{
        netdevice::{Net, NetDevice},
        rtnl::Rtnl, //
    },
    prelude::*,
    sync::aref::ARef, //
};

module! {
    type: RustNetdevice,
    name: "rust_netdevice",
    authors: ["Rust for Linux Contributors"],
    description: "Rust network device sample",
    license: "GPL",
}

struct RustNetdevice {
    device: ARef<NetDevice>,
}

impl kernel::Module for RustNetdevice {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let device = Net::initial().loopback().hold();
        let name = device.name(&Rtnl::lock());
        pr_info!("device {} is {}\n", device.ifindex(), name.as_c_str());
        Ok(Self { device })
    }
}

impl Drop for RustNetdevice {
    fn drop(&mut self) {
        pr_info!("it is running: {}\n", self.device.is_running());
    }
}
