// SPDX-License-Identifier: GPL-2.0

//! Buffers of the network stack as hooks of the bridge and of a device's egress have them: the
//! Ethernet header, the VLAN tag and a tag in the control block. Each type is named for where it is
//! good, since elsewhere other parts of a buffer are set.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use core::{marker::PhantomData, ptr::NonNull};

use kernel::ffi::c_int;

use super::{bindings, netdevice::NetDevice, vlan::VlanTag};
#[cfg(CONFIG_TRACEPOINTS)]
use bindings::consume_skb;
// There it is an inline function.
#[cfg(not(CONFIG_TRACEPOINTS))]
use bindings::maclearn_consume_skb as consume_skb;

/// Length of an Ethernet header in bytes (`ETH_HLEN`).
const HEADER_BYTES: usize = 14;

/// Where [`BridgeSkBuff::cb_tag`] stands in `skb->cb`: the last 8 of its 48 bytes.
///
/// The bridge owns the control block between its receive handler (or transmit function) and the
/// forward hook. It clears and uses `struct br_input_skb_cb`, 32 bytes, and `skb_clone()` copies
/// all 48.
const CB_TAG_OFFSET: usize = bindings::MACLEARN_CB_TAG_OFFSET as usize;

/// The bits of a TCI that are the VLAN identifier.
const VID: u16 = 0xfff;

/// The bits of a word that hold an address.
const ADDRESS: u64 = (1 << 48) - 1;

/// Whether an address is that of a group, broadcast included.
#[inline(always)]
pub(crate) fn is_multicast(address: u64) -> bool {
    address & 1 != 0
}

/// The parts of a buffer that both kinds of frames are read by.
///
/// # Invariants
///
/// `0` is valid.
struct Buffer(NonNull<bindings::sk_buff>);

impl Buffer {
    /// The field at byte `offset`.
    ///
    /// # Safety
    ///
    /// `offset` is that of a field of type `T`, an integer.
    #[inline(always)]
    unsafe fn field<T: Copy>(&self, offset: u32) -> T {
        // SAFETY: By the type invariants the buffer is valid; by the safety requirement such a
        // field is there.
        unsafe { self.0.as_ptr().byte_add(offset as usize).cast::<T>().read() }
    }

    /// The VLAN tag that the kernel took out of the frame.
    #[inline(always)]
    fn hwaccel_tag(&self) -> Option<VlanTag> {
        // SAFETY: The constants are the offsets of those fields.
        let (all, protocol, tci): (u32, u16, u16) = unsafe {
            (
                self.field(bindings::maclearn_layout_MACLEARN_SKB_VLAN_ALL),
                self.field(bindings::maclearn_layout_MACLEARN_SKB_VLAN_PROTO),
                self.field(bindings::maclearn_layout_MACLEARN_SKB_VLAN_TCI),
            )
        };
        (all != 0).then_some(VlanTag {
            protocol: u16::from_be(protocol),
            vid: tci & VID,
            priority: tci >> 12,
        })
    }

    /// The VLAN tag that was left in the frame, `offset` bytes from `data`. Like the bridge, it
    /// goes by what the buffer says that the frame is, whatever stands in the header.
    #[inline(always)]
    fn inner_tag(&self, offset: c_int) -> Option<VlanTag> {
        // SAFETY: The constant is the offset of that field.
        let protocol: u16 = unsafe { self.field(bindings::maclearn_layout_MACLEARN_SKB_PROTOCOL) };
        let protocol = u16::from_be(protocol);
        matches!(
            u32::from(protocol),
            bindings::ETH_P_8021Q | bindings::ETH_P_8021AD
        )
        .then(|| self.read_tag(offset, protocol))
        .flatten()
    }

    #[cold]
    #[inline(never)]
    fn read_tag(&self, offset: c_int, protocol: u16) -> Option<VlanTag> {
        let mut tci = [0u8; 2];
        // SAFETY: By the type invariants the buffer is valid, and it has as many bytes as are asked
        // for. Where the frame has not, nothing is read.
        let status =
            unsafe { bindings::skb_copy_bits(self.0.as_ptr(), offset, tci.as_mut_ptr().cast(), 2) };
        (status == 0).then_some(VlanTag {
            protocol,
            vid: u16::from_be_bytes(tci) & VID,
            priority: u16::from_be_bytes(tci) >> 12,
        })
    }

