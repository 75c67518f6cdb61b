// SPDX-License-Identifier: GPL-2.0

//! An array of buckets, a link of the chain that a table is while it is being resized.
//!
//! # Why a reader misses nothing
//!
//! An entry is moved by making the new copy before the old one goes. Within an array it has two
//! buckets to be in: a reader that found it in neither checks that neither changed since it began
//! to read, so at that moment it was in neither. Along the chain entries move only forward, and so
//! does the reader: what was not in this array at the moment of the check, and is in the table, is
//! in a later one and stays in this or a yet later one. A drained array keeps its `next`, so that
//! a reader that began there finds the way.
//!
//! So "nobody" is true of some moment while the reader looked: that of the first check, if no array
//! had the entry then; else that at which the entry went from the array that had it, which was not
//! a move, for the reader would have come to where it moved. It is not true of any later moment.

use core::ptr;

use super::bucket::{Bucket, Name, Owner, Slot, SLOTS};
use super::{Key, PortIndex, Secret};
use crate::platform::{relax, AtomicPtr, Boxed, Buckets, OutOfMemory};

/// Fewest buckets in an array.
pub(super) const MIN_BUCKETS: usize = if cfg!(loom) { 2 } else { 8 };

/// An array of buckets and the secret that places entries in it.
///
/// # Invariants
///
/// `next` is null or points to an array that is not freed while anyone can use this one.
pub struct Array {
    secret: Secret,
    buckets: Buckets<Bucket>,
    next: AtomicPtr<Array>,
}

impl Array {
    /// Makes an empty array of at least eight buckets. This may sleep.
    pub fn allocate(buckets: usize, secret: Secret) -> Result<Boxed<Self>, OutOfMemory> {
        if u32::try_from(buckets).is_err() {
            return Err(OutOfMemory);
        }
        Boxed::new(Self {
            secret,
            buckets: Buckets::zeroed(buckets.max(MIN_BUCKETS))?,
            next: AtomicPtr::new(ptr::null_mut()),
        })
    }

    /// Buckets in this array.
    pub(super) fn len(&self) -> usize {
        self.buckets.len()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of::<Bucket>() * self.len()
    }

    pub(super) fn bucket(&self, index: usize) -> Option<&Bucket> {
        self.buckets.get(index)
    }

    #[inline]
    pub(super) fn next(&self) -> Option<&Array> {
        // SAFETY: By the type's invariants the pointer is null, or good for as long as `self` is.
        unsafe { self.next.load_acquire().as_ref() }
    }

    /// Appends an array.
    ///
    /// # Safety
    ///
    /// `next` must point to an array that is not freed while anyone can use this one.
    pub(super) unsafe fn set_next(&self, next: *mut Array) {
        // INVARIANT: By this function's safety contract.
        self.next.store_release(next);
    }

    pub(super) fn next_ptr(&self) -> *mut Array {
        self.next.load_acquire()
    }

    pub(super) fn last(&self) -> &Array {
        let mut array = self;
        while let Some(next) = array.next() {
            array = next;
        }
        array
    }

    /// Looks a key's primary entry up in this array and the following ones.
    #[inline]
    pub(super) fn find_primary(&self, key: Key) -> Result<Hit<'_>, MissSeq<'_>> {
        self.find(Name::primary(key))
    }

