// SPDX-License-Identifier: GPL-2.0

//! Operations of a generic netlink family: requests, replies and dumps.
//!
//! The family itself, with its operations and the policies by which the kernel validates
//! attributes before an operation runs, is generated C; its operations call back here through
//! [`operations`].
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

use core::{
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    ptr::NonNull,
    slice,
};

use kernel::{
    error::to_result,
    prelude::*,
    str::CStr,
    sync::atomic::{Atomic, Full as Ordering, Release},
};

use super::{
    atomic::AtomicBool,
    bindings,
    netdevice::{Name, Net, NetDevice},
    rcu,
};

/// Whether there is a [`Registration`], or is about to be.
static TAKEN: Atomic<i32> = Atomic::new(0);

/// Whether anybody, in any namespace, ever joined its multicast group, so that it is worth asking
/// who listens now. That cannot be counted here: who leaves a group without having joined it is
/// told of as well. Who joins a number before it is the group's is not told of, and is told nothing
/// for it.
static JOINED: AtomicBool = AtomicBool::new(false);

/// # Safety
///
/// May be called any time. Generic netlink does when somebody joins the group, before it counts as
/// a listener.
unsafe extern "C" fn join(_group: c_int) -> c_int {
    JOINED.store_relaxed(true);
    0
}

/// The family of this module while it is registered.
///
/// # Invariants
///
/// It is registered, and there is one value.
pub(crate) struct Registration(());

impl Registration {
    /// Registers the family. May sleep.
    ///
    /// # Errors
    ///
    /// `EPERM` but while the module is initialised: the family can't be written later. `EBUSY` if
    /// it is registered, or what `genl_register_family()` returns.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: It may be called anywhere.
        if !unsafe { bindings::maclearn_is_loading() } {
            return Err(EPERM);
        }
        if TAKEN.xchg(1, Ordering) != 0 {
            return Err(EBUSY);
        }
        // SAFETY: Only who has taken it does so, and it is not registered now.
        let registered = to_result(unsafe { bindings::maclearn_register_family(Some(join)) });
        if registered.is_err() {
            TAKEN.store(0, Release);
        }
        // INVARIANT: It was just registered, by who has taken it.
        registered.map(|()| Self(()))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. This waits for operations and multicasts under way.
        unsafe { bindings::maclearn_unregister_family() };
        TAKEN.store(0, Release);
    }
}

/// An attribute of a request, which has passed the operation's policy.
///
/// # Invariants
///
/// Points to a valid attribute with all of its payload, behind its header.
#[derive(Clone, Copy)]
pub(crate) struct Attribute<'a>(NonNull<bindings::nlattr>, PhantomData<&'a [u8]>);

impl<'a> Attribute<'a> {
    fn payload(&self) -> &'a [u8] {
        let header = mem::size_of::<bindings::nlattr>();
        // SAFETY: By the type invariants the payload follows the header, and `nla_len` counts both.
        unsafe {
            let length = usize::from((*self.0.as_ptr()).nla_len) - header;
            slice::from_raw_parts(self.0.as_ptr().cast::<u8>().add(header), length)
        }
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        bytes
            .iter_mut()
            .zip(self.payload())
            .for_each(|(to, from)| *to = *from);
        bytes
    }

    /// The value of an attribute with policy `NLA_U8`.
    pub(crate) fn u8(&self) -> u8 {
        self.bytes::<1>()[0]
    }

    /// The value of an attribute with policy `NLA_U16`.
    pub(crate) fn u16(&self) -> u16 {
        u16::from_ne_bytes(self.bytes())
    }

    /// The value of an attribute with policy `NLA_U32`.
    pub(crate) fn u32(&self) -> u32 {
        u32::from_ne_bytes(self.bytes())
    }

    /// The value of an attribute of six bytes.
    pub(crate) fn mac(&self) -> [u8; 6] {
        self.bytes()
    }
}

/// A request for an operation, or for a dump.
///
/// # Invariants
///
/// `info` is that of an operation under way.
pub(crate) struct Request<'a> {
    info: &'a bindings::genl_info,
}

impl<'a> Request<'a> {
    /// The namespace of the socket that asks.
    pub(crate) fn net(&self) -> &Net {
        // SAFETY: The socket keeps its namespace.
        unsafe { Net::from_raw(bindings::maclearn_genl_info_net(self.info)) }
    }

