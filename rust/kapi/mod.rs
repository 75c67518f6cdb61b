// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the C interfaces that the filter needs and the `kernel` crate lacks.
//!
//! The module's `unsafe` code is here, in `table/` and in `platform.rs`; beyond that there is only what
//! `bridge.rs` and `port.rs` declare of the layout of their types ([`device_map::OnDevice`]). Each file
//! wraps one C interface and knows nothing of MAC learning, but that `genetlink` serves the one family
//! that is generated.

use core::mem::size_of;

// Words of the kernel, such as `jiffies`, are read and written as 64 bits, and one at a time.
const _: () = assert!(
    size_of::<kernel::ffi::c_ulong>() == 8
        && size_of::<usize>() == 8
        && size_of::<*const ()>() == 8
);

// Every port that the kernel's bridge may have has a number in the table.
const _: () = assert!(crate::table::MAX_PORTS == bindings::MACLEARN_MAX_PORTS as usize);

pub(crate) mod bh_lock;
pub(crate) mod bindings;
pub(crate) mod bridge;
pub(crate) mod clock;
pub(crate) mod delayed_work;
pub(crate) mod device_map;
pub(crate) mod genetlink;
pub(crate) mod log;
pub(crate) mod memcg;
pub(crate) mod netdevice;
pub(crate) mod netfilter;
pub(crate) mod notifier;
mod notifier_block;
pub(crate) mod percpu;
pub(crate) mod pernet;
pub(crate) mod random;
pub(crate) mod rcu;
pub(crate) mod rtnl;
pub(crate) mod skb;
pub(crate) mod switchdev;
pub(crate) mod sysfs;
