// SPDX-License-Identifier: GPL-2.0

//! What the first hook on a frame's way leaves in its control block for the later ones.

/// The bits of a [`CbTag`] that are the VLAN identifier.
const VLAN: u32 = 0xfff;
/// Set where the source is to be learned once the bridge has admitted the frame.
const LEARN_WHEN_ADMITTED: u32 = 1 << 12;
/// Set where the bridge device itself sends the frame.
const LOCAL: u32 = 1 << 13;
/// Set where the frame's copies can't have a memo.
const NO_MEMO: u32 = 1 << 14;
/// Set where copies of the frame may have to be made for the ports that are not filtered.
const COPIES_DUE: u32 = 1 << 15;
/// The place of the four bits of the frame's TCI that are not its VLAN identifier.
const PRIORITY: u32 = 16;
const PRIORITY_MASK: u32 = 0xf;
/// Set where the frame is for a group, also in the copies that it is for one member in.
const GROUP: u32 = 1 << 20;
/// All bits of a tag.
const ALL: u32 =
    VLAN | LEARN_WHEN_ADMITTED | LOCAL | NO_MEMO | COPIES_DUE | PRIORITY_MASK << PRIORITY | GROUP;

/// The VLAN that the bridge puts a frame in, and what is still to be done with the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CbTag(u32);

/// A random number of a bridge's own, which tells its tags from what else may stand in their
/// place: what the network stack left there, or another bridge that the frame has passed.
#[derive(Clone, Copy)]
pub(crate) struct Secret(pub(crate) u32);

impl CbTag {
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

    /// Whether the bridge device itself sends the frame.
    #[inline(always)]
    pub(crate) fn is_local(self) -> bool {
        self.0 & LOCAL != 0
    }

    /// The same tag, keeping the frame's copies from the memo.
    #[inline(always)]
    pub(crate) fn without_memo(self) -> Self {
        Self(self.0 | NO_MEMO)
    }

    /// The same, asking for the source to be learned when the bridge has admitted the frame.
    pub(crate) fn learning_when_admitted(self) -> Self {
        Self(self.0 | LEARN_WHEN_ADMITTED)
    }

    /// The same, with the four bits of the frame's TCI that are not its VLAN identifier.
    #[inline]
    pub(crate) fn with_priority(self, priority: u16) -> Self {
        Self(self.0 | (u32::from(priority) & PRIORITY_MASK) << PRIORITY)
    }

    /// The same, of a frame that is for a group if `is_for_group`.
    pub(crate) fn with_group(self, is_for_group: bool) -> Self {
        Self(if is_for_group { self.0 | GROUP } else { self.0 })
    }

    /// Whether the frame is for a group. Only tags of frames that the bridge device sends say so.
    pub(crate) fn is_for_group(self) -> bool {
        self.0 & GROUP != 0
    }

    /// The same, of a frame that copies may have to be made of.
    #[inline]
    pub(crate) fn with_copies_due(self) -> Self {
        Self(self.0 | COPIES_DUE)
    }

    /// The same, when they are made.
    #[inline]
    pub(crate) fn when_copied(self) -> Self {
        Self(self.0 & (VLAN | LOCAL | NO_MEMO))
    }

    /// The frame's TCI, of a tag with its priority.
    pub(crate) fn tci(self) -> u16 {
        self.vlan() | ((self.0 >> PRIORITY & PRIORITY_MASK) << 12) as u16
    }

    /// Whether `bits`, if they are a tag, say that copies of the frame may have to be made.
    #[inline(always)]
    pub(crate) fn may_have_copies_due(bits: u64) -> bool {
        bits as u32 & COPIES_DUE != 0
    }

    /// Whether `bits`, if they are a tag, say that copies have to be made, or a source learned.
    #[inline(always)]
    pub(crate) fn may_be_due(bits: u64) -> bool {
        bits as u32 & (COPIES_DUE | LEARN_WHEN_ADMITTED) != 0
    }

    /// Whether the frame's copies have a memo.
    pub(crate) fn has_memo(self) -> bool {
        self.0 & NO_MEMO == 0
    }

    /// The frame's VLAN.
    #[inline(always)]
    pub(crate) fn vlan(self) -> u16 {
        (self.0 & VLAN) as u16
    }

    /// Whether the source is to be learned when the bridge has admitted the frame.
    #[inline(always)]
    pub(crate) fn learns_when_admitted(self) -> bool {
        self.0 & LEARN_WHEN_ADMITTED != 0
    }

    /// Whether `bits`, if they are a tag, say that.
    #[inline(always)]
    pub(crate) fn may_learn_when_admitted(bits: u64) -> bool {
        bits as u32 & LEARN_WHEN_ADMITTED != 0
    }

    /// Whether `bits`, if they are a tag, are of a frame that the bridge forwards, whose copies
    /// have a memo, and whose source is known.
    #[inline(always)]
    pub(crate) fn may_be_plain(bits: u64) -> bool {
        Self(bits as u32).is_plain()
    }

