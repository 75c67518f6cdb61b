// SPDX-License-Identifier: GPL-2.0

//! A map from network device to a value, read for every frame.

use core::{marker::PhantomData, ptr};

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed, Release},
        Arc,
    },
};

use super::{
    netdevice::NetDevice,
    rcu::{self, RcuBox, ReadSection},
};

/// A value that belongs to a device.
pub(crate) trait OnDevice: Send + Sync {
    /// The device, always the same.
    fn device(&self) -> &NetDevice;
}

/// Devices and their values: open addressing by interface index, linear probing, at most half full.
///
/// Readers hold RCU. Changes are made by one thread at a time, and removing waits for the readers.
pub(crate) struct DeviceMap<T: OnDevice> {
    slots: RcuBox<Slots<T>>,
}

/// # Invariants
///
/// The length is a power of two, and at most half of the slots hold a value. A slot is null,
/// [`removed`], or comes from [`Arc::into_raw`] and was not yet taken back.
struct Slots<T>(KVec<Atomic<*mut T>>, PhantomData<Arc<T>>);

// SAFETY: Gives shared references to the values and takes part in their ownership, which `Arc<T>`
// may do.
unsafe impl<T: Send + Sync> Send for Slots<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Slots<T> {}

/// Marks a slot whose value was removed and which a probe must pass over.
fn removed<T>() -> *mut T {
    ptr::without_provenance_mut(1)
}

impl<T: OnDevice> Slots<T> {
    fn new(length: usize) -> Result<Self> {
        let mut slots = KVec::with_capacity(length, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..length {
            slots.push(Atomic::new(ptr::null_mut()), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(Self(slots, PhantomData))
    }

    /// The values, each a valid pointer for as long as the caller excludes removal.
    fn values(&self) -> impl Iterator<Item = *mut T> + '_ {
        self.0
            .iter()
            .map(rcu::load)
            .filter(|&value| !value.is_null() && value != removed())
    }

    /// Puts a value, from [`Arc::into_raw`], in the first free slot for its device.
    fn put(&self, value: *mut T) {
        // SAFETY: The value is valid, since the slot is about to own it.
        let device = unsafe { &*value }.device();
        let free = self.probe(device).find(|slot| {
            let value = slot.load(Relaxed);
            value.is_null() || value == removed()
        });
        if let Some(slot) = free {
            slot.store(value, Release);
        }
    }

    /// The slots that a device's value may stand in, in the order of probing.
    #[inline(always)]
    fn probe(&self, device: &NetDevice) -> impl Iterator<Item = &Atomic<*mut T>> {
        let mask = self.0.len() - 1;
        let start = device.ifindex() as usize;
        (start..=start + mask).map(move |index| &self.0[index & mask])
    }
}

impl<T: OnDevice> DeviceMap<T> {
    /// An empty map.
    pub(crate) const fn new() -> Self {
        Self {
            slots: RcuBox::empty(),
        }
    }

    /// The value of `device`.
    #[inline(always)]
    pub(crate) fn get<'a>(&'a self, device: &NetDevice, section: &'a ReadSection) -> Option<&'a T> {
        for slot in self.slots.read(section)?.probe(device) {
            let value = rcu::load(slot);
            if value.is_null() {
                return None;
            }
            if value == removed() {
                continue;
            }
            // SAFETY: By the invariants of `Slots` this came from an `Arc`, which is dropped after
            // a grace period.
            let value = unsafe { &*value };
            if value.device().is(device) {
                return Some(value);
            }
        }
        None
    }

    /// Adds a value, for whose device there is none. May sleep.
    ///
    /// The caller excludes other changes.
    pub(crate) fn insert(&self, value: Arc<T>) -> Result {
        let (length, values) = ReadSection::enter(|section| {
            self.slots
                .read(section)
                .map_or((0, 0), |slots| (slots.0.len(), slots.values().count()))
        });
        if (values + 1) * 2 > length {
            let larger = KBox::new(
                Slots::new(((values + 1) * 2).next_power_of_two().max(16))?,
                GFP_KERNEL_ACCOUNT,
            )?;
            // The references move to the new slots, as plain pointers that the old ones do not
            // free.
            ReadSection::enter(|section| {
                for value in self
                    .slots
                    .read(section)
                    .iter()
                    .flat_map(|slots| slots.values())
                {
                    larger.put(value);
                }
            });
            self.slots.replace(Some(larger));
        }
        ReadSection::enter(|section| {
            if let Some(slots) = self.slots.read(section) {
                slots.put(Arc::into_raw(value).cast_mut());
            }
        });
        Ok(())
    }

    /// Removes the values of `devices` and waits until no reader uses them. May sleep.
    ///
    /// The caller excludes other changes.
    pub(crate) fn remove<'a>(&self, devices: impl IntoIterator<Item = &'a NetDevice> + Clone) {
        let take = |device: &NetDevice| {
            ReadSection::enter(|section| {
                let slot = self.slots.read(section)?.probe(device).find(|slot| {
                    let value = rcu::load(slot);
                    // SAFETY: By the invariants of `Slots`; the caller excludes other removals.
                    !value.is_null() && value != removed() && unsafe { &*value }.device().is(device)
                })?;
                let value = slot.load(Relaxed);
                slot.store(removed(), Release);
                Some(value)
            })
        };
        // The values stay allocated until the wait is over, which two passes over the slots could
        // not ensure without memory: so each is wrapped up again before the wait.
        let mut taken: KVec<Arc<T>> = KVec::new();
        for device in devices {
            if let Some(value) = take(device) {
                // SAFETY: It came from `Arc::into_raw` in `insert`, and the slot was its only
                // place.
                let value = unsafe { Arc::from_raw(value) };
                let kept = value.clone();
                if taken.push(value, GFP_KERNEL).is_err() {
                    rcu::wait_for_readers();
                }
                drop(kept);
            }
        }
        if !taken.is_empty() {
            rcu::wait_for_readers();
        }
    }
}
