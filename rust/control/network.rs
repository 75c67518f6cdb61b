// SPDX-License-Identifier: GPL-2.0

//! The bridges and ports of a network namespace, and which of them are filtered.

use kernel::{
    prelude::*,
    sync::{new_mutex, Arc, Mutex},
};

use super::parameters;
use crate::{
    frame::{BridgeEgress, Forward, LocalIn, LocalOut, Ports, PreRouting},
    kapi::{
        bridge::{self as kernel_bridge, BridgeDevice},
        device_map::{new_device_map, DeviceMap},
        netdevice::NetDevice,
        netfilter::{self, EgressEntry, HookEntry},
        pernet::{slot_for, NetHandle, PerNetwork},
        rcu,
        rtnl::Rtnl,
    },
    state::{
        bridge::Bridge, events::Kind, flags::Flag, locked::Structure, port::Port,
        settings::BridgeSetting,
    },
    work::{addresses, departed, egress, forget, maintenance, mirror, notify, offload, recovery},
};

/// Ports that [`Network::next_ports`] finds at once.
const PORTS_AT_ONCE: usize = 64;

/// The state of a network namespace.
///
/// Structure, that is which bridges and ports there are and which are enabled, changes under
/// [`Network::members`]. That lock is taken inside RTNL by the notifier, and without RTNL by sysfs
/// and netlink's operations; RTNL is never taken inside it.
#[pin_data]
pub(crate) struct Network {
    net: NetHandle,
    /// The ports of tracked bridges, for the hooks.
    ports: Arc<Ports>,
    /// All ports and all bridges, for what must not sleep.
    #[pin]
    pub(crate) every_port: DeviceMap<Port>,
    #[pin]
    pub(crate) every_bridge: DeviceMap<Bridge>,
    #[pin]
    members: Mutex<Members>,
}

struct Members {
    structure: Structure,
    bridges: KVec<Arc<Bridge>>,
    /// Registered when a bridge is tracked for the first time, and until the namespace or the
    /// module goes: when any hook of a namespace is unregistered, netfilter drops all that waits in
    /// a queue to user space there, whoever queued it.
    hooks: Option<netfilter::Registration<Ports>>,
}

slot_for!(Network);

