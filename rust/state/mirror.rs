// SPDX-License-Identifier: GPL-2.0

//! What mirroring remembers: the ports that copies are made for, and each CPU's notes of the frame
//! that it deals with. `work/mirror.rs` says for which ports, `frame/mirror.rs` makes the copies.

use kernel::{prelude::*, sync::Arc};

use crate::{
    kapi::{
        atomic::AtomicBool,
        percpu::{Pairs, Serials},
        rcu::{self, RcuBox},
        rtnl::Rtnl,
    },
    table::PortIndex,
};

/// The ports that copies are made for, and what each CPU notes of the frame that it deals with. A
/// port is a `P`.
pub(crate) struct Mirror<P: Send + Sync> {
    is_on: AtomicBool,
    ports: RcuBox<KVec<Arc<P>>>,
    /// A frame that was copied to such ports, and which, see [`Seen`].
    seen: Pairs,
    /// A frame of the bridge device's own for which all copies are made.
    made: Pairs,
    serials: Serials,
}

/// At which ports that are not filtered a frame had a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// At none.
    Nowhere,
    /// At this one.
    At(PortIndex),
    /// At several: it was flooded.
    Everywhere,
}

impl Seen {
    /// Stands for [`Seen::Everywhere`] in a word; what is less is a port.
    const EVERYWHERE: u64 = u64::MAX;
}

impl<P: Send + Sync> Mirror<P> {
    /// Makes one without ports. May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            is_on: AtomicBool::new(false),
            ports: RcuBox::empty(),
            seen: Pairs::new()?,
            made: Pairs::new()?,
            serials: Serials::new()?,
        })
    }

    /// Whether the bridge's frames are tagged so that copies are made.
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load_relaxed()
    }

    /// Sets [`Mirror::is_on`].
    pub(crate) fn set_on(&self, _rtnl: &Rtnl, on: bool) {
        self.is_on.store_relaxed(on);
    }

    /// The ports that copies are made for; `None` where the bridge does not mirror.
    #[inline]
    pub(crate) fn ports<'a>(&'a self, section: &'a rcu::Guard) -> Option<&'a [Arc<P>]> {
        self.ports.read(section).map(|ports| &**ports)
    }

    /// For how many ports copies are made; `None` where the bridge does not mirror.
    pub(crate) fn count(&self) -> Option<usize> {
        rcu::read(|section| self.ports(section).map(|ports| ports.len()))
    }

    /// Changes the ports, and waits until nobody uses the old ones. May sleep.
    pub(crate) fn replace(&self, _rtnl: &Rtnl, ports: Option<KBox<KVec<Arc<P>>>>) {
        self.ports.replace(ports);
    }

    /// Forgets what this CPU has noted of a frame that has not come up, for whatever reason.
    #[inline]
    pub(crate) fn clear_seen(&self) {
        self.seen.set_first(0);
    }

    /// Notes that a frame, by the [`data_id`](crate::kapi::skb::BridgeSkBuff::data_id) of its
    /// copies, had one at `port`.
    #[inline]
    pub(crate) fn note_seen(&self, data_id: u64, port: PortIndex) {
        self.seen.update(data_id, |seen| match seen {
            Some(other) if other != u64::from(port) => Seen::EVERYWHERE,
            _ => port.into(),
        });
    }

    /// Where that frame had copies, as this CPU knows, and forgets it: the data of another frame
    /// may be at the same place later.
    #[inline]
    pub(crate) fn take_seen(&self, data_id: u64) -> Seen {
        match self.seen.take(data_id) {
            None => Seen::Nowhere,
            Some(Seen::EVERYWHERE) => Seen::Everywhere,
            Some(port) => Seen::At(port as PortIndex),
        }
    }

    /// A number for a frame that the bridge device sends.
    pub(crate) fn next_serial(&self) -> Option<u32> {
        self.serials.next()
    }

    /// Notes that the frame with this number has a copy. Whether further ones were made before for
    /// these `ports`, a value of [`Mirror::ports`] in the same section; `None` if this is its first
    /// copy, as far as this CPU knows.
    pub(crate) fn note_copy_of(&self, serial: u32, ports: &[Arc<P>]) -> Option<bool> {
        let made = self.made.second_of(word_of(serial));
        if made.is_none() {
            self.made.set(word_of(serial), 0);
        }
        made.map(|made| made == id_of(ports))
    }

    /// Notes that they were made.
    pub(crate) fn note_made(&self, serial: u32, ports: &[Arc<P>]) {
        self.made.set(word_of(serial), id_of(ports));
    }
}

