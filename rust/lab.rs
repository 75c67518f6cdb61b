// SPDX-License-Identifier: GPL-2.0

//! A bridge with three ports for the KUnit suites. The devices are there already, see `scripts/vm-init`;
//! all that is the module's is a suite's own.

use kernel::{prelude::*, sync::Arc};

use crate::{
    bridge::Bridge,
    kapi::{netdevice::Net, pernet},
    network::Network,
    offload,
    port::{Flag, Port},
    table::{Key, Learned, Limits, PortIndex, Stamp},
};

/// The bridge and its ports, all of them enabled. Its upkeep runs only where a test calls it.
pub(crate) struct Lab {
    /// The bridge.
    pub(crate) bridge: Arc<Bridge>,
    /// Its ports, by their number.
    pub(crate) ports: KVec<Arc<Port>>,
}

impl Lab {
    /// Makes it on the first bridge of the initial namespace. May sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is none; `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let network = pernet::get::<Network>(Net::initial()).ok_or(ENODEV)?;
        let model = network.next_bridge(0).ok_or(ENODEV)?;
        let bridge = Bridge::new(network.clone(), &model.device)?;
        let upkeep = bridge.upkeep.lock().clone().ok_or(ENODEV)?;
        bridge.retire();
        let mut lab = Self {
            bridge,
            ports: KVec::new(),
        };
        let bridge = &lab.bridge;
        let mut last = 0;
        while let Some(model) = network.next_port(last, Some(&model)) {
            last = model.device.ifindex();
            let index = lab.ports.len() as PortIndex;
            let (network, upkeep) = (network.clone(), upkeep.clone());
            let port = Port::new(network, bridge.clone(), upkeep, &model.device, index)?;
            {
                let mut locked = bridge.writer.lock();
                port.set(&mut locked, Flag::Joining, false);
                port.set(&mut locked, Flag::Enabled, true);
            }
            bridge.ports.lock().push(port.clone(), GFP_KERNEL)?;
            lab.ports.push(port, GFP_KERNEL)?;
        }
        bridge.set_tracked(true);
        Ok(lab)
    }

    /// Has a port own a key, as if it had sent a frame.
    pub(crate) fn learn(&self, port: PortIndex, key: Key) -> Learned {
        let stamp = self.bridge.now() as Stamp;
        let mut locked = self.bridge.writer.lock();
        locked.learn(key, port, stamp, Limits::default(), false)
    }

    /// Has a port leave. Whether it owned anything.
    pub(crate) fn leave(&self, port: PortIndex) -> bool {
        let (bridge, port) = (&*self.bridge, &*self.ports[usize::from(port)]);
        {
            let mut locked = bridge.writer.lock();
            port.set(&mut locked, Flag::Gone, true);
            bridge.quiet.set(&mut locked, port.index, true);
        }
        bridge.depart(port)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        offload::close(&self.bridge);
        // Ports refer to their bridge.
        let ports = core::mem::take(&mut *self.bridge.ports.lock());
        drop(ports);
    }
}