impl PerNetwork for Network {
    fn new(net: NetHandle) -> Result<Arc<Self>> {
        let ports = Arc::pin_init(new_device_map!("maclearn_ports")?, GFP_KERNEL_ACCOUNT)?;
        let every_port = new_device_map!("maclearn_every_port")?;
        let every_bridge = new_device_map!("maclearn_every_bridge")?;
        Arc::pin_init(
            pin_init!(Self {
                net,
                ports,
                every_port <- every_port,
                every_bridge <- every_bridge,
                members <- new_mutex!(
                    Members {
                        structure: Structure::new(),
                        bridges: KVec::new(),
                        hooks: None,
                    },
                    "maclearn_members"
                ),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    fn close(&self) {
        let mut members = self.members.lock();
        self.close_bridges(&members, |_| true);
        members.hooks = None;
    }
}

impl Network {
    /// Starts or stops filtering copies to a port.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the port has left or is about to, `ENOMEM`, or what registering hooks returns.
    pub(crate) fn set_enabled(&self, port: &Port, on: bool) -> Result {
        let mut members = self.members.lock();
        self.set_enabled_locked(&mut members, port, on)
    }

    fn set_enabled_locked(&self, members: &mut Members, port: &Port, on: bool) -> Result {
        let bridge = &port.bridge;
        if port.flags().has(Flag::Gone) || bridge.is_closed() {
            return Err(ENODEV);
        }
        if on && !bridge.is_tracked() {
            self.track(members, bridge)?;
        }
        port.set(&mut bridge.table_lock.lock(), Flag::Enabled, on);
        if !on {
            offload::flush_offloaded(bridge);
        }
        self.untrack_if_idle(&members.structure, bridge);
        Ok(())
    }

    /// Lets the hooks see the bridge's ports, which begin to learn.
    fn track(&self, members: &mut Members, bridge: &Arc<Bridge>) -> Result {
        bridge.set_tracked(&members.structure, true);
        let mut start = || {
            let ports = bridge.ports();
            for port in &*ports {
                self.ports.insert(port.clone())?;
            }
            drop(ports);
            if members.hooks.is_none() {
                members.hooks = Some(netfilter::Registration::in_namespace(
                    &self.net,
                    self.ports.clone(),
                    [
                        HookEntry::of::<PreRouting>(),
                        HookEntry::of::<LocalIn>(),
                        HookEntry::of::<Forward>(),
                        HookEntry::of::<LocalOut>(),
                    ],
                )?);
            }
            self.update_egress(bridge)
        };
        let started = start();
        if started.is_err() {
            self.untrack(&members.structure, bridge);
        }
        bridge.queue_maintenance();
        started
    }

    /// Takes the bridge's ports from the hooks and forgets what they learned.
    fn untrack(&self, structure: &Structure, bridge: &Bridge) {
        bridge.set_tracked(structure, false);
        offload::flush_offloaded(bridge);
        if bridge.mirror.is_on() {
            // What was forwarded before is still mirrored.
            rcu::wait_for_readers();
        }
        {
            let ports = bridge.ports();
            self.ports.remove(ports.iter().map(|port| &*port.device));
        }
        forget::forget_learned(bridge, None);
        // It may still be mirroring.
        bridge.queue_offload_work(0);
    }

    fn untrack_if_idle(&self, structure: &Structure, bridge: &Bridge) {
        let is_idle = bridge
            .ports()
            .iter()
            .all(|port| !port.flags().has(Flag::Enabled));
        if bridge.is_tracked() && is_idle {
            self.untrack(structure, bridge);
        }
    }

    /// Stops filtering on the bridges that `matches` tells, for good, before the first of their
    /// ports leaves: as long as any port is filtered, every port is learned from.
    fn close_bridges(&self, members: &Members, matches: impl Fn(&Bridge) -> bool) {
        let closing = || members.bridges.iter().filter(|bridge| matches(bridge));
        for bridge in closing() {
            bridge.set_closed(&members.structure);
            // While sources are learned, so that none is forwarded past where it appears meanwhile.
            offload::flush_offloaded(bridge);
            for port in &*bridge.ports() {
                port.set(&mut bridge.table_lock.lock(), Flag::Enabled, false);
            }
            bridge.set_tracked(&members.structure, false);
            egress::unregister(bridge);
        }
        if closing().any(|bridge| bridge.mirror.is_on()) {
            // What was forwarded before is still mirrored.
            rcu::wait_for_readers();
        }
        for bridge in closing() {
            let ports = bridge.ports();
            let devices = ports.iter().map(|port| &*port.device);
            self.ports.remove(devices.clone());
            self.every_port.remove(devices);
        }
    }

    /// A bridge has changed, perhaps in whether it filters VLANs.
    ///
    /// # Errors
    ///
    /// What registering a hook returns.
    pub(crate) fn bridge_changed(&self, bridge: &Arc<Bridge>) -> Result {
        let _members = self.members.lock();
        self.update_egress(bridge)
    }

    /// Sees the bridge's own frames before their tag goes, on a tracked bridge that filters VLANs.
    fn update_egress(&self, bridge: &Arc<Bridge>) -> Result {
        if bridge.is_tracked() && kernel_bridge::filters_vlans(&bridge.device) {
            egress::register(bridge)?;
        }
        Ok(())
    }

    /// A bridge is there, which is tracked as soon as one of its ports is enabled.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; then nothing is left of the try.
    pub(crate) fn add_bridge(&self, device: &BridgeDevice, rtnl: &Rtnl) -> Result<Arc<Bridge>> {
        let mut members = self.members.lock();
        let egress_hook = EgressEntry::of::<BridgeEgress>();
        let bridge = Bridge::new(self.net.clone(), parameters::initial, device, egress_hook)?;
        if let Err(error) = members.bridges.push(bridge.clone(), GFP_KERNEL_ACCOUNT) {
            maintenance::stop(&bridge);
            return Err(error.into());
        }
        drop(members);
        let added = (|| {
            addresses::update(&bridge, rtnl)?;
            self.every_bridge.insert(bridge.clone())
        })();
        if added.is_err() {
            self.remove_bridge(device, rtnl);
        }
        added.map(|()| bridge)
    }

    /// A bridge goes.
    pub(crate) fn remove_bridge(&self, device: &NetDevice, rtnl: &Rtnl) {
        let Some(bridge) = self.bridge(device) else {
            return;
        };
        self.close_bridges(&self.members.lock(), |other| other.device.is(device));
        // When the module is unloaded, ports may still be there.
        loop {
            let port = bridge.ports().first().cloned();
            match port {
                Some(port) => self.leave(&port, rtnl),
                None => break,
            }
        }
        let mut members = self.members.lock();
        members.bridges.retain(|bridge| !bridge.device.is(device));
        drop(members);
        self.every_bridge.remove([&**bridge.device]);
        maintenance::stop(&bridge);
        // Nothing begins it any more.
        mirror::end(&bridge, rtnl);
        let directory = bridge.directory.lock().take();
        drop(directory);
    }

    /// A device became a port.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the bridge is about to go, `ENOSPC`, `ENOMEM`, or what registering hooks
    /// returns; then nothing is left of the try.
    pub(crate) fn add_port(
        &self,
        bridge: &Arc<Bridge>,
        device: &NetDevice,
        rtnl: &Rtnl,
    ) -> Result<Arc<Port>> {
        let mut members = self.members.lock();
        if bridge.is_closed() {
            return Err(ENODEV);
        }
        let index = departed::find_index(bridge).ok_or(ENOSPC)?;
        let maintenance = bridge.maintenance.lock().clone().ok_or(ENODEV)?;
        let port = Port::new(bridge.clone(), maintenance, device, index, rtnl)?;
        // If the device was a port before, and what that owned is still being forgotten: events of
        // that name no port from here on.
        for ifindex in &*bridge.ifindices {
            if ifindex.load_relaxed() == device.ifindex() {
                ifindex.store_relaxed(0);
            }
        }
        bridge.ifindices[usize::from(index)].store_relaxed(device.ifindex());
        bridge.add_port(&members.structure, port.clone())?;
        // It has not been seen to forward yet, and what it learns from now on is to stay.
        bridge
            .quiet
            .set(&mut bridge.table_lock.lock(), port.index, true);
        // Before anything else is told of it. Who asks about it now waits for the lock that is
        // held.
        notify::send_port(Kind::PortJoined, &port, rtnl);
        let joined = (|| {
            addresses::update(bridge, rtnl)?;
            self.every_port.insert(port.clone())?;
            if bridge.is_tracked() {
                self.ports.insert(port.clone())?;
            }
            if bridge.settings.get(BridgeSetting::AutoEnable) != 0 {
                self.set_enabled_locked(&mut members, &port, true)?;
            } else {
                offload::flush_offloaded(bridge);
            }
            port.set(&mut bridge.table_lock.lock(), Flag::Joining, false);
            Ok(())
        })();
        drop(members);
        if joined.is_err() {
            self.leave(&port, rtnl);
        }
        joined.map(|()| port)
    }

    /// A port leaves its bridge.
    pub(crate) fn leave(&self, port: &Port, rtnl: &Rtnl) {
        let bridge = &port.bridge;
        let members = self.members.lock();
        {
            let mut locked = bridge.table_lock.lock();
            port.set(&mut locked, Flag::Enabled, false);
            port.set(&mut locked, Flag::Gone, true);
            bridge.quiet.set(&mut locked, port.index, true);
        }
        self.ports.remove([&*port.device]);
        self.every_port.remove([&*port.device]);
        // The table of one that is closed goes as a whole.
        let is_closed = bridge.is_closed();
        let has_entries = !is_closed && departed::depart(bridge, port);
        // While the port's number still tells which it was.
        notify::send_port(Kind::PortLeft, port, rtnl);
        if !has_entries {
            bridge.release_index(&mut bridge.table_lock.lock(), port.index);
        }
        bridge.remove_port(&members.structure, port);
        if !is_closed {
            self.untrack_if_idle(&members.structure, bridge);
        }
        drop(members);
        if mirror::remove(bridge, port, rtnl).is_err() {
            offload::flush_offloaded(bridge);
            rcu::wait_for_readers();
            mirror::end(bridge, rtnl);
        }
        if !bridge.is_tracked() {
            mirror::end(bridge, rtnl);
        }
        if !is_closed {
            recovery::update_failure_state(bridge);
            // On -ENOMEM the maintenance work tries again.
            let _ = addresses::update(bridge, rtnl);
        }
        if has_entries {
            bridge.queue_maintenance();
        }
        // Waits for stores, which take the lock that was just released.
        let directory = port.directory.lock().take();
        drop(directory);
    }

    fn find_port(&self, matches: impl Fn(&Port) -> bool) -> Option<Arc<Port>> {
        let members = self.members.lock();
        members.bridges.iter().find_map(|bridge| {
            let ports = bridge.ports();
            ports.iter().find(|port| matches(port)).cloned()
        })
    }

    /// The port whose device this is.
    pub(crate) fn port(&self, device: &NetDevice) -> Option<Arc<Port>> {
        self.find_port(|port| port.device.is(device))
    }

    /// The bridge whose device this is.
    pub(crate) fn bridge(&self, device: &NetDevice) -> Option<Arc<Bridge>> {
        self.find_bridge(|bridge| bridge.device.is(device))
    }

    /// The port with this interface index.
    pub(crate) fn port_by_index(&self, ifindex: u32) -> Option<Arc<Port>> {
        self.find_port(|port| port.device.ifindex() == ifindex)
    }

    /// The bridge with this interface index.
    pub(crate) fn bridge_by_index(&self, ifindex: u32) -> Option<Arc<Bridge>> {
        self.find_bridge(|bridge| bridge.device.ifindex() == ifindex)
    }

    fn find_bridge(&self, matches: impl Fn(&Bridge) -> bool) -> Option<Arc<Bridge>> {
        let members = self.members.lock();
        let mut bridges = members.bridges.iter();
        bridges.find(|bridge| matches(bridge)).cloned()
    }

    /// The ports with the lowest interface indices above `last`, in their order, of all bridges or
    /// of one: the first [`PORTS_AT_ONCE`] of them.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn next_ports(&self, last: u32, of: Option<&Bridge>) -> Result<KVec<Arc<Port>>> {
        let mut next: KVec<Arc<Port>> = KVec::with_capacity(PORTS_AT_ONCE, GFP_KERNEL)?;
        let members = self.members.lock();
        for bridge in &members.bridges {
            if of.is_some_and(|of| !of.device.is(&bridge.device)) {
                continue;
            }
            for port in &*bridge.ports() {
                let index = port.device.ifindex();
                let place = next.partition_point(|next| next.device.ifindex() < index);
                if index <= last || place == PORTS_AT_ONCE {
                    continue;
                }
                if next.len() == PORTS_AT_ONCE {
                    next.pop();
                }
                // There is room.
                let _ = next.insert_within_capacity(place, port.clone());
            }
        }
        Ok(next)
    }

    /// The bridge with the lowest interface index above `last`.
    pub(crate) fn next_bridge(&self, last: u32) -> Option<Arc<Bridge>> {
        let members = self.members.lock();
        let bridges = members.bridges.iter();
        bridges
            .filter(|bridge| bridge.device.ifindex() > last)
            .min_by_key(|bridge| bridge.device.ifindex())
            .cloned()
    }
}
