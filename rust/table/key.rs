// SPDX-License-Identifier: GPL-2.0

//! What the table is asked about: a (VLAN, MAC) pair in one word.

const MAC_MASK: u64 = (1 << 48) - 1;
const VLAN_SHIFT: u32 = 48;
const VLAN_MASK: u16 = 0xfff;

/// A MAC address as it stands on the wire, as a little-endian word whose last two bytes are 0.
pub fn mac_word(mac: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = mac;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// Marks a slot as occupied; set in every key, so that no key is 0, the empty slot.
const OCCUPIED: u64 = 1 << 63;

/// A VLAN and a MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key(u64);

impl Key {
    /// Makes a key from a VLAN (its lower 12 bits) and a MAC address as it stands on the wire.
    pub fn new(vlan: u16, mac: [u8; 6]) -> Self {
        Self::from_parts(vlan, mac_word(mac))
    }

    /// Makes a key from the little-endian word whose first six bytes are the MAC address. What
    /// follows them is ignored, so the eight bytes at an address in an Ethernet header will do.
    #[inline]
    pub const fn from_parts(vlan: u16, mac: u64) -> Self {
        let vlan = (vlan & VLAN_MASK) as u64;
        Self(OCCUPIED | (vlan << VLAN_SHIFT) | (mac & MAC_MASK))
    }

    /// The VLAN.
    pub fn vlan(self) -> u16 {
        (self.0 >> VLAN_SHIFT) as u16 & VLAN_MASK
    }

    /// The MAC address as it stands on the wire.
    pub fn mac(self) -> [u8; 6] {
        let [a, b, c, d, e, f, ..] = self.0.to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// The MAC address as [`mac_word`] makes it a word.
    pub fn mac_word(self) -> u64 {
        self.0 & MAC_MASK
    }

    /// The key that [`Key::to_bits`] gave.
    pub fn from_bits(bits: u64) -> Self {
        Self::from_parts((bits >> VLAN_SHIFT) as u16, bits)
    }

    /// The key as a number, which is never 0.
    #[inline]
    pub fn to_bits(self) -> u64 {
        self.0
    }
}
