// SPDX-License-Identifier: GPL-2.0

//! Some of a bridge's ports.

use super::{PortIndex, MAX_PORTS};

const WORDS: usize = MAX_PORTS.div_ceil(64);

/// A set of ports, a bit for each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PortMask([u64; WORDS]);

impl PortMask {
    /// None.
    pub const NONE: Self = Self([0; WORDS]);

    /// Whether `port` is one of them.
    #[inline]
    pub fn has(&self, port: PortIndex) -> bool {
        self.0
            .get(usize::from(port >> 6))
            .is_some_and(|word| word & bit(port) != 0)
    }

    /// Adds or removes `port`. One that is out of range is left out.
    pub fn set(&mut self, port: PortIndex, on: bool) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word = (*word & !bit(port)) | if on { bit(port) } else { 0 };
        }
    }

    /// The ports, in their order.
    pub fn iter(self) -> impl Iterator<Item = PortIndex> {
        let Self(mut words) = self;
        let mut number = 0;
        core::iter::from_fn(move || {
            while *words.get(number)? == 0 {
                number += 1;
            }
            let word = words.get_mut(number)?;
            let bit = word.trailing_zeros();
            *word &= *word - 1;
            Some((number << 6) as PortIndex | bit as PortIndex)
        })
    }
}

fn bit(port: PortIndex) -> u64 {
    1 << (port & 63)
}