    /// The attribute of type `kind`, if the request has one.
    pub(crate) fn attribute(&self, kind: u32) -> Option<Attribute<'a>> {
        if self.info.attrs.is_null() || kind > self.most_attribute() {
            return None;
        }
        // SAFETY: The table has an entry for each type up to the operation's `maxattr`: null, or a
        // valid attribute of the request.
        // INVARIANT: As said.
        NonNull::new(unsafe { *self.info.attrs.add(kind as usize) })
            .map(|attribute| Attribute(attribute, PhantomData))
    }

    /// The attribute of type `kind`, or the error that says that it is missing.
    pub(crate) fn required(&self, kind: u32) -> Result<Attribute<'a>> {
        self.attribute(kind).ok_or_else(|| {
            if let Some(answer) = self.answer() {
                // SAFETY: The extended acknowledgement is the request's own.
                unsafe { (*answer.as_ptr()).miss_type = kind as u16 };
            }
            EINVAL
        })
    }

    /// The error with which to refuse the request, with a message and what it is about.
    pub(crate) fn refuse(
        &self,
        error: Error,
        message: &'static CStr,
        about: Option<Attribute<'a>>,
    ) -> Error {
        if let Some(answer) = self.answer() {
            // SAFETY: The extended acknowledgement is the request's own; the message is static and
            // the attribute part of the request.
            unsafe {
                (*answer.as_ptr())._msg = message.as_char_ptr();
                if let Some(about) = about {
                    (*answer.as_ptr()).bad_attr = about.0.as_ptr();
                }
            }
        }
        error
    }

    fn answer(&self) -> Option<NonNull<bindings::netlink_ext_ack>> {
        NonNull::new(self.info.extack)
    }

    fn most_attribute(&self) -> u32 {
        // SAFETY: `info` is that of an operation under way.
        unsafe { bindings::maclearn_genl_info_maxattr(self.info) }
    }
}

/// A message being made.
///
/// # Invariants
///
/// `skb` is valid and this value's alone, with a message that begins at `header` as the last thing
/// in it.
pub(crate) struct Message<'a> {
    skb: NonNull<bindings::sk_buff>,
    header: *mut c_void,
    _skb: PhantomData<&'a mut bindings::sk_buff>,
}

/// There is no room for more in a message.
pub(crate) struct Full;

impl Message<'_> {
    /// # Safety
    ///
    /// The type invariants hold for as long as the value exists.
    unsafe fn begun(skb: NonNull<bindings::sk_buff>, header: *mut c_void) -> Self {
        // INVARIANT: By the safety requirement.
        Self {
            skb,
            header,
            _skb: PhantomData,
        }
    }

    fn put(&mut self, kind: u32, payload: &[u8]) -> Result<(), Full> {
        // SAFETY: The skb is valid, and the payload has as many bytes as are said.
        let status = unsafe {
            bindings::nla_put(
                self.skb.as_ptr(),
                kind as c_int,
                payload.len() as c_int,
                payload.as_ptr().cast(),
            )
        };
        if status == 0 {
            Ok(())
        } else {
            Err(Full)
        }
    }

    /// Adds an attribute of type `u8`.
    pub(crate) fn put_u8(&mut self, kind: u32, value: u8) -> Result<(), Full> {
        self.put(kind, &[value])
    }

    /// Adds an attribute of type `u16`.
    pub(crate) fn put_u16(&mut self, kind: u32, value: u16) -> Result<(), Full> {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute of type `u32`.
    pub(crate) fn put_u32(&mut self, kind: u32, value: u32) -> Result<(), Full> {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute of type `uint`: 32 bits where that is enough, else 64.
    pub(crate) fn put_uint(&mut self, kind: u32, value: u64) -> Result<(), Full> {
        match u32::try_from(value) {
            Ok(value) => self.put_u32(kind, value),
            Err(_) => self.put(kind, &value.to_ne_bytes()),
        }
    }

    /// Adds an attribute of type `string`.
    pub(crate) fn put_name(&mut self, kind: u32, name: &Name) -> Result<(), Full> {
        self.put(kind, name.as_c_str().to_bytes_with_nul())
    }

    /// Adds an attribute of six bytes.
    pub(crate) fn put_mac(&mut self, kind: u32, mac: [u8; 6]) -> Result<(), Full> {
        self.put(kind, &mac)
    }

    /// Completes it with what `fill` adds, or takes it back.
    fn fill(mut self, fill: impl FnOnce(&mut Self) -> Result<(), Full>) -> Result<(), Full> {
        let filled = fill(&mut self);
        match filled {
            Ok(()) => self.end(),
            Err(Full) => self.cancel(),
        }
        filled
    }

    fn end(self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::maclearn_genlmsg_end(self.skb.as_ptr(), self.header) };
    }

    fn cancel(self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::maclearn_genlmsg_cancel(self.skb.as_ptr(), self.header) };
    }
}

