// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family of the kernel module maclearn.
//!
//! Its types ([`PortAttributes`], [`EntryAttributes`], …) and [`operation`]s are made from
//! `Documentation/netlink/specs/maclearn.yaml` when this crate is built. A [`Client`] carries the
//! operations out:
//!
//! ```no_run
//! use maclearn_family::{Client, PortAttributes, operation};
//!
//! # fn main() -> Result<(), maclearn_family::Error> {
//! let mut client = Client::open()?;
//! client.dump(&operation::PORT_GET, &PortAttributes::default(), |port| {
//!     println!("{:?} owns {:?} MACs", port.ifindex, port.n_macs);
//!     Ok::<_, maclearn_family::Error>(())
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! What the kernel refuses is a [`Refusal`] with its own words and the attribute at fault.

mod attribute;
mod client;
mod connection;
mod error;
mod exchange;
mod family;
mod mac;
pub mod message;
mod name;
mod refusal;

pub use attribute::{
    Attribute, Attributes, Entry, Enumerated, Enumeration, Kind, Operation, Request, Unfit, Value,
    WrongText, decode, encode,
};
pub use client::{Arrivals, Client, Events};
pub use connection::{Connection, Dump, Listener};
pub use error::Error;
pub use family::*;
pub use mac::{Mac, NoMac};
pub use name::{Name, NoName};
pub use netlink_sys::protocols;
pub use refusal::{Limits, Refusal};
