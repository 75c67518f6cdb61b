// SPDX-License-Identifier: GPL-2.0

//! A set of hardware addresses, asked about each new source.

use kernel::prelude::*;

/// Words of the filter.
const WORDS: usize = 16;

/// Hardware addresses, as the words that a frame or a device gives.
pub(crate) struct Addresses {
    /// Has the bit of each address. Most of those that are not here are told by their bit being
    /// clear, at 256 ports too.
    filter: [u64; WORDS],
    in_order: KVec<u64>,
}

impl Addresses {
    /// Makes a set with room for `count` of them. May sleep.
    pub(crate) fn with_capacity(count: usize) -> Result<Self> {
        Ok(Self {
            filter: [0; WORDS],
            in_order: KVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?,
        })
    }

    /// Adds one. May sleep.
    pub(crate) fn insert(&mut self, address: u64) -> Result {
        let place = self.in_order.partition_point(|&other| other <= address);
        self.in_order.push(address, GFP_KERNEL_ACCOUNT)?;
        self.in_order[place..].rotate_right(1);
        let (word, bit) = Self::bit_of(address);
        self.filter[word] |= bit;
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Whether it is here.
    #[inline]
    pub(crate) fn contains(&self, address: u64) -> bool {
        let (word, bit) = Self::bit_of(address);
        self.filter[word] & bit != 0 && self.in_order.binary_search(&address).is_ok()
    }

    /// Those that are not among `others`.
    pub(crate) fn beyond<'a>(&'a self, others: Option<&'a Self>) -> impl Iterator<Item = u64> + 'a {
        let is_new = move |address| others.is_none_or(|others| !others.contains(address));
        self.in_order
            .iter()
            .copied()
            .filter(move |&address| is_new(address))
    }

    /// An address's word in the filter and its bit there: ten bits of its product with 2^64 over
    /// the golden ratio, which spreads what was numbered in turn.
    #[inline]
    fn bit_of(address: u64) -> (usize, u64) {
        let number = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        ((number >> 6) as usize, 1 << (number & 63))
    }
}

#[kernel::macros::kunit_tests(maclearn_addresses)]
mod tests {
    use super::*;

    fn address(number: u16) -> u64 {
        let [high, low] = number.to_be_bytes();
        u64::from_le_bytes([2, 0, 0, 0, high, low, 0, 0])
    }

    #[test]
    fn what_was_inserted_is_there() -> Result {
        let mut addresses = Addresses::with_capacity(0)?;
        for number in (0..2000).step_by(3).rev() {
            addresses.insert(address(number))?;
        }
        for number in 0..2000 {
            assert_eq!(addresses.contains(address(number)), number % 3 == 0);
        }
        Ok(())
    }

    #[test]
    fn tells_what_others_lack() -> Result {
        let (mut more, mut fewer) = (Addresses::with_capacity(3)?, Addresses::with_capacity(2)?);
        for number in [1, 2, 3] {
            more.insert(address(number))?;
        }
        fewer.insert(address(2))?;
        assert!(more.beyond(Some(&fewer)).eq([address(1), address(3)]));
        assert!(fewer.beyond(Some(&more)).next().is_none());
        assert_eq!(more.beyond(None).count(), 3);
        Ok(())
    }

    #[test]
    fn the_filter_alone_tells_most_others() -> Result {
        let mut addresses = Addresses::with_capacity(256)?;
        for number in 0..256 {
            addresses.insert(address(number))?;
        }
        let told = (256..4352).filter(|&number| {
            let (word, bit) = Addresses::bit_of(address(number));
            addresses.filter[word] & bit == 0
        });
        assert!(told.count() >= 4096 * 2 / 3);
        Ok(())
    }
}