    #[inline(always)]
    fn cb_tag(&self) -> *mut u64 {
        // SAFETY: By the type invariants; the control block has 48 bytes, aligned to 8.
        unsafe {
            (&raw mut (*self.0.as_ptr()).cb)
                .byte_add(CB_TAG_OFFSET)
                .cast()
        }
    }
}

/// Which call of a hook something belongs to. The lifetime neither grows nor shrinks, so that what
/// belongs to one call can't be passed off as another's.
pub(super) type Call<'a> = PhantomData<fn(&'a ()) -> &'a ()>;

/// A buffer (`struct sk_buff`) that a netfilter hook of the bridge family was given: one frame, or
/// several that GSO makes of it later.
///
/// # Invariants
///
/// The buffer is valid, not shared and owned by the hook; its MAC header is set and the Ethernet
/// header is in the linear part. `data` is right behind it, but in a BPDU of the bridge's own,
/// which is for a group: there `data` is at the header. The call in which the hook was given it is
/// `'a`.
pub(crate) struct BridgeSkBuff<'a> {
    buffer: Buffer,
    _call: Call<'a>,
}

impl<'a> BridgeSkBuff<'a> {
    /// Wraps the `skb` of a hook.
    ///
    /// # Safety
    ///
    /// The type invariants hold for `skb` for as long as the value exists. `'a` belongs to this
    /// call alone.
    #[inline(always)]
    pub(super) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Self {
        // SAFETY: A hook's skb is never null.
        let skb = unsafe { NonNull::new_unchecked(skb) };
        // INVARIANT: By the safety requirement.
        Self {
            buffer: Buffer(skb),
            _call: PhantomData,
        }
    }

    #[inline(always)]
    fn raw(&self) -> &bindings::sk_buff {
        // SAFETY: By the type invariants the skb is valid, and the hook owns it.
        unsafe { self.buffer.0.as_ref() }
    }

    #[inline(always)]
    fn header(&self) -> *const u8 {
        // SAFETY: The constant is the offset of that field.
        let mac_header: u16 = unsafe {
            self.buffer
                .field(bindings::maclearn_layout_MACLEARN_SKB_MAC_HEADER)
        };
        self.raw().head.wrapping_add(usize::from(mac_header))
    }

    /// Destination address: a little-endian word whose first six bytes on the wire it is; the
    /// others are 0.
    #[inline(always)]
    pub(crate) fn destination(&self) -> u64 {
        // SAFETY: By the type invariants the header's 14 bytes can be read.
        u64::from_le(unsafe { self.header().cast::<u64>().read_unaligned() }) & ADDRESS
    }

    /// Source address, like [`BridgeSkBuff::destination`].
    #[inline(always)]
    pub(crate) fn source(&self) -> u64 {
        // SAFETY: By the type invariants the header's 14 bytes can be read: these are the last 8.
        u64::from_le(unsafe { self.header().add(6).cast::<u64>().read_unaligned() }) & ADDRESS
    }

    /// Whether the frame was received for a group, which the bridge may have made a copy of for one
    /// of its members (`mcast_to_unicast`): then [`BridgeSkBuff::destination`] is that station's.
    #[inline(always)]
    pub(crate) fn was_received_for_group(&self) -> bool {
        self.packet_type() == bindings::PACKET_MULTICAST
    }

    #[inline(always)]
    fn packet_type(&self) -> u32 {
        // SAFETY: The constant is the offset of the byte whose lowest 3 bits are that field.
        let byte: u8 = unsafe {
            self.buffer
                .field(bindings::maclearn_layout_MACLEARN_SKB_PKT_TYPE)
        };
        u32::from(byte & 7)
    }

    /// Whether the bridge has dealt with the frame: its control block names a bridge device.
    pub(super) fn is_bridged(&self) -> bool {
        // SAFETY: By the type invariants; the control block is large enough, and aligned.
        !unsafe { (&raw const (*self.bridge_cb()).brdev).read() }.is_null()
    }

    /// Whether `bridge` has the frame, rather than somebody else who has a port of it send one: its
    /// control block begins with the bridge device (`struct br_input_skb_cb`).
    pub(crate) fn is_bridged_by(&self, bridge: &NetDevice) -> bool {
        // SAFETY: By the type invariants; the control block is large enough, and aligned.
        let device = unsafe { (&raw const (*self.bridge_cb()).brdev).read() };
        device.addr() == bridge.as_raw().addr()
    }

