// SPDX-License-Identifier: GPL-2.0

//! A bridge: its table, its settings and its ports.

use kernel::{
    prelude::*,
    sync::{aref::ARef, new_mutex, Arc, Mutex},
};

use crate::{
    addresses::Addresses,
    ageing::{Ageing, DEFAULT_AGEING_SECONDS, MAX_AGEING_SECONDS},
    events::{self, Kind, Locked, Outgoing},
    fdb,
    kapi::{
        atomic::{AtomicU32, AtomicU64},
        bh_lock::{new_bh_lock, BhLock},
        bridge::{self as kernel_bridge, BridgeDevice},
        clock,
        delayed_work::{new_delayed_work, DelayedWork},
        device_map::{on_device, Anchor},
        genetlink::has_listeners,
        kvalloc::KvSlice,
        log,
        memcg::MemoryCgroup,
        random,
        rcu::{self, RcuBox, ReadSection},
        rtnl::Rtnl,
        sysfs::Directory,
    },
    mark,
    memo::Memo,
    network::Network,
    offload::{self, Gate, Publisher},
    parameters, pending,
    port::{Counter, Defaults, Flag, Port, PortChange},
    port_set::PortSet,
    table::{
        Action, Claims, Entry, Key, Learned, Limits, Owners, PortIndex, PortMask, Secret, Stamp,
        Table, Visit, MAX_PORTS,
    },
    upkeep::Retry,
};

/// Greatest `max_macs` of a bridge.
pub(crate) const MAX_MACS: u64 = 1 << 24;

/// Buckets that a walk visits under one hold of the table's lock, a few microseconds.
pub(crate) const BUCKETS_A_HOLD: usize = 16;

/// Buckets of an empty table: 16 KiB, so that a lab of a thousand MACs never waits for it to grow.
const SMALLEST_TABLE: usize = 256;

/// Stands for the bridge device among the owners of keys. No port has the number: a bridge has less
/// than [`MAX_PORTS`] ports.
pub(crate) const BRIDGE_ITSELF: PortIndex = MAX_PORTS as PortIndex - 1;

/// Age in units that a new entry has at most, half of what a stamp can tell.
const MOST_UNITS: u64 = 1 << 15;

/// Settings to change together; `None` leaves one as it is.
#[derive(Default)]
pub(crate) struct BridgeChange {
    /// What ports that join get from now on.
    pub(crate) defaults: PortChange,
    /// Seconds after which a MAC that is not seen is forgotten; 0 is never. They are then its own.
    pub(crate) ageing_seconds: Option<u32>,
    /// Whether that is the bridge's, if it learns by itself (`ageing`).
    pub(crate) follows_ageing: Option<bool>,
    /// Whether the newest port takes a MAC from the others.
    pub(crate) exclusive: Option<bool>,
    /// Greatest number of MACs of all ports together; 0 is unlimited.
    pub(crate) max_macs: Option<u32>,
    /// Whether the bridge is told where MACs are (`fdb_offload`).
    pub(crate) offload: Option<bool>,
}

/// Numbers of VLANs, the one included that stands for none.
const VLANS: u16 = 1 << 12;

/// Keys with several owners that are lost at a time.
const MOST_SHARED: usize = 1024;

/// Most passes of a walk that insertions disturb.
const WALKS: usize = 3;

