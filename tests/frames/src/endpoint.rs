// SPDX-License-Identifier: GPL-2.0

//! A network interface that frames are sent from and counted at: an `AF_PACKET` socket (packet(7)).
//! All `unsafe` of this program is here.

use crate::frame::{self, Arrived};
use nix::sched::{setns, CloneFlags};
use std::{
    ffi::CString,
    fs::File,
    io::{self, Error},
    mem::{size_of, size_of_val, zeroed},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    thread,
};

/// Messages fetched by one system call.
const BATCH: usize = 32;
/// Enough for all headers up to a TCP header's end.
const SNAP_LEN: usize = 256;
const RECEIVE_BUFFER_BYTES: libc::c_int = 64 << 20;
/// `struct virtio_net_hdr`, before every frame because of `PACKET_VNET_HDR`.
const VNET_HEADER_LEN: usize = 10;
const GSO_SIZE_OFFSET: usize = 4;

pub struct Endpoint {
    pub name: String,
    socket: OwnedFd,
    inbox: Box<Inbox>,
}

/// Where `recvmmsg` puts a batch of frames.
struct Inbox {
    data: [[u8; SNAP_LEN]; BATCH],
    control: [Control; BATCH],
}

/// Room for the one control message that is asked for, aligned for its header.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

impl Endpoint {
    /// Opens `interface`, written `IFACE` in this network namespace or `NAMESPACE:IFACE` in a named
    /// one.
    pub fn open(name: &str, interface: &str) -> Result<Endpoint, String> {
        let fail = |error: io::Error| format!("{interface}: {error}");
        let socket = match interface.split_once(':') {
            None => socket_on(interface),
            Some((namespace, interface)) => {
                let here = File::open("/proc/thread-self/ns/net").map_err(fail)?;
                let there = File::open(format!("/run/netns/{namespace}")).map_err(fail)?;
                setns(there, CloneFlags::CLONE_NEWNET).map_err(|e| fail(e.into()))?;
                let socket = socket_on(interface);
                setns(here, CloneFlags::CLONE_NEWNET).map_err(|e| fail(e.into()))?;
                socket
            }
        }
        .map_err(fail)?;
        Ok(Endpoint {
            name: name.into(),
            socket,
            inbox: Box::new(Inbox {
                data: [[0; SNAP_LEN]; BATCH],
                control: [Control([0; 64]); BATCH],
            }),
        })
    }

    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        let mut no_offload = [0u8; VNET_HEADER_LEN];
        let mut parts = [
            libc::iovec {
                iov_base: no_offload.as_mut_ptr().cast(),
                iov_len: VNET_HEADER_LEN,
            },
            libc::iovec {
                iov_base: frame.as_ptr().cast_mut().cast(),
                iov_len: frame.len(),
            },
        ];
        // SAFETY: all zeroes is a valid `msghdr`.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = parts.as_mut_ptr();
        message.msg_iovlen = parts.len();
        // SAFETY: the message points to `parts`, and those to buffers of the lengths given; all
        // outlive the call, which only reads them.
        let sent = unsafe { libc::sendmsg(self.socket.as_raw_fd(), &message, 0) };
        if sent < 0 {
            return Err(Error::last_os_error());
        }
        Ok(())
    }

    /// Hands every frame that has arrived to `count`, and returns when there is none left.
    pub fn drain(&mut self, mut count: impl FnMut(Arrived)) -> io::Result<()> {
        loop {
            let received = self.receive(&mut count)?;
            if received < BATCH {
                return Ok(());
            }
        }
    }

    fn receive(&mut self, count: &mut impl FnMut(Arrived)) -> io::Result<usize> {
        let Inbox { data, control } = &mut *self.inbox;
        // SAFETY: all zeroes is a valid array of `iovec` and of `mmsghdr`.
        let (mut parts, mut messages): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for i in 0..BATCH {
            parts[i].iov_base = data[i].as_mut_ptr().cast();
            parts[i].iov_len = SNAP_LEN;
            let header = &mut messages[i].msg_hdr;
            header.msg_iov = &mut parts[i];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut control[i]).cast();
            header.msg_controllen = size_of::<Control>() as _;
        }
        // With MSG_TRUNC a message's length is the frame's, however much of it fits.
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: there are BATCH messages, each with one buffer and one control buffer of the
        // lengths given, which outlive the call and which nothing else refers to meanwhile.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                BATCH as _,
                flags as _,
                std::ptr::null_mut(),
            )
        };
        if received < 0 {
            let error = Error::last_os_error();
            return match error.raw_os_error() {
                // The second is told once when the interface goes down.
                Some(libc::EAGAIN | libc::ENETDOWN) => Ok(0),
                _ => Err(error),
            };
        }
        for (message, data) in messages.iter().zip(data.iter()).take(received as usize) {
            let len = message.msg_len as usize - VNET_HEADER_LEN;
            let gso_size = u16::from_ne_bytes([data[GSO_SIZE_OFFSET], data[GSO_SIZE_OFFSET + 1]]);
            let frame = &data[VNET_HEADER_LEN..SNAP_LEN.min(VNET_HEADER_LEN + len)];
            // SAFETY: recvmmsg has just filled this header in, and its control buffer is borrowed
            // above.
            let tag = unsafe { stripped_tag(&message.msg_hdr) };
            if let Some(arrived) = frame::parse(frame, tag, len, gso_size.into()) {
                count(arrived);
            }
        }
        Ok(received as usize)
    }

    /// Fails when the socket's buffer has overflowed: frames then arrived that were not counted.
    pub fn check_nothing_lost(&self) -> Result<(), String> {
        let mut statistics = libc::tpacket_stats {
            tp_packets: 0,
            tp_drops: 0,
        };
        let mut len = size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: PACKET_STATISTICS writes at most `len` bytes, the size of the structure.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &mut len,
            )
        };
        match (result, statistics.tp_drops) {
            (0, 0) => Ok(()),
            (0, lost) => Err(format!(
                "{}: {lost} frames arrived and were not counted",
                self.name
            )),
            _ => Err(format!("{}: {}", self.name, Error::last_os_error())),
        }
    }
}

