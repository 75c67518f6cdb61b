// SPDX-License-Identifier: GPL-2.0

//! MAC addresses and ranges of consecutive ones (`02:00:00:00:01:00+256`).

use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(u64);

impl Mac {
    pub const BROADCAST: Mac = Mac(0xffff_ffff_ffff);

    pub fn bytes(self) -> [u8; 6] {
        let b = self.0.to_be_bytes();
        [b[2], b[3], b[4], b[5], b[6], b[7]]
    }

    pub fn is_multicast(self) -> bool {
        self.bytes()[0] & 1 == 1
    }
}

impl From<[u8; 6]> for Mac {
    fn from(b: [u8; 6]) -> Self {
        Mac(u64::from_be_bytes([
            0, 0, b[0], b[1], b[2], b[3], b[4], b[5],
        ]))
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("'{text}' is not a MAC address");
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2).ok_or_else(error)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| error())?;
        }
        match parts.next() {
            None => Ok(bytes.into()),
            Some(_) => Err(error()),
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.bytes();
        write!(
            f,
            "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
            b[0], b[1], b[2], b[3], b[4], b[5]
        )
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MacRange {
    first: Mac,
    len: u64,
}

impl MacRange {
    pub fn len(self) -> u64 {
        self.len
    }

    /// The address at `index`, starting over at the end of the range.
    pub fn get(self, index: u64) -> Mac {
        Mac(self.first.0 + index % self.len)
    }
}

impl From<Mac> for MacRange {
    fn from(first: Mac) -> Self {
        MacRange { first, len: 1 }
    }
}

impl FromStr for MacRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((first, len)) = text.split_once('+') else {
            return Ok(text.parse::<Mac>()?.into());
        };
        let first: Mac = first.parse()?;
        match len.parse() {
            Ok(len) if (1..=Mac::BROADCAST.0 - first.0 + 1).contains(&len) => {
                Ok(MacRange { first, len })
            }
            _ => Err(format!("'{text}' is not a range of MAC addresses")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let mac: Mac = "02:00:00:aB:cd:ef".parse().unwrap();
        assert_eq!(mac.to_string(), "02:00:00:ab:cd:ef");
        assert_eq!(Mac::from(mac.bytes()), mac);
        for bad in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:00:00",
            "2:0:0:0:0:0",
            "02:00:00:00:00:0g",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn range_starts_over() {
        let range: MacRange = "02:00:00:00:01:ff+2".parse().unwrap();
        let texts: Vec<_> = (0..3).map(|i| range.get(i).to_string()).collect();
        assert_eq!(
            texts,
            [
                "02:00:00:00:01:ff",
                "02:00:00:00:02:00",
                "02:00:00:00:01:ff"
            ]
        );
        assert!("02:00:00:00:01:ff+0".parse::<MacRange>().is_err());
        assert!("ff:ff:ff:ff:ff:ff+2".parse::<MacRange>().is_err());
    }
}