/// A bridge, from the time it is seen until it is gone and nothing uses it.
///
/// The table's lock orders all changes to the table, to ports' flags and to the settings.
/// [`Bridge::walk`] is taken outside it by whoever goes through the whole table or resizes it.
#[pin_data]
#[repr(C)]
pub(crate) struct Bridge {
    anchor: Anchor,
    /// Who owns which (VLAN, MAC).
    pub(crate) table: Table,
    /// Tells marks that frames got on this bridge.
    pub(crate) secret: mark::Secret,
    /// Who owns the destination of the frame that is being copied.
    pub(crate) memo: Memo,
    unit_shift: AtomicU32,
    exclusive: AtomicU32,
    max_macs: AtomicU32,
    offload: AtomicU32,
    ageing_seconds: AtomicU32,
    follows_ageing: AtomicU32,
    /// [`Bridge::ageing`], worked out.
    ageing: AtomicU32,
    /// What ports that join get.
    pub(crate) defaults: Defaults,
    tracked: AtomicU32,
    closed: AtomicU32,
    /// The ports that can't receive.
    pub(crate) quiet: PortSet,
    /// The ports behind which the bridge knows by itself who there is: it learns there, or lets in
    /// only whom it knows.
    pub(crate) known: PortSet,
    /// Not 0 while the bridge's own database may have entries that are neither its own addresses nor
    /// the module's; another number whenever there may be one more, or one less.
    foreign: AtomicU32,
    /// What that was when the database was last looked through.
    searched: AtomicU32,
    /// A key with a claim of the bridge's database that a copy has contradicted; 0 is none.
    pub(crate) doubted: AtomicU64,
    /// How often a port has left a VLAN.
    left_vlans: AtomicU32,
    /// How often it had when what was learned in such was last forgotten.
    forgotten_vlans: AtomicU32,
    /// Whether what is in the table was learned while VLANs were filtered.
    was_filtering: AtomicU32,
    /// When the upkeep tries again what needs RTNL.
    pub(crate) retry: Retry,
    sweeping: AtomicU32,
    out_of_memory: AtomicU32,
    all_published: AtomicU32,
    /// What the table needs as it grows is charged to whoever made the bridge.
    pub(crate) memory: MemoryCgroup,
    /// The bridge device.
    pub(crate) device: ARef<BridgeDevice>,
    /// The table's lock.
    #[pin]
    pub(crate) writer: BhLock<Locked>,
    /// Whether keys may be published; held while one is, and while one is taken back.
    #[pin]
    pub(crate) gate: BhLock<Gate>,
    /// Serialises sending events.
    #[pin]
    pub(crate) outgoing: Mutex<Outgoing>,
    /// Hardware addresses of the bridge and its ports: never learned.
    own_addresses: RcuBox<Addresses>,
    /// They have changed, and there was no memory to note that.
    addresses_due: AtomicU32,
    /// Serialises walks and resizing.
    #[pin]
    pub(crate) walk: Mutex<()>,
    /// The interface index of each port, by its number, those included that have left.
    pub(crate) ifindices: KvSlice<AtomicU32>,
    /// When ports that had left were last forgotten, in ticks.
    pub(crate) purged: AtomicU64,
    /// The ports.
    #[pin]
    pub(crate) ports: Mutex<KVec<Arc<Port>>>,
    /// The work that grows and ages the table, which refers to the bridge, until it goes.
    #[pin]
    pub(crate) upkeep: Mutex<Option<Arc<DelayedWork<Bridge>>>>,
    /// The work that gives the bridge's own database entries, likewise.
    #[pin]
    publisher: Mutex<Option<Arc<DelayedWork<Publisher>>>>,
    /// The namespace's state.
    pub(crate) network: Arc<Network>,
    /// Its directory in sysfs, which refers to the bridge, until it goes.
    #[pin]
    pub(crate) directory: Mutex<Option<Directory<Bridge>>>,
}

on_device!(Bridge { anchor });

/// A secret for a new array of a table.
pub(crate) fn new_secret() -> Secret {
    Secret::new(random::words())
}