/// Closes them all at once: each waits for a grace period, and so they wait for the same.
pub fn close(endpoints: Vec<Endpoint>) {
    let threads: Vec<_> = endpoints
        .into_iter()
        .map(|endpoint| thread::spawn(|| drop(endpoint)))
        .collect();
    for thread in threads {
        // It can't fail.
        let _ = thread.join();
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket of the kernel's packet filter, which does not block.
pub fn netfilter_socket() -> io::Result<OwnedFd> {
    raw_socket(
        libc::AF_NETLINK,
        libc::SOCK_NONBLOCK,
        libc::NETLINK_NETFILTER,
    )
}

/// A raw socket with a large receive buffer.
fn raw_socket(domain: i32, flags: i32, protocol: i32) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | flags;
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(domain, kind, protocol) };
    if fd < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set_option(
        &socket,
        libc::SOL_SOCKET,
        libc::SO_RCVBUFFORCE,
        RECEIVE_BUFFER_BYTES,
    )?;
    Ok(socket)
}

/// A socket that gets every frame arriving at an interface of the present network namespace.
fn socket_on(interface: &str) -> io::Result<OwnedFd> {
    // With protocol 0 nothing arrives before the socket is bound.
    let socket = raw_socket(libc::AF_PACKET, 0, 0)?;
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;

    let name = CString::new(interface)?;
    // SAFETY: `name` is a C string.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: all zeroes is a valid `sockaddr_ll`.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as _;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index as _;
    // SAFETY: the address is a `sockaddr_ll` and the length its size.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as _,
        )
    };
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(socket)
}

fn set_option(socket: &OwnedFd, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the value is an int and the length its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as _,
        )
    };
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// The VLAN tag that the kernel took out of a received frame, from the message's PACKET_AUXDATA.
///
/// # Safety
///
/// `header` must have been filled in by a receiving system call, and its control buffer still be
/// there.
unsafe fn stripped_tag(header: &libc::msghdr) -> Option<u16> {
    // SAFETY: by the function's contract.
    let message = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: CMSG_FIRSTHDR returns null or a header inside the control buffer.
    let control = unsafe { message.as_ref() }?;
    if (control.cmsg_level, control.cmsg_type) != (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
        return None;
    }
    // SAFETY: the data of a PACKET_AUXDATA message is a `tpacket_auxdata`.
    let aux: libc::tpacket_auxdata = unsafe {
        libc::CMSG_DATA(message)
            .cast::<libc::tpacket_auxdata>()
            .read_unaligned()
    };
    (aux.tp_status & libc::TP_STATUS_VLAN_VALID != 0).then_some(aux.tp_vlan_tci & 0xfff)
}
