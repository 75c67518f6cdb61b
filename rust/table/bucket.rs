// SPDX-License-Identifier: GPL-2.0

//! A bucket: one cache line with a few slots and a sequence counter.
//!
//! The only writer makes `seq` odd while it changes anything that readers compare, so that what a
//! reader read belongs together when `seq` was even before and is the same after. The stamps are
//! outside of that: a reader stores them.

use super::{Claims, Key, PortIndex, Stamp};
use crate::platform::{
    preempt_disable_nested, read_barrier, write_barrier, AtomicU16, AtomicU32, AtomicU64, Zeroable,
};

/// Entries in a bucket. The model checker is content with fewer.
pub(super) const SLOTS: usize = if cfg!(loom) { 2 } else { 5 };

/// Set in the key of an extra owner's entry.
const EXTRA: u64 = 1 << 62;

/// What an entry is looked up by.
///
/// The first owner of a key has the *primary* entry, named by the key alone. Each further owner
/// has an *extra* entry, named by key and port.
#[derive(Clone, Copy)]
pub(super) struct Name {
    bits: u64,
    port: Option<PortIndex>,
}

impl Name {
    #[inline]
    pub(super) fn primary(key: Key) -> Self {
        Self {
            bits: key.to_bits(),
            port: None,
        }
    }

    #[inline]
    pub(super) fn extra(key: Key, port: PortIndex) -> Self {
        Self {
            bits: key.to_bits() | EXTRA,
            port: Some(port),
        }
    }

    /// The word and the number to hash.
    #[inline]
    pub(super) fn parts(self) -> (u64, u16) {
        (self.bits, self.port.unwrap_or(0))
    }

    pub(super) fn key(self) -> Key {
        Key::from_parts((self.bits >> 48) as u16, self.bits)
    }

    pub(super) fn is_extra(self) -> bool {
        self.port.is_some()
    }
}

/// A port, why it owns a key, and what else is to be known of the entry.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Owner(u16);

impl Owner {
    pub(super) const PORT: u16 = 0x3ff;
    pub(super) const REVOKING: u16 = 1 << 10;
    pub(super) const OFFLOADED: u16 = 1 << 11;
    pub(super) const SHARED: u16 = 1 << 14;

    pub(super) fn new(port: PortIndex, claims: Claims) -> Self {
        Self((port & Self::PORT) | claims.to_bits())
    }

    #[inline]
    pub(super) fn port(self) -> PortIndex {
        self.0 & Self::PORT
    }

    #[inline]
    pub(super) fn claims(self) -> Claims {
        Claims::from_bits(self.0)
    }

    pub(super) fn with_claims(self, claims: Claims) -> Self {
        Self((self.0 & !Claims::ALL.to_bits()) | claims.to_bits())
    }

    /// Are there extra owners? Set in primary entries only.
    #[inline]
    pub(super) fn is_shared(self) -> bool {
        self.0 & Self::SHARED != 0
    }

    /// What tells who gets frames: the port, whether there are others, and whether the bridge
    /// itself may know. Meant for primary entries.
    #[inline]
    pub(super) fn who(self) -> u16 {
        const BRIDGE_KNOWS: u16 = Owner::OFFLOADED | Owner::REVOKING | Claims::BRIDGE.to_bits();
        self.0 & (Self::PORT | Self::SHARED | BRIDGE_KNOWS)
    }

    /// Has `port` learned the key, is it the only owner, and is it sure that nobody relies on
    /// another one? Meant for primary entries.
    #[inline]
    pub(super) fn is_sole_learner(self, port: PortIndex) -> bool {
        let learned = Claims::LEARNED.to_bits();
        self.0 & (Self::PORT | Self::SHARED | Self::REVOKING | learned) == port | learned
    }

    pub(super) fn with_shared(self, shared: bool) -> Self {
        self.with(Self::SHARED, shared)
    }

    /// Do others rely on the port's being the only owner? Set in primary entries only.
    pub(super) fn is_offloaded(self) -> bool {
        self.0 & Self::OFFLOADED != 0
    }

    pub(super) fn with_offloaded(self, offloaded: bool) -> Self {
        self.with(Self::OFFLOADED, offloaded)
    }

    /// May others still rely on another port's being the only owner?
    #[inline]
    pub(super) fn is_revoking(self) -> bool {
        self.0 & Self::REVOKING != 0
    }

    pub(super) fn with_revoking(self, revoking: bool) -> Self {
        self.with(Self::REVOKING, revoking)
    }

    fn with(self, flag: u16, on: bool) -> Self {
        Self(if on { self.0 | flag } else { self.0 & !flag })
    }
}

const _: () = assert!(
    Claims::ALL.to_bits() & (Owner::PORT | Owner::SHARED | Owner::OFFLOADED | Owner::REVOKING) == 0,
    "claims have bits of their own in an owner"
);

