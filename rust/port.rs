// SPDX-License-Identifier: GPL-2.0

//! A port of a bridge: its settings, its state and its counters.

use kernel::{
    prelude::*,
    sync::{aref::ARef, new_mutex, Arc, Mutex},
};

use crate::{
    bridge::Bridge,
    decision::Policy,
    events::{Kind, Locked},
    kapi::{
        atomic::{AtomicU32, AtomicU64},
        delayed_work::DelayedWork,
        device_map::{on_device, Anchor},
        netdevice::NetDevice,
        percpu::Words,
        sysfs::Directory,
    },
    mark::Secret,
    network::Network,
    table::{PortIndex, Writer},
};

/// Greatest `max_macs` of a port.
pub(crate) const MAX_MACS: u64 = 1 << 20;

/// What a port counts, in frames unless the name says otherwise; a GSO buffer counts its segments.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    /// Copies suppressed.
    Suppressed,
    /// Bytes of the copies suppressed, Ethernet headers included.
    SuppressedBytes,
    /// Copies passed since the port owns the destination.
    PassedOwned,
    /// Copies passed since nobody owns the destination.
    PassedUnknown,
    /// Copies passed since a source behind the port could not be learned.
    PassedFailingOpen,
    /// Copies of broadcast and multicast frames, which always pass.
    PassedMulticast,
    /// MACs learned.
    Learned,
    /// MACs learned that another port owned.
    MovedIn,
    /// MACs forgotten since they were not seen for the ageing time.
    Aged,
    /// Frames whose source could not be learned for a limit.
    LimitHits,
    /// Of those, frames dropped since the port fails closed.
    DroppedClosed,
}

/// Number of [`Counter`]s.
const COUNTERS: usize = Counter::DroppedClosed as usize + 1;

/// A bit of a port's settings or state.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Flag {
    /// Copies to the port are filtered.
    Enabled = 1 << 0,
    /// Sources behind the port are learned.
    Learning = 1 << 1,
    /// Copies for unknown destinations are suppressed.
    SuppressUnknown = 1 << 2,
    /// On failure frames are dropped, rather than every copy passed.
    FailClosed = 1 << 3,
    /// Every copy passes until there is room: a source could not be learned for a limit.
    FailingOpen = 1 << 4,
    /// A source could not be learned since the table is about to grow.
    Unsettled = 1 << 5,
    /// The port has left the bridge.
    Gone = 1 << 6,
    /// A source could not be learned for a limit, and there has been no room since.
    AtLimit = 1 << 7,
    /// What the bridge's own database has for the port is not known for lack of memory.
    LostTrack = 1 << 8,
    /// It has become quiet, and what was learned there is still to be forgotten.
    Forgetting = 1 << 9,
    /// A source could be neither learned nor kept: every copy passes until it would have aged.
    LostSource = 1 << 10,
    /// That the port is at a limit was written to the kernel's log.
    LimitLogged = 1 << 11,
    /// It is joining the bridge, and not enabled yet if it is to be.
    Joining = 1 << 12,
    /// Something was learned while the port was quiet.
    LearnedQuiet = 1 << 13,
}

/// The [`Flag`]s of a port at one time.
#[derive(Clone, Copy)]
pub(crate) struct Flags(u32);

impl Flags {
    /// Whether `flag` is set.
    #[inline(always)]
    pub(crate) fn has(self, flag: Flag) -> bool {
        self.0 & flag as u32 != 0
    }

    /// The same with `flag` set or cleared.
    fn with(self, flag: Flag, on: bool) -> Self {
        if on {
            Self(self.0 | flag as u32)
        } else {
            Self(self.0 & !(flag as u32))
        }
    }

    /// The same with the settings that `change` gives.
    fn changed(self, change: &PortChange) -> Self {
        [
            (Flag::Enabled, change.enabled),
            (Flag::Learning, change.learning),
            (Flag::SuppressUnknown, change.suppress_unknown),
            (Flag::FailClosed, change.fail_closed),
        ]
        .into_iter()
        .fold(self, |flags, (flag, on)| match on {
            Some(on) => flags.with(flag, on),
            None => flags,
        })
    }

    /// Whether copies to the port are filtered, and it is not failing open.
    pub(crate) fn filters(self) -> bool {
        self.has(Flag::Enabled) && !self.has(Flag::Gone) && !self.policy().failing_open
    }