/// Stands for a number. No word is 0, which is there at first.
fn word_of(serial: u32) -> u64 {
    u64::from(serial) | 1 << 32
}

/// Tells the ports of [`Mirror::ports`] from others that come meanwhile. Never 0.
fn id_of<P>(ports: &[Arc<P>]) -> u64 {
    ports.as_ptr().addr() as u64
}

#[kernel::macros::kunit_tests(maclearn_mirror)]
mod tests {
    use super::*;
    use crate::kapi::spinlock_bh::local_bh_disable;

    #[test]
    fn a_frame_that_had_copies_at_two_ports_was_flooded() -> Result {
        let mirror = Mirror::<()>::new()?;
        let softirqs = local_bh_disable();
        assert_eq!(mirror.take_seen(7), Seen::Nowhere);
        mirror.note_seen(7, 0);
        mirror.note_seen(7, 0);
        assert_eq!(mirror.take_seen(7), Seen::At(0));
        mirror.note_seen(7, 0);
        mirror.note_seen(7, 1023);
        mirror.note_seen(7, 0);
        assert_eq!(mirror.take_seen(7), Seen::Everywhere);
        drop(softirqs);
        Ok(())
    }

    #[test]
    fn what_is_noted_is_of_one_frame() -> Result {
        let mirror = Mirror::<()>::new()?;
        let softirqs = local_bh_disable();
        mirror.note_seen(7, 3);
        assert_eq!(mirror.take_seen(8), Seen::Nowhere);
        mirror.note_seen(8, 4);
        assert_eq!(mirror.take_seen(7), Seen::Nowhere);
        assert_eq!(mirror.take_seen(8), Seen::At(4));
        // Another frame's data may be there next time.
        assert_eq!(mirror.take_seen(8), Seen::Nowhere);
        drop(softirqs);
        Ok(())
    }

    #[test]
    fn what_is_noted_does_not_outlive_its_frame() -> Result {
        let mirror = Mirror::<()>::new()?;
        let softirqs = local_bh_disable();
        mirror.note_seen(7, 3);
        mirror.clear_seen();
        assert_eq!(mirror.take_seen(7), Seen::Nowhere);
        drop(softirqs);
        Ok(())
    }

    #[test]
    fn a_frame_of_the_bridge_has_one_first_copy() -> Result {
        let mirror = Mirror::<()>::new()?;
        let one = || Arc::new((), GFP_KERNEL);
        let (ports, others) = ([one()?], [one()?]);
        let softirqs = local_bh_disable();
        let serials = [mirror.next_serial(), mirror.next_serial()];
        let mut made = KVec::new();
        for (serial, are_made) in serials.into_iter().flatten().zip([true, false]) {
            made.push(mirror.note_copy_of(serial, &ports), GFP_ATOMIC)?;
            if are_made {
                mirror.note_made(serial, &ports);
            }
            for ports in [&ports, &others] {
                made.push(mirror.note_copy_of(serial, ports), GFP_ATOMIC)?;
            }
        }
        drop(softirqs);
        let [yes, no] = [Some(true), Some(false)];
        assert_eq!(&*made, [None, yes, no, None, no, no]);
        assert_ne!(serials[0], serials[1]);
        assert!(mirror.next_serial().is_none());
        Ok(())
    }
}
