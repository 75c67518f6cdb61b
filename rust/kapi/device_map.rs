// SPDX-License-Identifier: GPL-2.0

//! A map from network device to a value, read for every frame. It wraps no interface of C: it is
//! here for the unsafe code that it takes, and would serve whoever has state for some devices.

use core::{
    hint, iter,
    marker::PhantomData,
    ptr::{self, NonNull},
};

use kernel::{
    prelude::*,
    str::CStr,
    sync::{
        aref::ARef,
        atomic::{Atomic, Release},
        Arc, LockClassKey, Mutex,
    },
};

use super::{
    bindings,
    netdevice::NetDevice,
    rcu::{self, RcuBox},
};

/// Least number of slots, a power of two.
const LENGTH: usize = 16;

/// What a value in a map begins with: the device that it belongs to, which it holds.
///
/// # Invariants
///
/// The pointer is null, which only this file makes it, or a reference that this value owns.
pub(crate) struct Anchor {
    device: *mut bindings::net_device,
}

// SAFETY: A device may be used by any thread.
unsafe impl Send for Anchor {}
// SAFETY: As above.
unsafe impl Sync for Anchor {}

impl Anchor {
    /// For a value that belongs to `device`.
    pub(crate) fn of(device: &NetDevice) -> Self {
        // INVARIANT: The reference is given to this value.
        Self {
            device: ARef::into_raw(device.hold()).as_ptr().cast(),
        }
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        if let Some(device) = NonNull::new(self.device) {
            // SAFETY: By the type invariants the reference is this value's.
            drop(unsafe { ARef::<NetDevice>::from_raw(device.cast()) });
        }
    }
}

/// Stands in slots where no value ever was.
static NOBODY: Anchor = Anchor {
    device: ptr::null_mut(),
};

/// Stands in slots whose value was removed, which a probe must pass over.
static REMOVED: Anchor = Anchor {
    device: ptr::null_mut(),
};

/// A value that belongs to a device. For [`on_device`].
///
/// # Safety
///
/// A value begins with an [`Anchor`].
pub(crate) unsafe trait OnDevice: Send + Sync {}

/// Says that a type may stand in a [`DeviceMap`]: `on_device!(Type { field })`, where the field is
/// an [`Anchor`] and the first one, of a type with `repr(C)`. Anything else does not compile.
macro_rules! on_device {
    ($type:ty { $anchor:ident }) => {
        const _: () = {
            assert!(::core::mem::offset_of!($type, $anchor) == 0);

            /// No coercion makes another type's pointer one to an anchor.
            fn _is_anchor(value: &$type) -> *const $crate::kapi::device_map::Anchor {
                &raw const value.$anchor
            }

            // SAFETY: Both were just looked at.
            unsafe impl $crate::kapi::device_map::OnDevice for $type {}
        };
    };
}
pub(crate) use on_device;

/// Devices and their values: open addressing by interface index. At most half of the slots are in
/// use, by a value or by what a removed one left, so that whoever looks for a device that is not
/// there finds that out in two or three looks, whatever came and went before.
///
/// Readers hold RCU. Writers take a lock of the map's own, and removing waits for the readers.
///
/// # Invariants
///
/// `slots` is never empty, and replaced only by who holds `used`, which is how many of them do not
/// point to [`NOBODY`].
#[pin_data(PinnedDrop)]
pub(crate) struct DeviceMap<T: OnDevice> {
    slots: RcuBox<Slots<T>>,
    #[pin]
    used: Mutex<usize>,
}

/// # Invariants
///
/// The number of slots is `mask` and one, a power of two. Each slot points to [`NOBODY`], to
/// [`REMOVED`] or to the anchor that a `T` begins with, which came from [`Arc::into_raw`] and which
/// is dropped a grace period after the slot points to something else.
struct Slots<T> {
    slots: KVec<Atomic<*mut Anchor>>,
    mask: usize,
    _values: PhantomData<Arc<T>>,
}

// SAFETY: Gives shared references to the values and takes part in their ownership, which `Arc<T>`
// may do.
unsafe impl<T: Send + Sync> Send for Slots<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Slots<T> {}

fn nobody() -> *mut Anchor {
    (&raw const NOBODY).cast_mut()
}

fn removed() -> *mut Anchor {
    (&raw const REMOVED).cast_mut()
}