    /// Looks an extra owner's entry up in this array and the following ones.
    #[inline(never)]
    pub(super) fn find_extra(&self, key: Key, port: PortIndex) -> Option<Hit<'_>> {
        self.find(Name::extra(key, port)).ok()
    }

    // Always inline, so that each of the two above has code for its own kind of name.
    #[inline(always)]
    fn find(&self, name: Name) -> Result<Hit<'_>, MissSeq<'_>> {
        let mut array = self;
        loop {
            let seqs = match array.find_here(name) {
                Ok(hit) => return Ok(hit),
                Err(seqs) => seqs,
            };
            match array.next() {
                Some(next) => array = next,
                None => return Err(seqs),
            }
        }
    }

    /// Reads two buckets at most, however many entries there are, and again only if they changed.
    #[inline(always)]
    fn find_here(&self, name: Name) -> Result<Hit<'_>, MissSeq<'_>> {
        let choice = self.choose(name);
        let first = self.first(choice);
        loop {
            let first_seq = first.begin_read();
            if let Some(hit) = Hit::read(first, first_seq, name) {
                if hit.is_current() {
                    return Ok(hit);
                }
            } else {
                let second = self.second(choice);
                let second_seq = second.begin_read();
                if let Some(hit) = Hit::read(second, second_seq, name) {
                    if hit.is_current() {
                        return Ok(hit);
                    }
                } else {
                    let seqs = MissSeq {
                        array: self,
                        first,
                        first_seq,
                        second,
                        second_seq,
                    };
                    if seqs.is_unchanged() {
                        return Err(seqs);
                    }
                }
            }
            relax();
        }
    }

    /// Makes a place for a new entry, by moving another one to its other bucket if need be.
    /// Returns it and whether an entry was moved. Only the writer calls this.
    pub(super) fn make_room(&self, name: Name) -> Option<(Slot<'_>, bool)> {
        let (first, second) = self.candidates(name);
        if let Some(slot) = first.room_in_either(second) {
            return Some((slot, false));
        }
        let residents = first.slots().chain(second.slots());
        let (slot, resident, room) = residents
            .filter_map(|slot| Some((slot, slot.name()?)))
            .find_map(|(slot, resident)| {
                let other = self.other_bucket(resident, slot.bucket);
                Some((slot, resident, other.room()?))
            })?;
        slot.move_to(room, resident, slot.owner());
        Some((slot, true))
    }

    fn candidates(&self, name: Name) -> (&Bucket, &Bucket) {
        let choice = self.choose(name);
        (self.first(choice), self.second(choice))
    }

    fn other_bucket(&self, name: Name, bucket: &Bucket) -> &Bucket {
        let (first, second) = self.candidates(name);
        if ptr::eq(first, bucket) {
            second
        } else {
            first
        }
    }

    #[inline]
    fn choose(&self, name: Name) -> Choice {
        let (word, number) = name.parts();
        let hash = self.secret.hash(word, number);
        let first = scale(hash as u32, self.len());
        Choice {
            first,
            high: (hash >> 32) as u32,
        }
    }

    #[inline]
    fn first(&self, choice: Choice) -> &Bucket {
        // SAFETY: It was scaled to the number of buckets of this array.
        unsafe { self.buckets.get_unchecked(choice.first) }
    }

    #[inline]
    fn second(&self, choice: Choice) -> &Bucket {
        // One of the others: the first is left out of the count.
        let second = scale(choice.high, self.len().wrapping_sub(1));
        let second = second + usize::from(second >= choice.first);
        // SAFETY: It was scaled to one less than the number of buckets, which are at least two, and
        // is at most one more.
        unsafe { self.buckets.get_unchecked(second) }
    }
}

/// What a name's hash says about its buckets in an array.
#[derive(Clone, Copy)]
struct Choice {
    first: usize,
    high: u32,
}

/// Spreads a 32-bit hash over `0..len`, which is not empty and whose length fits in 32 bits.
#[inline]
fn scale(hash: u32, len: usize) -> usize {
    (u64::from(hash).wrapping_mul(len as u64) >> 32) as usize
}

/// An entry that was found.
#[derive(Clone, Copy)]
pub(super) struct Hit<'a> {
    pub(super) slot: Slot<'a>,
    pub(super) owner: Owner,
    seq: u32,
}

impl<'a> Hit<'a> {
    #[inline]
    fn read(bucket: &'a Bucket, seq: u32, name: Name) -> Option<Self> {
        let slot = bucket.find(name)?;
        Some(Self {
            slot,
            owner: slot.owner(),
            seq,
        })
    }

    /// Is its bucket still as it was when it was read?
    #[inline]
    pub(super) fn is_current(&self) -> bool {
        self.slot.bucket.unchanged(self.seq)
    }
}

/// Where an entry would be in the last array, and was not when it was looked for.
#[derive(Clone, Copy)]
pub(super) struct MissSeq<'a> {
    array: &'a Array,
    first: &'a Bucket,
    first_seq: u32,
    second: &'a Bucket,
    second_seq: u32,
}

impl<'a> MissSeq<'a> {
    #[inline]
    fn is_unchanged(&self) -> bool {
        self.first.unchanged(self.first_seq) && self.second.unchanged(self.second_seq)
    }

    /// A slot for the entry, if it is still missing in the whole chain that begins at `chain`, and
    /// no other has to be moved for it. Only the writer calls this.
    ///
    /// It is missing if this array is the only one of the chain now and neither bucket has changed.
    /// That the reader came here by other arrays proves nothing of those: what it missed there may
    /// have been put there since. Those that were retired meanwhile were empty, and none of what
    /// they held can have come here, for it would have changed one of the two buckets.
    #[inline]
    pub(super) fn room(&self, chain: &Array) -> Option<Slot<'a>> {
        let is_all = ptr::eq(self.array, chain) && chain.next().is_none();
        if !is_all || !self.is_unchanged() {
            return None;
        }
        self.first.room_in_either(self.second)
    }
}

/// Entries that fit in `buckets` buckets.
pub(super) const fn slots(buckets: usize) -> usize {
    buckets * SLOTS
}
