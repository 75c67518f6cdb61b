// SPDX-License-Identifier: GPL-2.0

//! The changing side of a table.
//!
//! Every method does a bounded amount of work, so that it can be called under a spin lock: at most
//! one look-up for each port that shares a key with another, besides what the caller asks for.

use core::cell::Cell;
use core::{mem, ptr};

use super::array::{self, Array, Hit};
use super::bucket::{Bucket, Name, Owner, Slot};
use super::{age, Claims, Key, Miss, PortIndex, PortMask, Shared, Stamp, MAX_PORTS};
use crate::platform::{wait_for_readers, Arc, Boxed};

/// From here on memory matters more than being done with growing soon.
const MANY_BUCKETS: usize = 1 << 14;

/// Look-ups for extra owners after which a walk has done enough under one hold of the lock. What
/// removed the last entry may have taken as many as there are ports.
const LOOK_UPS_A_VISIT: u32 = 256;

/// How many keys may be owned. 0 means that there is no limit.
#[derive(Clone, Copy, Default)]
pub struct Limits {
    /// By the port that is to be an owner.
    pub port: u32,
    /// By all ports together.
    pub total: u32,
}

/// What became of a key that a port was to own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learned {
    /// The port owned it before.
    Known,
    /// The port owns it from now on.
    New {
        /// Another port owned it before, and does still if it was not taken from it.
        moved: bool,
    },
    /// The port owns as many as it may, or its index is out of range.
    PortLimit,
    /// All ports together own as many as they may.
    TotalLimit,
    /// There is no free slot before the table has been resized.
    NoRoom,
}

/// A key with one of its owners.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The port that owns it.
    pub port: PortIndex,
    /// Why it owns it.
    pub claims: Claims,
    /// When it was used last; has no meaning if it was not learned.
    pub stamp: Stamp,
    /// Was the key offloaded, with this owner?
    pub is_offloaded: bool,
    /// Do others own the key, too?
    pub is_shared: bool,
}

/// What [`Writer::visit`] does to an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Leaves it as it is.
    Keep,
    /// Takes claims from the owner, which owns the key no longer when none is left.
    Withdraw(Claims),
    /// Sets its stamp.
    Restamp(Stamp),
    /// Revokes the key.
    Revoke,
}

/// How far a walk through the table got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Visit {
    /// There are more entries to visit, once [`Writer::take_revoked`] was called. The lock should
    /// be released meanwhile.
    More,
    /// Every entry was visited that was there all the time.
    Complete,
    /// The walk is over, but meanwhile entries were moved, perhaps from a place that it had yet to
    /// visit to one that it had visited. Who must see them all walks again.
    Incomplete,
}

/// How far the move to a new array got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Migration {
    /// There are more buckets to move.
    More,
    /// The first array is empty and can be retired, or there is only one array.
    Done,
    /// The last array has no room. Another one must be begun.
    Stuck,
}

/// Where a walk through the table has got to.
#[derive(Clone)]
pub struct Cursor {
    /// How many arrays came before this one since the table was made.
    array: usize,
    bucket: usize,
    /// `Writer::moves` of the walk's beginning, and those that the walk itself caused.
    moves: u64,
}

impl Cursor {
    /// The cursor as words, to be kept somewhere.
    pub fn to_words(&self) -> [u64; 3] {
        [self.array as u64, self.bucket as u64, self.moves]
    }

    /// A cursor from its words. Words that no cursor had give a walk that misses entries, no more.
    pub fn from_words([array, bucket, moves]: [u64; 3]) -> Self {
        Self {
            array: array as usize,
            bucket: bucket as usize,
            moves,
        }
    }
}

impl Entry {
    /// Most entries that one bucket holds.
    pub const MOST_IN_A_BUCKET: usize = array::slots(1);

    fn new(key: Key, owner: Owner, stamp: Stamp, is_shared: bool) -> Self {
        Self {
            key,
            port: owner.port(),
            claims: owner.claims(),
            stamp,
            is_offloaded: owner.is_offloaded(),
            is_shared,
        }
    }
}

