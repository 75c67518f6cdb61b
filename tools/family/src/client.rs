// SPDX-License-Identifier: GPL-2.0

//! What asks the family, and what listens to it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use netlink_packet_core::NLM_F_DUMP;
use netlink_sys::protocols::NETLINK_GENERIC;
use nix::{
    libc,
    sys::socket::{setsockopt, sockopt},
};

use crate::{
    attribute::{Attributes, Operation, decode, encode},
    connection::{Connection, Dump, Listener},
    error::Error,
    family::{EventAttributes, NAME, group},
    message::{self, attribute, generic, number},
};

/// Bytes of events that may wait to be read.
const EVENTS: usize = 8 << 20;

/// Asks the family.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    family: Family,
}

/// The family's numbers in this kernel.
#[derive(Clone, Copy, Debug)]
struct Family {
    id: u16,
    /// The multicast group of events.
    events: u32,
}

impl Client {
    /// Connects, in the network namespace that the thread is in.
    ///
    /// # Errors
    ///
    /// [`Error::NoFamily`] if the module is not loaded.
    pub fn open() -> Result<Self, Error> {
        let mut connection = Connection::open(NETLINK_GENERIC)?;
        let family = resolve(&mut connection)?;
        Ok(Self { connection, family })
    }

    /// Carries out an operation that answers nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel does not want to; then nothing has changed.
    pub fn set<A: Attributes>(&mut self, operation: &Operation<A>, with: &A) -> Result<(), Error> {
        self.carry_out(operation, 0, with, |_| Ok(())).map(drop)
    }

    /// Carries out an operation that answers once.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel does not want to.
    pub fn get<A: Attributes>(&mut self, operation: &Operation<A>, with: &A) -> Result<A, Error> {
        let mut answer = None;
        self.carry_out(operation, 0, with, |part| {
            answer = Some(part);
            Ok::<_, Error>(())
        })?;
        answer.ok_or(Error::Malformed("it says nothing"))
    }

    /// Shows all that there is, one after the other, in constant memory.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel does not want to, or the first that `part` returns.
    pub fn dump<A: Attributes, E: From<Error>>(
        &mut self,
        operation: &Operation<A>,
        with: &A,
        part: impl FnMut(A) -> Result<(), E>,
    ) -> Result<Dump, E> {
        self.carry_out(operation, NLM_F_DUMP, with, part)
    }

    /// All that there is. It is asked for again if it has changed meanwhile, some times.
    ///
    /// # Errors
    ///
    /// As those of [`Client::dump`].
    pub fn list<A: Attributes>(
        &mut self,
        operation: &Operation<A>,
        with: &A,
    ) -> Result<Vec<A>, Error> {
        const TRIES: usize = 10;
        let mut all = Vec::new();
        for _ in 0..TRIES {
            all.clear();
            let dump = self.dump(operation, with, |part| {
                all.push(part);
                Ok::<_, Error>(())
            })?;
            if dump == Dump::Whole {
                break;
            }
        }
        Ok(all)
    }

    /// Begins to listen to what happens, on a socket of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if that is not possible.
    pub fn listen(&self) -> Result<Events, Error> {
        let listener = Listener::open(NETLINK_GENERIC, self.family.events)?;
        // More than the usual limit takes a capability.
        if setsockopt(&listener, sockopt::RcvBufForce, &EVENTS).is_err() {
            setsockopt(&listener, sockopt::RcvBuf, &EVENTS).map_err(io::Error::from)?;
        }
        Ok(Events {
            listener,
            family: self.family,
        })
    }

    fn carry_out<A: Attributes, E: From<Error>>(
        &mut self,
        operation: &Operation<A>,
        flags: u16,
        with: &A,
        mut part: impl FnMut(A) -> Result<(), E>,
    ) -> Result<Dump, E> {
        let mut body = generic(operation.command);
        encode(&mut body, with);
        let id = self.family.id;
        self.connection
            .carry_out(id, flags, &body, A::ATTRIBUTES, |answer| {
                part(decode(message::after_generic(answer)?))
            })
    }
}

// <linux/genetlink.h>
const CONTROLLER: u16 = 16;
const NEW_FAMILY: u8 = 1;
const DEL_FAMILY: u8 = 2;
const FAMILY_NAME: u16 = 2;

/// Listens to whether the module comes and goes.
#[derive(Debug)]
pub struct Arrivals(Listener);

impl Arrivals {
    /// Begins to listen, in the network namespace that the thread is in.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if that is not possible.
    pub fn listen() -> Result<Self, Error> {
        // The group `notify` of the controller has the controller's number.
        Listener::open(NETLINK_GENERIC, CONTROLLER.into()).map(Self)
    }

    /// Waits for a family to come or go, and shows whether it is there if it is this one. It
    /// returns false if more has happened than there was room for.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] or [`Error::Malformed`].
    pub fn next(&mut self, mut is_there: impl FnMut(bool)) -> Result<bool, Error> {
        self.0.next(|kind, payload| {
            let told = message::after_generic(payload)?;
            let name = attribute(told, FAMILY_NAME).unwrap_or_default();
            let name = name.strip_suffix(b"\0").unwrap_or(name);
            match payload.first() {
                _ if kind != CONTROLLER || name != NAME.as_bytes() => (),
                Some(&NEW_FAMILY) => is_there(true),
                Some(&DEL_FAMILY) => is_there(false),
                _ => (),
            }
            Ok(())
        })
    }
}

impl AsFd for Arrivals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Looks the family up.
fn resolve(connection: &mut Connection) -> Result<Family, Error> {
    const GET_FAMILY: u8 = 3;
    const FAMILY_ID: u16 = 1;
    const GROUPS: u16 = 7;
    const GROUP_NAME: u16 = 1;
    const GROUP_ID: u16 = 2;
    let mut body = generic(GET_FAMILY);
    message::put(&mut body, FAMILY_NAME, &[NAME.as_bytes(), b"\0"].concat());
    let (mut id, mut events) = (None, None);
    let said = connection.ask(CONTROLLER, &body, |answer| {
        let told = message::after_generic(answer)?;
        id = attribute(told, FAMILY_ID)
            .and_then(number)
            .map(u16::from_ne_bytes);
        let groups = attribute(told, GROUPS).unwrap_or_default();
        for (_, told) in message::attributes(groups) {
            let name = attribute(told, GROUP_NAME).unwrap_or_default();
            if name.strip_suffix(b"\0").unwrap_or(name) == group::EVENTS.as_bytes() {
                events = attribute(told, GROUP_ID)
                    .and_then(number)
                    .map(u32::from_ne_bytes);
            }
        }
        Ok::<_, Error>(())
    });
    match said {
        Err(Error::Refused(refusal)) if refusal.error == libc::ENOENT => Err(Error::NoFamily),
        Err(error) => Err(error),
        Ok(()) => Ok(Family {
            id: id.ok_or(Error::Malformed("the family has no number"))?,
            events: events.ok_or(Error::Malformed("the family has no events"))?,
        }),
    }
}

/// Listens to what happens.
#[derive(Debug)]
pub struct Events {
    listener: Listener,
    family: Family,
}

impl Events {
    /// Waits for something to happen, and shows it. It returns false if more has happened than
    /// there was room for.
    ///
    /// # Errors
    ///
    /// The first that `event` returns, or [`Error::Socket`].
    pub fn next<E: From<Error>>(
        &mut self,
        mut event: impl FnMut(EventAttributes) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.listener.next(|kind, payload| {
            if kind == self.family.id {
                event(decode(message::after_generic(payload)?))?;
            }
            Ok(())
        })
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}
