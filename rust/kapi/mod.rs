// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the C interfaces that the filter needs and the `kernel` crate lacks.
//!
//! The module's `unsafe` code is here, in `table/` and in `platform.rs`, and nowhere else: what
//! [`pernet::slot_for`], [`device_map::on_device`] and [`genetlink::operations`] expand to
//! elsewhere asks nothing of who uses them. Each file wraps one C interface, but [`device_map`],
//! and knows nothing of MAC learning, but that `genetlink` serves the one family that is generated,
//! whose numbers are in [`uapi`], and that `helpers.h` says where a frame has room for the module's
//! own word.
//!
//! Nothing here imports from the rest of the module.

use core::mem::size_of;

// Words of the kernel, such as `jiffies`, are read and written as 64 bits, and one at a time.
const _: () = assert!(
    size_of::<kernel::ffi::c_ulong>() == 8
        && size_of::<usize>() == 8
        && size_of::<*const ()>() == 8
);

pub(crate) mod atomic;
mod bindings;
pub(crate) mod br_forward;
pub(crate) mod bridge;
pub(crate) mod clock;
pub(crate) mod delayed_work;
pub(crate) mod device_map;
pub(crate) mod genetlink;
pub(crate) mod kvalloc;
pub(crate) mod log;
pub(crate) mod memcg;
pub(crate) mod netdevice;
pub(crate) mod netfilter;
pub(crate) mod notifier;
mod notifier_block;
pub(crate) mod percpu;
pub(crate) mod pernet;
pub(crate) mod preempt;
pub(crate) mod random;
pub(crate) mod rcu;
pub(crate) mod rtnl;
pub(crate) mod skb;
pub(crate) mod spinlock_bh;
pub(crate) mod switchdev;
pub(crate) mod sysfs;
pub(crate) mod uapi;
pub(crate) mod vlan;

/// How many ports the kernel's bridge has at most.
pub(crate) const BRIDGE_MAX_PORTS: usize = bindings::MACLEARN_MAX_PORTS as usize;
