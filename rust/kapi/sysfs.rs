// SPDX-License-Identifier: GPL-2.0

//! A directory of attributes below a network device in sysfs.
//!
//! C headers: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h),
//! [`include/linux/kobject.h`](srctree/include/linux/kobject.h)

use core::{
    fmt::{self, Write},
    mem, ptr, slice,
};

use kernel::{container_of, error::to_result, prelude::*, str::CStr, sync::Arc, types::Opaque};

use super::{bindings, netdevice::NetDevice};

/// Bytes that the text of one attribute may have (`PAGE_SIZE`).
const TEXT_BYTES: usize = 4096;

/// Where a `show` function writes.
pub(crate) struct Text<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self
            .buffer
            .get_mut(self.used..self.used + text.len())
            .ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.used += text.len();
        Ok(())
    }
}

/// Writes the value of an attribute of a `T`, without the newline.
pub(crate) type Show<T> = fn(&T, &mut Text<'_>) -> fmt::Result;

/// Takes a value written to an attribute of a `T`, without the newline.
pub(crate) type Store<T> = fn(&T, &str) -> Result;

/// An attribute of a `T`; made in a `static`.
///
/// # Invariants
///
/// `attribute` is the first field, and its name is a static string.
#[repr(C)]
pub(crate) struct Attribute<T> {
    attribute: Opaque<bindings::attribute>,
    show: Option<Show<T>>,
    store: Option<Store<T>>,
}

// SAFETY: sysfs only reads the C part; the rest are function pointers.
unsafe impl<T> Sync for Attribute<T> {}

impl<T> Attribute<T> {
    const fn new(
        name: &'static CStr,
        mode: u16,
        show: Option<Show<T>>,
        store: Option<Store<T>>,
    ) -> Self {
        // SAFETY: All-zero is a valid `attribute`.
        let mut attribute: bindings::attribute = unsafe { mem::zeroed() };
        attribute.name = name.to_bytes_with_nul().as_ptr().cast();
        attribute.mode = mode;
        // INVARIANT: The layout is C's, and the name has come as a static one.
        Self {
            attribute: Opaque::new(attribute),
            show,
            store,
        }
    }

    /// One that everyone may read.
    pub(crate) const fn read_only(name: &'static CStr, show: Show<T>) -> Self {
        Self::new(name, 0o444, Some(show), None)
    }

    /// One that the owner of the namespace may also write.
    pub(crate) const fn read_write(name: &'static CStr, show: Show<T>, store: Store<T>) -> Self {
        Self::new(name, 0o644, Some(show), Some(store))
    }

    /// One that the owner of the namespace may only write.
    pub(crate) const fn write_only(name: &'static CStr, store: Store<T>) -> Self {
        Self::new(name, 0o200, None, Some(store))
    }
}

/// Attributes of a directory, or of one below it.
pub(crate) struct Group<T: 'static> {
    /// Name of the directory below; `None` for the directory itself.
    pub(crate) name: Option<&'static CStr>,
    /// The attributes.
    pub(crate) attributes: &'static [Attribute<T>],
}

/// A directory that exists until the value is dropped.
///
/// Dropping waits for `show` and `store` calls under way, so it must not happen under a lock that
/// they take.
///
/// # Invariants
///
/// The node's kobject is initialised, and this value owns one reference to it.
pub(crate) struct Directory<T: Send + Sync + 'static>(*mut Node<T>);

// SAFETY: The directory may be removed by any thread.
unsafe impl<T: Send + Sync> Send for Directory<T> {}
// SAFETY: Nothing can be done with a shared reference.
unsafe impl<T: Send + Sync> Sync for Directory<T> {}

struct Node<T> {
    kobject: Opaque<bindings::kobject>,
    data: Arc<T>,
}