impl Bridge {
    /// Makes a bridge with the module's initial settings and no ports.
    pub(crate) fn new(network: Arc<Network>, device: &BridgeDevice) -> Result<Arc<Self>> {
        // Every port that the kernel's bridge may have has a number in the table.
        const { assert!(MAX_PORTS == kernel_bridge::MAX_PORTS) };
        let (table, writer) = Table::new(new_secret(), SMALLEST_TABLE)?;
        let writer = Locked::new(writer)?;
        let outgoing = Outgoing::new()?;
        let memo = Memo::new()?;
        let ifindices = KvSlice::zeroed(MAX_PORTS)?;
        let initial = parameters::initial();
        let ageing = Ageing::new(initial.ageing_seconds, clock::TICKS_PER_SECOND);
        let bridge = Arc::pin_init(
            pin_init!(Self {
                anchor: Anchor::of(device),
                table,
                secret: mark::Secret(random::word() as u32),
                memo,
                unit_shift: AtomicU32::new(ageing.unit_shift),
                exclusive: AtomicU32::new(initial.exclusive.into()),
                max_macs: AtomicU32::new(initial.max_macs),
                offload: AtomicU32::new(initial.offload.into()),
                ageing_seconds: AtomicU32::new(initial.ageing_seconds),
                // A time that was chosen is its own.
                follows_ageing: AtomicU32::new(
                    (initial.ageing_seconds == DEFAULT_AGEING_SECONDS).into(),
                ),
                ageing: AtomicU32::new(ageing.to_bits()),
                defaults: Defaults::new(),
                tracked: AtomicU32::new(0),
                closed: AtomicU32::new(0),
                quiet: PortSet::new(),
                known: PortSet::new(),
                foreign: AtomicU32::new((!kernel_bridge::is_hub(device)).into()),
                searched: AtomicU32::new(0),
                doubted: AtomicU64::new(0),
                left_vlans: AtomicU32::new(0),
                forgotten_vlans: AtomicU32::new(0),
                was_filtering: AtomicU32::new(kernel_bridge::filters_vlans(device).into()),
                retry: Retry::new(),
                sweeping: AtomicU32::new(0),
                out_of_memory: AtomicU32::new(0),
                all_published: AtomicU32::new(0),
                memory: MemoryCgroup::of_caller(),
                device: device.hold(),
                writer <- new_bh_lock!(writer, "maclearn_table"),
                gate <- new_bh_lock!(Gate::default(), "maclearn_gate"),
                outgoing <- new_mutex!(outgoing, "maclearn_outgoing"),
                own_addresses: RcuBox::empty(),
                addresses_due: AtomicU32::new(0),
                walk <- new_mutex!((), "maclearn_walk"),
                ifindices,
                purged: AtomicU64::new(0),
                ports <- new_mutex!(KVec::new(), "maclearn_bridge_ports"),
                upkeep <- new_mutex!(None, "maclearn_bridge_upkeep"),
                publisher <- new_mutex!(None, "maclearn_bridge_publisher"),
                network,
                directory <- new_mutex!(None, "maclearn_bridge_directory"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        bridge
            .defaults
            .change(&bridge.writer.lock(), &initial.defaults);
        let upkeep = Arc::pin_init(
            new_delayed_work!(bridge.clone(), "maclearn_upkeep"),
            GFP_KERNEL_ACCOUNT,
        )?;
        let publisher = Arc::new(Publisher::new(bridge.clone()), GFP_KERNEL_ACCOUNT)?;
        let publisher = Arc::pin_init(
            new_delayed_work!(publisher, "maclearn_publisher"),
            GFP_KERNEL_ACCOUNT,
        )?;
        *bridge.upkeep.lock() = Some(upkeep);
        *bridge.publisher.lock() = Some(publisher);
        Ok(bridge)
    }

    /// The time in the table's units.
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        clock::ticks().wrapping_shr(self.unit_shift.load_relaxed())
    }

    /// When entries age.
    pub(crate) fn ageing(&self) -> Ageing {
        Ageing::from_bits(self.ageing.load_relaxed())
    }

    /// Seconds after which a MAC that is not seen is forgotten; 0 is never.
    pub(crate) fn ageing_seconds(&self) -> u32 {
        self.ageing_seconds.load_relaxed()
    }

    /// Whether that is the ageing time of the bridge, if that learns by itself (`ageing`).
    pub(crate) fn follows_ageing(&self) -> bool {
        self.follows_ageing.load_relaxed() != 0
    }

    /// Makes [`Bridge::ageing_seconds`] the bridge's if it is to be that. May sleep.
    pub(crate) fn follow_ageing(&self) {
        let _walk = self.walk.lock();
        if !self.follows_ageing() {
            return;
        }
        let seconds = match kernel_bridge::ageing_seconds(&self.device) {
            0 => DEFAULT_AGEING_SECONDS,
            seconds => seconds.min(MAX_AGEING_SECONDS.into()) as u32,
        };
        if seconds != self.ageing_seconds() {
            self.set_ageing_seconds(seconds);
        }
    }

    /// Sets [`Bridge::ageing_seconds`]. The caller holds [`Bridge::walk`]; may sleep.
    ///
    /// Ages start anew if the unit of the stamps changes, or if entries did not age so far.
    fn set_ageing_seconds(&self, seconds: u32) {
        let old = self.ageing();
        let new = Ageing::new(seconds, clock::TICKS_PER_SECOND);
        if old.unit_shift != new.unit_shift || old.limit.is_none() {
            self.unit_shift.store_relaxed(new.unit_shift);
            // Frames under way still stamp in the old unit.
            rcu::wait_for_readers();
            let now = self.now() as Stamp;
            self.visit_all(Kind::Deleted, |_| Action::Restamp(now));
            for port in &*self.ports.lock() {
                port.set_lost(&self.writer.lock(), self.now());
            }
        }
        self.ageing_seconds.store_relaxed(seconds);
        self.ageing.store_relaxed(new.to_bits());
        let ports = self.ports.lock();
        let writer = self.writer.lock();
        for port in &*ports {
            port.set_expiry(&writer, 0);
        }
        drop(writer);
        drop(ports);
        self.ask_for_upkeep();
    }

    /// Whether the newest port takes a MAC from the others (`exclusive`).
    #[inline(always)]
    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive.load_relaxed() != 0
    }

    /// Greatest number of MACs of all ports together; 0 is unlimited.
    pub(crate) fn max_macs(&self) -> u32 {
        self.max_macs.load_relaxed()
    }

    /// Whether the bridge is told where MACs are, when it may direct frames (`fdb_offload`).
    pub(crate) fn offloads(&self) -> bool {
        self.offload.load_relaxed() != 0
    }

    /// Whether a port of the bridge is enabled, so that its ports learn.
    pub(crate) fn is_tracked(&self) -> bool {
        self.tracked.load_relaxed() != 0
    }

    /// Sets [`Bridge::is_tracked`]. The caller holds the namespace's lock.
    pub(crate) fn set_tracked(&self, on: bool) {
        self.tracked.store_relaxed(on.into());
    }

    /// Whether the bridge may direct frames by entries of its own database that the module does not
    /// know. So it is on a bridge that learns, and where something else than the module and the
    /// bridge's own addresses has come to the database of a hub.
    #[inline(always)]
    pub(crate) fn may_direct(&self) -> bool {
        self.foreign.load_relaxed() != 0
    }

    /// Notes that there may be such entries, or less of them.
    pub(crate) fn note_foreign(&self) {
        self.note_foreign_locked(&mut self.writer.lock());
    }

    /// The same under the table's lock.
    pub(crate) fn note_foreign_locked(&self, _locked: &mut Locked) {
        let next = self.foreign.load_relaxed().wrapping_add(1).max(1);
        self.foreign.store_relaxed(next);
    }

    /// A number for [`Bridge::searched`], if the database is to be looked through for such entries.
    pub(crate) fn unsearched(&self) -> Option<u32> {
        let foreign = self.foreign.load_relaxed();
        (foreign != 0 && foreign != self.searched.load_relaxed()).then_some(foreign)
    }

    /// Notes what was found since [`Bridge::unsearched`] gave this number.
    pub(crate) fn searched(&self, foreign: u32, has_found: bool) {
        let _locked = self.writer.lock();
        if has_found {
            self.searched.store_relaxed(foreign);
        } else if self.foreign.load_relaxed() == foreign {
            self.foreign.store_relaxed(0);
            // The numbers begin anew.
            self.searched.store_relaxed(0);
        }
    }

    /// A number for [`Bridge::set_forgotten_vlans`], if a port has left a VLAN in which it may have
    /// learned, or is about to.
    pub(crate) fn left_vlans(&self) -> Option<u32> {
        let left = self.left_vlans.load_relaxed();
        (left != self.forgotten_vlans.load_relaxed()).then_some(left)
    }

    /// Notes that `port` is about to leave a VLAN.
    pub(crate) fn note_left_vlan(&self, port: &Port, _rtnl: &Rtnl) {
        let left = self.left_vlans.load_relaxed().wrapping_add(1);
        self.left_vlans.store_relaxed(left);
        port.left_vlan.store_relaxed(left);
    }

    /// Whether `port` has left a VLAN, and what was learned there may not be forgotten yet.
    pub(crate) fn remembers_left_vlan(&self, port: &Port) -> bool {
        let since = port
            .left_vlan
            .load_relaxed()
            .wrapping_sub(self.forgotten_vlans.load_relaxed());
        0 < since && since <= u32::MAX / 2
    }

    /// Notes that all is forgotten that was learned in VLANs that ports had left when
    /// [`Bridge::left_vlans`] gave this number.
    pub(crate) fn set_forgotten_vlans(&self, left: u32) {
        self.forgotten_vlans.store_relaxed(left);
    }

    /// Forgets what was learned while VLANs were filtered if they no longer are, and the other way
    /// round: it would be wrong by the time that it ruled again. RTNL; may sleep.
    pub(crate) fn follow_vlan_filtering(&self) {
        let filters = self.filters_vlans();
        if filters == (self.was_filtering.load_relaxed() != 0) {
            return;
        }
        // Frames that entered before are learned by then.
        rcu::wait_for_readers();
        let walk = self.walk.lock();
        let is_complete = self.visit_all(Kind::Deleted, |entry| {
            if (entry.key.vlan() != 0) == filters {
                Action::Keep
            } else {
                Action::Withdraw(Claims::LEARNED)
            }
        });
        drop(walk);
        if is_complete {
            self.was_filtering.store_relaxed(filters.into());
        }
        self.ask_for_upkeep();
    }

    /// Whether no port can be enabled any more: the bridge, its namespace or the module goes.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load_relaxed() != 0
    }

    /// Sets [`Bridge::is_closed`] for good. The caller holds the namespace's lock.
    pub(crate) fn set_closed(&self) {
        self.closed.store_relaxed(1);
    }

    /// Whether a sweep for aged entries is under way.
    pub(crate) fn is_sweeping(&self) -> bool {
        self.sweeping.load_relaxed() != 0
    }

    /// Sets [`Bridge::is_sweeping`].
    pub(crate) fn set_sweeping(&self, on: bool) {
        self.sweeping.store_relaxed(on.into());
    }

    /// Whether the table could not grow for lack of memory.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.out_of_memory.load_relaxed() != 0
    }

