// SPDX-License-Identifier: GPL-2.0

//! What the build made from the specification.

use crate::{
    attribute::{
        Attribute, Attributes, Entry, Enumerated, Enumeration, Kind, Operation, Request, Unfit,
        Value,
    },
    mac::Mac,
    name::Name,
};

include!(concat!(env!("OUT_DIR"), "/family.rs"));