fn is_free(anchor: *mut Anchor) -> bool {
    anchor == nobody() || anchor == removed()
}

impl<T: OnDevice> Slots<T> {
    /// Makes `length` of them, a power of two, without values. May sleep.
    fn new(length: usize) -> Result<Self> {
        let mut slots = KVec::with_capacity(length, GFP_KERNEL_ACCOUNT)?;
        for _ in 0..length {
            slots.push(Atomic::new(nobody()), GFP_KERNEL_ACCOUNT)?;
        }
        // INVARIANT: There are that many slots, and each points to nobody.
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
            .map(rcu::load)
            .filter(|&anchor| !is_free(anchor))
            .map(|anchor| anchor.cast())
    }

    /// Puts a value in the first free slot for its device. How many slots are in use more than
    /// before. The caller excludes other writers.
    ///
    /// # Safety
    ///
    /// The value is valid and came from [`Arc::into_raw`]. It is given to the slot, or is in those
    /// that these ones replace.
    unsafe fn put(&self, value: *mut T) -> usize {
        let anchor = value.cast::<Anchor>();
        // SAFETY: By the safety requirement; it begins with its anchor, which holds the device.
        let device = unsafe { NetDevice::from_raw((*anchor).device) };
        let Some(slot) = self.probe(device).find(|slot| is_free(rcu::load(slot))) else {
            // Half of the slots are free, and a probe comes to each of them.
            return 0;
        };
        let is_new = rcu::load(slot) == nobody();
        // INVARIANT: By the safety requirement this is the anchor of such a `T`.
        slot.store(anchor, Release);
        is_new.into()
    }

    /// The value in `slot`, one of these, if it belongs to `device`.
    #[inline(always)]
    fn value_in<'a>(
        slot: &'a Atomic<*mut Anchor>,
        device: &NetDevice,
        _section: &'a rcu::Guard,
    ) -> Option<&'a T> {
        let anchor = rcu::load(slot);
        // SAFETY: By the type invariants it points to a static, or to the beginning of a value that
        // is dropped a grace period after it was taken out.
        let its = unsafe {
            hint::assert_unchecked(!anchor.is_null());
            (*anchor).device
        };
        // SAFETY: It is a value's, since it has a device.
        ptr::eq(its, device.as_raw()).then(|| unsafe { &*anchor.cast() })
    }

    /// The slot that a device's value most likely stands in.
    #[inline(always)]
    fn home(&self, device: &NetDevice) -> &Atomic<*mut Anchor> {
        // SAFETY: By the type invariants an index within the mask is one of a slot.
        unsafe {
            self.slots
                .get_unchecked(device.ifindex() as usize & self.mask)
        }
    }

    /// The slots that a device's value may stand in, in the order of probing: where its index says,
    /// and then all, in steps and from a start that differ between indices which have that in
    /// common.
    fn probe(&self, device: &NetDevice) -> impl Iterator<Item = &Atomic<*mut Anchor>> {
        let hash = u64::from(device.ifindex()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (start, step) = ((hash >> 48) as usize, (hash >> 32) as usize | 1);
        let scattered = (0..=self.mask).map(move |count| {
            &self.slots[start.wrapping_add(count.wrapping_mul(step)) & self.mask]
        });
        Iterator::chain(iter::once(self.home(device)), scattered)
    }

    /// The slot that a device's value stands in.
    fn find(&self, device: &NetDevice, section: &rcu::Guard) -> Option<&Atomic<*mut Anchor>> {
        self.probe(device)
            .take_while(|slot| rcu::load(slot) != nobody())
            .find(|slot| Self::value_in(slot, device, section).is_some())
    }
}

