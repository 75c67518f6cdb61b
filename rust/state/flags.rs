// SPDX-License-Identifier: GPL-2.0

//! The settings and the state of a port that are on or off, all of one moment in one word.

/// A bit of a port's settings or state.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Flag {
    /// Copies to the port are filtered.
    Enabled = 1 << 0,
    /// Sources behind the port are learned.
    Learning = 1 << 1,
    /// Copies for unknown destinations are suppressed.
    SuppressUnknown = 1 << 2,
    /// On failure frames are dropped, rather than every copy passed.
    FailClosed = 1 << 3,
    /// Every copy passes for a failure: a source could not be learned for a limit or for lack of
    /// memory, or could not be kept ([`Flag::LostSource`]); or [`Flag::FdbIncomplete`]. Users see
    /// this one.
    FailingOpen = 1 << 4,
    /// Every copy passes for a moment, which is no failure: a source, or a claim of the bridge's
    /// own database, waits for the table to grow; or a source for a sweep of what may have aged.
    LearnPending = 1 << 5,
    /// The port has left the bridge.
    Gone = 1 << 6,
    /// A source could not be learned for a limit, and there has been no room since.
    AtLimit = 1 << 7,
    /// What the bridge's own database has for the port is not known for lack of memory.
    FdbIncomplete = 1 << 8,
    /// It has become quiet, and what was learned there is still to be forgotten.
    Forgetting = 1 << 9,
    /// A source could be neither learned nor kept: every copy passes until it would have aged.
    LostSource = 1 << 10,
    /// That the port is at a limit was written to the kernel's log.
    LimitLogged = 1 << 11,
    /// It is joining the bridge, and not enabled yet if it is to be.
    Joining = 1 << 12,
    /// Something was learned while the port was quiet.
    LearnedQuiet = 1 << 13,
    /// Nothing is to be done with a frame but to learn its source as of now: the port learns, and
    /// is neither [`Flag::Forgetting`] nor [`Flag::TagsFrames`]. Follows from these, so that a
    /// frame asks for one flag.
    LearningNow = 1 << 14,
    /// Frames that come in there are tagged as ones that copies may have to be made of.
    TagsFrames = 1 << 15,
}

/// The [`Flag`]s of a port at one time.
#[derive(Clone, Copy)]
pub(crate) struct Flags(u32);

impl Flags {
    /// None is set.
    pub(crate) const NONE: Self = Self(0);

    /// From what [`Flags::to_bits`] gave.
    #[inline(always)]
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// As a word.
    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }

    /// Whether `flag` is set.
    #[inline(always)]
    pub(crate) fn has(self, flag: Flag) -> bool {
        self.0 & flag as u32 != 0
    }

    /// The same with `flag` set or cleared.
    pub(crate) fn with(self, flag: Flag, on: bool) -> Self {
        if on {
            Self(self.0 | flag as u32)
        } else {
            Self(self.0 & !(flag as u32))
        }
    }

    /// The same with what follows from the others.
    pub(crate) fn completed(self) -> Self {
        self.with(
            Flag::LearningNow,
            self.learns_as_of_now() && !self.has(Flag::TagsFrames),
        )
    }

    /// Whether sources are learned, and nothing of the port's is being forgotten.
    #[inline]
    pub(crate) fn learns_as_of_now(self) -> bool {
        self.has(Flag::Learning) && !self.has(Flag::Forgetting)
    }

    /// Whether copies to the port are suppressed that are not its own: it is filtered, and is not
    /// failing open.
    pub(crate) fn suppresses(self) -> bool {
        self.has(Flag::Enabled) && !self.has(Flag::Gone) && !self.fails_open()
    }

    /// Whether anything is noted of a failure, or of what can't be learned yet.
    pub(crate) fn has_failure(self) -> bool {
        const OF_FAILURE: u32 = Flag::FailingOpen as u32
            | Flag::LearnPending as u32
            | Flag::AtLimit as u32
            | Flag::FdbIncomplete as u32
            | Flag::LostSource as u32
            | Flag::LimitLogged as u32;
        self.0 & OF_FAILURE != 0
    }

    /// Whether every copy passes for a failure, or until the table has grown.
    #[inline(always)]
    pub(crate) fn fails_open(self) -> bool {
        self.0 & (Flag::FailingOpen as u32 | Flag::LearnPending as u32) != 0
    }
}
