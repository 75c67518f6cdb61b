// SPDX-License-Identifier: GPL-2.0

//! A port of a bridge: its settings, its state and its counters.

use core::array;

use kernel::{
    prelude::*,
    sync::{aref::ARef, new_mutex, Arc, Mutex},
};

use super::{
    bridge::Bridge,
    counters::{Counter, COUNTERS},
    events::{Event, Kind},
    flags::{Flag, Flags},
    locked::{Locked, TableHeld},
    mirror::Span,
    settings::{Change, PortSetting, Setting},
    tag::Secret,
    vlans::LastLeft,
};
use crate::{
    kapi::{
        atomic::{AtomicBool, AtomicU32, AtomicU64},
        clock,
        delayed_work::DelayedWork,
        device_map::{on_device, Anchor},
        genetlink::has_listeners,
        netdevice::NetDevice,
        percpu::Words,
        rtnl::Rtnl,
        switchdev,
        sysfs::Directory,
    },
    table::{Claims, Key, PortIndex, Stamp, Writer},
};

/// Time from the first event that waits until they are sent, in jiffies.
const NOTIFY_DELAY: usize = (clock::HZ / 50) as usize;

/// Time from the first change that may let a key be offloaded until it is, in jiffies.
const OFFLOAD_DELAY: usize = (clock::HZ / 10) as usize;

/// Units of time that uses may be noted ahead of the clock.
pub(crate) const MOST_AHEAD: u64 = 4;

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
    /// Whether the bridge could be given what the port owns when that was last looked at.
    pub(crate) was_offloadable: AtomicBool,
    /// Time, in the table's units, before which none of its entries can be aged.
    expiry: AtomicU64,
    /// Time, in the table's units, at which the last source was lost, for [`Flag::LostSource`].
    lost: AtomicU64,
    /// Time, in the table's units, up to which what was learned is to be forgotten, for
    /// [`Flag::Forgetting`].
    forget_until: AtomicU64,
    /// Since when copies are made for it, while it is not filtered, or when they last were.
    pub(crate) mirrored: Span,
    /// Whether it is a port of a hardware switch.
    pub(crate) is_switch_port: bool,
    /// When it last left a VLAN.
    pub(crate) left_vlan: LastLeft,
    /// The bridge's maintenance work, to ask for a run.
    pub(crate) maintenance: Arc<DelayedWork<Bridge>>,
    /// Its directory in sysfs, which refers to the port, until it leaves.
    #[pin]
    pub(crate) directory: Mutex<Option<Directory<Port>>>,
}

on_device!(Port { anchor });

/// Where a port has a setting.
enum Held {
    /// In a flag, which is set where the value is not 0.
    Flag(Flag),
    /// In [`Port::max_macs`].
    MaxMacs,
}

impl Held {
    /// Where `setting` is.
    fn of(setting: PortSetting) -> Self {
        match setting {
            PortSetting::Enabled => Self::Flag(Flag::Enabled),
            PortSetting::Learning => Self::Flag(Flag::Learning),
            PortSetting::UnknownUnicast => Self::Flag(Flag::SuppressUnknown),
            PortSetting::OnFailure => Self::Flag(Flag::FailClosed),
            PortSetting::MaxMacs => Self::MaxMacs,
        }
    }
}