    /// Whether it says that.
    #[inline(always)]
    pub(crate) fn is_plain(self) -> bool {
        self.0 & (LEARN_WHEN_ADMITTED | LOCAL | NO_MEMO) == 0
    }

    /// Reads what [`CbTag::to_bits`] made: the check alone tells.
    #[inline(always)]
    pub(crate) fn from_checked_bits(bits: u64, secret: Secret) -> Option<Self> {
        let tag = bits as u32;
        ((bits >> 32) as u32 == tag ^ secret.0).then_some(Self(tag))
    }

    /// As stored: the tag and a check word.
    #[inline(always)]
    pub(crate) fn to_bits(self, secret: Secret) -> u64 {
        u64::from(self.0) | u64::from(self.0 ^ secret.0) << 32
    }

    /// Reads what [`CbTag::to_bits`] made; `None` for anything else.
    #[inline(always)]
    pub(crate) fn from_bits(bits: u64, secret: Secret) -> Option<Self> {
        let tag = bits as u32;
        ((bits >> 32) as u32 == tag ^ secret.0 && tag & !ALL == 0).then_some(Self(tag))
    }
}

#[kernel::macros::kunit_tests(maclearn_tag)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_round_trip() {
        let secret = Secret(0x1234_5678);
        for vlan in [0, 1, 100, 4094] {
            let tag = CbTag::new(vlan);
            assert_eq!(CbTag::from_bits(tag.to_bits(secret), secret), Some(tag));
            assert_eq!(tag.vlan(), vlan);
            assert!(!tag.learns_when_admitted());
            let tag = tag.learning_when_admitted();
            assert_eq!(CbTag::from_bits(tag.to_bits(secret), secret), Some(tag));
            assert_eq!(tag.vlan(), vlan);
            assert!(tag.learns_when_admitted());
            let local = CbTag::local(vlan).with_priority(0xf);
            assert!(!local.is_for_group());
            let local = local.with_group(true);
            assert_eq!(CbTag::from_bits(local.to_bits(secret), secret), Some(local));
            assert!(local.is_for_group() && local.is_local());
            assert_eq!(local.tci(), vlan | 0xf000);
            let plain = CbTag::new(vlan).to_bits(secret);
            assert!(CbTag::may_be_plain(plain));
            assert_eq!(
                CbTag::from_checked_bits(plain, secret),
                Some(CbTag::new(vlan))
            );
            assert_eq!(CbTag::from_checked_bits(plain ^ 1 << 40, secret), None);
            assert!(!CbTag::may_be_plain(tag.to_bits(secret)));
            let tag = CbTag::new(vlan).without_memo();
            assert_eq!(CbTag::from_bits(tag.to_bits(secret), secret), Some(tag));
            assert!(!CbTag::may_be_plain(tag.to_bits(secret)));
            assert_eq!(tag.vlan(), vlan);
            let tag = CbTag::local(vlan);
            assert!(!CbTag::may_be_plain(tag.to_bits(secret)));
            assert_eq!(CbTag::from_bits(tag.to_bits(secret), secret), Some(tag));
            assert!(tag.is_local());
            assert_eq!(tag.vlan(), vlan);
        }
    }

    #[test]
    fn a_frame_that_copies_are_due_of_keeps_its_tci() {
        let secret = Secret(0x1234_5678);
        for priority in [0, 5, 15] {
            let tag = CbTag::new(100).with_priority(priority).with_copies_due();
            let bits = tag.to_bits(secret);
            assert!(CbTag::may_have_copies_due(bits) && CbTag::may_be_due(bits));
            // Its copies are filtered as fast as any.
            assert!(CbTag::may_be_plain(bits));
            assert_eq!(CbTag::from_checked_bits(bits, secret), Some(tag));
            assert_eq!(CbTag::from_bits(bits, secret), Some(tag));
            assert_eq!((tag.vlan(), tag.tci()), (100, priority << 12 | 100));
            assert_eq!(tag.when_copied(), CbTag::new(100));
            // One that the bridge device sends has no copies due where it comes up elsewhere.
            let bits = CbTag::local(100).with_priority(priority).to_bits(secret);
            assert!(!CbTag::may_be_due(bits));
            let tag = CbTag::from_bits(bits, secret).map(CbTag::tci);
            assert_eq!(tag, Some(priority << 12 | 100));
        }
        let bits = CbTag::new(100).to_bits(secret);
        assert!(!CbTag::may_have_copies_due(bits) && !CbTag::may_be_due(bits));
    }

    #[test]
    fn anything_else_is_no_tag() {
        let secret = Secret(0x1234_5678);
        let bits = CbTag::new(7).to_bits(secret);
        assert_eq!(CbTag::from_bits(0, secret), None);
        assert_eq!(CbTag::from_bits(bits ^ 1, secret), None);
        assert_eq!(CbTag::from_bits(bits ^ 1 << 40, secret), None);
        assert_eq!(CbTag::from_bits(bits, Secret(1)), None);
    }
}
