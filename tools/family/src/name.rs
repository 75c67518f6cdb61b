// SPDX-License-Identifier: GPL-2.0

//! Names of network devices.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Most bytes of a name (`IFNAMSIZ` without the zero).
const MOST: usize = 15;

/// The name of a network device: bytes without a zero, and zeroes after them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name([u8; MOST]);

/// A text is not the name of a network device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("not the name of a device")]
pub struct NoName;

impl Name {
    /// The name that an attribute holds, with the zero at its end.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let name = payload.strip_suffix(b"\0").unwrap_or(payload);
        let mut bytes = [0; MOST];
        let is_name = !name.is_empty() && !name.contains(&0);
        bytes
            .get_mut(..name.len())
            .filter(|_| is_name)?
            .copy_from_slice(name);
        Some(Self(bytes))
    }

    /// Its bytes with the zero at their end.
    pub(crate) fn with_zero(self) -> Vec<u8> {
        let mut bytes = self.bytes().to_vec();
        bytes.push(0);
        bytes
    }

    fn bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The kernel takes any bytes.
        String::from_utf8_lossy(self.bytes()).fmt(formatter)
    }
}

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        Self::read(text.as_bytes()).ok_or(NoName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["a", "vnet0", "a23456789012345"] {
            let name: Name = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(Name::read(&name.with_zero()), Some(name));
        }
    }

    #[test]
    fn takes_nothing_else() {
        for text in ["", "a234567890123456", "a\0b"] {
            assert_eq!(text.parse::<Name>(), Err(NoName), "{text}");
        }
        assert_eq!(Name::read(b"\0"), None);
    }
}
