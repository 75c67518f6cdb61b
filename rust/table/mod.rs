// SPDX-License-Identifier: GPL-2.0

//! The table of a bridge: which ports own a (VLAN, MAC).
//!
//! [`Table`] answers, [`Writer`] changes. Readers take no lock; whoever changes the table holds
//! its only `Writer`, so the caller keeps that in a lock that readers on the same CPU can't
//! interrupt. `Documentation/design.md` shows the layout, `array.rs` argues why no reader misses
//! an owner.
//!
//! This module knows nothing of the kernel: all that it needs is in `crate::platform`, so that the
//! same source runs in the host's tests.

#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod array;
mod bucket;
mod claims;
mod key;
mod port_mask;
mod secret;
#[cfg(any(all(test, not(loom)), CONFIG_KUNIT))]
mod selftest;
mod writer;

pub use array::Array;
pub use claims::Claims;
pub use key::{mac_word, Key};
pub use port_mask::PortMask;
pub use secret::Secret;
pub use writer::{
    Action, Cursor, Entry, Learned, Limits, Migration, Retired, Revoked, Visit, Writer,
};

use crate::platform::{
    new_arc, Arc, AtomicPtr, AtomicU32, AtomicU64, Boxed, Buckets, OutOfMemory, ReadGuard,
};
use array::{Hit, MissSeq, MIN_BUCKETS};
use bucket::Owner;

/// A port's number, less than [`MAX_PORTS`].
pub type PortIndex = u16;

/// As many ports as a bridge can have. The model checker is content with fewer.
pub const MAX_PORTS: usize = if cfg!(loom) { 4 } else { 1024 };

/// A time in a unit of the caller's, wrapping.
pub type Stamp = u16;

/// Units for which what the clock said may be used, generously.
const CLOCK_USE: Stamp = 1024;

/// How long before `now` `stamp` is; 0 if it is after that: an entry may have been used since `now`
/// was read from the clock.
pub fn age(stamp: Stamp, now: Stamp) -> Stamp {
    let age = now.wrapping_sub(stamp);
    if age > Stamp::MAX - CLOCK_USE {
        0
    } else {
        age
    }
}

/// Who owns a key, as a port sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ownership {
    /// This port, possibly with others.
    Mine,
    /// Other ports only.
    Other,
    /// No port.
    Nobody,
}

/// What one look at the table says of a key that a port uses.
pub enum Sight<'a> {
    /// The port has learned it, and is the only owner.
    Known,
    /// Nobody owns it.
    New(Miss<'a>),
    /// Someone owns it, perhaps this port.
    Unclear,
}

/// What is noted of a key that a port uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// Nothing: the port has not learned it, or [`Writer::learn`] has to see to it.
    Unknown,
    /// The port's first use of it at this time.
    First,
    /// One more at a time that is noted already.
    Again,
}

/// That a key was looked for and nobody owned it, with what [`Writer::learn_after_miss`] needs to
/// know to see whether that is still so.
pub struct Miss<'a> {
    key: Key,
    seqs: MissSeq<'a>,
}

/// Who owns a key, as one look tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owners(u32);

impl Owners {
    /// No port.
    pub const NOBODY: Self = Self(1 << 16);
    /// Set where nobody but the owner may go by this alone.
    const SLOWLY: u32 = 1 << 17;
    /// Set where all of them are known to be of no account.
    const QUIET: u32 = 1 << 18;
    /// The owner's number.
    const PORT: u32 = Owner::PORT as u32;
    /// Set where there is not exactly one owner.
    const NOT_ONE: u32 = Owner::SHARED as u32 | Self::NOBODY.0;

    fn of(owner: Owner) -> Self {
        Self(owner.who().into())
    }

    /// From what [`Owners::to_bits`] gave.
    #[inline(always)]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// As a number, to be kept somewhere.
    #[inline(always)]
    pub fn to_bits(self) -> u32 {
        self.0
    }