/// A bucket; all zero when empty.
#[repr(C, align(64))]
#[cfg_attr(loom, derive(Default))]
pub(super) struct Bucket {
    keys: [AtomicU64; SLOTS],
    owners: [AtomicU16; SLOTS],
    stamps: [AtomicU16; SLOTS],
    seq: AtomicU32,
}

#[cfg(not(loom))]
const _: () = assert!(core::mem::size_of::<Bucket>() == 64);

// SAFETY: It is made of atomic integers only, for which all-zero bytes are valid.
unsafe impl Zeroable for Bucket {}

impl Bucket {
    /// Starts reading: what is read from now on is good if `unchanged()` says so afterwards.
    #[inline]
    pub(super) fn begin_read(&self) -> u32 {
        // Rounded down to even, so that reading during a change is never found to be good.
        self.seq.load_acquire() & !1
    }

    #[inline]
    pub(super) fn unchanged(&self, seq: u32) -> bool {
        // Orders the reads before. A reader can't be late by the 2^31 changes after which `seq`
        // comes round to the same value.
        read_barrier();
        self.seq.load_relaxed() == seq
    }

    #[inline]
    pub(super) fn find(&self, name: Name) -> Option<Slot<'_>> {
        self.slots().find(|slot| {
            slot.bits() == name.bits && name.port.is_none_or(|port| slot.owner().port() == port)
        })
    }

    #[inline]
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        (0..SLOTS).map(|index| Slot {
            bucket: self,
            index,
        })
    }

    /// The first empty slot. Only the writer calls this.
    pub(super) fn room(&self) -> Option<Slot<'_>> {
        self.slots().find(|slot| slot.bits() == 0)
    }

    /// The empty slot that comes first in this bucket or in `other`: one of the bucket that has
    /// more of them, as long as no entry was removed. Only the writer calls this.
    #[inline]
    pub(super) fn room_in_either<'a>(&'a self, other: &'a Self) -> Option<Slot<'a>> {
        for index in 0..SLOTS {
            for bucket in [self, other] {
                let slot = Slot { bucket, index };
                if slot.bits() == 0 {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// Makes a change that readers see as a whole or not at all. Only the writer calls this.
    ///
    /// A reader that comes in between waits for the end of the change. If it had taken the CPU from
    /// the writer, being of higher priority, it would wait for ever.
    fn change(&self, change: impl FnOnce()) {
        let _preemption = preempt_disable_nested();
        let seq = self.seq.load_relaxed();
        self.seq.store_relaxed(seq.wrapping_add(1));
        write_barrier();
        change();
        self.seq.store_release(seq.wrapping_add(2));
    }
}

/// A place for an entry.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) bucket: &'a Bucket,
    index: usize,
}

impl Slot<'_> {
    #[inline]
    fn bits(&self) -> u64 {
        self.bucket.keys[self.index].load_relaxed()
    }

    /// The name of the entry that stands here.
    pub(super) fn name(&self) -> Option<Name> {
        let bits = self.bits();
        (bits != 0).then(|| Name {
            bits,
            port: (bits & EXTRA != 0).then(|| self.owner().port()),
        })
    }

    #[inline]
    pub(super) fn owner(&self) -> Owner {
        Owner(self.bucket.owners[self.index].load_relaxed())
    }

    #[inline]
    pub(super) fn stamp(&self) -> Stamp {
        self.bucket.stamps[self.index].load_relaxed()
    }

    #[inline]
    pub(super) fn set_stamp(&self, stamp: Stamp) {
        self.bucket.stamps[self.index].store_relaxed(stamp);
    }

    /// Puts an entry here, in place of what was.
    pub(super) fn set(&self, name: Name, owner: Owner, stamp: Stamp) {
        self.bucket.change(|| {
            self.bucket.keys[self.index].store_relaxed(name.bits);
            self.bucket.owners[self.index].store_relaxed(owner.0);
            self.set_stamp(stamp);
        });
    }

    pub(super) fn set_owner(&self, owner: Owner) {
        self.bucket
            .change(|| self.bucket.owners[self.index].store_relaxed(owner.0));
    }

    pub(super) fn clear(&self) {
        self.bucket
            .change(|| self.bucket.keys[self.index].store_relaxed(0));
    }

    /// Puts what stands here to another place, under a given name, and clears this one.
    ///
    /// The new entry is complete before the old one goes: a reader that finds the old one gone
    /// sees the new one, or sees that the new one's bucket changed since it read it.
    pub(super) fn move_to(&self, to: Slot<'_>, name: Name, owner: Owner) {
        let stamp = self.stamp();
        to.set(name, owner, stamp);
        self.clear();
        // A reader may have refreshed the old entry after its stamp was copied.
        let late = self.stamp();
        if late != stamp {
            to.set_stamp(late);
        }
    }
}