    /// Sets [`Bridge::is_out_of_memory`].
    pub(crate) fn set_out_of_memory(&self, on: bool) {
        self.out_of_memory.store_relaxed(on.into());
    }

    /// Whether nothing was learned since all was published that can be.
    pub(crate) fn is_all_published(&self) -> bool {
        self.all_published.load_relaxed() != 0
    }

    /// Sets [`Bridge::is_all_published`].
    pub(crate) fn set_all_published(&self, on: bool) {
        self.all_published.store_relaxed(on.into());
    }

    /// Changes settings.
    pub(crate) fn change(&self, change: &BridgeChange) {
        self.defaults.change(&self.writer.lock(), &change.defaults);
        if let Some(on) = change.exclusive {
            self.exclusive.store_relaxed(on.into());
        }
        if let Some(macs) = change.max_macs {
            self.max_macs.store_relaxed(macs);
            self.settle();
        }
        if let Some(seconds) = change.ageing_seconds {
            let _walk = self.walk.lock();
            self.follows_ageing.store_relaxed(0);
            self.set_ageing_seconds(seconds);
        }
        if let Some(on) = change.follows_ageing {
            self.follows_ageing.store_relaxed(on.into());
            self.follow_ageing();
        }
        if let Some(on) = change.offload {
            self.offload.store_relaxed(on.into());
            if !on {
                offload::close(self);
            }
            self.ask_for_upkeep();
        }
        if has_listeners(&self.device) {
            self.writer.lock().note_bridge_changed();
            self.ask_for_upkeep();
        }
    }