    /// Who owns the key as `port` sees it, if that says so. It does not for other ports than the
    /// only owner where the bridge itself may know where to send frames: such a port may have got
    /// one from it.
    #[inline(always)]
    pub fn seen_from(self, port: PortIndex) -> Option<Ownership> {
        // Most copies are told first that they are suppressed.
        if self.0 & !Self::PORT == 0 {
            Some(if self.0 == port.into() {
                Ownership::Mine
            } else {
                Ownership::Other
            })
        } else if self == Self::NOBODY {
            Some(Ownership::Nobody)
        } else if self.0 & (Self::PORT | Self::NOT_ONE) == port.into() {
            Some(Ownership::Mine)
        } else {
            None
        }
    }

    /// The same, but for [`Owners::seen_from`] it says nothing to ports other than the only owner.
    #[inline]
    pub fn slowly(self) -> Self {
        Self(self.0 | Self::SLOWLY)
    }

    /// The same, and all of them are of no account; for [`Owners::seen_from`] as
    /// [`Owners::slowly`].
    pub fn quietly(self) -> Self {
        Self(self.0 | Self::QUIET)
    }

    /// Was that said of them?
    pub fn are_quiet(self) -> bool {
        self.0 & Self::QUIET != 0
    }

    /// The only owner.
    #[inline]
    pub fn only(self) -> Option<PortIndex> {
        (self.0 & Self::NOT_ONE == 0).then_some((self.0 & Self::PORT) as PortIndex)
    }

    /// Is the key offloaded, so that the bridge itself sends its frames to the owner?
    pub fn is_offloaded(self) -> bool {
        self.0 & u32::from(Owner::OFFLOADED) != 0
    }

    /// Was the key offloaded a moment ago, so that the bridge may still send its frames elsewhere?
    pub fn is_revoking(self) -> bool {
        self.0 & u32::from(Owner::REVOKING) != 0
    }

    /// Does the first of the owners have a claim of the bridge's own database?
    pub fn are_in_bridge_fdb(self) -> bool {
        Claims::from_bits(self.0 as u16).has(Claims::BRIDGE)
    }
}

/// The reading side of a table.
pub struct Table {
    shared: Arc<Shared>,
}

impl Table {
    /// Makes an empty table, which never shrinks below `smallest` buckets: what it can take in
    /// before it first has to grow. This may sleep.
    pub fn new(secret: Secret, smallest: usize) -> Result<(Self, Writer), OutOfMemory> {
        let smallest = smallest.max(MIN_BUCKETS);
        let (counts, extras) = (Buckets::zeroed(MAX_PORTS)?, Buckets::zeroed(MAX_PORTS)?);
        let first = Array::allocate(smallest, secret)?;
        let bytes = size_of::<Shared>() + 2 * size_of_val(&*counts) + first.bytes();
        let shared = new_arc(Shared {
            first: AtomicPtr::new(first.into_raw()),
            total: AtomicU32::new(0),
            departed: AtomicU32::new(0),
            offloaded: AtomicU32::new(0),
            bytes: AtomicU64::new(bytes as u64),
            counts,
            extras,
        })?;
        let writer = Writer::new(shared.clone(), smallest);
        Ok((Self { shared }, writer))
    }

    /// Notes `now` as the last use of `key` by `port`, if that has learned it.
    ///
    /// When the entry is removed at this very moment, the note may go with it although the answer
    /// was that it is learned; the port's next frame is then learned anew.
    #[inline]
    pub fn refresh(&self, guard: &ReadGuard, key: Key, port: PortIndex, now: Stamp) -> Use {
        match self.look_up(guard, key, port) {
            Found::Mine(hit)
                if hit.owner.claims().has(Claims::LEARNED) && !hit.owner.is_revoking() =>
            {
                if hit.slot.stamp() == now {
                    return Use::Again;
                }
                hit.slot.set_stamp(now);
                Use::First
            }
            Found::Mine(_) | Found::Other | Found::Nobody => Use::Unknown,
        }
    }

