// SPDX-License-Identifier: GPL-2.0

//! Why a port owns a key.

/// The reasons for which a port owns a key. While there is one, it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claims(u16);

impl Claims {
    /// None: no entry has these.
    pub const NONE: Self = Self(0);
    /// A frame from the key came in through the port. Ages.
    pub const LEARNED: Self = Self(1 << 12);
    /// The forwarding database of the bridge itself sends frames for the key to the port.
    pub const BRIDGE: Self = Self(1 << 13);
    /// It was configured.
    pub const STATIC: Self = Self(1 << 15);
    /// All of them.
    pub const ALL: Self = Self::LEARNED.and(Self::BRIDGE).and(Self::STATIC);

    /// These and others.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These, less others.
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether any of `others` is among these.
    #[inline]
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// The claims among some bits.
    pub(super) const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The claims as bits that [`Claims::from_bits`] takes.
    pub(super) const fn to_bits(self) -> u16 {
        self.0
    }
}
