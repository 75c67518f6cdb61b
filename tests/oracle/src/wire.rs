// SPDX-License-Identifier: GPL-2.0

//! The NIC behind a port, seen from there: an `AF_PACKET` socket (packet(7)). And the module, which
//! is unloaded by a system call. All `unsafe` of this program is here.

use std::{
    ffi::CStr,
    io::{self, Error},
    mem::{size_of_val, zeroed},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

/// For local experiments.
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
const VLAN_ETHERTYPE: [u8; 2] = [0x81, 0x00];
const ADDRESSES_LEN: usize = 12;
const TAG_LEN: usize = 4;
const FRAME_LEN: usize = 60;

/// Which sequence a frame is of, and which frame of that it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    pub run: u32,
    pub number: u32,
}

pub struct Nic(OwnedFd);

impl Nic {
    /// Opens a device of this network namespace, by its index.
    pub fn open(device: u32) -> io::Result<Nic> {
        // With protocol 0 nothing arrives before the socket is bound.
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let nic = Nic(unsafe { OwnedFd::from_raw_fd(fd) });
        let on: libc::c_int = 1;
        // SAFETY: the value is an int and the length its size.
        let result = unsafe {
            libc::setsockopt(
                fd,
                libc::SOL_PACKET,
                libc::PACKET_IGNORE_OUTGOING,
                (&raw const on).cast(),
                size_of_val(&on) as _,
            )
        };
        if result < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: all zeroes is a valid `sockaddr_ll`.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as _;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = device as _;
        // SAFETY: the address is a `sockaddr_ll` and the length its size.
        let result =
            unsafe { libc::bind(fd, (&raw const address).cast(), size_of_val(&address) as _) };
        if result < 0 {
            return Err(Error::last_os_error());
        }
        Ok(nic)
    }

    /// Sends a frame. One whose device is down is not sent, and that is as good.
    pub fn send(
        &self,
        source: [u8; 6],
        destination: [u8; 6],
        vlan: Option<u16>,
        label: Label,
    ) -> io::Result<()> {
        let mut frame = Vec::with_capacity(FRAME_LEN);
        frame.extend(destination);
        frame.extend(source);
        if let Some(vlan) = vlan {
            frame.extend(VLAN_ETHERTYPE);
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend(ETHERTYPE);
        frame.extend(label.run.to_be_bytes());
        frame.extend(label.number.to_be_bytes());
        frame.resize(FRAME_LEN, 0);
        for _ in 0..2 {
            // SAFETY: the buffer has that length and is only read.
            let sent =
                unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            if sent >= 0 {
                break;
            }
            let error = Error::last_os_error();
            match error.raw_os_error() {
                // Also told once after the device has been down.
                Some(libc::ENETDOWN) => {}
                Some(libc::ENOBUFS) => break,
                _ => return Err(error),
            }
        }
        Ok(())
    }

    /// The label of the next frame that has arrived, if there is one.
    pub fn receive(&self) -> io::Result<Option<Label>> {
        let mut frame = [0u8; FRAME_LEN + TAG_LEN];
        loop {
            // SAFETY: the buffer has that length, and nothing else refers to it.
            let received = unsafe {
                libc::recv(
                    self.0.as_raw_fd(),
                    frame.as_mut_ptr().cast(),
                    frame.len(),
                    libc::MSG_DONTWAIT,
                )
            };
            if received < 0 {
                let error = Error::last_os_error();
                match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(None),
                    // It is told once when the device goes down.
                    Some(libc::ENETDOWN) => continue,
                    _ => return Err(error),
                }
            }
            if let Some(label) = parse(&frame[..received as usize]) {
                return Ok(Some(label));
            }
        }
    }
}

fn parse(frame: &[u8]) -> Option<Label> {
    let mut rest = frame.get(ADDRESSES_LEN..)?;
    if rest.starts_with(&VLAN_ETHERTYPE) {
        rest = rest.get(TAG_LEN..)?;
    }
    let rest = rest.strip_prefix(&ETHERTYPE)?;
    let word = |at: usize| Some(u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    Some(Label {
        run: word(0)?,
        number: word(4)?,
    })
}

/// `rmmod NAME`
pub fn unload_module(name: &CStr) -> io::Result<()> {
    // SAFETY: `name` is a C string.
    let result = unsafe { libc::syscall(libc::SYS_delete_module, name.as_ptr(), libc::O_NONBLOCK) };
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}
