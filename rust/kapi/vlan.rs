// SPDX-License-Identifier: GPL-2.0

//! VLANs.
//!
//! C header: [`include/linux/if_vlan.h`](srctree/include/linux/if_vlan.h)

/// A VLAN tag: the EtherType of its protocol, and the parts of its TCI.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct VlanTag {
    /// `ETH_P_8021Q` or `ETH_P_8021AD`, in host byte order.
    pub(crate) protocol: u16,
    /// VLAN identifier; 0 is a priority tag.
    pub(crate) vid: u16,
    /// The other four bits: priority (PCP, three bits) and drop eligibility (DEI).
    pub(crate) priority: u16,
}