impl Port {
    /// Makes a port with the settings that the bridge has for it, but not enabled yet. May
    /// sleep.
    pub(crate) fn new(
        bridge: Arc<Bridge>,
        maintenance: Arc<DelayedWork<Bridge>>,
        device: &NetDevice,
        index: PortIndex,
        rtnl: &Rtnl,
    ) -> Result<Arc<Self>> {
        let counters = Words::new()?;
        let (mut flags, mut max_macs) = (Flags::NONE, 0);
        for &setting in PortSetting::ALL {
            let first = bridge.settings.get(setting.default());
            match Held::of(setting) {
                Held::Flag(flag) => flags = flags.with(flag, first != 0),
                Held::MaxMacs => max_macs = first,
            }
        }
        let flags = flags
            .with(Flag::Enabled, false)
            .with(Flag::Joining, true)
            .with(Flag::TagsFrames, bridge.mirror.is_on());
        Arc::pin_init(
            pin_init!(Self {
                anchor: Anchor::of(device),
                flags: AtomicU32::new(flags.completed().to_bits()),
                index,
                secret: bridge.secret,
                counters,
                bridge,
                device: device.hold(),
                reset: [const { AtomicU64::new(0) }; COUNTERS],
                max_macs: AtomicU32::new(max_macs),
                was_offloadable: AtomicBool::new(false),
                expiry: AtomicU64::new(u64::MAX),
                lost: AtomicU64::new(0),
                forget_until: AtomicU64::new(0),
                mirrored: Span::new(),
                is_switch_port: switchdev::is_switch_port(device, rtnl),
                left_vlan: LastLeft::never(),
                maintenance,
                directory <- new_mutex!(None, "maclearn_port_directory"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Settings and state, all of one moment.
    #[inline(always)]
    pub(crate) fn flags(&self) -> Flags {
        Flags::from_bits(self.flags.load_relaxed())
    }

    /// Whether it has not left the bridge, so that its number in the table is its own.
    pub(crate) fn is_present(&self, _held: &TableHeld) -> bool {
        !self.flags().has(Flag::Gone)
    }

    fn store_flags(&self, flags: Flags) {
        self.flags.store_relaxed(flags.completed().to_bits());
    }

    /// Sets or clears a flag under the table's lock, which is an event for some.
    pub(crate) fn set(&self, locked: &mut Locked, flag: Flag, on: bool) {
        if self.flags().has(flag) == on {
            return;
        }
        self.store_flags(self.flags().with(flag, on));
        let kind = match (flag, on) {
            (Flag::Enabled, true) => Kind::Enabled,
            (Flag::Enabled, false) => Kind::Disabled,
            (Flag::FailingOpen, true) => Kind::FailingOpen,
            (Flag::FailingOpen, false) => Kind::Recovered,
            _ => return,
        };
        self.note(locked, kind, None);
    }

    /// Has the port get every copy until it leaves: it may own what nobody can tell.
    pub(crate) fn mark_fdb_incomplete(&self, locked: &mut Locked) {
        self.set(locked, Flag::FdbIncomplete, true);
        self.set(locked, Flag::FailingOpen, true);
    }

    /// Has the port get every copy until a source that it used at `time`, in the table's units, has
    /// aged: which one that was is not known.
    pub(crate) fn lose_source(&self, locked: &mut Locked, time: u64) {
        self.lost.store_relaxed(time);
        self.set(locked, Flag::LostSource, true);
        self.set(locked, Flag::FailingOpen, true);
    }

    /// Has what was learned so far be forgotten by the maintenance work. What is learned from now
    /// on has a later time, see [`Port::time_of_use`], and is not.
    pub(crate) fn begin_forgetting(&self, locked: &mut Locked) {
        let now = self.bridge.now();
        // A frame under way reads the clock after the flags.
        let until = now.max(self.forget_until()) + 1;
        let latest = now + MOST_AHEAD;
        self.set_forget_until(locked, until.min(latest));
        self.set(locked, Flag::Forgetting, true);
        let bridge = &*self.bridge;
        let ahead = bridge.ahead_until(locked).max(self.forget_until() + 1);
        bridge.set_ahead_until(locked, ahead);
        // What the next use is can't be told from this one then: all of it goes, and once more.
        self.set(locked, Flag::LearnedQuiet, until > latest);
    }

    /// The time up to which what was learned is to be forgotten, in the table's units.
    pub(crate) fn forget_until(&self) -> u64 {
        self.forget_until.load_relaxed()
    }

    /// Sets [`Port::forget_until`].
    pub(crate) fn set_forget_until(&self, _locked: &Writer, time: u64) {
        self.forget_until.store_relaxed(time);
    }

    /// The time, in the table's units, of a source that is used now: while older ones are being
    /// forgotten, after those, if need be by one unit for each time that the port became quiet
    /// meanwhile, but not further ahead of the clock than [`MOST_AHEAD`].
    pub(crate) fn time_of_use(&self, _locked: &Writer) -> u64 {
        let now = self.bridge.now();
        if self.flags().has(Flag::Forgetting) {
            now.max(self.forget_until() + 1).min(now + MOST_AHEAD)
        } else {
            now
        }
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

    /// What a setting is.
    pub(crate) fn setting(&self, setting: PortSetting) -> u32 {
        match Held::of(setting) {
            Held::Flag(flag) => self.flags().has(flag).into(),
            Held::MaxMacs => self.max_macs(),
        }
    }

    /// Changes settings, but that it is enabled. Under the table's lock.
    pub(crate) fn change(&self, locked: &mut Locked, change: &Change<PortSetting>) {
        let others = || {
            let is_other = |&(setting, _): &_| setting != PortSetting::Enabled;
            change.iter().filter(is_other)
        };
        let mut flags = self.flags();
        for (setting, value) in others() {
            match Held::of(setting) {
                Held::Flag(flag) => flags = flags.with(flag, value != 0),
                Held::MaxMacs => self.max_macs.store_relaxed(value),
            }
        }
        self.store_flags(flags);
        if others().next().is_some() {
            self.note(locked, Kind::PortChanged, None);
        }
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

    /// Lowers [`Port::expiry`] to `expiry`.
    pub(crate) fn lower_expiry(&self, _locked: &Writer, expiry: u64) {
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
        // Before the lock is taken: with many CPUs that takes a while.
        let sums: [u64; COUNTERS] = array::from_fn(|index| self.counters.sum(index));
        let _locked = self.bridge.table_lock.lock();
        for (reset, sum) in self.reset.iter().zip(sums) {
            // Another one may have read later sums, and stored them already.
            if sum > reset.load_relaxed() {
                reset.store_release(sum);
            }
        }
    }

    /// Notes what happened here, if somebody listens, and sees to its being sent. Of a port that
    /// has left nothing is told: its number may be another's when that is sent.
    pub(crate) fn note(&self, locked: &mut Locked, kind: Kind, key: Option<Key>) {
        if !self.is_present(&locked.held) || !has_listeners(&self.bridge.device) {
            return;
        }
        let is_first = locked.events.events().is_empty();
        locked.events.push(Event {
            kind,
            port: Some(self.index),
            key,
        });
        if is_first {
            self.maintenance.run_within(NOTIFY_DELAY);
        }
    }

    /// Takes claims on `key` from the port; if none is left, that is an event.
    pub(crate) fn withdraw(&self, locked: &mut Locked, key: Key, claims: Claims) {
        if locked.withdraw(key, self.index, claims)
            && locked.claims(key, self.index) == Claims::NONE
        {
            self.note(locked, Kind::Deleted, Some(key));
        }
    }

    /// Notes that it has become an owner of `key`, which it used at `stamp`; and of one that others
    /// owned if it has `moved`.
    #[inline(always)]
    pub(crate) fn note_learned(&self, locked: &mut Locked, key: Key, stamp: Stamp, moved: bool) {
        let (bridge, counters) = (&*self.bridge, &self.counters);
        counters.increment::<{ Counter::Learned as usize }>();
        if moved {
            counters.increment::<{ Counter::MovedIn as usize }>();
        }
        let kind = if moved { Kind::MovedIn } else { Kind::Learned };
        self.note(locked, kind, Some(key));
        self.note_quiet_use(locked);
        self.lower_expiry(locked, bridge.ageing().expiry(stamp, bridge.now()));
        if locked.is_full() {
            self.maintenance.run_within(0);
        } else {
            self.queue_offload();
        }
    }

    /// Notes that it uses a source while it is quiet, if it is.
    #[inline(always)]
    pub(crate) fn note_quiet_use(&self, locked: &mut Locked) {
        if self.bridge.quiet.has(self.index) {
            self.set(locked, Flag::LearnedQuiet, true);
        }
    }

    /// Has the maintenance work look for what can be offloaded, since something may be by now.
    #[inline(always)]
    pub(crate) fn queue_offload(&self) {
        if self.bridge.all_offloaded.load_relaxed() {
            self.bridge.all_offloaded.store_relaxed(false);
            self.maintenance.run_within(OFFLOAD_DELAY);
        }
    }
}
