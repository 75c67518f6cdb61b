// SPDX-License-Identifier: GPL-2.0

//! What the kernel says when it refuses a request (its extended acknowledgement).

use std::{fmt, io};

use thiserror::Error;

use crate::{
    attribute::Attribute,
    message::{self, attribute, number},
};

/// `enum nlmsgerr_attrs` of `<linux/netlink.h>`.
const MESSAGE: u16 = 1;
const OFFSET: u16 = 2;
const POLICY: u16 = 4;
const MISSING: u16 = 5;

/// `enum netlink_policy_type_attr`.
const MIN_SIGNED: u16 = 2;
const MAX_SIGNED: u16 = 3;
const MIN_UNSIGNED: u16 = 4;
const MAX_UNSIGNED: u16 = 5;
const MIN_LENGTH: u16 = 6;
const MAX_LENGTH: u16 = 7;

/// Why the kernel has refused a request.
#[derive(Clone, PartialEq, Eq, Debug, Default, Error)]
pub struct Refusal {
    /// The error number, above 0.
    pub error: i32,
    /// The kernel's own words.
    pub message: Option<String>,
    /// The attribute at fault, by its name in sysfs.
    pub attribute: Option<&'static str>,
    /// Whether that attribute is missing.
    pub is_missing: bool,
    /// What the kernel takes there.
    pub limits: Option<Limits>,
}

/// What the kernel takes as the value of an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limits {
    /// Numbers between these.
    Unsigned(u64, u64),
    /// The same with a sign.
    Signed(i64, i64),
    /// So many bytes.
    Length(u32, u32),
}

impl Refusal {
    /// Reads what comes after the error number; `request` is the message that was refused, and
    /// `set` what it had attributes of.
    pub(crate) fn read(error: i32, told: &[u8], request: &[u8], set: &[Attribute]) -> Self {
        let mut refusal = Self {
            error: error.checked_neg().unwrap_or(i32::MAX),
            ..Self::default()
        };
        let name = |number: u16| {
            let attribute = set.iter().find(|attribute| attribute.number == number)?;
            Some(attribute.name)
        };
        for (kind, payload) in message::attributes(told) {
            match kind {
                MESSAGE => refusal.message = Some(text(payload)),
                OFFSET => {
                    let offset = u32_of(payload).and_then(|offset| offset.try_into().ok());
                    let at = offset.and_then(|offset| message::attribute_at(request, offset));
                    refusal.attribute = at.and_then(name).or(refusal.attribute);
                }
                MISSING => {
                    let number = u32_of(payload).and_then(|number| number.try_into().ok());
                    refusal.attribute = number.and_then(name).or(refusal.attribute);
                    refusal.is_missing = true;
                }
                POLICY => refusal.limits = Limits::read(payload),
                _ => (),
            }
        }
        refusal
    }
}

impl Limits {
    fn read(policy: &[u8]) -> Option<Self> {
        let unsigned = |wanted| {
            attribute(policy, wanted)
                .and_then(number)
                .map(u64::from_ne_bytes)
        };
        let signed = |wanted| {
            attribute(policy, wanted)
                .and_then(number)
                .map(i64::from_ne_bytes)
        };
        let length = |wanted| attribute(policy, wanted).and_then(u32_of);
        if let (Some(min), Some(max)) = (unsigned(MIN_UNSIGNED), unsigned(MAX_UNSIGNED)) {
            Some(Self::Unsigned(min, max))
        } else if let (Some(min), Some(max)) = (signed(MIN_SIGNED), signed(MAX_SIGNED)) {
            Some(Self::Signed(min, max))
        } else {
            let max = length(MAX_LENGTH)?;
            Some(Self::Length(length(MIN_LENGTH).unwrap_or(0), max))
        }
    }
}

fn u32_of(payload: &[u8]) -> Option<u32> {
    number(payload).map(u32::from_ne_bytes)
}

/// A string of the kernel, in one line.
fn text(payload: &[u8]) -> String {
    let end = payload.iter().position(|byte| *byte == 0);
    let bytes = payload
        .get(..end.unwrap_or(payload.len()))
        .unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    text.replace(|character: char| character.is_control(), " ")
}

impl fmt::Display for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(min, max) => write!(formatter, "{min} to {max}"),
            Self::Signed(min, max) => write!(formatter, "{min} to {max}"),
            Self::Length(min, max) if min == max => write!(formatter, "{min} bytes"),
            Self::Length(min, max) => write!(formatter, "{min} to {max} bytes"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.attribute {
            write!(formatter, "{name}: ")?;
        }
        match &self.message {
            Some(message) => formatter.write_str(message)?,
            None if self.is_missing => formatter.write_str("required, and missing")?,
            None => {
                let said = io::Error::from_raw_os_error(self.error).to_string();
                let end = said.find(" (os error").unwrap_or(said.len());
                formatter.write_str(said.get(..end).unwrap_or_default())?;
            }
        }
        match self.limits {
            Some(limits) => write!(formatter, " ({limits})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attributes, PortAttributes, encode};

    fn request() -> Vec<u8> {
        let mut body = message::generic(2);
        let with = PortAttributes {
            ifindex: Some(3),
            max_macs: Some(u32::MAX),
            ..Default::default()
        };
        encode(&mut body, &with);
        message::request(30, 5, 7, &body)
    }

    fn refusal(error: i32, told: &[u8]) -> Refusal {
        Refusal::read(error, told, &request(), PortAttributes::ATTRIBUTES)
    }

    #[test]
    fn names_the_attribute_and_its_limits() {
        let (mut told, mut policy) = (Vec::new(), Vec::new());
        message::put(&mut policy, MIN_UNSIGNED, &0u64.to_ne_bytes());
        message::put(&mut policy, MAX_UNSIGNED, &1048576u64.to_ne_bytes());
        message::put(&mut told, MESSAGE, b"integer out of range\0");
        message::put(&mut told, OFFSET, &28u32.to_ne_bytes());
        message::put(&mut told, POLICY, &policy);
        let refusal = refusal(-34, &told);
        assert_eq!(
            refusal.to_string(),
            "max_macs: integer out of range (0 to 1048576)"
        );
    }

    #[test]
    fn names_what_is_missing() {
        let mut told = Vec::new();
        message::put(&mut told, MISSING, &1u32.to_ne_bytes());
        assert_eq!(
            refusal(-22, &told).to_string(),
            "ifindex: required, and missing"
        );
    }

    #[test]
    fn names_the_error_if_there_are_no_words() {
        assert_eq!(refusal(-1, &[]).to_string(), "Operation not permitted");
    }

    #[test]
    fn keeps_to_one_line() {
        let mut told = Vec::new();
        message::put(&mut told, MESSAGE, b"two\nlines\x1b[31m\xff");
        assert_eq!(refusal(-1, &told).to_string(), "two lines [31m\u{fffd}");
    }
}