/// Owners with which so many buckets are three quarters full.
fn full_at(buckets: usize) -> u32 {
    (array::slots(buckets) * 3).div_ceil(4) as u32
}

/// The right to change a table.
pub struct Writer {
    shared: Arc<Shared>,
    /// Buckets that an array has at least.
    smallest: usize,
    /// Owners with which the last array is full enough to grow: three quarters.
    full_at: u32,
    /// How often an entry was moved to a place that a walk may have passed.
    moves: Cell<u64>,
    /// There was no room for an entry in the last array.
    crowded: Cell<bool>,
    /// Buckets of the first array that have been moved to the last.
    migrated: usize,
    /// Arrays retired since the table was made.
    retired: usize,
    /// How often something happened that may let a key be offloaded.
    changes: Cell<u64>,
    revoked: Revoked,
    /// How many [`Revoked`] were taken, and not told of with [`Writer::end_revoking`] yet.
    revoking: u32,
    /// The ports that have extra entries: those among which the other owners of a shared key are.
    sharers: Cell<PortMask>,
    departed: PortMask,
    /// Look-ups for extra owners so far, wrapping.
    look_ups: Cell<u32>,
}

/// Keys that are no longer offloaded, for those who rely on it to be told. Until they were, which
/// [`Writer::end_revoking`] says, whoever uses one of these keys anew gets it too.
#[derive(Default)]
#[must_use]
pub struct Revoked {
    keys: [Cell<Option<Key>>; Self::MOST],
    count: Cell<usize>,
}