impl<T: Send + Sync + 'static> Directory<T> {
    /// The node's kobject, from which the functions below find the way back to all of the node.
    fn kobject(&self) -> *mut bindings::kobject {
        // SAFETY: By the type invariants the node is there.
        Opaque::cast_into(unsafe { &raw const (*self.0).kobject })
    }

    const OPERATIONS: &'static bindings::sysfs_ops = &bindings::sysfs_ops {
        show: Some(Self::show),
        store: Some(Self::store),
    };

    const KIND: &'static bindings::kobj_type = &bindings::kobj_type {
        release: Some(Self::release),
        sysfs_ops: Self::OPERATIONS,
        default_groups: ptr::null_mut(),
        child_ns_type: None,
        namespace: None,
        get_ownership: Some(bindings::maclearn_kobject_ownership),
    };

    /// Makes `/sys/class/net/DEVICE/NAME` with attributes of `data`. May sleep.
    ///
    /// The caller drops it before the device is unregistered.
    pub(crate) fn new(
        device: &NetDevice,
        name: &'static CStr,
        groups: &'static [Group<T>],
        data: Arc<T>,
    ) -> Result<Self> {
        let node = KBox::new(
            Node {
                kobject: Opaque::zeroed(),
                data,
            },
            GFP_KERNEL_ACCOUNT,
        )?;
        let node = KBox::into_raw(node);
        // INVARIANT: `kobject_init_and_add()` initialises the kobject even when it fails; from then
        // on the node is freed by `release`, when the last reference is dropped.
        let directory = Self(node);
        // SAFETY: The node is valid and its kobject zeroed; the device and the type outlive it.
        to_result(unsafe {
            bindings::maclearn_kobject_add(
                directory.kobject(),
                Self::KIND,
                bindings::maclearn_dev_kobject(device.as_raw()),
                name.as_char_ptr(),
            )
        })?;
        for group in groups {
            directory.add(group)?;
        }
        Ok(directory)
    }

    fn add(&self, group: &Group<T>) -> Result {
        let mut attributes = KVec::with_capacity(group.attributes.len() + 1, GFP_KERNEL)?;
        for attribute in group.attributes {
            // The pointer is one to all of the attribute, of which sysfs sees what it begins with.
            let attribute = ptr::from_ref(attribute).cast_mut().cast();
            attributes.push(attribute, GFP_KERNEL)?;
        }
        attributes.push(ptr::null_mut(), GFP_KERNEL)?;
        let name = group.name.map_or(ptr::null(), |name| name.as_char_ptr());
        // SAFETY: By the type invariants the kobject is there. sysfs keeps the attributes and
        // names, which are static, and not the table of them.
        to_result(unsafe {
            bindings::maclearn_sysfs_create_group(self.kobject(), name, attributes.as_mut_ptr())
        })
    }

    /// # Safety
    ///
    /// Called by sysfs on the kobject of a `Node<T>` for one of the attributes that `add` gave it.
    unsafe extern "C" fn show(
        kobject: *mut bindings::kobject,
        attribute: *mut bindings::attribute,
        buffer: *mut c_char,
    ) -> isize {
        // SAFETY: By the safety requirement; sysfs keeps the kobject for the duration of the call.
        let (node, attribute) = unsafe { Self::parts(kobject, attribute) };
        let Some(show) = attribute.show else {
            return EIO.to_errno() as isize;
        };
        let mut text = Text {
            // SAFETY: sysfs gives a buffer of a page, zeroed.
            buffer: unsafe { slice::from_raw_parts_mut(buffer.cast(), TEXT_BYTES) },
            used: 0,
        };
        match show(&node.data, &mut text).and_then(|()| text.write_str("\n")) {
            Ok(()) => text.used as isize,
            Err(fmt::Error) => EIO.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// As for `show`.
    unsafe extern "C" fn store(
        kobject: *mut bindings::kobject,
        attribute: *mut bindings::attribute,
        buffer: *const c_char,
        length: usize,
    ) -> isize {
        // SAFETY: By the safety requirement; sysfs keeps the kobject for the duration of the call.
        let (node, attribute) = unsafe { Self::parts(kobject, attribute) };
        // SAFETY: sysfs gives a buffer with `length` bytes of what was written.
        let bytes = unsafe { slice::from_raw_parts(buffer.cast::<u8>(), length) };
        let store = || {
            let store = attribute.store.ok_or(EIO)?;
            let text = core::str::from_utf8(bytes).map_err(|_| EINVAL)?;
            store(&node.data, text.strip_suffix('\n').unwrap_or(text))
        };
        match store() {
            Ok(()) => length as isize,
            Err(error) => error.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// Called by the kobject core, once, on the kobject of a `Node<T>`.
    unsafe extern "C" fn release(kobject: *mut bindings::kobject) {
        // SAFETY: Only the kobject of a `Node<T>` from `KBox::into_raw` has this type, and this is
        // its last use.
        drop(unsafe {
            KBox::from_raw(container_of!(Opaque::cast_from(kobject), Node<T>, kobject).cast_mut())
        });
    }

    /// # Safety
    ///
    /// As for `show`.
    unsafe fn parts<'a>(
        kobject: *mut bindings::kobject,
        attribute: *mut bindings::attribute,
    ) -> (&'a Node<T>, &'a Attribute<T>) {
        // SAFETY: By the safety requirement, and since `attribute` is the first field of
        // `Attribute<T>`.
        unsafe {
            (
                &*container_of!(Opaque::cast_from(kobject), Node<T>, kobject),
                &*attribute.cast(),
            )
        }
    }
}

impl<T: Send + Sync + 'static> Drop for Directory<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. Deleting removes the directory with all that is in it and
        // waits for calls under way; a kobject that was never added is left alone by it.
        unsafe {
            bindings::kobject_del(self.kobject());
            bindings::kobject_put(self.kobject());
        }
    }
}
