// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the C interfaces that the filter needs and the `kernel` crate lacks.
//!
//! All `unsafe` of the module is here and in the array chain of the table. Each file wraps one C
//! interface and knows nothing of MAC learning.

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