/// Answers a request with one message, which `fill` fills. May sleep.
pub(crate) fn reply(
    request: &Request<'_>,
    fill: impl FnOnce(&mut Message<'_>) -> Result<(), Full>,
) -> Result {
    let mut reply = Notification::new()?;
    // SAFETY: The skb and the info are valid.
    let header = unsafe { bindings::maclearn_genlmsg_put_reply(reply.skb.as_ptr(), request.info) };
    reply.message_at(header, fill).map_err(|Full| EMSGSIZE)?;
    let skb = ManuallyDrop::new(reply).skb;
    // SAFETY: The skb is given away.
    to_result(unsafe { bindings::maclearn_genlmsg_reply(skb.as_ptr(), request.info) })
}

/// Whether somebody in the device's namespace listens to the family's multicast group. Any context.
#[inline]
pub(crate) fn has_listeners(device: &NetDevice) -> bool {
    JOINED.load_relaxed() && has_listeners_now(device)
}

#[cold]
fn has_listeners_now(device: &NetDevice) -> bool {
    rcu::read(|section| {
        let net = device.net_rcu(section);
        // SAFETY: The namespace is valid, with its socket of the kernel's, which goes after the
        // devices.
        unsafe { bindings::maclearn_has_listeners(net.as_raw()) }
    })
}

/// A datagram for the family's multicast group, of one or more messages.
///
/// # Invariants
///
/// `skb` is valid and this value's own.
pub(crate) struct Notification {
    skb: NonNull<bindings::sk_buff>,
}

impl Notification {
    /// Makes an empty one. May sleep.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: No requirement but process context.
        let skb = NonNull::new(unsafe { bindings::maclearn_genlmsg_new() }).ok_or(ENOMEM)?;
        // INVARIANT: It was made just now.
        Ok(Self { skb })
    }

    /// Adds a message; `Full` if there is no room for it.
    pub(crate) fn message(
        &mut self,
        command: u32,
        fill: impl FnOnce(&mut Message<'_>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        // SAFETY: By the type invariants.
        let header =
            unsafe { bindings::maclearn_genlmsg_put_event(self.skb.as_ptr(), command as u8) };
        self.message_at(header, fill)
    }

    /// Completes a message that has just been begun at `header`, or null if there was no room.
    fn message_at(
        &mut self,
        header: *mut c_void,
        fill: impl FnOnce(&mut Message<'_>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        if header.is_null() {
            return Err(Full);
        }
        // SAFETY: By the type invariants, with the exclusive reference; the message was just begun.
        unsafe { Message::begun(self.skb, header) }.fill(fill)
    }

    /// Sends it to those in the namespace who listen, if the family is still registered. May sleep.
    pub(crate) fn send(self, net: &Net) {
        let skb = ManuallyDrop::new(self).skb;
        // SAFETY: The namespace is valid, and the skb is given away.
        unsafe { bindings::maclearn_genlmsg_multicast(net.as_raw(), skb.as_ptr()) };
    }
}

impl Drop for Notification {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::maclearn_nlmsg_free(self.skb.as_ptr()) };
    }
}

/// Words that a dump keeps from one call to the next; all zero at first.
pub(crate) type DumpState = [u64; 6];

/// A dump under way: one call fills one buffer.
///
/// # Invariants
///
/// Both are valid, and the call's own.
pub(crate) struct Dump<'a> {
    skb: NonNull<bindings::sk_buff>,
    callback: NonNull<bindings::netlink_callback>,
    _call: PhantomData<&'a mut bindings::netlink_callback>,
}

impl<'a> Dump<'a> {
    /// What the dump keeps from call to call.
    pub(crate) fn state(&mut self) -> &mut DumpState {
        const { assert!(mem::size_of::<DumpState>() <= bindings::MACLEARN_NETLINK_CTX_SIZE as usize) };
        // SAFETY: The context is the dump's own, has that many bytes and is aligned to a word.
        unsafe { &mut *bindings::maclearn_callback_context(self.callback.as_ptr()).cast() }
    }