    /// How many MACs `port` and the bridge may own.
    pub(crate) fn limits(&self, port: &Port) -> Limits {
        Limits {
            port: port.max_macs(),
            total: self.max_macs(),
        }
    }

    /// Runs the upkeep soon. Process context; the packet path has [`Port::upkeep`].
    pub(crate) fn ask_for_upkeep(&self) {
        if let Some(upkeep) = &*self.upkeep.lock() {
            upkeep.schedule(0);
        }
    }

    /// Has what can be published be so soon. Process context.
    pub(crate) fn ask_to_publish(&self) {
        if let Some(publisher) = &*self.publisher.lock() {
            publisher.queue(0);
        }
    }

    /// Whether `address` is one of the bridge's own, which it admits from no port.
    #[inline]
    pub(crate) fn has_address(&self, address: u64, section: &ReadSection) -> bool {
        self.own_addresses
            .read(section)
            .is_some_and(|addresses| addresses.contains(address))
    }

    /// Whether [`Bridge::update_addresses`] is to be tried again.
    pub(crate) fn are_addresses_due(&self) -> bool {
        self.addresses_due.load_relaxed() != 0
    }

    /// The hardware addresses of the bridge and its ports, and those of them that were not before.
    fn find_addresses(&self) -> Result<(KBox<Addresses>, KVec<u64>)> {
        let ports = self.ports.lock();
        let mut addresses = Addresses::with_capacity(ports.len() + 1)?;
        addresses.insert(self.device.address())?;
        for port in &*ports {
            addresses.insert(port.device.address())?;
        }
        drop(ports);
        let mut new = KVec::with_capacity(addresses.len(), GFP_KERNEL)?;
        ReadSection::enter(|section| {
            for address in addresses.beyond(self.own_addresses.read(section)) {
                // There is room for all.
                let _ = new.push_within_capacity(address);
            }
        });
        Ok((KBox::new(addresses, GFP_KERNEL_ACCOUNT)?, new))
    }

    /// Notes the hardware addresses of the bridge and its ports, and forgets entries with one that
    /// has become that. RTNL.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the upkeep tries again.
    pub(crate) fn update_addresses(&self) -> Result {
        let found = self.find_addresses();
        self.addresses_due.store_relaxed(found.is_err().into());
        let (addresses, new) = found?;
        // No frame that is under way learns one of them after this.
        self.own_addresses.replace(Some(addresses));
        if self.table.total() != 0 && !new.is_empty() {
            for &address in &*new {
                self.forget_address(address);
            }
            self.ask_for_upkeep();
        }
        Ok(())
    }

    /// Forgets who learned an address, in every VLAN. May sleep.
    fn forget_address(&self, address: u64) {
        for vlan in 0..VLANS {
            let key = Key::from_parts(vlan, address);
            let owners = ReadSection::enter(|section| self.table.owners(section, key));
            if owners != Owners::NOBODY {
                self.forget_key(key, |_| true);
            }
        }
    }

    /// Forgets who learned a key, of the ports that `matches` tells. May sleep.
    fn forget_key(&self, key: Key, matches: impl Fn(&Port) -> bool) {
        let (owners, waits) = {
            let locked = self.writer.lock();
            (locked.owners_of(key), locked.pending.has_key(key))
        };
        for port in &*self.ports.lock() {
            if !(waits || owners.has(port.index)) || !matches(port) {
                continue;
            }
            let mut locked = self.writer.lock();
            if locked.withdraw(key, port.index, Claims::LEARNED)
                && locked.claims(key, port.index) == Claims::NONE
            {
                locked.note(Kind::Deleted, port, Some(key));
            }
        }
        let unpublished = self.writer.lock().take_unpublished();
        if let Some(keys) = unpublished {
            offload::take_back(self, keys, None);
        }
    }

    /// Forgets who else than `port`, which has lost it, learned a key: see [`Bridge::lose`]. May sleep.
    fn forget_elsewhere(&self, key: Key, port: PortIndex) {
        self.forget_key(key, |other| {
            other.index != port && !other.flags().has(Flag::SuppressUnknown)
        });
    }

    /// Takes claims from the entries that `matches` tells, since their ports have lost them by no
    /// doing of the guests'; and forgets who else learned the same keys. Any of those may have been
    /// a guest's port before, or never was: if the guest is silent, nothing tells. But a port that
    /// gets nothing for an unknown destination keeps what it learned.
    ///
    /// Whether all is done. The caller holds [`Bridge::walk`]; may sleep.
    pub(crate) fn lose(&self, claims: Claims, matches: impl Fn(&Entry) -> bool) -> bool {
        let mut shared = KVec::with_capacity(MOST_SHARED, GFP_KERNEL).unwrap_or_default();
        let mut is_complete = true;
        let action = |entry: Entry| {
            if !matches(&entry) {
                return Action::Keep;
            }
            if !entry.is_shared {
                return Action::Withdraw(claims);
            }
            // What there is no room for is lost at the next try.
            let kept = shared.push_within_capacity((entry.key, entry.port));
            is_complete &= kept.is_ok();
            Action::Keep
        };
        let is_all = self.visit_all(Kind::Deleted, action);
        let listening = has_listeners(&self.device);
        for &(key, port) in &*shared {
            self.forget_elsewhere(key, port);
            // Last, so that all is done once the port owns nothing.
            let unpublished = {
                let mut locked = self.writer.lock();
                let has_lost =
                    locked.withdraw(key, port, claims) && locked.claims(key, port) == Claims::NONE;
                if has_lost && listening {
                    let (_, mut note) = locked.split();
                    note(Kind::Deleted, port, key);
                }
                locked.take_unpublished()
            };
            if let Some(keys) = unpublished {
                offload::take_back(self, keys, None);
            }
        }
        is_all && is_complete
    }

