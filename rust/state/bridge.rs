// SPDX-License-Identifier: GPL-2.0

//! A bridge: its table, its settings and its ports.

use core::ops::Deref;

use kernel::{
    prelude::*,
    sync::{aref::ARef, new_mutex, Arc, Mutex},
};

use super::{
    addresses::Addresses,
    ageing::Ageing,
    counters::Counter,
    events::{Event, Kind, Queue},
    foreign::ForeignEntries,
    locked::{Locked, OffloadState, Structure, Walking},
    memo::Memo,
    mirror::Mirror,
    port::Port,
    port_set::PortSet,
    retry::Retry,
    settings::{BridgeSetting, BridgeSettings, FDB_OFFLOAD_AUTO, FDB_OFFLOAD_OFF},
    tag,
    vlans::VlanHistory,
};
use crate::{
    kapi::{
        atomic::{AtomicBool, AtomicU32, AtomicU64},
        bridge::{self as kernel_bridge, BridgeDevice},
        clock,
        delayed_work::{new_delayed_work, DelayedWork},
        device_map::{on_device, Anchor},
        genetlink::has_listeners,
        kvalloc::KvSlice,
        memcg::MemoryCgroup,
        netfilter::{self, EgressEntry},
        pernet::NetHandle,
        random,
        rcu::{self, RcuBox},
        spinlock_bh::{new_spinlock_bh, SpinLockBh},
        sysfs::Directory,
        BRIDGE_MAX_PORTS,
    },
    table::{Limits, PortIndex, Secret, Table, Writer, MAX_PORTS},
};

/// Buckets of an empty table: 16 KiB, so that a lab of a thousand MACs never waits for it to grow.
const SMALLEST_TABLE: usize = 256;

/// Stands for the bridge device among the owners of keys. No port has the number: a bridge has less
/// than [`MAX_PORTS`] ports.
pub(crate) const BRIDGE_ITSELF: PortIndex = MAX_PORTS as PortIndex - 1;

/// A bridge, from the time it is seen until it is gone and nothing uses it.
///
/// What its locks guard, and in which order they are taken, is a table in
/// `Documentation/design.md`, "Locks, outermost first".
#[pin_data]
#[repr(C)]
pub(crate) struct Bridge {
    anchor: Anchor,
    /// Who owns which (VLAN, MAC).
    pub(crate) table: Table,
    /// Tells tags that frames got on this bridge.
    pub(crate) secret: tag::Secret,
    /// Who owns the destination of the frame that is being copied.
    pub(crate) memo: Memo,
    /// The copies that are made of frames which the bridge forwards to one port.
    pub(crate) mirror: Mirror<Port>,
    unit_shift: AtomicU32,
    /// Its settings.
    pub(crate) settings: BridgeSettings,
    /// [`Bridge::ageing`], worked out.
    ageing: AtomicU32,
    tracked: AtomicBool,
    closed: AtomicBool,
    /// The ports that can't receive.
    pub(crate) quiet: PortSet,
    ahead_until: AtomicU64,
    /// The ports behind which the bridge knows by itself who there is: it learns there, or lets in
    /// only whom it knows.
    pub(crate) known: PortSet,
    /// Whether the bridge's own database may have entries that the module does not know.
    pub(crate) foreign: ForeignEntries,
    /// A key with a claim of the bridge's database that a copy has contradicted; 0 is none.
    pub(crate) doubted: AtomicU64,
    /// What is still to be forgotten for VLANs.
    pub(crate) vlans: VlanHistory,
    /// When the maintenance work tries again what needs RTNL.
    pub(crate) retry: Retry,
    /// Whether a sweep for aged entries is under way.
    pub(crate) sweeping: AtomicBool,
    /// Whether the table could not grow for lack of memory.
    pub(crate) out_of_memory: AtomicBool,
    /// Whether nothing was learned since all was offloaded that can be.
    pub(crate) all_offloaded: AtomicBool,
    /// What the table needs as it grows is charged to whoever made the bridge.
    pub(crate) memory: MemoryCgroup,
    /// The bridge device.
    pub(crate) device: ARef<BridgeDevice>,
    /// The table's lock.
    #[pin]
    pub(crate) table_lock: SpinLockBh<Locked>,
    /// Whether keys may be offloaded; held while one is, and while one is revoked.
    #[pin]
    pub(crate) offload: SpinLockBh<OffloadState>,
    /// Serialises sending events.
    #[pin]
    pub(crate) outgoing: Mutex<Queue>,
    /// Hardware addresses of the bridge and its ports: never learned.
    pub(crate) own_addresses: RcuBox<Addresses>,
    /// They have changed, and there was no memory to note that: it is to be tried again.
    pub(crate) addresses_due: AtomicBool,
    /// Serialises walks and resizing.
    #[pin]
    pub(crate) walk: Mutex<Walking>,
    /// The interface index of each port, by its number, those included that have left.
    pub(crate) ifindices: KvSlice<AtomicU32>,
    /// When ports that had left were last forgotten, in jiffies.
    pub(crate) purged: AtomicU64,
    /// The ports.
    #[pin]
    ports: Mutex<KVec<Arc<Port>>>,
    /// The work that grows and ages the table, which refers to the bridge, until it goes.
    #[pin]
    pub(crate) maintenance: Mutex<Option<Arc<DelayedWork<Bridge>>>>,
    /// The work that offloads MACs, likewise.
    #[pin]
    pub(crate) offload_work: Mutex<Option<Arc<DelayedWork<OffloadWork>>>>,
    /// What sees its own frames before their VLAN tag goes, once that was called for.
    #[pin]
    pub(crate) egress: Mutex<Option<netfilter::Registration<Bridge>>>,
    /// The hook that [`Bridge::egress`] registers.
    pub(crate) egress_hook: EgressEntry<Bridge>,
    /// The namespace, while that is there.
    pub(crate) net: NetHandle,
    /// Its directory in sysfs, which refers to the bridge, until it goes.
    #[pin]
    pub(crate) directory: Mutex<Option<Directory<Bridge>>>,
}

