// SPDX-License-Identifier: GPL-2.0

//! Settings: which there are, and what was said of them.

use clap::ArgMatches;
use maclearn_family::{Attribute, Attributes, Operation, Value};
use thiserror::Error;

/// The first attribute of what has settings is the device.
pub const DEVICE: u16 = 1;

/// The settings that an operation changes.
pub fn of<A: Attributes>(operation: &Operation<A>) -> impl Iterator<Item = &'static Attribute> {
    let numbers = operation.request.iter().filter(|number| **number != DEVICE);
    numbers.filter_map(|number| A::attribute(*number))
}

/// A request to give the device with that index the settings that were said.
pub fn request<A: Attributes>(operation: &Operation<A>, index: u32, matches: &ArgMatches) -> A {
    let mut request = A::default();
    request.set(DEVICE, index.into());
    for attribute in of(operation) {
        if let Some(value) = matches.get_one::<Value>(attribute.name) {
            request.set(attribute.number, *value);
        }
    }
    request
}

/// A text is not a time.
#[derive(Debug, Error)]
#[error("not a number of seconds")]
pub struct NoTime;

/// Seconds, with up to three digits after the point.
pub fn milliseconds(text: &str) -> Result<u32, NoTime> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 3 {
        return Err(NoTime);
    }
    let seconds: u32 = seconds.parse().map_err(|_| NoTime)?;
    let thousandths: u32 = format!("{fraction:0<3}").parse().map_err(|_| NoTime)?;
    let whole = seconds.checked_mul(1000).ok_or(NoTime)?;
    whole.checked_add(thousandths).ok_or(NoTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seconds() {
        for (text, wanted) in [
            ("0", 0),
            ("12", 12000),
            ("1.5", 1500),
            ("1.005", 1005),
            ("4294967.295", u32::MAX),
        ] {
            assert_eq!(milliseconds(text).unwrap(), wanted, "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1.0005",
            "1e3",
            "4294967.296",
            "4294968",
        ] {
            assert!(milliseconds(text).is_err(), "{text}");
        }
    }
}
