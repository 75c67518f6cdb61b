// SPDX-License-Identifier: GPL-2.0

//! The commands of `ip` and `bridge` that a sequence needs, over rtnetlink(7): starting a process
//! for each would take a thousand times as long.

use nix::{
    errno::Errno,
    sys::socket::{
        bind, recv, send, socket, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol,
        SockType,
    },
};
use std::os::fd::{AsRawFd, OwnedFd};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_SETLINK: u16 = 19;
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;
const NLA_F_NESTED: u16 = 0x8000;
const NLMSG_ERROR: u16 = 2;
const AF_BRIDGE: u8 = 7;
const IFF_UP: u32 = 1;
const IFLA_MASTER: u16 = 10;
const IFLA_PROTINFO: u16 = 12;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_BRPORT_STATE: u16 = 1;
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
const NDA_LLADDR: u16 = 2;
const NTF_MASTER: u8 = 4;
const NUD_REACHABLE: u16 = 2;
const NUD_NOARP: u16 = 0x40;
const HEADER_LEN: usize = 16;

/// A socket of the network namespace that it was made in.
pub struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    pub fn new() -> nix::Result<Netlink> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Netlink { socket })
    }

    /// Has it done, and waits until it is.
    fn command(&self, kind: u16, flags: u16, body: &[u8]) -> nix::Result<()> {
        let mut message = Vec::with_capacity(HEADER_LEN + body.len());
        let len = (HEADER_LEN + body.len()) as u32;
        message.extend(len.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        send(self.socket.as_raw_fd(), &message, MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let len = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let kind = u16::from_ne_bytes([answer[4], answer[5]]);
        if len < HEADER_LEN + 4 || kind != NLMSG_ERROR {
            return Err(Errno::EPROTO);
        }
        let error = i32::from_ne_bytes(std::array::from_fn(|i| answer[HEADER_LEN + i]));
        match error {
            0 => Ok(()),
            error => Err(Errno::from_raw(-error)),
        }
    }

    /// `ip link set DEVICE up` or `down`
    pub fn set_up(&self, device: u32, up: bool) -> nix::Result<()> {
        let flags = if up { IFF_UP } else { 0 };
        self.command(RTM_NEWLINK, 0, &link(0, device, flags, IFF_UP))
    }

    /// `ip link set DEVICE master BRIDGE`; 0 is none.
    pub fn set_master(&self, device: u32, bridge: u32) -> nix::Result<()> {
        let mut body = link(0, device, 0, 0);
        attribute(&mut body, IFLA_MASTER, &bridge.to_ne_bytes());
        self.command(RTM_NEWLINK, 0, &body)
    }

    /// `bridge link set dev DEVICE state STATE`
    pub fn set_state(&self, device: u32, state: u8) -> nix::Result<()> {
        let mut settings = Vec::new();
        attribute(&mut settings, IFLA_BRPORT_STATE, &[state]);
        let mut body = link(AF_BRIDGE, device, 0, 0);
        attribute(&mut body, IFLA_PROTINFO | NLA_F_NESTED, &settings);
        self.command(RTM_SETLINK, 0, &body)
    }

    /// `bridge vlan add` or `del` `dev DEVICE vid VLAN`
    pub fn set_member(&self, device: u32, vlan: u16, member: bool) -> nix::Result<()> {
        let mut info = [0; 4];
        info[2..].copy_from_slice(&vlan.to_ne_bytes());
        let mut settings = Vec::new();
        attribute(&mut settings, IFLA_BRIDGE_VLAN_INFO, &info);
        let mut body = link(AF_BRIDGE, device, 0, 0);
        attribute(&mut body, IFLA_AF_SPEC | NLA_F_NESTED, &settings);
        let kind = if member { RTM_SETLINK } else { RTM_DELLINK };
        self.command(kind, 0, &body)
    }

    /// `bridge fdb replace MAC dev DEVICE master`, `static` or `dynamic`
    pub fn replace_entry(&self, device: u32, mac: [u8; 6], is_static: bool) -> nix::Result<()> {
        let state = if is_static { NUD_NOARP } else { NUD_REACHABLE };
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.command(RTM_NEWNEIGH, flags, &neighbour(device, mac, state))
    }

    /// `bridge fdb del MAC dev DEVICE master`
    pub fn delete_entry(&self, device: u32, mac: [u8; 6]) -> nix::Result<()> {
        self.command(RTM_DELNEIGH, 0, &neighbour(device, mac, 0))
    }

    /// Waits until whoever holds RTNL lets it go.
    pub fn wait_for_rtnl(&self, device: u32) -> nix::Result<()> {
        self.command(RTM_NEWLINK, 0, &link(0, device, 0, 0))
    }
}

/// `struct ifinfomsg`
fn link(family: u8, device: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut body = vec![family, 0, 0, 0];
    for word in [device, flags, change] {
        body.extend(word.to_ne_bytes());
    }
    body
}

/// `struct ndmsg` and an address
fn neighbour(device: u32, mac: [u8; 6], state: u16) -> Vec<u8> {
    let mut body = vec![AF_BRIDGE, 0, 0, 0];
    body.extend(device.to_ne_bytes());
    body.extend(state.to_ne_bytes());
    body.extend([NTF_MASTER, 0]);
    attribute(&mut body, NDA_LLADDR, &mac);
    body
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend((value.len() as u16 + 4).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
