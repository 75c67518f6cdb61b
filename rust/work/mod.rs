// SPDX-License-Identifier: GPL-2.0

//! What is done in process context, and may take its time.

pub(crate) mod addresses;
pub(crate) mod ageing;
pub(crate) mod departed;
pub(crate) mod egress;
pub(crate) mod fdb;
pub(crate) mod forget;
pub(crate) mod link;
pub(crate) mod maintenance;
pub(crate) mod mirror;
pub(crate) mod notify;
pub(crate) mod offload;
pub(crate) mod recovery;
pub(crate) mod resize;
pub(crate) mod vlans;
pub(crate) mod walk;
