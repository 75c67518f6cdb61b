// SPDX-License-Identifier: GPL-2.0

//! A set of ports of a bridge, which the packet path reads.

use super::locked::Locked;
use crate::{
    kapi::atomic::{AtomicU32, AtomicU64},
    table::{PortIndex, MAX_PORTS},
};

const WORDS: usize = MAX_PORTS / 64;

/// Some ports of a bridge.
pub(crate) struct PortSet {
    ports: [AtomicU64; WORDS],
    count: AtomicU32,
}

impl PortSet {
    /// None.
    pub(crate) const fn new() -> Self {
        Self {
            ports: [const { AtomicU64::new(0) }; WORDS],
            count: AtomicU32::new(0),
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load_relaxed() == 0
    }

    /// Whether `port` is one of them.
    #[inline]
    pub(crate) fn has(&self, port: PortIndex) -> bool {
        let (word, bit) = place(port);
        self.ports[word].load_relaxed() & bit != 0
    }

    /// Says whether `port` is one of them.
    pub(crate) fn set(&self, _locked: &mut Locked, port: PortIndex, on: bool) {
        if self.has(port) == on {
            return;
        }
        let (word, bit) = place(port);
        let word = &self.ports[word];
        word.store_relaxed(word.load_relaxed() ^ bit);
        let count = self.count.load_relaxed();
        self.count
            .store_relaxed(if on { count + 1 } else { count - 1 });
    }
}

fn place(port: PortIndex) -> (usize, u64) {
    (usize::from(port) / 64 % WORDS, 1 << (port % 64))
}
