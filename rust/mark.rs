// SPDX-License-Identifier: GPL-2.0

//! What the first hook on a frame's way leaves in its control block for the later ones.

use crate::{
    kapi::skb::is_multicast,
    table::{Owners, Ownership, PortIndex},
};

/// The bits of a [`Mark`] that are the VLAN identifier.
const VLAN: u32 = 0xfff;
/// Set where the source is to be learned once the bridge has admitted the frame.
const LEARN_WHEN_ADMITTED: u32 = 1 << 12;
/// Set where the bridge device itself sends the frame.
const LOCAL: u32 = 1 << 13;
/// Set where nobody owns the destination.
const NOBODY: u32 = 1 << 14;
/// Set where one port owns the destination.
const ONE: u32 = 1 << 15;
/// The bits that are the number of that port.
const OWNER: u32 = 0x3ff << OWNER_SHIFT;
const OWNER_SHIFT: u32 = 16;
/// All bits of a mark.
const ALL: u32 = VLAN | LEARN_WHEN_ADMITTED | LOCAL | NOBODY | ONE | OWNER;

/// The VLAN that the bridge puts a frame in, who owned the destination when the frame entered, and
/// whether its source is still to be learned.
///
/// Between the hook that sets it and those that read it the bridge does not let go of a frame: that
/// is one moment for whoever watches from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark(u32);

/// A random odd number of a bridge's own, which tells its marks from what else may stand in their
/// place: what the network stack left there, or another bridge that the frame has passed.
#[derive(Clone, Copy)]
pub(crate) struct Secret(u64);

impl Secret {
    /// Makes one of a random word.
    pub(crate) fn new(word: u64) -> Self {
        // What is odd loses no bit of what it multiplies.
        Self(word | 1)
    }
}

impl Mark {
    /// For a frame in `vlan`; 0 on a bridge that does not filter VLANs.
    #[inline(always)]
    pub(crate) fn new(vlan: u16) -> Self {
        Self(u32::from(vlan) & VLAN)
    }

    /// For a frame that the bridge device itself sends in `vlan`.
    #[inline(always)]
    pub(crate) fn local(vlan: u16) -> Self {
        Self(u32::from(vlan) & VLAN | LOCAL)
    }

    /// The same, with what the table says about the destination.
    #[inline(always)]
    pub(crate) fn with_owners(self, owners: Owners) -> Self {
        match owners {
            Owners::Nobody => Self(self.0 | NOBODY),
            Owners::One(port) => Self(self.0 | ONE | (u32::from(port) << OWNER_SHIFT) & OWNER),
            Owners::Several => self,
        }
    }

    /// Who owns the destination, as `port` sees it, if the mark tells.
    #[inline(always)]
    pub(crate) fn ownership(self, port: PortIndex) -> Option<Ownership> {
        if self.0 & ONE != 0 {
            if (self.0 & OWNER) >> OWNER_SHIFT == u32::from(port) {
                Some(Ownership::Mine)
            } else {
                Some(Ownership::Other)
            }
        } else if self.0 & NOBODY != 0 {
            Some(Ownership::Nobody)
        } else {
            None
        }
    }

    /// Whether the bridge device itself sends the frame.
    pub(crate) fn is_local(self) -> bool {
        self.0 & LOCAL != 0
    }

    /// The same, asking for the source to be learned when the bridge has admitted the frame.
    pub(crate) fn learning_when_admitted(self) -> Self {
        Self(self.0 | LEARN_WHEN_ADMITTED)
    }

    /// The frame's VLAN.
    pub(crate) fn vlan(self) -> u16 {
        (self.0 & VLAN) as u16
    }

    /// Whether the source is to be learned when the bridge has admitted the frame.
    pub(crate) fn learns_when_admitted(self) -> bool {
        self.0 & LEARN_WHEN_ADMITTED != 0
    }

    /// Whether `bits`, if they are a mark, say that.
    #[inline(always)]
    pub(crate) fn may_learn_when_admitted(bits: u64) -> bool {
        bits as u32 & LEARN_WHEN_ADMITTED != 0
    }