    /// The request that the dump answers.
    pub(crate) fn request(&self) -> Request<'a> {
        // INVARIANT: The dump is under way.
        // SAFETY: Every generic netlink dump has the info of its request, for as long as it lasts.
        unsafe {
            Request {
                info: &*bindings::maclearn_genl_dump_info(self.callback.as_ptr()),
            }
        }
    }

    /// Adds the messages that `add` adds, all or none. Whether they fit in what is left of the
    /// buffer; `EMSGSIZE` if an empty one has no room for them.
    ///
    /// [`Dump::interrupt`] is undone with them, and has to be called again then.
    pub(crate) fn together(
        &mut self,
        add: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<bool> {
        let length = self.length();
        if add(self).is_ok() {
            return Ok(true);
        }
        if length == 0 {
            return Err(EMSGSIZE);
        }
        // SAFETY: The skb is valid and was that long.
        unsafe { bindings::skb_trim(self.skb.as_ptr(), length) };
        Ok(false)
    }

    /// Says, with the next message or the last, that the reader may have missed or seen twice some
    /// of what is dumped (`NLM_F_DUMP_INTR`).
    pub(crate) fn interrupt(&mut self) {
        // A message is marked when these differ, and makes them equal.
        // SAFETY: By the type invariants.
        unsafe {
            (*self.callback.as_ptr()).prev_seq = 1;
            (*self.callback.as_ptr()).seq = 2;
        }
    }

    fn length(&self) -> u32 {
        // SAFETY: By the type invariants.
        unsafe { (*self.skb.as_ptr()).len }
    }

    /// Adds a message; `Full` if it goes to the next buffer.
    pub(crate) fn message(
        &mut self,
        fill: impl FnOnce(&mut Message<'_>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        // SAFETY: The skb and the callback are valid.
        let header = unsafe {
            bindings::maclearn_genlmsg_put_dump(self.skb.as_ptr(), self.callback.as_ptr())
        };
        if header.is_null() {
            return Err(Full);
        }
        // SAFETY: By the type invariants, with the exclusive reference; the message was just begun.
        unsafe { Message::begun(self.skb, header) }.fill(fill)
    }
}

/// Runs an operation.
///
/// # Safety
///
/// Called by generic netlink as an operation's `doit`, with its `info`.
pub(crate) unsafe fn run(
    info: *mut bindings::genl_info,
    operation: fn(&Request<'_>) -> Result,
) -> c_int {
    // SAFETY: By the safety requirement; nobody changes it meanwhile but through its `extack`.
    let info = unsafe { &*info };
    // INVARIANT: By the safety requirement.
    let request = Request { info };
    match operation(&request) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// Runs one call of a dump. It is over when a call adds nothing. After `EMSGSIZE` from one that
/// added something the core calls again, so an operation that has not written its state by then
/// would begin where it did before, for ever.
///
/// # Safety
///
/// Called by generic netlink as an operation's `dumpit`, with these arguments.
pub(crate) unsafe fn run_dump(
    skb: *mut bindings::sk_buff,
    callback: *mut bindings::netlink_callback,
    operation: fn(&mut Dump<'_>) -> Result,
) -> c_int {
    // SAFETY: Generic netlink gives both, for this call.
    let (skb, callback) = unsafe {
        (
            NonNull::new_unchecked(skb),
            NonNull::new_unchecked(callback),
        )
    };
    // INVARIANT: By the safety requirement.
    let mut dump = Dump {
        skb,
        callback,
        _call: PhantomData,
    };
    match operation(&mut dump) {
        Ok(()) => dump.length() as c_int,
        Err(error) => error.to_errno(),
    }
}

/// What the functions that [`operations`] defines are called with.
pub(crate) use bindings::{genl_info, netlink_callback, sk_buff};

/// Defines the functions that the generated family calls, each by a safe one.
macro_rules! operations {
    (do: { $($do_name:ident => $do_function:path,)* } dump: { $($dump_name:ident => $dump_function:path,)* }) => {
        $(
            /// # Safety
            ///
            /// Called by generic netlink.
            #[no_mangle]
            unsafe extern "C" fn $do_name(
                _skb: *mut $crate::kapi::genetlink::sk_buff,
                info: *mut $crate::kapi::genetlink::genl_info,
            ) -> ::kernel::ffi::c_int {
                // SAFETY: By the safety requirement.
                unsafe { $crate::kapi::genetlink::run(info, $do_function) }
            }
        )*
        $(
            /// # Safety
            ///
            /// Called by generic netlink.
            #[no_mangle]
            unsafe extern "C" fn $dump_name(
                skb: *mut $crate::kapi::genetlink::sk_buff,
                callback: *mut $crate::kapi::genetlink::netlink_callback,
            ) -> ::kernel::ffi::c_int {
                // SAFETY: By the safety requirement.
                unsafe { $crate::kapi::genetlink::run_dump(skb, callback, $dump_function) }
            }
        )*
    };
}
pub(crate) use operations;

#[kernel::macros::kunit_tests(maclearn_genetlink)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_registered_by_initialisation_only() {
        // The suites run when that is done.
        assert!(matches!(Registration::new(), Err(error) if error == EPERM));
    }
}