on_device!(Bridge { anchor });

/// Offloads what can be, which takes RTNL. A work of its own, so that nothing else is done once
/// more while that is busy.
pub(crate) struct OffloadWork {
    /// The bridge.
    pub(crate) bridge: Arc<Bridge>,
    /// When it is tried again.
    pub(crate) retry: Retry,
}

impl OffloadWork {
    /// Makes that of a new bridge.
    pub(crate) fn new(bridge: Arc<Bridge>) -> Self {
        Self {
            bridge,
            retry: Retry::new(),
        }
    }
}

impl Bridge {
    /// Makes a bridge with these settings and no ports. May sleep.
    pub(crate) fn new(
        net: NetHandle,
        initial: impl Fn(BridgeSetting) -> u32,
        device: &BridgeDevice,
        egress_hook: EgressEntry<Self>,
    ) -> Result<Arc<Self>> {
        // Every port that the kernel's bridge may have has a number in the table.
        const { assert!(MAX_PORTS == BRIDGE_MAX_PORTS) };
        let (table, writer) = Table::new(Secret::new(random::words()), SMALLEST_TABLE)?;
        let locked = Locked::new(writer)?;
        let outgoing = Queue::new()?;
        let memo = Memo::new()?;
        let mirror = Mirror::new()?;
        let ifindices = KvSlice::zeroed(MAX_PORTS)?;
        let settings = BridgeSettings::new(initial);
        let seconds = settings.get(BridgeSetting::AgeingTime);
        let ageing = Ageing::new(seconds, clock::HZ);
        let bridge = Arc::pin_init(
            pin_init!(Self {
                anchor: Anchor::of(device),
                table,
                secret: tag::Secret(random::word() as u32),
                memo,
                mirror,
                unit_shift: AtomicU32::new(ageing.unit_shift),
                settings,
                ageing: AtomicU32::new(ageing.to_bits()),
                tracked: AtomicBool::new(false),
                closed: AtomicBool::new(false),
                quiet: PortSet::new(),
                ahead_until: AtomicU64::new(0),
                known: PortSet::new(),
                foreign: ForeignEntries::new(!kernel_bridge::is_hub(device)),
                doubted: AtomicU64::new(0),
                vlans: VlanHistory::new(kernel_bridge::filters_vlans(device)),
                retry: Retry::new(),
                sweeping: AtomicBool::new(false),
                out_of_memory: AtomicBool::new(false),
                all_offloaded: AtomicBool::new(false),
                memory: MemoryCgroup::of_caller(),
                device: device.hold(),
                table_lock <- new_spinlock_bh!(locked, "maclearn_table"),
                offload <- new_spinlock_bh!(OffloadState::default(), "maclearn_offload"),
                outgoing <- new_mutex!(outgoing, "maclearn_outgoing"),
                own_addresses: RcuBox::empty(),
                addresses_due: AtomicBool::new(false),
                walk <- new_mutex!(Walking::new(), "maclearn_walk"),
                ifindices,
                purged: AtomicU64::new(0),
                ports <- new_mutex!(KVec::new(), "maclearn_bridge_ports"),
                maintenance <- new_mutex!(None, "maclearn_bridge_maintenance"),
                offload_work <- new_mutex!(None, "maclearn_bridge_offload_work"),
                egress <- new_mutex!(None, "maclearn_egress"),
                egress_hook,
                net,
                directory <- new_mutex!(None, "maclearn_bridge_directory"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        let maintenance = Arc::pin_init(
            new_delayed_work!(bridge.clone(), "maclearn_maintenance"),
            GFP_KERNEL_ACCOUNT,
        )?;
        let offload_work = Arc::new(OffloadWork::new(bridge.clone()), GFP_KERNEL_ACCOUNT)?;
        let offload_work = Arc::pin_init(
            new_delayed_work!(offload_work, "maclearn_offload_work"),
            GFP_KERNEL_ACCOUNT,
        )?;
        *bridge.maintenance.lock() = Some(maintenance);
        *bridge.offload_work.lock() = Some(offload_work);
        Ok(bridge)
    }

    /// The time in the table's units.
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        clock::jiffies().wrapping_shr(self.unit_shift.load_relaxed())
    }

    /// When entries age.
    pub(crate) fn ageing(&self) -> Ageing {
        Ageing::from_bits(self.ageing.load_relaxed())
    }

    /// Seconds after which a MAC that is not seen is forgotten; 0 is never.
    pub(crate) fn ageing_seconds(&self) -> u32 {
        self.settings.get(BridgeSetting::AgeingTime)
    }

    /// Whether that is the ageing time of the bridge, if that learns by itself (`ageing`).
    pub(crate) fn follows_ageing(&self) -> bool {
        self.settings.get(BridgeSetting::Ageing) != 0
    }

    /// Sets [`Bridge::ageing`] and [`Bridge::ageing_seconds`], but for the unit of time.
    pub(crate) fn set_ageing(
        &self,
        _walking: &Walking,
        locked: &Writer,
        seconds: u32,
        ageing: Ageing,
    ) {
        self.settings
            .set(locked, BridgeSetting::AgeingTime, seconds);
        self.ageing.store_relaxed(ageing.to_bits());
    }

    /// Sets the unit of [`Bridge::now`].
    pub(crate) fn set_unit(&self, _walking: &Walking, shift: u32) {
        self.unit_shift.store_relaxed(shift);
    }

    /// Time, in the table's units, up to which a stamp may be ahead of its use, by
    /// [`MOST_AHEAD`](super::port::MOST_AHEAD).
    pub(crate) fn ahead_until(&self, _locked: &Writer) -> u64 {
        self.ahead_until.load_relaxed()
    }

    /// Sets [`Bridge::ahead_until`].
    pub(crate) fn set_ahead_until(&self, _locked: &Writer, time: u64) {
        self.ahead_until.store_relaxed(time);
    }

    /// Whether the newest port takes a MAC from the others (`exclusive`).
    #[inline(always)]
    pub(crate) fn is_exclusive(&self) -> bool {
        self.settings.get(BridgeSetting::Exclusive) != 0
    }

    /// Greatest number of MACs of all ports together; 0 is unlimited.
    pub(crate) fn max_macs(&self) -> u32 {
        self.settings.get(BridgeSetting::MaxMacs)
    }

    /// Whether the bridge is told where MACs are, when that spares copies (`fdb_offload`).
    pub(crate) fn offloads(&self) -> bool {
        self.settings.get(BridgeSetting::FdbOffload) != FDB_OFFLOAD_OFF
    }

    /// Whether that is so as well where some ports are not filtered.
    pub(crate) fn wants_mirroring(&self) -> bool {
        self.settings.get(BridgeSetting::FdbOffload) == FDB_OFFLOAD_AUTO
    }

    /// Whether a port of the bridge is enabled, so that its ports learn.
    pub(crate) fn is_tracked(&self) -> bool {
        self.tracked.load_relaxed()
    }

    /// Sets [`Bridge::is_tracked`].
    pub(crate) fn set_tracked(&self, _structure: &Structure, on: bool) {
        self.tracked.store_relaxed(on);
    }

    /// Whether no port can be enabled any more: the bridge, its namespace or the module goes.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load_relaxed()
    }

    /// Sets [`Bridge::is_closed`] for good.
    pub(crate) fn set_closed(&self, _structure: &Structure) {
        self.closed.store_relaxed(true);
    }

    /// How many MACs `port` and the bridge may own.
    pub(crate) fn limits(&self, port: &Port) -> Limits {
        Limits {
            port: port.max_macs(),
            total: self.max_macs(),
        }
    }

    /// Runs the maintenance work soon. May sleep; the packet path has [`Port::maintenance`].
    pub(crate) fn queue_maintenance(&self) {
        if let Some(maintenance) = &*self.maintenance.lock() {
            maintenance.run_within(0);
        }
    }

    /// Runs the work that offloads what can be, `delay` jiffies from now unless that is due
    /// already. May sleep.
    pub(crate) fn queue_offload_work(&self, delay: usize) {
        if let Some(offload_work) = &*self.offload_work.lock() {
            offload_work.queue(delay);
        }
    }

    /// Whether `address` is one of the bridge's own, which it admits from no port.
    #[inline]
    pub(crate) fn has_address(&self, address: u64, section: &rcu::Guard) -> bool {
        self.own_addresses
            .read(section)
            .is_some_and(|addresses| addresses.contains(address))
    }

    /// Frees a port's number for another port.
    pub(crate) fn release_index(&self, locked: &mut Locked, port: PortIndex) {
        self.quiet.set(locked, port, false);
        self.known.set(locked, port, false);
    }

    /// The interface index of the port with this number, even after it has left.
    pub(crate) fn ifindex_of(&self, port: PortIndex) -> Option<u32> {
        let ifindex = self.ifindices.get(usize::from(port))?.load_relaxed();
        (ifindex != 0).then_some(ifindex)
    }

    /// Its ports, which do not change while the value exists. May sleep.
    pub(crate) fn ports(&self) -> impl Deref<Target = KVec<Arc<Port>>> + '_ {
        self.ports.lock()
    }

    /// Adds a port. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add_port(&self, _structure: &Structure, port: Arc<Port>) -> Result {
        Ok(self.ports.lock().push(port, GFP_KERNEL_ACCOUNT)?)
    }