/// Makes a [`DeviceMap`] without values, whose lock has a class of its own. May sleep.
macro_rules! new_device_map {
    ($name:literal) => {
        $crate::kapi::device_map::DeviceMap::new(
            ::kernel::c_str!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_device_map;

impl<T: OnDevice> DeviceMap<T> {
    /// Makes a map without values; for [`new_device_map`]. May sleep.
    pub(crate) fn new(
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> Result<impl PinInit<Self>> {
        let slots = RcuBox::new(KBox::new(Slots::new(LENGTH)?, GFP_KERNEL_ACCOUNT)?);
        // INVARIANT: It holds slots from here on, which all point to nobody.
        Ok(pin_init!(Self {
            slots,
            used <- Mutex::new(0, name, class),
        }))
    }

    #[inline(always)]
    fn slots<'a>(&'a self, section: &'a rcu::Guard) -> &'a Slots<T> {
        // SAFETY: By the type invariants.
        unsafe { self.slots.read(section).unwrap_unchecked() }
    }

    /// The value of `device`.
    #[inline(never)]
    pub(crate) fn get<'a>(&'a self, device: &NetDevice, section: &'a rcu::Guard) -> Option<&'a T> {
        let slot = self.slots(section).find(device, section)?;
        Slots::value_in(slot, device, section)
    }

    /// The value of `device`, if it is found at the first look, as it is unless the indices of two
    /// devices end in the same digits.
    #[inline(always)]
    pub(crate) fn get_fast<'a>(
        &'a self,
        device: &NetDevice,
        section: &'a rcu::Guard,
    ) -> Option<&'a T> {
        Slots::value_in(self.slots(section).home(device), device, section)
    }

    /// Adds a value, for whose device there is none. May sleep.
    pub(crate) fn insert(&self, value: Arc<T>) -> Result {
        let mut used = self.used.lock();
        let (length, values) = rcu::read(|section| {
            let slots = self.slots(section);
            (slots.slots.len(), slots.values().count())
        });
        if (*used + 1) * 2 > length {
            // A quarter full at most, so that the next time is as many insertions away.
            let length = ((values + 1) * 4).next_power_of_two().max(LENGTH);
            let fresh = KBox::new(Slots::new(length)?, GFP_KERNEL_ACCOUNT)?;
            // The references move to the new slots, as plain pointers that the old ones do not
            // free.
            rcu::read(|section| {
                for value in self.slots(section).values() {
                    // SAFETY: By the type invariants; these slots are replaced by those.
                    unsafe { fresh.put(value) };
                }
            });
            self.slots.replace(Some(fresh));
            *used = values;
        }
        let value = Arc::into_raw(value).cast_mut();
        // SAFETY: The slot is given the reference.
        *used += rcu::read(|section| unsafe { self.slots(section).put(value) });
        Ok(())
    }

    /// Removes the values of `devices` and waits until no reader uses them. May sleep.
    pub(crate) fn remove<'a>(&self, devices: impl IntoIterator<Item = &'a NetDevice>) {
        let take = |device: &NetDevice| {
            let _used = self.used.lock();
            rcu::read(|section| {
                let slot = self.slots(section).find(device, section)?;
                let value = rcu::load(slot).cast::<T>();
                // INVARIANT: It is dropped when the readers have gone, below.
                slot.store(removed(), Release);
                Some(value)
            })
        };
        // The values stay allocated until the wait is over, which two passes over the slots could
        // not ensure without memory: so each is wrapped up again before the wait.
        let mut taken: KVec<Arc<T>> = KVec::new();
        for device in devices {
            if let Some(value) = take(device) {
                // SAFETY: It came from `Arc::into_raw` in `insert`, and the slot, from which only
                // who holds the lock takes something, was its only place.
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

#[pinned_drop]
impl<T: OnDevice> PinnedDrop for DeviceMap<T> {
    fn drop(self: Pin<&mut Self>) {
        let mut index = 0;
        // Outside of the section: what the end of a value takes may sleep.
        while let Some(anchor) = rcu::read(|section| {
            let slots = &self.slots(section).slots;
            slots.get(index).map(rcu::load)
        }) {
            index += 1;
            if !is_free(anchor) {
                // SAFETY: It came from `Arc::into_raw` in `insert`. Nobody can read the map any
                // more.
                drop(unsafe { Arc::from_raw(anchor.cast::<T>()) });
            }
        }
    }
}

#[kernel::macros::kunit_tests(maclearn_device_map)]
mod tests {
    use super::*;
    use core::mem::MaybeUninit;

    /// A value whose device has an index and nothing else.
    #[repr(C)]
    struct Value {
        anchor: Anchor,
        device: KBox<MaybeUninit<bindings::net_device>>,
    }

    on_device!(Value { anchor });

    impl Drop for Value {
        fn drop(&mut self) {
            // The device is the value's own, and counts nothing.
            self.anchor.device = ptr::null_mut();
        }
    }

    impl Value {
        fn device(&self) -> &NetDevice {
            // SAFETY: A map looks at a device's index only, which is there.
            unsafe { NetDevice::from_raw(self.anchor.device) }
        }
    }

    // SAFETY: The tests are one thread.
    unsafe impl Send for Value {}
    // SAFETY: As above.
    unsafe impl Sync for Value {}

    fn value(ifindex: i32) -> Result<Arc<Value>> {
        let mut device = KBox::<bindings::net_device>::new_uninit(GFP_KERNEL)?;
        // SAFETY: All-zero is a valid `net_device` as far as its plain fields go.
        unsafe {
            device.as_mut_ptr().write_bytes(0, 1);
            (*device.as_mut_ptr()).ifindex = ifindex;
        }
        let anchor = Anchor {
            device: device.as_mut_ptr(),
        };
        Ok(Arc::new(Value { anchor, device }, GFP_KERNEL)?)
    }

    fn has(map: &DeviceMap<Value>, value: &Value) -> bool {
        rcu::read(|section| {
            map.get(value.device(), section)
                .is_some_and(|found| ptr::eq(found, value))
        })
    }

    #[test]
    fn devices_whose_indices_end_alike_are_told_apart() -> Result {
        let map = KBox::pin_init(new_device_map!("maclearn_kunit_map")?, GFP_KERNEL)?;
        let [one, two, three] = [1, 1 + LENGTH, 1 + 2 * LENGTH].map(|index| value(index as i32));
        let (one, two, three) = (one?, two?, three?);
        map.insert(one.clone())?;
        map.insert(two.clone())?;
        assert!(has(&map, &one) && has(&map, &two) && !has(&map, &three));
        rcu::read(|section| {
            assert!(map.get_fast(one.device(), section).is_some());
            assert!(map.get_fast(two.device(), section).is_none());
        });
        // What was put behind it is found when it is gone, and its place is used again.
        map.remove([one.device()]);
        assert!(!has(&map, &one) && has(&map, &two));
        map.insert(three.clone())?;
        assert!(has(&map, &two) && has(&map, &three));
        map.remove([two.device(), three.device()]);
        Ok(())
    }

    #[test]
    fn grows_with_its_values() -> Result {
        let map = KBox::pin_init(new_device_map!("maclearn_kunit_map")?, GFP_KERNEL)?;
        let mut values = KVec::new();
        for index in 0..4 * LENGTH {
            values.push(value(3 * index as i32)?, GFP_KERNEL)?;
        }
        for value in &values {
            map.insert(value.clone())?;
        }
        assert!(values.iter().all(|value| has(&map, value)));
        map.remove(values.iter().map(|value| value.device()));
        assert!(values.iter().all(|value| !has(&map, value)));
        Ok(())
    }

    /// How many slots are looked at to find out that `value` is not there.
    fn looks(map: &DeviceMap<Value>, value: &Value) -> usize {
        rcu::read(|section| {
            let slots = map.slots(section);
            assert!(slots.find(value.device(), section).is_none());
            let is_used = |slot: &&Atomic<*mut Anchor>| rcu::load(slot) != nobody();
            slots.probe(value.device()).take_while(is_used).count() + 1
        })
    }

    #[test]
    fn what_is_not_there_is_missed_soon_whatever_came_and_went() -> Result {
        const LIVE: i32 = 64;
        let map = KBox::pin_init(new_device_map!("maclearn_kunit_map")?, GFP_KERNEL)?;
        let mut values = KVec::new();
        for round in 0..12 {
            // Others each time, one of them staying: in a row, or with indices that end alike.
            let step = if round % 2 == 0 { 1 } else { 256 };
            for index in 0..LIVE {
                let value = value(1 + round * 100_000 + index * step)?;
                map.insert(value.clone())?;
                values.push(value, GFP_KERNEL)?;
            }
            map.remove(values.iter().skip(1).map(|value| value.device()));
            values.truncate(1);
        }
        let mut total = 0;
        for index in 0..1000 {
            total += looks(&map, &*value(10_000_000 + index)?);
        }
        assert!(total <= 3000);
        assert!(values.iter().all(|value| has(&map, value)));
        Ok(())
    }

    #[test]
    fn what_is_left_goes_with_the_map() -> Result {
        let map = KBox::pin_init(new_device_map!("maclearn_kunit_map")?, GFP_KERNEL)?;
        let value = value(1)?;
        map.insert(value.clone())?;
        drop(map);
        assert!(Arc::into_unique_or_drop(value).is_some());
        Ok(())
    }
}
