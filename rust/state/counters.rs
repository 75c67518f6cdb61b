// SPDX-License-Identifier: GPL-2.0

//! What is counted.

/// What a port counts, in frames unless the name says otherwise; a GSO buffer counts its segments.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    /// Copies suppressed.
    Suppressed,
    /// Bytes of the copies suppressed, Ethernet headers included.
    SuppressedBytes,
    /// Copies passed since the port owns the destination.
    PassedOwned,
    /// Copies passed since nobody owns the destination.
    PassedUnknown,
    /// Copies passed since a source behind the port could not be learned.
    PassedFailingOpen,
    /// Copies of broadcast and multicast frames, which always pass.
    PassedMulticast,
    /// MACs learned.
    Learned,
    /// MACs learned that another port owned.
    MovedIn,
    /// MACs forgotten since they were not seen for the ageing time.
    Aged,
    /// Frames whose source could not be learned for a limit.
    LimitHits,
    /// Of those, frames dropped since the port fails closed.
    DroppedClosed,
}

/// Number of [`Counter`]s.
pub(crate) const COUNTERS: usize = Counter::DroppedClosed as usize + 1;
