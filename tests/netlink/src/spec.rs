// SPDX-License-Identifier: GPL-2.0

//! What the specification of the family allows, as its crate has it.

use anyhow::{Context, Result};
use maclearn_family::{Attribute, Kind, Request, REQUESTS};

/// The request for `command`.
pub fn request_of(command: u8, is_dump: bool) -> Option<&'static Request> {
    let mut all = REQUESTS.iter();
    all.find(|request| request.command == command && request.is_dump == is_dump)
}

pub fn named(name: &str, is_dump: bool) -> Result<&'static Request> {
    let mut all = REQUESTS.iter();
    all.find(|request| request.name == name && request.is_dump == is_dump)
        .with_context(|| format!("the specification has no operation {name}"))
}

/// An attribute of the request's set, allowed in it or not.
pub fn attribute(request: &Request, name: &str) -> Result<&'static Attribute> {
    let mut all = request.set.iter();
    all.find(|attribute| attribute.name == name)
        .with_context(|| format!("{} has no attribute {name}", request.name))
}

/// Bytes of a payload; a name has any number of them.
pub fn length(attribute: &Attribute) -> Option<usize> {
    match attribute.kind {
        Kind::Switch => Some(1),
        Kind::U16 => Some(2),
        Kind::U32 | Kind::Word(_) => Some(4),
        Kind::Uint => Some(8),
        Kind::Mac => Some(6),
        Kind::Name => None,
    }
}

/// Whether the kernel may take this payload.
pub fn allows(attribute: &Attribute, payload: &[u8]) -> bool {
    let fits = length(attribute).is_none_or(|length| payload.len() == length);
    let is_number = !matches!(attribute.kind, Kind::Mac | Kind::Name);
    fits && (!is_number || (attribute.min..=attribute.max).contains(&number(payload)))
}

/// A payload of at most eight bytes as a number.
pub fn number(payload: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..payload.len()].copy_from_slice(payload);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_the_kernel_takes() {
        let set = named("port-set", false).unwrap();
        assert_eq!(set.command, 2);
        let max_macs = attribute(set, "max_macs").unwrap();
        assert!(allows(max_macs, &(1u32 << 20).to_le_bytes()));
        assert!(!allows(max_macs, &((1u32 << 20) + 1).to_le_bytes()));
        assert!(!allows(max_macs, &[1]));
        let unknown = attribute(set, "unknown_unicast").unwrap();
        assert!(allows(unknown, &1u32.to_le_bytes()) && !allows(unknown, &2u32.to_le_bytes()));
        let n_macs = attribute(set, "n_macs").unwrap();
        assert!(!set.attributes.unwrap().contains(&n_macs.number));
    }
}