    /// Like [`Table::refresh`] at one look, which may not tell.
    // Always inline, so that what it says takes no way through memory.
    #[inline(always)]
    pub fn refresh_fast<'a>(
        &'a self,
        guard: &'a ReadGuard,
        key: Key,
        port: PortIndex,
        now: Stamp,
    ) -> Sight<'a> {
        let primary = match self.first(guard).find_primary(key) {
            Ok(primary) => primary,
            Err(seqs) => return Sight::New(Miss { key, seqs }),
        };
        if !primary.owner.is_sole_learner(port) {
            return Sight::Unclear;
        }
        if primary.slot.stamp() != now {
            primary.slot.set_stamp(now);
        }
        Sight::Known
    }

    /// Who owns `key`?
    #[inline]
    pub fn owners(&self, guard: &ReadGuard, key: Key) -> Owners {
        match self.first(guard).find_primary(key) {
            Err(_) => Owners::NOBODY,
            Ok(primary) => Owners::of(primary.owner),
        }
    }

    /// Who owns `key`, as seen from `port`?
    #[inline]
    pub fn ownership(&self, guard: &ReadGuard, key: Key, port: PortIndex) -> Ownership {
        match self.look_up(guard, key, port) {
            Found::Mine(_) => Ownership::Mine,
            Found::Other => Ownership::Other,
            Found::Nobody => Ownership::Nobody,
        }
    }

    /// Whether one of the owners of `key` is one that `matches` tells by port and claims. An owner
    /// that is being added, or moved in the table, may be missed.
    #[cold]
    pub fn is_owned_by_any(
        &self,
        guard: &ReadGuard,
        key: Key,
        matches: impl Fn(PortIndex, Claims) -> bool,
    ) -> bool {
        let Ok(primary) = self.first(guard).find_primary(key) else {
            return false;
        };
        let matches = |hit: Hit<'_>| matches(hit.owner.port(), hit.owner.claims());
        matches(primary)
            || primary.owner.is_shared()
                && (0..MAX_PORTS as PortIndex)
                    .filter(|&port| self.shared.has_extras(port))
                    .filter_map(|port| self.first(guard).find_extra(key, port))
                    .any(matches)
    }

    /// Keys that `port` owns.
    pub fn port_count(&self, port: PortIndex) -> u32 {
        self.shared.port_count(port)
    }

    /// Sum of the counts of all ports that have not departed.
    pub fn total(&self) -> u32 {
        self.shared.total()
    }

    /// Keys that are offloaded.
    pub fn offloaded(&self) -> u32 {
        self.shared.offloaded.load_relaxed()
    }

    /// Memory that the table uses.
    pub fn memory_bytes(&self) -> usize {
        self.shared.bytes.load_relaxed() as usize
    }

    // Always inline, so that neither of its callers has code for what only the other wants.
    #[inline(always)]
    fn look_up<'a>(&'a self, guard: &'a ReadGuard, key: Key, port: PortIndex) -> Found<'a> {
        match self.first(guard).find_primary(key) {
            Err(_) => Found::Nobody,
            Ok(primary) if primary.owner.port() == port => Found::Mine(primary),
            Ok(primary) if !primary.owner.is_shared() => Found::Other,
            Ok(primary) => self.look_up_shared(guard, key, port, primary),
        }
    }

    /// Goes on when a primary entry was found that has extra owners.
    #[cold]
    fn look_up_shared<'a>(
        &'a self,
        guard: &'a ReadGuard,
        key: Key,
        port: PortIndex,
        mut primary: Hit<'a>,
    ) -> Found<'a> {
        loop {
            if let Some(extra) = self.first(guard).find_extra(key, port) {
                return Found::Mine(extra);
            }
            // An extra owner's entry goes only after the primary entry says that it is the owner
            // now. While that has not changed, no extra entry means no owner.
            if primary.is_current() {
                return Found::Other;
            }
            match self.first(guard).find_primary(key) {
                Err(_) => return Found::Nobody,
                Ok(changed) if changed.owner.port() == port => return Found::Mine(changed),
                Ok(changed) => primary = changed,
            }
        }
    }

    #[inline]
    fn first<'a>(&'a self, _guard: &'a ReadGuard) -> &'a Array {
        // SAFETY: The guard shows that this is a read-side critical section.
        unsafe { self.shared.first() }
    }
}