    /// Does what [`Bridge::visit_table`] does, and to what is still to be learned as well.
    pub(crate) fn visit_all(&self, removal: Kind, mut action: impl FnMut(Entry) -> Action) -> bool {
        let is_complete = self.visit_table(removal, &mut action);
        let others = |entry| {
            action(Entry {
                // Perhaps: what is in the table does not show here.
                is_shared: true,
                ..entry
            })
        };
        pending::visit_all(self, others) && is_complete
    }

    /// Shows every entry to `action` and does what it says, a few buckets under each hold of the
    /// table's lock. Owners that it removes are events of kind `removal`, and what is no longer
    /// published is taken back from the bridge.
    ///
    /// Insertions meanwhile may move entries to where the walk has been; it is then repeated, but
    /// not for ever: whether every entry was shown. The caller holds [`Bridge::walk`].
    pub(crate) fn visit_table(
        &self,
        removal: Kind,
        mut action: impl FnMut(Entry) -> Action,
    ) -> bool {
        let listening = has_listeners(&self.device);
        for _ in 0..WALKS {
            let mut cursor = self.writer.lock().cursor();
            let result = loop {
                let (visit, unpublished) = {
                    let mut locked = self.writer.lock();
                    let (writer, mut note) = locked.split();
                    let visit = writer.visit(&mut cursor, BUCKETS_A_HOLD, |entry| {
                        let action = action(entry);
                        if let Action::Withdraw(claims) = action {
                            let is_removed = entry.claims.without(claims) == Claims::NONE;
                            if listening && is_removed {
                                note(removal, entry.port, entry.key);
                            }
                        }
                        action
                    });
                    (visit, writer.take_unpublished())
                };
                if let Some(keys) = unpublished {
                    offload::take_back(self, keys, None);
                }
                if visit != Visit::More {
                    break visit;
                }
            };
            if result == Visit::Complete {
                return true;
            }
        }
        false
    }

    /// Has what a port owns be forgotten by [`Bridge::purge`]: it has [`Flag::Gone`], and so gets
    /// nothing new, and is quiet. Whether there is any. May sleep.
    pub(crate) fn depart(&self, port: &Port) -> bool {
        let _walk = self.walk.lock();
        // As with what it owns, see [`Bridge::lose`].
        pending::forget_port(self, port, |key| self.forget_elsewhere(key, port.index));
        let mut locked = self.writer.lock();
        locked.unplaced.forget(|_, other| other == port.index);
        locked.depart(port.index)
    }

    /// A port's number is another's from here on.
    pub(crate) fn release_index(&self, locked: &mut Locked, port: PortIndex) {
        self.quiet.set(locked, port, false);
        self.known.set(locked, port, false);
    }

    /// Forgets what these ports own, which have left, all of them in one walk, and frees their numbers. If
    /// some is left, it is for another time. The caller holds [`Bridge::walk`]; may sleep.
    pub(crate) fn purge(&self, departed: PortMask) {
        self.lose(Claims::ALL, |entry| departed.has(entry.port));
        // Who has seen one of them still must find that its port is quiet.
        rcu::wait_for_readers();
        // While the ports' numbers still tell which they were.
        events::send(self);
        let mut locked = self.writer.lock();
        locked.end_departure(departed);
        let left = locked.departed();
        for port in departed.iter().filter(|port| !left.has(*port)) {
            self.release_index(&mut locked, port);
        }
    }

    /// Forgets all that was learned, at one port or at all.
    pub(crate) fn forget_learned(&self, of: Option<&Port>) {
        let walk = self.walk.lock();
        for port in &*self.ports.lock() {
            if of.is_none_or(|of| of.index == port.index) {
                // Every copy passes on until all is settled.
                port.set(&mut self.writer.lock(), Flag::LostSource, false);
            }
        }
        self.withdraw(Claims::LEARNED, |entry| {
            of.is_none_or(|of| of.index == entry.port && of.is_present())
        });
        drop(walk);
        self.settle();
        self.ask_for_upkeep();
    }

    /// Takes claims from the entries that `matches` tells.
    pub(crate) fn flush(&self, claims: Claims, matches: impl Fn(&Entry) -> bool) {
        let walk = self.walk.lock();
        self.withdraw(claims, matches);
        drop(walk);
        self.settle();
        self.ask_for_upkeep();
    }