    /// Removes a port. May sleep.
    pub(crate) fn remove_port(&self, _structure: &Structure, port: &Port) {
        self.ports.lock().retain(|other| other.index != port.index);
    }

    /// The ports, by their index in the table. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn ports_by_index(&self) -> Result<KVec<Option<Arc<Port>>>> {
        let ports = self.ports();
        let mut by_index = KVec::new();
        for port in &*ports {
            while by_index.len() <= usize::from(port.index) {
                by_index.push(None, GFP_KERNEL)?;
            }
            by_index[usize::from(port.index)] = Some(port.clone());
        }
        Ok(by_index)
    }

    /// Whether the bridge filters VLANs.
    pub(crate) fn filters_vlans(&self) -> bool {
        kernel_bridge::filters_vlans(&self.device)
    }

    /// Whether `port` can own nothing more, for a limit or for lack of memory.
    pub(crate) fn is_full(&self, port: &Port) -> bool {
        let limits = self.limits(port);
        (limits.port != 0 && port.macs() >= limits.port)
            || (limits.total != 0 && self.table.total() >= limits.total)
            || self.out_of_memory.load_relaxed()
    }

    /// The sum of a counter over the ports, and all CPUs. May sleep.
    pub(crate) fn count_of(&self, counter: Counter) -> u64 {
        self.ports().iter().map(|port| port.count_of(counter)).sum()
    }

    /// Lowest number that no port has, nor one that has left and is not forgotten. May sleep.
    pub(crate) fn free_index(&self) -> Option<PortIndex> {
        let mut used = self.table_lock.lock().departed();
        for port in &*self.ports() {
            used.set(port.index, true);
        }
        (0..BRIDGE_ITSELF).find(|index| !used.has(*index))
    }

    /// Notes that its settings were changed, and sees to that being sent. May sleep.
    pub(crate) fn note_changed(&self) {
        if has_listeners(&self.device) {
            self.table_lock.lock().events.push(Event {
                kind: Kind::BridgeChanged,
                port: None,
                key: None,
            });
            self.queue_maintenance();
        }
    }
}