enum Found<'a> {
    Mine(Hit<'a>),
    Other,
    Nobody,
}

/// What readers and the writer share.
///
/// # Invariants
///
/// `first` points to an array. It and those that follow were given up by [`Boxed::into_raw`] and
/// belong to this. Only the writer changes `first`. What it takes out is freed after all readers
/// that may have seen it are done.
struct Shared {
    first: AtomicPtr<Array>,
    /// Sum of all ports' counts.
    total: AtomicU32,
    /// How much of that is of ports that have departed.
    departed: AtomicU32,
    /// Keys that are offloaded.
    offloaded: AtomicU32,
    bytes: AtomicU64,
    /// Keys that each port owns.
    counts: Buckets<AtomicU32>,
    /// Extra entries of each port.
    extras: Buckets<AtomicU32>,
}

impl Shared {
    /// The first array of the chain.
    ///
    /// # Safety
    ///
    /// While the result is used, the caller is in a read-side critical section or borrows the
    /// writer.
    #[inline]
    unsafe fn first(&self) -> &Array {
        // SAFETY: By the type's invariants it points to an array. That is freed after the read-side
        // critical section, and taken out only by someone who has the writer for itself.
        unsafe { &*self.first.load_acquire() }
    }

    fn total(&self) -> u32 {
        let total = self.total.load_relaxed();
        // The two are read at different moments.
        total.saturating_sub(self.departed.load_relaxed())
    }

    fn port_count(&self, port: PortIndex) -> u32 {
        self.counts
            .get(usize::from(port))
            .map_or(0, AtomicU32::load_relaxed)
    }

    fn has_extras(&self, port: PortIndex) -> bool {
        self.extras
            .get(usize::from(port))
            .is_some_and(|count| count.load_relaxed() != 0)
    }

    /// Counts an extra entry that `port` has from now on, or has no longer. Only the writer calls
    /// this.
    fn count_extra(&self, port: PortIndex, has: bool) {
        if let Some(count) = self.extras.get(usize::from(port)) {
            let before = count.load_relaxed();
            count.store_relaxed(if has { before + 1 } else { before - 1 });
        }
    }

    /// Counts a key that `port` owns from now on. Only the writer calls this.
    fn count(&self, port: PortIndex) {
        if let Some(count) = self.counts.get(usize::from(port)) {
            count.store_relaxed(count.load_relaxed() + 1);
            self.total.store_relaxed(self.total.load_relaxed() + 1);
        }
    }

    /// Counts a key that is offloaded from now on, or no longer is. Only the writer calls this.
    fn count_offloaded(&self, on: bool) {
        let offloaded = self.offloaded.load_relaxed();
        self.offloaded
            .store_relaxed(if on { offloaded + 1 } else { offloaded - 1 });
    }

    /// Counts a key that `port` no longer owns. Only the writer calls this.
    fn uncount(&self, port: PortIndex) {
        if let Some(count) = self.counts.get(usize::from(port)) {
            count.store_relaxed(count.load_relaxed() - 1);
            self.total.store_relaxed(self.total.load_relaxed() - 1);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut array = self.first.load_acquire();
        while !array.is_null() {
            // SAFETY: By the type's invariants it was given up by `into_raw()` and belongs to
            // `self`. Nobody else has `self`, so nobody reads it.
            let boxed = unsafe { Boxed::from_raw(array) };
            array = boxed.next_ptr();
        }
    }
}
