// SPDX-License-Identifier: GPL-2.0

//! Random numbers that nobody can guess.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use super::bindings;

/// Random words from the kernel's generator.
///
/// # Examples
///
/// ```
/// use kernel::random;
///
/// // The two halves of a secret.
/// let [first, second] = random::words();
/// assert_ne!(first, second);
/// ```
pub(crate) fn words<const N: usize>() -> [u64; N] {
    [(); N].map(|()| word())
}

/// A random word from the kernel's generator.
///
/// # Examples
///
/// ```
/// use kernel::random;
///
/// assert_ne!(random::word(), random::word());
/// ```
pub(crate) fn word() -> u64 {
    let mut word = 0u64;
    // SAFETY: The buffer has as many bytes as are asked for.
    unsafe { bindings::get_random_bytes((&raw mut word).cast(), size_of::<u64>()) };
    word
}