    fn withdraw(&self, claims: Claims, matches: impl Fn(&Entry) -> bool) {
        self.visit_all(Kind::Deleted, |entry| {
            if matches(&entry) {
                Action::Withdraw(claims)
            } else {
                Action::Keep
            }
        });
    }

    /// Makes `port` an owner of `key` on request: for good, or as if it had been seen `age`
    /// milliseconds ago. `None` if the address is the bridge's own. May sleep.
    pub(crate) fn insert(&self, port: &Port, key: Key, age: Option<u32>) -> Option<Learned> {
        for _ in 0..WALKS {
            let (learned, unpublished, grows) = {
                let mut writer = self.writer.lock();
                // Under the lock, so that one which becomes that is forgotten after this.
                if ReadSection::enter(|section| self.has_address(address_of(key), section)) {
                    return None;
                }
                if port.flags().has(Flag::Gone) {
                    return Some(Learned::PortLimit);
                }
                let limits = self.limits(port);
                let learned = match age {
                    None => writer.claim(key, port.index, Claims::STATIC, limits),
                    Some(age) => {
                        let now = self.now();
                        let ticks = u64::from(age) * clock::TICKS_PER_SECOND / 1000;
                        let units = ticks >> self.ageing().unit_shift;
                        let stamp = (now as Stamp).wrapping_sub(units.min(MOST_UNITS) as Stamp);
                        port.lower_expiry(self.ageing().expiry(stamp, now));
                        writer.learn(key, port.index, stamp, limits, self.is_exclusive())
                    }
                };
                if matches!(learned, Learned::New { .. }) {
                    writer.note(Kind::Added, port, Some(key));
                }
                (
                    learned,
                    writer.take_unpublished(),
                    writer.wanted().is_some(),
                )
            };
            if let Some(keys) = unpublished {
                offload::take_back(self, keys, Some(port.index));
            }
            if learned != Learned::NoRoom {
                if grows {
                    self.ask_for_upkeep();
                } else if self.is_all_published() {
                    self.set_all_published(false);
                    port.upkeep.schedule(offload::DELAY);
                }
                return Some(learned);
            }
            let _walk = self.walk.lock();
            crate::upkeep::resize(self);
        }
        Some(Learned::NoRoom)
    }