    /// What the bridge has in the control block.
    fn bridge_cb(&self) -> *mut bindings::maclearn_bridge_cb {
        // SAFETY: By the type invariants.
        unsafe { (&raw mut (*self.buffer.0.as_ptr()).cb).cast() }
    }

    /// Whether the frame, which goes up to the host, is not for an address of the bridge's own, on
    /// a bridge device that is promiscuous. Elsewhere it tells nothing.
    pub(crate) fn is_up_as_promiscuous(&self) -> bool {
        // SAFETY: By the type invariants; the control block is large enough, and aligned.
        unsafe { (*self.bridge_cb()).promisc() != 0 }
    }

    /// Has the frame, which goes up to the host, go up as if that were not so.
    pub(crate) fn clear_promiscuous(&mut self) {
        // SAFETY: As above, and the hook owns the buffer.
        unsafe { (*self.bridge_cb()).set_promisc(0) };
    }

    /// As [`BridgeSkBuff::was_received_for_group`], for a frame that the bridge device sent, of
    /// which only IP's destination tells.
    pub(crate) fn was_sent_to_group(&self) -> bool {
        // SAFETY: By the type invariants the skb is valid. `data` is where it is not for a group at
        // the network header; what is read elsewhere is in the frame all the same.
        unsafe { bindings::maclearn_is_ip_multicast(self.buffer.0.as_ptr()) }
    }

    /// Whether connection tracking has seen the frame, or is not to see it: it has a connection or
    /// a state (`skb->_nfct`), such as `IP_CT_UNTRACKED`.
    #[inline(always)]
    pub(crate) fn has_connection_state(&self) -> bool {
        const OFFSET: u32 = bindings::maclearn_layout_MACLEARN_SKB_NFCT;
        // SAFETY: The constant is the offset of that field, or 0 if there is none.
        OFFSET != 0 && unsafe { self.buffer.field::<u64>(OFFSET) } != 0
    }

    /// The outermost VLAN tag, whether the kernel took it out of the frame or left it there.
    pub(crate) fn vlan_tag(&self) -> Option<VlanTag> {
        self.buffer
            .hwaccel_tag()
            .or_else(|| self.buffer.inner_tag(0))
    }

    /// The VLAN tag that the kernel took out of the frame. A bridge that filters VLANs has its own
    /// there, until a port sends it untagged.
    pub(crate) fn hwaccel_tag(&self) -> Option<VlanTag> {
        self.buffer.hwaccel_tag()
    }

