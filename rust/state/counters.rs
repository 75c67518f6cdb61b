// SPDX-License-Identifier: GPL-2.0

//! What is counted. Each counter stands here once; sysfs and netlink are made from that.
//!
//! To add one takes its attribute, last in the set `statistics` of
//! `Documentation/netlink/specs/maclearn.yaml`, its name in the reply of `stats-get` there, and
//! `scripts/netlink-generate`; a row here; a count where it happens; and
//! `Documentation/networking/maclearn.rst`, `Documentation/ABI/testing` and `STATISTICS` in
//! `tests/functional/lib.sh`, which the scripts `documentation` and `attributes` compare.

use crate::kapi::uapi;

/// What a port counts, in frames unless the name says otherwise; a GSO buffer counts its segments:
/// variant, name in sysfs and attribute in netlink.
macro_rules! counters {
    ($with:ident) => {
        $with! {
            /// Copies suppressed.
            Suppressed = suppressed: uapi::MACLEARN_A_STATISTICS_SUPPRESSED;
            /// Bytes of the copies suppressed, Ethernet headers included.
            SuppressedBytes = suppressed_bytes: uapi::MACLEARN_A_STATISTICS_SUPPRESSED_BYTES;
            /// Copies passed since the port owns the destination.
            PassedOwned = passed_owned: uapi::MACLEARN_A_STATISTICS_PASSED_OWNED;
            /// Copies passed since nobody owns the destination.
            PassedUnknown = passed_unknown: uapi::MACLEARN_A_STATISTICS_PASSED_UNKNOWN;
            /// Copies passed since a source behind the port could not be learned.
            PassedFailingOpen =
                passed_failing_open: uapi::MACLEARN_A_STATISTICS_PASSED_FAILING_OPEN;
            /// Copies of broadcast and multicast frames, which always pass.
            PassedMulticast = passed_multicast: uapi::MACLEARN_A_STATISTICS_PASSED_MULTICAST;
            /// MACs learned.
            Learned = learned: uapi::MACLEARN_A_STATISTICS_LEARNED;
            /// MACs learned that another port owned.
            MovedIn = moved_in: uapi::MACLEARN_A_STATISTICS_MOVED_IN;
            /// MACs forgotten since they were not seen for the ageing time.
            Aged = aged: uapi::MACLEARN_A_STATISTICS_AGED;
            /// Frames whose source could not be learned for a limit.
            LimitHits = limit_hits: uapi::MACLEARN_A_STATISTICS_LIMIT_HITS;
            /// Of those, frames dropped since the port fails closed.
            DroppedClosed = dropped_closed: uapi::MACLEARN_A_STATISTICS_DROPPED_CLOSED;
        }
    };
}
pub(crate) use counters;

macro_rules! define {
    ($($(#[$doc:meta])* $variant:ident = $name:ident: $attribute:expr;)*) => {
        /// What a port counts.
        #[derive(Clone, Copy)]
        pub(crate) enum Counter {
            $($(#[$doc])* $variant,)*
        }

        impl Counter {
            /// All of them, in the order of the table.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its attribute in netlink.
            pub(crate) fn attribute(self) -> u32 {
                match self {
                    $(Self::$variant => $attribute,)*
                }
            }
        }
    };
}

counters!(define);

/// Number of [`Counter`]s.
pub(crate) const COUNTERS: usize = Counter::ALL.len();
