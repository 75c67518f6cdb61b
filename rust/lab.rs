// SPDX-License-Identifier: GPL-2.0

//! A bridge with three ports for the KUnit suites. The devices are there already, see
//! `scripts/vm-init`; all that is the module's is a suite's own.

use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

use crate::{
    control::{network::Network, parameters},
    frame::BridgeEgress,
    kapi::{
        atomic::AtomicBool,
        clock,
        delayed_work::{new_delayed_work, Job},
        netdevice::Net,
        netfilter::EgressEntry,
        pernet, rcu,
        rtnl::Rtnl,
    },
    state::{bridge::Bridge, flags::Flag, locked::Structure, port::Port},
    table::{Key, Learned, Limits, Ownership, PortIndex, Stamp},
    work::{departed, maintenance, offload},
};

/// Ports that the bridge has.
const PORTS: usize = 3;
/// The key that readers ask for.
pub(crate) const KEY: Key = Key::from_parts(0, 2);
/// Jiffies for which a reader waits for something, far more than it takes.
const LONG: u64 = clock::HZ.div_ceil(10);
/// Most times that something is done until a reader has seen it.
const TRIES: usize = 100;

/// The bridge and its ports, all of them enabled. Its maintenance work runs only where a test calls
/// it.
pub(crate) struct Lab {
    /// The bridge.
    pub(crate) bridge: Arc<Bridge>,
    /// Its ports, by their number.
    pub(crate) ports: KVec<Arc<Port>>,
}

/// The bridge that is there for the suites: never one that somebody uses.
fn find_bridge(network: &Network) -> Option<Arc<Bridge>> {
    let rtnl = Rtnl::lock();
    let mut last = 0;
    loop {
        let bridge = network.next_bridge(last)?;
        if bridge.device.name(&rtnl).as_c_str().to_bytes() == b"kunit" {
            return Some(bridge);
        }
        last = bridge.device.ifindex();
    }
}

impl Lab {
    /// Makes it on the suites' bridge in the initial namespace. May sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` if that is not there, with its ports; `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let network = pernet::get::<Network>(Net::initial()).ok_or(ENODEV)?;
        let model = find_bridge(&network).ok_or(ENODEV)?;
        let bridge = Bridge::new(
            model.net.clone(),
            parameters::initial,
            &model.device,
            EgressEntry::of::<BridgeEgress>(),
        )?;
        let maintenance = bridge.maintenance.lock().clone().ok_or(ENODEV)?;
        maintenance::stop(&bridge);
        let mut lab = Self {
            bridge,
            ports: KVec::new(),
        };
        // It is in no namespace's lock.
        let structure = Structure::new();
        let bridge = &lab.bridge;
        for model in &network.next_ports(0, Some(&model))? {
            let index = lab.ports.len() as PortIndex;
            let port = {
                let rtnl = Rtnl::lock();
                let maintenance = maintenance.clone();
                Port::new(bridge.clone(), maintenance, &model.device, index, &rtnl)?
            };
            {
                let mut locked = bridge.table_lock.lock();
                port.set(&mut locked, Flag::Joining, false);
                port.set(&mut locked, Flag::Enabled, true);
            }
            bridge.add_port(&structure, port.clone())?;
            lab.ports.push(port, GFP_KERNEL)?;
        }
        bridge.set_tracked(&structure, true);
        if lab.ports.len() != PORTS {
            return Err(ENODEV);
        }
        Ok(lab)
    }

    /// Has a port own a key, as if it had sent a frame.
    pub(crate) fn learn(&self, port: PortIndex, key: Key) -> Learned {
        let mut locked = self.bridge.table_lock.lock();
        let stamp = self.ports[usize::from(port)].time_of_use(&locked) as Stamp;
        locked.learn(key, port, stamp, Limits::default(), false)
    }

    /// Has a port leave. Whether it owned anything.
    pub(crate) fn leave(&self, port: PortIndex) -> bool {
        let (bridge, port) = (&*self.bridge, &*self.ports[usize::from(port)]);
        {
            let mut locked = bridge.table_lock.lock();
            port.set(&mut locked, Flag::Gone, true);
            bridge.quiet.set(&mut locked, port.index, true);
        }
        departed::depart(bridge, port)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        offload::flush_offloaded(&self.bridge);
        // Ports refer to their bridge.
        for port in &self.ports {
            self.bridge.remove_port(&Structure::new(), port);
        }
    }
}

/// Waits, in a section, while others than port 1 own [`KEY`] and that port does not. Looks then, in
/// the same section, whether something still holds of a port.
pub(crate) struct Reader {
    port: Arc<Port>,
    is_kept: fn(&Port) -> bool,
    /// Whether it waits.
    is_waiting: AtomicBool,
    /// Whether it has looked.
    has_seen: AtomicBool,
    /// Whether what was to hold did not.
    was_wrong: AtomicBool,
}

impl Reader {
    /// Makes attempts until a reader has seen one. Whether what is to hold of the port with number
    /// `port` did then (`is_kept`); `None` if none was seen. It takes two CPUs.
    pub(crate) fn watch(
        lab: &Lab,
        port: usize,
        is_kept: fn(&Port) -> bool,
        mut attempt: impl FnMut(&Self),
    ) -> Result<Option<bool>> {
        let reader = Arc::new(
            Self {
                port: lab.ports[port].clone(),
                is_kept,
                is_waiting: AtomicBool::new(false),
                has_seen: AtomicBool::new(false),
                was_wrong: AtomicBool::new(false),
            },
            GFP_KERNEL,
        )?;
        let work = Arc::pin_init(
            new_delayed_work!(reader, "maclearn_kunit_reader"),
            GFP_KERNEL,
        )?;
        work.run_within(0);
        let reader = work.job();
        for _ in 0..TRIES {
            attempt(reader);
            if reader.has_seen.load_acquire() {
                return Ok(Some(!reader.was_wrong.load_acquire()));
            }
        }
        Ok(None)
    }

    /// Waits until a reader does. May sleep.
    pub(crate) fn wait_for_it(&self) {
        while !self.is_waiting.load_acquire() {
            fsleep(Delta::from_millis(1));
        }
    }

    fn look(&self, section: &rcu::Guard) {
        let is_owned = || self.port.bridge.table.ownership(section, KEY, 1) == Ownership::Other;
        let is_early = |since| clock::jiffies().wrapping_sub(since) < LONG;
        if !is_owned() {
            return;
        }
        let begun = clock::jiffies();
        self.is_waiting.store_release(true);
        while is_owned() && is_early(begun) {}
        self.is_waiting.store_release(false);
        if is_owned() {
            return;
        }
        let gone = clock::jiffies();
        while is_early(gone) {
            if !(self.is_kept)(&self.port) {
                self.was_wrong.store_release(true);
            }
        }
        self.has_seen.store_release(true);
    }
}

impl Job for Reader {
    fn run(&self) -> Option<usize> {
        rcu::read(|section| self.look(section));
        (!self.has_seen.load_acquire()).then_some(0)
    }
}