    /// Bytes of the frame including its Ethernet header, as the device's `tx_bytes` would count
    /// them. That is so for any frame to a station: `data` is behind that header.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.raw().len) + HEADER_BYTES as u64
    }

    /// Number of frames that the buffer stands for: its GSO segments, or 1. `None` if nobody has
    /// counted them yet.
    #[inline(always)]
    pub(crate) fn segments(&self) -> Option<u64> {
        let skb = self.raw();
        let shared = skb
            .head
            .wrapping_add(skb.end as usize)
            .cast::<bindings::skb_shared_info>();
        // SAFETY: `skb_shared_info` stands at `end` of the buffer of every valid skb. Clones share
        // it, and whoever sends one may be counting its segments (`__dev_queue_xmit()`).
        let (size, segments) = unsafe {
            (
                (&raw const (*shared).gso_size).read_volatile(),
                (&raw const (*shared).gso_segs),
            )
        };
        if size == 0 {
            return Some(1);
        }
        // SAFETY: As above.
        match unsafe { segments.read_volatile() } {
            0 => None,
            segments => Some(segments.into()),
        }
    }

    /// The same, counted now: a guest's buffer, such as a tap's, comes uncounted, until it is first
    /// sent.
    pub(crate) fn count_segments(&self) -> u64 {
        // SAFETY: By the type invariants the skb is valid, and it may be any.
        u64::from(unsafe { bindings::maclearn_count_segments(self.buffer.0.as_ptr()) })
    }

    /// Eight bytes of the control block that the bridge carries from its first hook to every copy.
    ///
    /// Anything may stand there that [`BridgeSkBuff::set_cb_tag`] did not write.
    #[inline(always)]
    pub(crate) fn cb_tag(&self) -> u64 {
        // SAFETY: It points to a word of the buffer, which the hook owns.
        unsafe { self.buffer.cb_tag().read() }
    }

    /// Sets what [`BridgeSkBuff::cb_tag`] reads, here and in clones made later.
    #[inline(always)]
    pub(crate) fn set_cb_tag(&mut self, tag: u64) {
        // SAFETY: As for `cb_tag`; nobody else uses the control block of a buffer that the hook
        // owns.
        unsafe { self.buffer.cb_tag().write(tag) };
    }

    /// The buffer, which stays this value's.
    pub(super) fn as_raw(&mut self) -> *mut bindings::sk_buff {
        self.buffer.0.as_ptr()
    }

    /// What it has in common with its clones, and with no other buffer as long as one of them is
    /// there: where its data are. Never 0.
    pub(crate) fn data_id(&self) -> u64 {
        self.raw().head.addr() as u64
    }

    /// Whether the frame is `device`'s at the moment (`skb->dev`).
    pub(crate) fn is_at(&self, device: &NetDevice) -> bool {
        // SAFETY: The constant is the offset of that field.
        let current: usize = unsafe {
            self.buffer
                .field(bindings::maclearn_layout_MACLEARN_SKB_DEV)
        };
        current == device.as_raw().addr()
    }

    /// Makes it another's, and tells whose it was.
    pub(super) fn replace_device(
        &mut self,
        device: *mut bindings::net_device,
    ) -> *mut bindings::net_device {
        let offset = bindings::maclearn_layout_MACLEARN_SKB_DEV as usize;
        // SAFETY: The constant is the offset of that field, and the hook owns the buffer.
        unsafe {
            let place = self
                .buffer
                .0
                .as_ptr()
                .byte_add(offset)
                .cast::<*mut bindings::net_device>();
            place.replace(device)
        }
    }

    /// Sets the VLAN tag beside the frame; two zeros are none.
    pub(super) fn set_hwaccel_tag(&mut self, protocol: u16, tci: u16) {
        let offsets = [
            bindings::maclearn_layout_MACLEARN_SKB_VLAN_PROTO,
            bindings::maclearn_layout_MACLEARN_SKB_VLAN_TCI,
        ];
        for (offset, value) in offsets.into_iter().zip([protocol.to_be(), tci]) {
            // SAFETY: The constants are the offsets of those fields, and the hook owns the buffer.
            unsafe {
                let place = self.buffer.0.as_ptr().byte_add(offset as usize);
                place.cast::<u16>().write(value);
            }
        }
    }

    /// Bytes of the frame behind its Ethernet header.
    pub(super) fn bytes_behind_header(&self) -> u32 {
        self.raw().len
    }

    /// Lets the frame go on its way.
    #[inline(always)]
    pub(crate) fn accept(self) -> Verdict<'a> {
        Verdict(bindings::NF_ACCEPT, PhantomData)
    }

    /// Drops the frame, visible to drop monitors.
    #[inline(always)]
    pub(crate) fn drop(self) -> Verdict<'a> {
        Verdict(bindings::NF_DROP, PhantomData)
    }

    /// Gives the frame to `take`, which is told the buffer.
    #[inline]
    pub(super) fn give_away(self, take: impl FnOnce(*mut bindings::sk_buff)) -> Verdict<'a> {
        take(self.buffer.0.as_ptr());
        Verdict(bindings::NF_STOLEN, PhantomData)
    }

    /// Frees the frame as one that has been dealt with (`consume_skb()`), invisible to drop
    /// monitors.
    #[inline(always)]
    pub(crate) fn consume(self) -> Verdict<'a> {
        // SAFETY: By the type invariants the hook owns the skb, and `NF_STOLEN` tells netfilter
        // that it is gone.
        unsafe { consume_skb(self.buffer.0.as_ptr()) };
        Verdict(bindings::NF_STOLEN, PhantomData)
    }
}

/// A buffer that the hook of a device's egress was given: nothing is known of its headers.
///
/// # Invariants
///
/// The buffer is valid. Its control block is the transmit path's, in which the hook is called; what
/// leaves through an Ethernet device begins, at `data`, with an Ethernet header, if it is that
/// long.
pub(crate) struct EgressSkBuff<'a> {
    buffer: Buffer,
    _call: Call<'a>,
}

