// SPDX-License-Identifier: GPL-2.0

//! MAC addresses.

use std::{
    fmt,
    str::{self, FromStr},
};

use thiserror::Error;

/// A MAC address, written as six hexadecimal bytes with colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it is that of a group: multicast or broadcast.
    #[must_use]
    pub fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }

    /// Its characters. A million of them are told at once, and for that `format!` takes long.
    #[must_use]
    pub fn text(self) -> [u8; 17] {
        let digit = |value: u8| match value {
            0..10 => b'0' + value,
            _ => b'a' - 10 + value,
        };
        let mut text = [b':'; 17];
        for (byte, text) in self.0.iter().zip(text.chunks_mut(3)) {
            let digits = [digit(byte >> 4), digit(byte & 0xf)];
            text.iter_mut()
                .zip(digits)
                .for_each(|(to, from)| *to = from);
        }
        text
    }
}

/// A text is not a MAC address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("not a MAC address")]
pub struct NoMac;

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl FromStr for Mac {
    type Err = NoMac;

    fn from_str(text: &str) -> Result<Self, NoMac> {
        let mut parts = text.split(':');
        let mut mac = [0; 6];
        for byte in &mut mac {
            let part = parts.next().ok_or(NoMac)?;
            let is_number = part.bytes().all(|digit| digit.is_ascii_hexdigit());
            if part.len() > 2 || !is_number {
                return Err(NoMac);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| NoMac)?;
        }
        parts.next().is_none().then_some(Self(mac)).ok_or(NoMac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let mac: Mac = "02:0:0a:FF:1:9".parse().unwrap();
        assert_eq!(mac.to_string(), "02:00:0a:ff:01:09");
        assert_eq!(mac.to_string().parse(), Ok(mac));
    }

    #[test]
    fn takes_nothing_else() {
        for text in [
            "",
            "02",
            "02:00:00:00:00",
            "02:00:00:00:00:",
            "02:00:00:00:00:00:00",
            "02:00:00:00:00:001",
            "02:00:00:00:00:+1",
            "02:00:00:00:00:0g",
            "02-00-00-00-00-00",
            "020000000000",
        ] {
            assert_eq!(text.parse::<Mac>(), Err(NoMac), "{text}");
        }
    }
}