    /// What they say about copies to the port.
    #[inline(always)]
    pub(crate) fn policy(self) -> Policy {
        Policy {
            suppress_unknown: self.has(Flag::SuppressUnknown),
            failing_open: self.0 & (Flag::FailingOpen as u32 | Flag::Unsettled as u32) != 0,
        }
    }
}

/// Settings to change together; `None` leaves one as it is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PortChange {
    /// Whether copies to the port are filtered.
    pub(crate) enabled: Option<bool>,
    /// Whether sources behind the port are learned.
    pub(crate) learning: Option<bool>,
    /// Whether copies for unknown destinations are suppressed.
    pub(crate) suppress_unknown: Option<bool>,
    /// Whether frames are dropped on failure, rather than every copy passed.
    pub(crate) fail_closed: Option<bool>,
    /// Greatest number of MACs; 0 is unlimited.
    pub(crate) max_macs: Option<u32>,
}

/// The settings that a port gets when it joins a bridge.
pub(crate) struct Defaults {
    flags: AtomicU32,
    max_macs: AtomicU32,
}

impl Defaults {
    pub(crate) fn new() -> Self {
        Self {
            flags: AtomicU32::new(0),
            max_macs: AtomicU32::new(0),
        }
    }

    /// Settings that are on or off; [`Flag::Enabled`] says whether the port is enabled.
    pub(crate) fn flags(&self) -> Flags {
        Flags(self.flags.load_relaxed())
    }

    /// `max_macs`.
    pub(crate) fn max_macs(&self) -> u32 {
        self.max_macs.load_relaxed()
    }

    /// Changes those that are given. The table's writer stands for its lock.
    pub(crate) fn change(&self, _locked: &Writer, change: &PortChange) {
        self.flags.store_relaxed(self.flags().changed(change).0);
        if let Some(macs) = change.max_macs {
            self.max_macs.store_relaxed(macs);
        }
    }
}

/// A port of a bridge, from the time it joins until it has left and nothing uses it.
#[pin_data]
#[repr(C)]
pub(crate) struct Port {
    // What hooks read for every frame comes first, to share a cache line.
    anchor: Anchor,
    flags: AtomicU32,
    /// Its number among the ports of the bridge, by which the table knows it.
    pub(crate) index: PortIndex,
    /// The bridge's [`Bridge::secret`].
    pub(crate) secret: Secret,
    /// What it counts, a word for each [`Counter`].
    pub(crate) counters: Words<COUNTERS>,
    /// The bridge.
    pub(crate) bridge: Arc<Bridge>,
    /// The device that is the port.
    pub(crate) device: ARef<NetDevice>,
    /// What the counters were when they were last reset.
    reset: [AtomicU64; COUNTERS],
    max_macs: AtomicU32,
    /// Whether what the port owns was given to the bridge when [`crate::offload`] last looked.
    pub(crate) is_given: AtomicU32,
    /// Time, in the table's units, before which none of its entries can be aged.
    expiry: AtomicU64,
    /// Time, in the table's units, at which the last source was lost, for [`Flag::LostSource`].
    lost: AtomicU64,
    /// What [`Bridge::left_vlans`] said when the port last left a VLAN; 0 if it never has.
    pub(crate) left_vlan: AtomicU32,
    /// The bridge's upkeep, to ask for a run.
    pub(crate) upkeep: Arc<DelayedWork<Bridge>>,
    /// The namespace's state.
    pub(crate) network: Arc<Network>,
    /// Its directory in sysfs, which refers to the port, until it leaves.
    #[pin]
    pub(crate) directory: Mutex<Option<Directory<Port>>>,
}

on_device!(Port { anchor });

