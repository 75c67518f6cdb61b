// SPDX-License-Identifier: GPL-2.0

//! The keyed hash that chooses an entry's two buckets.
//!
//! A guest chooses its MAC addresses, so it must not be able to choose addresses that share
//! buckets. Two rounds of `x * secret`, whose 128-bit product is folded by xor of its halves, give
//! 64 bits, the two halves of which choose the two buckets. The guest's bits enter one factor
//! only, after a secret was xored to them; the other factor is secret; and the second round hides
//! how the first one's carries moved. Which difference between two keys survives both rounds
//! depends on all 256 secret bits, and the hash is never shown, so nothing can be worked out from
//! outside: each pair of keys is as good as any other, and every array draws a new secret.
//! This is not a cryptographic function, and needs not be one: a look-up reads two buckets however
//! many keys collide, so someone lucky gets at most "no room", which a new array then cures.

/// The secret words of one array's hash.
pub struct Secret {
    masks: [u64; 2],
    factors: [u64; 2],
}

impl Secret {
    /// Makes a secret of random words.
    pub fn new(words: [u64; 4]) -> Self {
        let [a, b, c, d] = words;
        Self {
            masks: [a, b],
            // An odd factor loses no bit of what it multiplies.
            factors: [c | 1, d | 1],
        }
    }

    /// Hashes a word and a small number.
    #[inline]
    pub(super) fn hash(&self, word: u64, number: u16) -> u64 {
        let inner = multiply_fold(word ^ self.masks[0], self.factors[0]);
        multiply_fold(inner ^ self.masks[1] ^ u64::from(number), self.factors[1])
    }
}

#[inline]
fn multiply_fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