impl<'a> EgressSkBuff<'a> {
    /// Wraps the `skb` of a hook.
    ///
    /// # Safety
    ///
    /// The type invariants hold for `skb` for as long as the value exists.
    pub(super) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Self {
        // SAFETY: A hook's skb is never null.
        let skb = unsafe { NonNull::new_unchecked(skb) };
        // INVARIANT: By the safety requirement.
        Self {
            buffer: Buffer(skb),
            _call: PhantomData,
        }
    }

    /// The outermost VLAN tag, whether it is beside the frame or in it.
    pub(crate) fn vlan_tag(&self) -> Option<VlanTag> {
        self.buffer
            .hwaccel_tag()
            .or_else(|| self.buffer.inner_tag(HEADER_BYTES as c_int))
    }

    /// Whether it is addressed to a group, or to all.
    pub(crate) fn is_for_group(&self) -> bool {
        // SAFETY: By the type invariants the buffer is valid. A byte can be read at its data,
        // however short that is: `struct skb_shared_info` is behind it.
        unsafe { *(*self.buffer.0.as_ptr()).data & 1 != 0 }
    }

    /// Whether the bridge device sends the frame for br_netfilter, which has it get the MAC of the
    /// station that DNAT has turned it to: it came in through a port, and goes on as if from there.
    pub(crate) fn is_bridged_dnat(&self) -> bool {
        // SAFETY: By the type invariants the buffer is valid.
        unsafe { bindings::maclearn_is_bridged_dnat(self.buffer.0.as_ptr()) }
    }

    /// What [`BridgeSkBuff::set_cb_tag`] wrote, if the bridge had the frame before.
    pub(crate) fn cb_tag(&self) -> u64 {
        // SAFETY: It points to a word of the control block.
        unsafe { self.buffer.cb_tag().read() }
    }

    /// Sets what [`BridgeSkBuff::cb_tag`] reads on a bridge that sends the frame.
    pub(crate) fn set_cb_tag(&mut self, tag: u64) {
        // SAFETY: It points to a word of the control block, which is this path's now.
        unsafe { self.buffer.cb_tag().write(tag) };
    }

    /// Lets the frame go on its way.
    pub(crate) fn accept(self) -> Verdict<'a> {
        Verdict(bindings::NF_ACCEPT, PhantomData)
    }
}

/// What a hook decided about the frame of the call `'a`. Made only by giving up that frame, so that
/// no frame is used after the decision, and none is decided on in the place of another.
///
/// ```compile_fail
/// fn run<'a>(mine: BridgeSkBuff<'a>, other: BridgeSkBuff<'_>) -> Verdict<'a> {
///     other.accept()
/// }
/// ```
#[must_use]
pub(crate) struct Verdict<'a>(u32, Call<'a>);

impl Verdict<'_> {
    /// The value that netfilter expects.
    #[inline(always)]
    pub(super) fn into_raw(self) -> u32 {
        self.0
    }
}

#[kernel::macros::kunit_tests(maclearn_frame)]
mod tests {
    use super::*;
    use core::mem;

    /// Runs `f` on a buffer with these bytes in its linear part, of which it is told by the kernel
    /// that they are what the header says, and with this VLAN tag beside them.
    fn with_buffer<R>(
        bytes: &mut [u8],
        tag: Option<VlanTag>,
        f: impl FnOnce(*mut bindings::sk_buff) -> R,
    ) -> R {
        // SAFETY: All-zero is a valid `sk_buff` as far as a frame looks.
        let mut skb: bindings::sk_buff = unsafe { mem::zeroed() };
        skb.head = bytes.as_mut_ptr();
        skb.data = bytes.as_mut_ptr().wrapping_add(HEADER_BYTES);
        skb.len = (bytes.len() - HEADER_BYTES) as u32;
        let raw = &raw mut skb;
        let (protocol, tci) = tag.map_or((0, 0), |tag| {
            (tag.protocol.to_be(), tag.vid | tag.priority << 12)
        });
        // SAFETY: The constants are the offsets of those fields, which nothing else uses now.
        unsafe {
            let field = |offset: u32| raw.byte_add(offset as usize).cast::<u16>();
            field(bindings::maclearn_layout_MACLEARN_SKB_VLAN_PROTO).write(protocol);
            field(bindings::maclearn_layout_MACLEARN_SKB_VLAN_TCI).write(tci);
            field(bindings::maclearn_layout_MACLEARN_SKB_PROTOCOL)
                .write(u16::from_ne_bytes([bytes[12], bytes[13]]));
            field(bindings::maclearn_layout_MACLEARN_SKB_MAC_HEADER).write(0);
        }
        f(raw)
    }

