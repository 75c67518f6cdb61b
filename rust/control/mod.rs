// SPDX-License-Identifier: GPL-2.0

//! What comes from outside, but for frames: devices that come and go, and requests.

pub(crate) mod devices;
mod entries;
mod fdb;
mod netlink;
pub(crate) mod network;
pub(crate) mod parameters;
mod settings;
mod sysfs;