    /// As stored with a frame to `destination`: the mark and a check word.
    #[inline(always)]
    pub(crate) fn to_bits(self, secret: Secret, destination: u64) -> u64 {
        u64::from(self.0) | u64::from(self.0 ^ check(secret, destination)) << 32
    }

    /// Reads what [`Mark::to_bits`] made for that destination; `None` for anything else.
    #[inline(always)]
    pub(crate) fn from_bits(bits: u64, secret: Secret, destination: u64) -> Option<Self> {
        let mark = bits as u32;
        let is_mark = (bits >> 32) as u32 == mark ^ check(secret, destination);
        (is_mark && mark & !ALL == 0).then_some(Self(mark))
    }

    /// Reads a mark that was made for a frame to a group, of which this may be a copy that was given
    /// another destination.
    pub(crate) fn of_group(bits: u64, secret: Secret) -> Option<Self> {
        Self::from_bits(bits, secret, GROUP)
    }
}

/// Stands for all group addresses in a check word.
const GROUP: u64 = 1;

/// A frame's destination may be rewritten on its way: then what a mark says of it is no longer true.
#[inline(always)]
fn check(secret: Secret, destination: u64) -> u32 {
    let destination = if is_multicast(destination) {
        GROUP
    } else {
        destination
    };
    (destination.wrapping_mul(secret.0) >> 32) as u32
}

#[kernel::macros::kunit_tests(maclearn_mark)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret(0x1234_5678_9abc_def1);
    const STATION: u64 = 0x0102_0304_0502;

    fn stored(mark: Mark) -> Option<Mark> {
        Mark::from_bits(mark.to_bits(SECRET, STATION), SECRET, STATION)
    }

    #[test]
    fn survives_the_round_trip() {
        for vlan in [0, 1, 100, 4094] {
            let mark = Mark::new(vlan);
            assert_eq!(stored(mark), Some(mark));
            assert_eq!(mark.vlan(), vlan);
            assert!(!mark.learns_when_admitted());
            let mark = mark.learning_when_admitted();
            assert_eq!(stored(mark), Some(mark));
            assert_eq!(mark.vlan(), vlan);
            assert!(mark.learns_when_admitted());
            let mark = Mark::local(vlan);
            assert_eq!(stored(mark), Some(mark));
            assert!(mark.is_local());
            assert_eq!(mark.vlan(), vlan);
        }
    }

    #[test]
    fn tells_who_owns_the_destination() {
        for owner in [0, 1, 1022] {
            let mark = Mark::new(7).with_owners(Owners::One(owner));
            assert_eq!(stored(mark), Some(mark));
            assert_eq!(mark.vlan(), 7);
            assert_eq!(mark.ownership(owner), Some(Ownership::Mine));
            assert_eq!(mark.ownership(owner ^ 1), Some(Ownership::Other));
        }
        let mark = Mark::new(7).with_owners(Owners::Nobody);
        assert_eq!(stored(mark), Some(mark));
        assert_eq!(mark.ownership(0), Some(Ownership::Nobody));
        let mark = Mark::new(7).with_owners(Owners::Several);
        assert_eq!(mark.ownership(0), None);
    }

    #[test]
    fn anything_else_is_no_mark() {
        let bits = Mark::new(7).to_bits(SECRET, STATION);
        let read = |bits| Mark::from_bits(bits, SECRET, STATION);
        assert_eq!(read(0), None);
        assert_eq!(read(bits ^ 1), None);
        assert_eq!(read(bits ^ 1 << 40), None);
        assert_eq!(Mark::from_bits(bits, Secret(1), STATION), None);
        assert_eq!(Mark::from_bits(bits, SECRET, STATION + 0x100), None);
        assert_eq!(Mark::of_group(bits, SECRET), None);
    }

    #[test]
    fn groups_are_one_destination() {
        let mark = Mark::new(7);
        let bits = mark.to_bits(SECRET, 0x0102_0304_0501);
        assert_eq!(Mark::from_bits(bits, SECRET, u64::MAX >> 16), Some(mark));
        assert_eq!(Mark::of_group(bits, SECRET), Some(mark));
        assert_eq!(Mark::from_bits(bits, SECRET, STATION), None);
    }
}
