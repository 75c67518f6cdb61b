// SPDX-License-Identifier: GPL-2.0

//! The names of devices, which the family knows by their indices.

use std::{borrow::Cow, collections::HashMap};

use nix::net::if_::{if_indextoname, if_nameindex, if_nametoindex};

use crate::failure::Failure;

/// Devices that are named in a line.
const MOST_NAMES: usize = 3;

/// The index of the device with that name.
pub fn index(name: &str) -> Result<u32, Failure> {
    if_nametoindex(name).map_err(|_| Failure::usage(format!("Cannot find device \"{name}\"")))
}

/// The index of the device that a keyword names, if it was said.
pub fn said(matches: &clap::ArgMatches, keyword: &str) -> Result<Option<u32>, Failure> {
    matches
        .get_one::<String>(keyword)
        .map(|name| index(name))
        .transpose()
}

/// The device that a keyword names is no port.
pub fn no_port(matches: &clap::ArgMatches, keyword: &str) -> Failure {
    let name = matches.get_one::<String>(keyword);
    let name = name.map(String::as_str).unwrap_or_default();
    Failure::usage(format!("Device \"{name}\" is no port of a bridge"))
}

/// Names that were looked up.
#[derive(Default)]
pub struct Names {
    known: HashMap<u32, String>,
}

impl Names {
    /// Those of all devices.
    pub fn all() -> Result<Self, Failure> {
        let all = if_nameindex().map_err(std::io::Error::from)?;
        let known = all
            .iter()
            .map(|device| (device.index(), device.name().to_string_lossy().into_owned()));
        Ok(Self {
            known: known.collect(),
        })
    }

    /// The name of a device; if it has none any more, the last one that is known of it.
    pub fn now(&mut self, index: u32) -> Cow<'_, str> {
        let name = if_indextoname(index).unwrap_or_default();
        if !name.is_empty() {
            self.known
                .insert(index, name.to_string_lossy().into_owned());
        }
        self.get(index)
    }

    /// The name of a device as it was looked up, or as iproute2 writes one that has none.
    pub fn get(&self, index: u32) -> Cow<'_, str> {
        match self.known.get(&index) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("if{index}")),
        }
    }

    /// The names of devices, or the first of them where they are many.
    pub fn some(&self, indices: impl Iterator<Item = u32>) -> String {
        let names: Vec<_> = indices.map(|index| self.get(index)).collect();
        match names.get(..MOST_NAMES) {
            Some(first) if names.len() > MOST_NAMES => {
                format!("{} and {} more", first.join(", "), names.len() - MOST_NAMES)
            }
            _ => names.join(", "),
        }
    }
}
