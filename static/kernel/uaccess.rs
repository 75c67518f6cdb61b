// SPDX-License-Identifier: GPL-2.0

//! Memory of user space, of which nothing is used: `page.rs` names a reader of it.

use core::{convert::Infallible, mem::MaybeUninit};

use crate::prelude::*;

/// A reader that there is none of.
pub struct UserSliceReader(Infallible);

impl UserSliceReader {
    /// Never called.
    pub fn read_raw(&mut self, _to: &mut [MaybeUninit<u8>]) -> Result {
        match self.0 {}
    }
}
