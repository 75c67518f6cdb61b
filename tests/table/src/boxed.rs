// SPDX-License-Identifier: GPL-2.0

//! A box whose value is reached by a pointer meanwhile, the same for both platforms.

use std::ops::Deref;

use crate::platform::OutOfMemory;

pub struct Boxed<T>(Box<T>);

impl<T> Boxed<T> {
    pub fn new(value: T) -> Result<Self, OutOfMemory> {
        Ok(Self(Box::new(value)))
    }

    pub fn into_raw(self) -> *mut T {
        Box::into_raw(self.0)
    }

    /// # Safety
    ///
    /// `pointer` must come from `into_raw()`, and nobody else may use it from now on.
    pub unsafe fn from_raw(pointer: *mut T) -> Self {
        // SAFETY: The caller promises what is needed.
        Self(unsafe { Box::from_raw(pointer) })
    }
}

impl<T> Deref for Boxed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
