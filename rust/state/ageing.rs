// SPDX-License-Identifier: GPL-2.0

//! When an entry is too old.
//!
//! The table stores 16-bit stamps. They count units of a power of two of jiffies, at least a
//! second, so that a known source costs at most one store a second; the unit grows with the ageing
//! time, so that stamps do not wrap before the maintenance work has seen them.

use crate::{
    kapi::uapi,
    table::{age, Stamp},
};

/// Longest ageing time in seconds that can be set; the longest of IEEE 802.1Q.
pub(crate) const MAX_AGEING_SECONDS: u32 = uapi::MACLEARN_MAX_AGEING_TIME;

/// Age in units that an ageing time must not exceed, a quarter of a stamp's range.
const MAX_LIMIT: u64 = 1 << 14;

/// Stands for no limit in [`Ageing::to_bits`].
const NEVER: u32 = 0xffff;

/// The time unit of a table's stamps, and the age in units after which an entry is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ageing {
    /// A unit is two to the power of this, in jiffies.
    pub(crate) unit_shift: u32,
    /// Entries with a greater age are gone; `None` if entries do not age.
    pub(crate) limit: Option<u16>,
}

impl Ageing {
    /// For an ageing time of `seconds` (0: never) on a system with `hz`.
    pub(crate) const fn new(seconds: u32, hz: u64) -> Self {
        let jiffies = seconds as u64 * hz;
        let mut unit_shift = hz.next_power_of_two().trailing_zeros();
        while jiffies.div_ceil(1 << unit_shift) > MAX_LIMIT {
            unit_shift += 1;
        }
        Self {
            unit_shift,
            limit: if seconds == 0 {
                None
            } else {
                Some(jiffies.div_ceil(1 << unit_shift) as u16)
            },
        }
    }

    /// Whether an entry last used at `stamp` is gone at `now`, in units.
    pub(crate) fn is_aged(self, stamp: Stamp, now: u64) -> bool {
        self.limit
            .is_some_and(|limit| age(stamp, now as Stamp) > limit)
    }

    /// Whether an entry last used at time `then`, in units, is gone at `now`.
    pub(crate) fn is_past(self, then: u64, now: u64) -> bool {
        self.limit
            .is_some_and(|limit| now.saturating_sub(then) > u64::from(limit))
    }

    /// Whether an entry last used at `stamp` was used later than `time`, in units: not long after
    /// it. Where entries do not age, that can't be told from long before, and is none.
    pub(crate) fn is_later(self, stamp: Stamp, time: u64) -> bool {
        let time = time as Stamp;
        self.limit.is_some() && stamp != time && age(stamp, time) == 0
    }

    /// The same as one number, with [`Ageing::from_bits`] as its inverse.
    pub(crate) const fn to_bits(self) -> u32 {
        let limit = match self.limit {
            Some(limit) => limit as u32,
            None => NEVER,
        };
        self.unit_shift << 16 | limit
    }

    /// What [`Ageing::to_bits`] made a number of.
    pub(crate) fn from_bits(bits: u32) -> Self {
        let limit = bits & 0xffff;
        Self {
            unit_shift: bits >> 16,
            limit: (limit != NEVER).then_some(limit as u16),
        }
    }

    /// The first time, in units, at which an entry last used at `stamp` is gone.
    pub(crate) fn expiry(self, stamp: Stamp, now: u64) -> u64 {
        self.limit.map_or(u64::MAX, |limit| {
            now.saturating_sub(u64::from(age(stamp, now as Stamp))) + u64::from(limit) + 1
        })
    }
}

#[kernel::macros::kunit_tests(maclearn_ageing)]
mod tests {
    use super::*;

    #[test]
    fn unit_is_at_least_a_second() {
        assert_eq!(Ageing::new(300, 250).unit_shift, 8);
        assert_eq!(Ageing::new(300, 100).unit_shift, 7);
        assert_eq!(Ageing::new(300, 1000).unit_shift, 10);
    }

    #[test]
    fn limit_covers_the_ageing_time() {
        for seconds in [1, 2, 299, 300, 86_400, MAX_AGEING_SECONDS] {
            let ageing = Ageing::new(seconds, 250);
            let limit = u64::from(ageing.limit.unwrap_or(0));
            assert!(limit << ageing.unit_shift >= u64::from(seconds) * 250);
            assert!(limit <= MAX_LIMIT);
        }
    }

    #[test]
    fn entry_is_gone_only_after_the_limit() {
        let ageing = Ageing::new(300, 250);
        let limit = ageing.limit.unwrap_or(0);
        // Across the wrap of a stamp.
        let now = 0x1_0005;
        assert!(!ageing.is_aged((now as Stamp).wrapping_sub(limit), now));
        assert!(ageing.is_aged((now as Stamp).wrapping_sub(limit + 1), now));
        assert!(!ageing.is_past(now - u64::from(limit), now));
        assert!(ageing.is_past(now - u64::from(limit) - 1, now));
    }

    #[test]
    fn what_is_later_than_a_time_was_used_soon_after_it() {
        let time = 0x1_ffff;
        let stamp = |distance: i64| (time as i64 + distance) as Stamp;
        let ageing = Ageing::new(MAX_AGEING_SECONDS, 250);
        let longest = i64::from(ageing.limit.unwrap_or(0)) + 60;
        for distance in [1, 2, 1000] {
            assert!(ageing.is_later(stamp(distance), time));
            // How long ago it was can't be told there.
            assert!(!Ageing::new(0, 250).is_later(stamp(distance), time));
        }
        for distance in [0, -1, -1000, -longest] {
            assert!(!ageing.is_later(stamp(distance), time));
        }
    }

    #[test]
    fn entry_that_was_used_since_the_clock_was_read_is_not_gone() {
        for seconds in [1, 300, MAX_AGEING_SECONDS] {
            let ageing = Ageing::new(seconds, 250);
            for now in [0x1_0005, 0x1_ffff] {
                for later in 1..4 {
                    let stamp = (now + later) as Stamp;
                    assert!(!ageing.is_aged(stamp, now));
                    assert!(ageing.expiry(stamp, now) > now);
                }
            }
        }
    }

    #[test]
    fn is_the_same_as_a_number() {
        for seconds in [0, 1, 300, MAX_AGEING_SECONDS] {
            let ageing = Ageing::new(seconds, 250);
            assert_eq!(Ageing::from_bits(ageing.to_bits()), ageing);
        }
    }

    #[test]
    fn nothing_ages_at_zero() {
        let ageing = Ageing::new(0, 250);
        assert_eq!(ageing.limit, None);
        assert!(!ageing.is_past(0, u64::MAX));
        assert!(!ageing.is_aged(0, 50_000));
        assert_eq!(ageing.expiry(0, 50_000), u64::MAX);
    }

    #[test]
    fn expiry_is_the_first_time_at_which_it_is_gone() {
        let ageing = Ageing::new(10, 250);
        let (stamp, now) = (100, 105);
        let expiry = ageing.expiry(stamp, now);
        assert!(!ageing.is_aged(stamp, expiry - 1));
        assert!(ageing.is_aged(stamp, expiry));
    }
}