    /// The ports, by their index in the table.
    pub(crate) fn ports_by_index(&self) -> Result<KVec<Option<Arc<Port>>>> {
        let ports = self.ports.lock();
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
    fn is_full(&self, port: &Port) -> bool {
        let limits = self.limits(port);
        (limits.port != 0 && port.macs() >= limits.port)
            || (limits.total != 0 && self.table.total() >= limits.total)
            || self.is_out_of_memory()
    }

    /// Settles what could not be decided on the packet path: puts in the table what there is room
    /// for by now, and finds out which ports still have to get every copy. May sleep.
    pub(crate) fn settle(&self) {
        let _walk = self.walk.lock();
        fdb::place(self);
        pending::place(self);
        for port in &*self.ports.lock() {
            if port.flags().has(Flag::FailClosed) && self.is_full(port) {
                // What can't be learned is kept out.
                pending::forget_port(self, port, |_| ());
                port.set(&mut self.writer.lock(), Flag::LostSource, false);
            }
        }
        let mut closing = PortMask::NONE;
        for port in &*self.ports.lock() {
            closing.set(port.index, self.closes(port, &self.writer.lock()));
        }
        if closing != PortMask::NONE {
            // For who has looked into the table before, these ports still get every copy.
            rcu::wait_for_readers();
        }
        let ports = self.ports.lock();
        for port in &*ports {
            if self.settle_port(port, closing.has(port.index)) && log::may_write() {
                pr_info!(
                    "interface {}: sources are not learned, a limit is reached: other ports get copies for them\n",
                    port.device.ifindex()
                );
            }
        }
        let locked = self.writer.lock();
        let grows = locked.wanted().is_some() && !self.is_out_of_memory();
        if grows && !locked.is_settled() {
            if let Some(port) = ports.first() {
                port.upkeep.schedule(0);
            }
        }
    }

    /// Whether `port` has to get every copy for a failure, and whether until the table has grown.
    fn is_open(&self, port: &Port, locked: &Locked) -> (bool, bool) {
        let (is_full, waits) = (self.is_full(port), locked.pending.has_port(port.index));
        let fails = port.flags().has(Flag::LostTrack) || self.has_lost_source(port);
        let lacks = locked.unplaced.has(port.index);
        (fails || (is_full && waits), lacks || (!is_full && waits))
    }

    /// Whether `port` gets every copy and need not any more.
    fn closes(&self, port: &Port, locked: &Locked) -> bool {
        port.flags().policy().failing_open && self.is_open(port, locked) == (false, false)
    }

    /// Whether it still matters that a source of `port` was lost.
    fn has_lost_source(&self, port: &Port) -> bool {
        port.flags().has(Flag::LostSource) && !self.ageing().is_past(port.lost(), self.now())
    }

    /// Settles the state of `port`, but that it gets every copy does not end unless it may
    /// (`may_close`). Whether that it is at a limit is to be told.
    fn settle_port(&self, port: &Port, may_close: bool) -> bool {
        let mut locked = self.writer.lock();
        if !may_close && self.closes(port, &locked) {
            return false;
        }
        let flags = port.flags();
        let is_full = self.is_full(port);
        let waits = locked.pending.has_port(port.index);
        let lost = self.has_lost_source(port);
        let (fails_open, is_unsettled) = self.is_open(port, &locked);
        port.set(&mut locked, Flag::LostSource, lost);
        // While one of them takes the other's place the port is not without both.
        if is_unsettled {
            port.set(&mut locked, Flag::Unsettled, true);
        }
        port.set(&mut locked, Flag::FailingOpen, fails_open);
        port.set(&mut locked, Flag::Unsettled, is_unsettled);
        let at_limit =
            flags.has(Flag::AtLimit) && is_full && (lost || waits || flags.has(Flag::FailClosed));
        port.set(&mut locked, Flag::AtLimit, at_limit);
        let is_told = at_limit && !flags.has(Flag::Enabled);
        port.set(&mut locked, Flag::LimitLogged, is_told);
        is_told && !flags.has(Flag::LimitLogged)
    }

    /// The sum of a counter over the ports.
    pub(crate) fn count_of(&self, counter: Counter) -> u64 {
        self.ports
            .lock()
            .iter()
            .map(|port| port.count_of(counter))
            .sum()
    }

    /// Stops the upkeep for good. May sleep.
    pub(crate) fn retire(&self) {
        let upkeep = self.upkeep.lock().take();
        if let Some(upkeep) = upkeep {
            upkeep.cancel();
        }
        let publisher = self.publisher.lock().take();
        if let Some(publisher) = publisher {
            publisher.cancel();
        }
    }

    /// A number for a port that joins. If all are had by ports, or by such as have left, these are
    /// forgotten first, in as many walks as it takes. May sleep.
    pub(crate) fn find_index(&self) -> Option<PortIndex> {
        let mut left = u64::MAX;
        loop {
            if let Some(index) = self.free_index() {
                return Some(index);
            }
            let _walk = self.walk.lock();
            let departed = self.writer.lock().departed();
            let count = |port: PortIndex| u64::from(self.table.port_count(port));
            let owned = departed.iter().map(count).sum();
            if owned >= left {
                // There is no memory to forget what several own.
                return None;
            }
            left = owned;
            // One of them is enough: that which is soonest forgotten.
            let mut soonest = PortMask::NONE;
            soonest.set(departed.iter().min_by_key(|&port| count(port))?, true);
            self.purge(soonest);
        }
    }

    /// Lowest number that no port has, nor one that has left and is not forgotten.
    fn free_index(&self) -> Option<PortIndex> {
        let mut used = self.writer.lock().departed();
        for port in &*self.ports.lock() {
            used.set(port.index, true);
        }
        (0..BRIDGE_ITSELF).find(|index| !used.has(*index))
    }
}

/// The address of a key, as the word that a frame or a device gives.
pub(crate) fn address_of(key: Key) -> u64 {
    let [a, b, c, d, e, f] = key.mac();
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

#[kernel::macros::kunit_tests(maclearn_bridge)]
mod tests {
    use super::*;
    use crate::lab::{Lab, Reader, KEY};

    #[test]
    fn who_has_not_seen_what_was_placed_finds_the_port_open() -> Result {
        let lab = Lab::new()?;
        let (bridge, port) = (&*lab.bridge, &*lab.ports[1]);
        lab.learn(2, KEY);
        let is_open = |port: &Port| port.flags().policy().failing_open;
        let was_kept = Reader::watch(&lab, 1, is_open, |reader| {
            {
                let mut locked = bridge.writer.lock();
                locked.withdraw(KEY, 1, Claims::LEARNED);
                assert!(locked.pending.keep(KEY, 1, bridge.now() as Stamp));
                port.set(&mut locked, Flag::Unsettled, true);
            }
            reader.wait_for_it();
            bridge.settle();
            assert!(!is_open(port));
            // It looks until its section ends.
            rcu::wait_for_readers();
        })?;
        assert_eq!(was_kept, Some(true));
        Ok(())
    }

    #[test]
    fn what_a_leaving_port_could_not_learn_is_lost_like_its_entries() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        let [waits, other] = [1, 2].map(|number| Key::from_parts(0, number << 8 | 2));
        // Ports 1 and 2 own what port 0 has used since.
        for port in [1, 2] {
            lab.learn(port, waits);
            lab.learn(port, other);
        }
        let stamp = bridge.now() as Stamp;
        assert!(bridge.writer.lock().pending.keep(waits, 0, stamp));
        lab.ports[2].set(&mut bridge.writer.lock(), Flag::SuppressUnknown, true);
        assert!(!lab.leave(0));
        let locked = bridge.writer.lock();
        assert!(locked.pending.is_empty());
        assert!(locked.claims(waits, 1) == Claims::NONE);
        // It would get nothing for it.
        assert!(locked.claims(waits, 2) == Claims::LEARNED);
        assert!(locked.claims(other, 1) == Claims::LEARNED);
        Ok(())
    }
}
