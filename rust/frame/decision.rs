// SPDX-License-Identifier: GPL-2.0

//! The rule: what happens to a copy of a unicast frame at an enabled port.
//!
//! What comes before it is in `mod.rs`. `filter()` passes a copy where the port is not enabled, and
//! where the frame is for a group. `filter_first()` and `filter_slow()` pass one that is for a
//! single member of a group, and the latter one whose VLAN does not show. Where the bridge mirrors,
//! `filter()` has `mirror.rs` note copies at ports that are not enabled. Before `filter()`,
//! `mirror.rs` consumes the copies that a flooding makes of the bridge device's frames, where it
//! has made them itself.
//!
//! What may let a copy pass after all is in `fdb.rs` and `quiet.rs`; `filter_slow()` in `mod.rs`
//! puts the three together.

use crate::{
    state::flags::{Flag, Flags},
    table::Ownership,
};

/// What a port's settings and state say about copies to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    /// Unknown destinations are suppressed (`unknown_unicast suppress`).
    pub(crate) suppress_unknown: bool,
    /// The port gets every copy, since a source behind it could not be learned.
    pub(crate) failing_open: bool,
}

impl Policy {
    /// What they say of the port that has them.
    #[inline(always)]
    pub(crate) fn of(flags: Flags) -> Self {
        Self {
            suppress_unknown: flags.has(Flag::SuppressUnknown),
            failing_open: flags.fails_open(),
        }
    }
}

/// What to do with the copy, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    /// Pass: the port owns the destination.
    PassOwned,
    /// Pass: the port is failing open.
    PassFailingOpen,
    /// Pass: nobody owns the destination.
    PassUnknown,
    /// Suppress.
    Suppress,
}

/// Decides by who owns the destination.
#[inline(always)]
pub(crate) fn decide(ownership: Ownership, policy: Policy) -> Decision {
    let unless_open = |decision| match policy.failing_open {
        true => Decision::PassFailingOpen,
        false => decision,
    };
    match ownership {
        Ownership::Mine => Decision::PassOwned,
        Ownership::Other => unless_open(Decision::Suppress),
        Ownership::Nobody if policy.suppress_unknown => unless_open(Decision::Suppress),
        Ownership::Nobody => unless_open(Decision::PassUnknown),
    }
}

#[kernel::macros::kunit_tests(maclearn_decision)]
mod tests {
    use super::*;

    fn policy(suppress_unknown: bool, failing_open: bool) -> Policy {
        Policy {
            suppress_unknown,
            failing_open,
        }
    }

    #[test]
    fn owner_always_gets_its_frames() {
        for suppress_unknown in [false, true] {
            for failing_open in [false, true] {
                let policy = policy(suppress_unknown, failing_open);
                assert_eq!(decide(Ownership::Mine, policy), Decision::PassOwned);
            }
        }
    }

    #[test]
    fn frames_of_another_port_are_suppressed() {
        for suppress_unknown in [false, true] {
            let policy = policy(suppress_unknown, false);
            assert_eq!(decide(Ownership::Other, policy), Decision::Suppress);
        }
    }

    #[test]
    fn unknown_destinations_follow_the_setting() {
        assert_eq!(
            decide(Ownership::Nobody, policy(false, false)),
            Decision::PassUnknown
        );
        assert_eq!(
            decide(Ownership::Nobody, policy(true, false)),
            Decision::Suppress
        );
    }

    #[test]
    fn failing_open_passes_what_would_be_suppressed() {
        for ownership in [Ownership::Other, Ownership::Nobody] {
            for suppress_unknown in [false, true] {
                let policy = policy(suppress_unknown, true);
                assert_eq!(decide(ownership, policy), Decision::PassFailingOpen);
            }
        }
    }
}