    /// The same where the bridge has the frame.
    fn with_frame<R>(
        bytes: &mut [u8],
        tag: Option<VlanTag>,
        f: impl FnOnce(BridgeSkBuff<'_>) -> R,
    ) -> R {
        // SAFETY: The skb and its buffer are valid, and the test's own.
        with_buffer(bytes, tag, |raw| f(unsafe { BridgeSkBuff::from_raw(raw) }))
    }

    /// The tag of the same frame where a device is about to send it.
    fn tag_of_outgoing(bytes: &mut [u8], tag: Option<VlanTag>) -> Option<VlanTag> {
        with_buffer(bytes, tag, |raw| {
            // SAFETY: As above: `data` is at the header.
            unsafe {
                (*raw).data = (*raw).head;
                (*raw).len += HEADER_BYTES as u32;
                // Not known.
                raw.byte_add(bindings::maclearn_layout_MACLEARN_SKB_MAC_HEADER as usize)
                    .cast::<u16>()
                    .write(u16::MAX);
                EgressSkBuff::from_raw(raw).vlan_tag()
            }
        })
    }

    const BYTES: [u8; 18] = [
        0x02, 1, 2, 3, 4, 5, 0x06, 7, 8, 9, 10, 11, 0x81, 0x00, 0x60, 0x64, 0x08, 0x00,
    ];

    #[test]
    fn addresses_are_those_on_the_wire() {
        with_frame(&mut { BYTES }, None, |frame| {
            assert_eq!(frame.destination(), 0x0504_0302_0102);
            assert_eq!(frame.source(), 0x0b0a_0908_0706);
        });
    }

    #[test]
    fn group_bit_is_that_of_the_first_byte() {
        assert!(is_multicast(u64::from_le_bytes([
            1, 0, 0x5e, 0, 0, 1, 0, 0
        ])));
        assert!(is_multicast(u64::from_le_bytes([
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0
        ])));
        assert!(!is_multicast(u64::from_le_bytes([2, 1, 1, 1, 1, 1, 0, 0])));
    }

    #[test]
    fn tag_in_the_frame_is_found() {
        let inside = Some(VlanTag {
            protocol: 0x8100,
            vid: 100,
            priority: 6,
        });
        assert!(with_frame(&mut { BYTES }, None, |frame| frame.vlan_tag()) == inside);
        assert!(tag_of_outgoing(&mut { BYTES }, None) == inside);
        // But it is not the bridge's, which keeps its own beside the frame.
        assert!(with_frame(&mut { BYTES }, None, |frame| frame.hwaccel_tag()).is_none());
    }

    #[test]
    fn tag_beside_the_frame_comes_first() {
        let beside = VlanTag {
            protocol: 0x88a8,
            vid: 7,
            priority: 6,
        };
        let tag = with_frame(&mut { BYTES }, Some(beside), |frame| frame.vlan_tag());
        assert!(tag == Some(beside));
        let tag = with_frame(&mut { BYTES }, Some(beside), |frame| frame.hwaccel_tag());
        assert!(tag == Some(beside));
        assert!(tag_of_outgoing(&mut { BYTES }, Some(beside)) == Some(beside));
    }

    #[test]
    fn no_tag_is_read_from_outside_the_frame() {
        let mut bytes = BYTES;
        let tag = with_frame(&mut bytes[..HEADER_BYTES], None, |frame| frame.vlan_tag());
        assert!(tag.is_none());
        assert!(tag_of_outgoing(&mut bytes[..HEADER_BYTES], None).is_none());
        bytes[12..14].copy_from_slice(&[0x08, 0x00]);
        let tag = with_frame(&mut bytes, None, |frame| frame.vlan_tag());
        assert!(tag.is_none());
    }

    #[test]
    fn cb_tag_is_what_was_set() {
        with_frame(&mut { BYTES }, None, |mut frame| {
            frame.set_cb_tag(0x1234_5678_9abc_def0);
            assert_eq!(frame.cb_tag(), 0x1234_5678_9abc_def0);
        });
    }
}