impl Port {
    /// Makes a port with the settings that the bridge has for it, but not enabled yet.
    pub(crate) fn new(
        network: Arc<Network>,
        bridge: Arc<Bridge>,
        upkeep: Arc<DelayedWork<Bridge>>,
        device: &NetDevice,
        index: PortIndex,
    ) -> Result<Arc<Self>> {
        let counters = Words::new()?;
        let flags = bridge
            .defaults
            .flags()
            .with(Flag::Enabled, false)
            .with(Flag::Joining, true);
        let max_macs = bridge.defaults.max_macs();
        Arc::pin_init(
            pin_init!(Self {
                anchor: Anchor::of(device),
                flags: AtomicU32::new(flags.0),
                index,
                secret: bridge.secret,
                counters,
                bridge,
                device: device.hold(),
                reset: [const { AtomicU64::new(0) }; COUNTERS],
                max_macs: AtomicU32::new(max_macs),
                is_given: AtomicU32::new(0),
                expiry: AtomicU64::new(u64::MAX),
                lost: AtomicU64::new(0),
                left_vlan: AtomicU32::new(0),
                upkeep,
                network,
                directory <- new_mutex!(None, "maclearn_port_directory"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Settings and state, all of one moment.
    #[inline(always)]
    pub(crate) fn flags(&self) -> Flags {
        Flags(self.flags.load_relaxed())
    }

    /// Whether it has not left the bridge, so that its number in the table is its own. The caller
    /// holds the table's lock.
    pub(crate) fn is_present(&self) -> bool {
        !self.flags().has(Flag::Gone)
    }

    /// Sets or clears a flag under the table's lock, which is an event for some.
    pub(crate) fn set(&self, locked: &mut Locked, flag: Flag, on: bool) {
        if self.flags().has(flag) == on {
            return;
        }
        self.flags.store_relaxed(self.flags().with(flag, on).0);
        let kind = match (flag, on) {
            (Flag::Enabled, true) => Kind::Enabled,
            (Flag::Enabled, false) => Kind::Disabled,
            (Flag::FailingOpen, true) => Kind::FailingOpen,
            (Flag::FailingOpen, false) => Kind::Recovered,
            _ => return,
        };
        locked.note(kind, self, None);
    }

    /// Has the port get every copy until it leaves: it may own what nobody can tell.
    pub(crate) fn lose_track(&self, locked: &mut Locked) {
        self.set(locked, Flag::LostTrack, true);
        self.set(locked, Flag::FailingOpen, true);
    }

    /// Has the port get every copy until a source that it used `now`, in the table's units, has aged:
    /// which one that was is not known.
    pub(crate) fn lose_source(&self, locked: &mut Locked, now: u64) {
        self.lost.store_relaxed(now);
        self.set(locked, Flag::LostSource, true);
        self.set(locked, Flag::FailingOpen, true);
    }

    /// When the last source was lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load_relaxed()
    }

    /// Sets [`Port::lost`].
    pub(crate) fn set_lost(&self, _locked: &Writer, time: u64) {
        self.lost.store_relaxed(time);
    }

    /// Greatest number of MACs that the port may own; 0 is unlimited.
    pub(crate) fn max_macs(&self) -> u32 {
        self.max_macs.load_relaxed()
    }

    /// Changes settings, all of those given or none.
    ///
    /// # Errors
    ///
    /// Those of [`Network::set_enabled`].
    pub(crate) fn change(&self, change: &PortChange) -> Result {
        // The only step that can fail.
        if let Some(on) = change.enabled {
            self.network.set_enabled(self, on)?;
        }
        {
            let mut locked = self.bridge.writer.lock();
            let others = PortChange {
                enabled: None,
                ..*change
            };
            self.flags.store_relaxed(self.flags().changed(&others).0);
            if let Some(macs) = change.max_macs {
                self.max_macs.store_relaxed(macs);
            }
            if others != PortChange::default() {
                locked.note(Kind::PortChanged, self, None);
            }
        }
        self.bridge.settle();
        Ok(())
    }

    /// Number of MACs that the port owns.
    pub(crate) fn macs(&self) -> u32 {
        self.bridge.table.port_count(self.index)
    }

    /// Time, in the table's units, before which none of the port's entries can be aged.
    pub(crate) fn expiry(&self) -> u64 {
        self.expiry.load_relaxed()
    }

    /// Sets [`Port::expiry`].
    pub(crate) fn set_expiry(&self, _locked: &Writer, expiry: u64) {
        self.expiry.store_relaxed(expiry);
    }

    /// Lowers [`Port::expiry`] to `expiry`. The caller holds the table's lock.
    pub(crate) fn lower_expiry(&self, expiry: u64) {
        if expiry < self.expiry.load_relaxed() {
            self.expiry.store_relaxed(expiry);
        }
    }

    /// The sum of a counter over all CPUs.
    pub(crate) fn count_of(&self, counter: Counter) -> u64 {
        let index = counter as usize;
        // Read before the words of the CPUs, which are then what they were at that time or more.
        let reset = self.reset[index].load_acquire();
        self.counters.sum(index).wrapping_sub(reset)
    }

    /// Counts from 0 again.
    pub(crate) fn reset_counters(&self) {
        let _writer = self.bridge.writer.lock();
        for (index, reset) in self.reset.iter().enumerate() {
            reset.store_release(self.counters.sum(index));
        }
    }
}