impl Revoked {
    /// As many as a walk may find in four buckets.
    const MOST: usize = array::slots(4);

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.keys.iter().filter_map(Cell::get)
    }

    fn is_empty(&self) -> bool {
        self.count.get() == 0
    }

    /// Is there room for what may be found in a bucket?
    fn has_room(&self) -> bool {
        self.count.get() + array::slots(1) <= Self::MOST
    }

    fn push(&self, key: Key) {
        if let Some(place) = self.keys.get(self.count.get()) {
            place.set(Some(key));
            self.count.set(self.count.get() + 1);
        }
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, smallest: usize) -> Self {
        Self {
            full_at: full_at(smallest),
            shared,
            smallest,
            moves: Cell::new(0),
            crowded: Cell::new(false),
            migrated: 0,
            retired: 0,
            changes: Cell::new(0),
            revoked: Revoked::default(),
            revoking: 0,
            sharers: Cell::new(PortMask::NONE),
            departed: PortMask::NONE,
            look_ups: Cell::new(0),
        }
    }

    /// Makes `port` an owner of `key`, used `now`. With `exclusive` the other owners that learned
    /// it lose that claim.
    pub fn learn(
        &mut self,
        key: Key,
        port: PortIndex,
        now: Stamp,
        limits: Limits,
        exclusive: bool,
    ) -> Learned {
        if usize::from(port) >= MAX_PORTS {
            return Learned::PortLimit;
        }
        let owner = Owner::new(port, Claims::LEARNED);
        let Some(primary) = self.find_primary(key) else {
            return self.add_first(key, owner, now, limits);
        };
        let Some(own) = self.owner_of(key, port, primary) else {
            return self.add_further(key, primary, owner, now, limits, exclusive);
        };
        own.slot.set_stamp(now);
        if own.owner.is_revoking() {
            self.revoked.push(key);
        }
        self.add_claims(own, Claims::LEARNED);
        if exclusive {
            self.take_from_others(key, port, Claims::LEARNED);
        }
        Learned::Known
    }

    /// Does what [`Writer::learn`] would for a key that nobody owned, without looking it up again.
    /// `None`, and nothing is done, if somebody may own it now or an entry would have to be moved.
    #[inline]
    pub fn learn_after_miss(
        &mut self,
        miss: &Miss<'_>,
        port: PortIndex,
        now: Stamp,
        limits: Limits,
    ) -> Option<Learned> {
        let slot = miss.seqs.room(self.first())?;
        if usize::from(port) >= MAX_PORTS {
            return Some(Learned::PortLimit);
        }
        let reached = self.reached(port, limits);
        if reached.is_some() {
            return reached;
        }
        let owner = Owner::new(port, Claims::LEARNED);
        let owner = self.while_revoking(miss.key, owner, false);
        slot.set(Name::primary(miss.key), owner, now);
        self.count(port);
        Some(Learned::New { moved: false })
    }

    /// Gives `port` a claim on `key` that does not age, [`Claims::STATIC`] or [`Claims::BRIDGE`].
    ///
    /// The bridge's database has one port for a key, so [`Claims::BRIDGE`] is taken from any other;
    /// and what is offloaded of that key is the database's own from now on.
    pub fn claim(&mut self, key: Key, port: PortIndex, claims: Claims, limits: Limits) -> Learned {
        if usize::from(port) >= MAX_PORTS {
            return Learned::PortLimit;
        }
        if claims.has(Claims::BRIDGE) {
            self.clear_offloaded(key);
            self.take_from_others(key, port, Claims::BRIDGE);
        }
        let owner = Owner::new(port, claims);
        let Some(primary) = self.find_primary(key) else {
            return self.add_first(key, owner, 0, limits);
        };
        let Some(own) = self.owner_of(key, port, primary) else {
            return self.add_further(key, primary, owner, 0, limits, false);
        };
        self.add_claims(own, claims);
        Learned::Known
    }

    /// Takes claims on `key` from `port`. Returns whether it had one of them.
    pub fn withdraw(&mut self, key: Key, port: PortIndex, claims: Claims) -> bool {
        match self.find_owner(key, port) {
            Some(own) if own.owner.claims().has(claims) => {
                self.withdraw_at(own.slot, claims);
                true
            }
            _ => false,
        }
    }

    /// Has what `port` owns count for nothing from now on, in limits and totals; nor is it
    /// offloaded any more. It stays until a walk removes it. Till then the caller sees to it that
    /// readers take it for nobody's, and that the port gets nothing new. Whether there is any.
    pub fn depart(&mut self, port: PortIndex) -> bool {
        let count = self.shared.port_count(port);
        if count == 0 || self.departed.has(port) {
            return count != 0;
        }
        self.departed.set(port, true);
        self.count_departed(self.shared.departed.load_relaxed() + count);
        true
    }

    /// The ports that have departed and own something still.
    pub fn departed(&self) -> PortMask {
        self.departed
    }

    /// Ends what [`Writer::depart`] began for those of `ports` that own nothing any more.
    pub fn end_departure(&mut self, ports: PortMask) {
        for port in ports.iter() {
            if self.shared.port_count(port) == 0 {
                self.departed.set(port, false);
            }
        }
    }

    fn count_departed(&self, count: u32) {
        self.shared.departed.store_relaxed(count);
    }

    /// The ports that own `key`.
    pub fn owners_of(&self, key: Key) -> PortMask {
        let mut owners = PortMask::NONE;
        if let Some(primary) = self.find_primary(key) {
            owners.set(primary.owner.port(), true);
            if primary.owner.is_shared() {
                self.extras(key)
                    .for_each(|extra| owners.set(extra.owner.port(), true));
            }
        }
        owners
    }

    /// Why `port` owns `key`.
    pub fn claims(&self, key: Key, port: PortIndex) -> Claims {
        self.find_owner(key, port)
            .map_or(Claims::NONE, |own| own.owner.claims())
    }

    /// The entry by which `port` owns `key`.
    pub fn entry(&self, key: Key, port: PortIndex) -> Option<Entry> {
        let primary = self.find_primary(key)?;
        let is_shared = primary.owner.is_shared();
        let own = self.owner_of(key, port, primary)?;
        Some(Entry::new(key, own.owner, own.slot.stamp(), is_shared))
    }

    /// Whether a port owns `key`.
    pub fn has_key(&self, key: Key) -> bool {
        self.find_primary(key).is_some()
    }

    /// How long before `now` a port other than `port` that has learned `key` used it last, if there
    /// is one.
    pub fn age_elsewhere(&self, key: Key, port: PortIndex, now: Stamp) -> Option<Stamp> {
        let primary = self.find_primary(key)?;
        let mut least: Option<Stamp> = None;
        let mut look = |hit: Hit<'_>| {
            if hit.owner.port() != port && hit.owner.claims().has(Claims::LEARNED) {
                let age = age(hit.slot.stamp(), now);
                least = Some(least.map_or(age, |other| other.min(age)));
            }
        };
        look(primary);
        if primary.owner.is_shared() {
            for extra in self.extras(key) {
                look(extra);
            }
        }
        least
    }

    /// Whether the bridge's own database has `key`, for whichever port.
    pub fn is_in_bridge_fdb(&self, key: Key) -> bool {
        let has = |hit: Hit<'_>| hit.owner.claims().has(Claims::BRIDGE);
        self.find_primary(key).is_some_and(|primary| {
            has(primary) || (primary.owner.is_shared() && self.extras(key).any(has))
        })
    }

    /// Whether `key` is offloaded.
    pub fn is_offloaded(&self, key: Key) -> bool {
        self.find_primary(key)
            .is_some_and(|primary| primary.owner.is_offloaded())
    }

    /// If `key` has exactly one owner, which the bridge's database does not know, and is not
    /// offloaded yet, it is offloaded from now on, and its owner returned. It is in
    /// [`Writer::take_revoked`] when it ceases to have that owner only.
    pub fn offload(&mut self, key: Key) -> Option<PortIndex> {
        let primary = self.find_primary(key)?;
        let owner = primary.owner;
        if owner.is_shared()
            || owner.is_offloaded()
            || owner.is_revoking()
            || owner.claims().has(Claims::BRIDGE)
            || self.departed.has(owner.port())
        {
            return None;
        }
        primary.slot.set_owner(owner.with_offloaded(true));
        self.shared.count_offloaded(true);
        Some(owner.port())
    }

    /// If `key` is offloaded, it is so no longer. If it was till just now, it is in
    /// [`Writer::take_revoked`] once more.
    pub fn revoke(&mut self, key: Key) {
        match self.find_primary(key) {
            Some(primary) if primary.owner.is_offloaded() => primary
                .slot
                .set_owner(self.no_longer_offloaded(key, primary.owner)),
            _ if self.is_revoking() => self.revoked.push(key),
            _ => {}
        }
    }

    /// Forgets that `key` is offloaded, and tells nobody.
    pub fn clear_offloaded(&mut self, key: Key) {
        if let Some(primary) = self.find_primary(key) {
            if primary.owner.is_offloaded() {
                self.count_change();
                self.shared.count_offloaded(false);
                primary.slot.set_owner(primary.owner.with_offloaded(false));
            }
        }
    }

    /// Whether [`Writer::take_revoked`] has any.
    #[inline]
    pub fn has_revoked(&self) -> bool {
        !self.revoked.is_empty()
    }

    /// The keys that ceased to be offloaded since the last call, if there are any.
    ///
    /// The caller tells those who rely on them, before anything goes on that shows another owner of
    /// one, and then calls [`Writer::end_revoking`].
    pub fn take_revoked(&mut self) -> Option<Revoked> {
        if !self.has_revoked() {
            return None;
        }
        self.revoking += 1;
        Some(mem::take(&mut self.revoked))
    }

    /// Nobody relies on these keys any more.
    pub fn end_revoking(&mut self, _keys: Revoked) {
        self.revoking -= 1;
    }

    /// Nobody relies on another port's being the only owner of `key` than `port`, if that owns it.
    pub fn clear_revoking(&mut self, key: Key, port: PortIndex) {
        if let Some(own) = self.find_owner(key, port) {
            if own.owner.is_revoking() {
                own.slot.set_owner(own.owner.with_revoking(false));
                self.count_change();
            }
        }
    }

    /// A number that changes whenever there may be another key to offload.
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// A number that changes whenever entries were moved to another place.
    pub fn generation(&self) -> u64 {
        self.moves.get().wrapping_add(self.retired as u64)
    }

    /// Where a walk through the table begins.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            array: self.retired,
            bucket: 0,
            moves: self.moves.get(),
        }
    }

    /// Shows the entries of the next `buckets` buckets to `action` and does what it says, of fewer
    /// if that took many look-ups. An entry may be shown more than once in a walk.
    pub fn visit(
        &mut self,
        cursor: &mut Cursor,
        buckets: usize,
        mut action: impl FnMut(Entry) -> Action,
    ) -> Visit {
        let begun = self.look_ups.get();
        for _ in 0..buckets {
            if !self.revoked.has_room() {
                break;
            }
            let Some(bucket) = self.bucket_at(cursor) else {
                return if cursor.moves == self.moves.get() {
                    Visit::Complete
                } else {
                    Visit::Incomplete
                };
            };
            for slot in bucket.slots() {
                while let Some(name) = slot.name() {
                    let owner = slot.owner();
                    let is_shared = name.is_extra() || owner.is_shared();
                    let entry = Entry::new(name.key(), owner, slot.stamp(), is_shared);
                    match action(entry) {
                        Action::Keep => break,
                        Action::Restamp(stamp) => {
                            slot.set_stamp(stamp);
                            break;
                        }
                        Action::Revoke => {
                            slot.set_owner(self.no_longer_offloaded(name.key(), owner));
                            break;
                        }
                        Action::Withdraw(claims) => {
                            // An extra owner may take this slot over: it is shown next, so this
                            // move hides nothing from this walk.
                            let moves = self.moves.get();
                            self.withdraw_at(slot, claims);
                            cursor.moves += self.moves.get() - moves;
                            if owner.claims().without(claims) != Claims::NONE {
                                break;
                            }
                            // This bucket is shown once more then; what was removed is not there.
                            if self.look_ups.get().wrapping_sub(begun) >= LOOK_UPS_A_VISIT {
                                return Visit::More;
                            }
                        }
                    }
                }
            }
            cursor.bucket += 1;
        }
        Visit::More
    }

    /// Whether the table should grow now: what [`Writer::wanted`] says then, at less cost.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.shared.total.load_relaxed() >= self.full_at || self.crowded.get()
    }

    /// How many buckets a new array should have, if the table should be resized now.
    pub fn wanted(&self) -> Option<usize> {
        let first = self.first();
        let buckets = first.last().len();
        let slots = array::slots(buckets);
        let total = self.shared.total.load_relaxed() as usize;
        let grown = if buckets < MANY_BUCKETS {
            buckets * 2
        } else {
            buckets + buckets / 2
        };
        if total >= self.full_at as usize {
            return Some(grown);
        }
        if self.crowded.get() {
            // With so much room left it was bad luck, or someone's good luck: a new secret will do.
            return Some(if total * 3 >= slots * 2 {
                grown
            } else {
                buckets
            });
        }
        let halved = (total * 2).div_ceil(array::slots(1)).max(self.smallest);
        let is_resizing = first.next().is_some();
        (!is_resizing && total * 4 < slots && halved < buckets).then_some(halved)
    }

    /// Appends an array: new entries go there, and [`Writer::migrate`] moves the others.
    pub fn begin_resize(&mut self, array: Boxed<Array>) {
        self.crowded.set(false);
        let bytes = self.shared.bytes.load_relaxed() + array.bytes() as u64;
        self.shared.bytes.store_relaxed(bytes);
        self.full_at = full_at(array.len());
        // SAFETY: An array is taken out of the chain after those before it, and freed when nobody
        // can have found it, or them, any more.
        unsafe { self.first().last().set_next(array.into_raw()) };
    }

    /// Moves the entries of up to `buckets` buckets of the first array to the last.
    pub fn migrate(&mut self, buckets: usize) -> Migration {
        for _ in 0..buckets {
            let first = self.first();
            let last = first.last();
            let Some(bucket) = first.bucket(self.migrated) else {
                return Migration::Done;
            };
            if ptr::eq(first, last) {
                return Migration::Done;
            }
            for slot in bucket.slots() {
                let Some(name) = slot.name() else { continue };
                let Some(room) = self.make_room(name) else {
                    return Migration::Stuck;
                };
                slot.move_to(room, name, slot.owner());
            }
            self.migrated += 1;
        }
        Migration::More
    }

    /// Takes the first array out of the chain, if there is another one and all entries were moved.
    pub fn retire(&mut self) -> Option<Retired> {
        let first = self.first();
        let next = first.next_ptr();
        if next.is_null() || self.migrated < first.len() {
            return None;
        }
        let bytes = self.shared.bytes.load_relaxed() - first.bytes() as u64;
        let array = self.shared.first.load_acquire();
        self.shared.bytes.store_relaxed(bytes);
        // From here on new readers begin at the next array; the others find it by `next`.
        self.shared.first.store_release(next);
        self.migrated = 0;
        self.retired += 1;
        // INVARIANT: It was taken out of the chain just now.
        Some(Retired { array })
    }

    fn first(&self) -> &Array {
        // SAFETY: The result borrows the writer.
        unsafe { self.shared.first() }
    }

    fn bucket_at(&self, cursor: &mut Cursor) -> Option<&Bucket> {
        if cursor.array < self.retired {
            // What it held was moved to the arrays that follow.
            cursor.array = self.retired;
            cursor.bucket = 0;
        }
        let mut array = self.first();
        for _ in self.retired..cursor.array {
            array = array.next()?;
        }
        while cursor.bucket == array.len() {
            array = array.next()?;
            cursor.array += 1;
            cursor.bucket = 0;
        }
        array.bucket(cursor.bucket)
    }

    fn find_primary(&self, key: Key) -> Option<Hit<'_>> {
        self.first().find_primary(key).ok()
    }

    fn find_extra(&self, key: Key, port: PortIndex) -> Option<Hit<'_>> {
        self.first().find_extra(key, port)
    }

    fn find_owner(&self, key: Key, port: PortIndex) -> Option<Hit<'_>> {
        self.owner_of(key, port, self.find_primary(key)?)
    }

    /// The entry by which `port` owns `key`, whose primary entry is known.
    fn owner_of<'a>(&'a self, key: Key, port: PortIndex, primary: Hit<'a>) -> Option<Hit<'a>> {
        if primary.owner.port() == port {
            Some(primary)
        } else if primary.owner.is_shared() {
            self.find_extra(key, port)
        } else {
            None
        }
    }

    /// The extra entries of a key. Nothing links them: every port that has any is tried.
    fn extras(&self, key: Key) -> impl Iterator<Item = Hit<'_>> {
        self.sharers.get().iter().filter_map(move |port| {
            self.look_ups.set(self.look_ups.get().wrapping_add(1));
            self.find_extra(key, port)
        })
    }

    /// The limit that keeps a port from owning one more key, the port's or that of all.
    #[inline]
    fn reached(&self, port: PortIndex, limits: Limits) -> Option<Learned> {
        if limits.port != 0 && self.shared.port_count(port) >= limits.port {
            Some(Learned::PortLimit)
        } else if limits.total != 0 && self.shared.total() >= limits.total {
            Some(Learned::TotalLimit)
        } else {
            None
        }
    }

    /// Adds the first owner of a key.
    fn add_first(&self, key: Key, owner: Owner, stamp: Stamp, limits: Limits) -> Learned {
        if let Some(limit) = self.reached(owner.port(), limits) {
            return limit;
        }
        if self.insert(Name::primary(key), owner, stamp, false) {
            Learned::New { moved: false }
        } else {
            Learned::NoRoom
        }
    }

    /// Adds an owner of a key that others own.
    fn add_further(
        &self,
        key: Key,
        primary: Hit<'_>,
        owner: Owner,
        stamp: Stamp,
        limits: Limits,
        exclusive: bool,
    ) -> Learned {
        let port = owner.port();
        let reached = self.reached(port, limits);
        if reached == Some(Learned::PortLimit) {
            return Learned::PortLimit;
        }
        if exclusive && primary.owner.claims() == Claims::LEARNED {
            // In place, so that there is no moment without an owner, and no room is needed.
            self.uncount(primary.owner.port());
            self.count(port);
            let owner = self.while_revoking(key, owner, primary.owner.is_offloaded());
            let shared = self.no_longer_offloaded(key, primary.owner).is_shared();
            let name = Name::primary(key);
            primary.slot.set(name, owner.with_shared(shared), stamp);
        } else {
            let makes_room = exclusive
                && primary.owner.is_shared()
                && self
                    .extras(key)
                    .any(|extra| extra.owner.claims() == Claims::LEARNED);
            if reached.is_some() && !makes_room {
                return Learned::TotalLimit;
            }
            let is_offloaded = primary.owner.is_offloaded();
            if !self.insert(Name::extra(key, port), owner, stamp, is_offloaded) {
                return Learned::NoRoom;
            }
            self.set_shared(key, true);
        }
        if exclusive {
            self.take_from_others(key, port, Claims::LEARNED);
        }
        Learned::New { moved: true }
    }

    /// Adds an entry of a key that is offloaded for another owner, or not.
    fn insert(&self, name: Name, owner: Owner, stamp: Stamp, is_offloaded: bool) -> bool {
        let Some(slot) = self.make_room(name) else {
            return false;
        };
        let owner = self.while_revoking(name.key(), owner, is_offloaded);
        slot.set(name, owner, stamp);
        self.count(owner.port());
        if name.is_extra() {
            self.count_extra(owner.port(), true);
        }
        true
    }

    /// `owner` as a new owner of `key` is to be stored: others may still rely on another one, if it
    /// is offloaded for that, or while any keys are being revoked, of which it may be one.
    fn while_revoking(&self, key: Key, owner: Owner, is_offloaded: bool) -> Owner {
        // What the bridge's database has is told to nobody.
        if owner.claims().has(Claims::BRIDGE) {
            return owner;
        }
        let is_revoking = self.is_revoking();
        if is_revoking {
            self.revoked.push(key);
        }
        owner.with_revoking(is_offloaded || is_revoking)
    }

    /// Whether there are keys that may not have been deleted from the FDB yet.
    pub fn is_revoking(&self) -> bool {
        self.revoking != 0 || self.has_revoked()
    }

    fn make_room(&self, name: Name) -> Option<Slot<'_>> {
        match self.first().last().make_room(name) {
            Some((slot, displaced)) => {
                if displaced {
                    self.count_move();
                }
                Some(slot)
            }
            None => {
                self.crowded.set(true);
                None
            }
        }
    }

    /// Counts a key that `port` owns from now on.
    fn count(&self, port: PortIndex) {
        self.shared.count(port);
        self.count_change();
    }

    /// Counts a key that `port` no longer owns.
    fn uncount(&self, port: PortIndex) {
        self.shared.uncount(port);
        if self.departed.has(port) {
            self.count_departed(self.shared.departed.load_relaxed() - 1);
        }
        self.count_change();
    }

    /// Counts an extra entry that `port` has from now on, or has no longer.
    fn count_extra(&self, port: PortIndex, has: bool) {
        self.shared.count_extra(port, has);
        let mut sharers = self.sharers.get();
        sharers.set(port, self.shared.has_extras(port));
        self.sharers.set(sharers);
    }

    fn count_change(&self) {
        self.changes.set(self.changes.get() + 1);
    }

    fn count_move(&self) {
        self.moves.set(self.moves.get() + 1);
    }

    fn set_shared(&self, key: Key, shared: bool) {
        if let Some(primary) = self.find_primary(key) {
            let owner = if shared {
                self.no_longer_offloaded(key, primary.owner)
            } else {
                primary.owner
            };
            primary.slot.set_owner(owner.with_shared(shared));
        }
    }

    /// `owner` of `key` as it is to be stored, offloaded no longer.
    fn no_longer_offloaded(&self, key: Key, owner: Owner) -> Owner {
        if owner.is_offloaded() {
            self.shared.count_offloaded(false);
            self.revoked.push(key);
        }
        owner.with_offloaded(false)
    }

    fn add_claims(&self, own: Hit<'_>, claims: Claims) {
        let all = own.owner.claims().and(claims);
        if all != own.owner.claims() {
            own.slot.set_owner(own.slot.owner().with_claims(all));
        }
    }

    fn withdraw_at(&self, slot: Slot<'_>, claims: Claims) {
        let owner = slot.owner();
        let left = owner.claims().without(claims);
        if left == Claims::NONE {
            self.remove_entry(slot);
        } else if left != owner.claims() {
            slot.set_owner(owner.with_claims(left));
            self.count_change();
        }
    }

    /// Takes claims on `key` from every port but `port`.
    fn take_from_others(&self, key: Key, port: PortIndex, claims: Claims) {
        let Some(primary) = self.find_primary(key) else {
            return;
        };
        if primary.owner.is_shared() {
            let mut shared = false;
            for extra in self.extras(key) {
                let left = extra.owner.claims().without(claims);
                if extra.owner.port() == port {
                    shared = true;
                } else if left != Claims::NONE {
                    extra.slot.set_owner(extra.owner.with_claims(left));
                    shared = true;
                } else {
                    self.remove_extra(extra.slot);
                }
            }
            self.set_shared(key, shared);
        }
        if primary.owner.port() != port {
            self.withdraw_at(primary.slot, claims);
        }
    }

    fn remove_entry(&self, slot: Slot<'_>) {
        let Some(name) = slot.name() else { return };
        let key = name.key();
        if name.is_extra() {
            self.remove_extra(slot);
            self.set_shared(key, self.extras(key).next().is_some());
        } else {
            self.remove_primary(key, slot);
        }
    }

    fn remove_extra(&self, slot: Slot<'_>) {
        let port = slot.owner().port();
        self.uncount(port);
        self.count_extra(port, false);
        slot.clear();
    }

    /// Removes a primary entry. If there are extra owners, one of them takes its place.
    fn remove_primary(&self, key: Key, primary: Slot<'_>) {
        let owner = self.no_longer_offloaded(key, primary.owner());
        self.uncount(owner.port());
        if owner.is_shared() {
            let mut extras = self.extras(key);
            if let Some(heir) = extras.next() {
                let shared = extras.next().is_some();
                let owner = heir.owner.with_shared(shared);
                self.count_extra(owner.port(), false);
                heir.slot.move_to(primary, Name::primary(key), owner);
                self.count_move();
                return;
            }
        }
        primary.clear();
    }
}

/// An array that was taken out of its table.
///
/// Dropping it waits for the readers that may still be in it, so it must not be dropped under a
/// spin lock or in a read-side critical section.
///
/// # Invariants
///
/// `array` was given up by [`Boxed::into_raw`] and belongs to this; no new reader can find it.
pub struct Retired {
    array: *mut Array,
}

impl Drop for Retired {
    fn drop(&mut self) {
        wait_for_readers();
        // SAFETY: By the type's invariants it was given up by `into_raw()` and belongs to `self`,
        // and the readers that had found it are done.
        drop(unsafe { Boxed::from_raw(self.array) });
    }
}
