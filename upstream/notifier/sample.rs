// SPDX-License-Identifier: GPL-2.0

//! Rust network device notifier sample.

use kernel::{
    net::{
        netdevice::NetDevice,
        notifier::{Event, Listener, Registration},
        rtnl::Rtnl, //
    },
    prelude::*, //
};

module! {
    type: RustNotifier,
    name: "rust_notifier",
    authors: ["Rust for Linux Contributors"],
    description: "Rust network device notifier sample",
    license: "GPL",
}

struct Log;

impl Listener for Log {
    fn event(&self, device: &NetDevice, event: Event<'_>, rtnl: &Rtnl) {
        let name = device.name(rtnl);
        let name = name.as_c_str();
        match event {
            Event::Registered => pr_info!("{} is there\n", name),
            Event::Unregistering => pr_info!("{} goes\n", name),
            Event::UpperChanged { upper, linked } => pr_info!(
                "{} {} {}\n",
                name,
                if linked {
                    "is below"
                } else {
                    "is no more below"
                },
                upper.name(rtnl).as_c_str(),
            ),
            Event::Changed => pr_info!("{} is running: {}\n", name, device.is_running()),
            Event::AddressChanged => pr_info!("{} is now {:02x?}\n", name, device.address()),
        }
    }

    fn end(&self, _rtnl: &Rtnl) {
        pr_info!("all devices go for this listener\n");
    }
}

struct RustNotifier {
    _registration: Registration<Log>,
}

impl kernel::Module for RustNotifier {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self {
            _registration: Registration::new(Log)?,
        })
    }
}
