// SPDX-License-Identifier: GPL-2.0

//! The numbers of the module's generic netlink family.
//!
//! C header: `include/uapi/linux/maclearn.h`, which is made from
//! `Documentation/netlink/specs/maclearn.yaml`

#![allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unreachable_pub
)]

use kernel::ffi;

include!(env!("MACLEARN_UAPI"));
