// SPDX-License-Identifier: GPL-2.0

//! A map from network device to a value, read for every frame.

use core::{hint, marker::PhantomData, ptr};

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed, Release},
        Arc,
    },
};

use super::{
    bindings,
    netdevice::NetDevice,
    rcu::{self, RcuBox, ReadSection},
};

/// Slots of a new map, a power of two.
const LENGTH: usize = 16;

/// A value that belongs to a device.
pub(crate) trait OnDevice: Send + Sync {
    /// The device, always the same.
    fn device(&self) -> &NetDevice;
}

/// Devices and their values: open addressing by interface index, linear probing, at most half full.
///
/// Readers hold RCU. Changes are made by one thread at a time, and removing waits for the readers.
///
/// # Invariants
///
/// `slots` is never empty.
pub(crate) struct DeviceMap<T: OnDevice> {
    slots: RcuBox<Slots<T>>,
}

/// # Invariants
///
/// The number of slots is `mask` and one, a power of two, of which at most half hold a value.
struct Slots<T> {
    slots: KVec<Slot<T>>,
    mask: usize,
    _values: PhantomData<Arc<T>>,
}

/// A place for a value.
///
/// # Invariants
///
/// `device` is null where none ever was, [`removed`], or that of `value`, which came from
/// [`Arc::into_raw`] then and is not taken back. `value` is written before `device`, and not again
/// before a grace period has passed since `device` was that of another one: who has found a device
/// reads its value.
struct Slot<T> {
    device: Atomic<*mut bindings::net_device>,
    value: Atomic<*mut T>,
}

// SAFETY: Gives shared references to the values and takes part in their ownership, which `Arc<T>`
// may do; devices are only compared.
unsafe impl<T: Send + Sync> Send for Slots<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Slots<T> {}

/// Marks a slot whose value was removed and which a probe must pass over.
fn removed() -> *mut bindings::net_device {
    ptr::without_provenance_mut(1)
}

impl<T> Slot<T> {
    /// The value, if it belongs to `device`.
    #[inline(always)]
    fn value_of<'a>(&'a self, device: &NetDevice, _section: &'a ReadSection) -> Option<&'a T> {
        if rcu::load(&self.device) != device.as_raw() {
            return None;
        }
        let value = rcu::load(&self.value);
        // SAFETY: By the type invariants this came from an `Arc`, which is dropped a grace period
        // after `device` was that of this value.
        unsafe {
            hint::assert_unchecked(!value.is_null());
            Some(&*value)
        }
    }

    fn is_free(&self) -> bool {
        let device = rcu::load(&self.device);
        device.is_null() || device == removed()
    }
}

impl<T: OnDevice> Slots<T> {
    fn new(length: usize) -> Result<Self> {
        let mut slots = KVec::with_capacity(length, GFP_KERNEL)?;
        for _ in 0..length {
            let slot = Slot {
                device: Atomic::new(ptr::null_mut()),
                value: Atomic::new(ptr::null_mut()),
            };
            slots.push(slot, GFP_KERNEL)?;
        }
        Ok(Self {
            slots,
            mask: length - 1,
            _values: PhantomData,
        })
    }

    /// The values, each a valid pointer for as long as the caller excludes removal.
    fn values(&self) -> impl Iterator<Item = *mut T> + '_ {
        self.slots
            .iter()
            .filter(|slot| !slot.is_free())
            .map(|slot| rcu::load(&slot.value))
    }

    /// Puts a value, from [`Arc::into_raw`], in the first free slot for its device.
    fn put(&self, value: *mut T) {
        // SAFETY: The value is valid, since the slot is about to own it.
        let device = unsafe { &*value }.device();
        if let Some(slot) = self.probe(device).find(|slot| slot.is_free()) {
            // INVARIANT: A slot that is free has been so for a grace period, see `remove`.
            slot.value.store(value, Relaxed);
            slot.device.store(device.as_raw(), Release);
        }
    }

    /// The slot that a device's value most likely stands in.
    #[inline(always)]
    fn home(&self, device: &NetDevice) -> &Slot<T> {
        // SAFETY: By the type invariants an index within the mask is one of a slot.
        unsafe {
            self.slots
                .get_unchecked(device.ifindex() as usize & self.mask)
        }
    }

    /// The slots that a device's value may stand in, in the order of probing.
    fn probe(&self, device: &NetDevice) -> impl Iterator<Item = &Slot<T>> {
        let start = device.ifindex() as usize;
        (start..=start + self.mask).map(move |index| &self.slots[index & self.mask])
    }

    /// The slot that a device's value stands in.
    fn find(&self, device: &NetDevice) -> Option<&Slot<T>> {
        self.probe(device)
            .take_while(|slot| !rcu::load(&slot.device).is_null())
            .find(|slot| rcu::load(&slot.device) == device.as_raw())
    }
}

impl<T: OnDevice> DeviceMap<T> {
    /// Makes a map without values. May sleep.
    pub(crate) fn new() -> Result<Self> {
        // INVARIANT: It holds slots from here on.
        Ok(Self {
            slots: RcuBox::new(KBox::new(Slots::new(LENGTH)?, GFP_KERNEL)?),
        })
    }

    #[inline(always)]
    fn slots<'a>(&'a self, section: &'a ReadSection) -> &'a Slots<T> {
        // SAFETY: By the type invariants.
        unsafe { self.slots.read(section).unwrap_unchecked() }
    }

    /// The value of `device`.
    #[inline(never)]
    pub(crate) fn get<'a>(&'a self, device: &NetDevice, section: &'a ReadSection) -> Option<&'a T> {
        self.slots(section).find(device)?.value_of(device, section)
    }

    /// The value of `device`, if it is found at the first look, as it is unless the indices of two
    /// devices end in the same digits.
    #[inline(always)]
    pub(crate) fn get_at_once<'a>(
        &'a self,
        device: &NetDevice,
        section: &'a ReadSection,
    ) -> Option<&'a T> {
        self.slots(section).home(device).value_of(device, section)
    }

    /// Adds a value, for whose device there is none. May sleep.
    ///
    /// The caller excludes other changes.
    pub(crate) fn insert(&self, value: Arc<T>) -> Result {
        let (length, values) = ReadSection::enter(|section| {
            let slots = self.slots(section);
            (slots.slots.len(), slots.values().count())
        });
        if (values + 1) * 2 > length {
            let length = ((values + 1) * 2).next_power_of_two();
            let larger = KBox::new(Slots::new(length)?, GFP_KERNEL)?;
            // The references move to the new slots, as plain pointers that the old ones do not
            // free.
            ReadSection::enter(|section| {
                for value in self.slots(section).values() {
                    larger.put(value);
                }
            });
            self.slots.replace(Some(larger));
        }
        ReadSection::enter(|section| {
            self.slots(section).put(Arc::into_raw(value).cast_mut());
        });
        Ok(())
    }

    /// Removes the values of `devices` and waits until no reader uses them. May sleep.
    ///
    /// The caller excludes other changes.
    pub(crate) fn remove<'a>(&self, devices: impl IntoIterator<Item = &'a NetDevice> + Clone) {
        let take = |device: &NetDevice| {
            ReadSection::enter(|section| {
                let slot = self.slots(section).find(device)?;
                slot.device.store(removed(), Release);
                Some(slot.value.load(Relaxed))
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
