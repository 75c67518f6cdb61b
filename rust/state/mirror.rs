// SPDX-License-Identifier: GPL-2.0

//! What mirroring remembers: the ports that copies are made for, and each CPU's notes of the frame
//! that it deals with. `work/mirror.rs` says for which ports, `frame/mirror.rs` makes the copies.

use kernel::{prelude::*, sync::Arc};

use crate::{
    kapi::{
        atomic::{AtomicBool, AtomicU32, AtomicU64},
        percpu::Pairs,
        rcu::{self, RcuBox},
        rtnl::Rtnl,
    },
    table::PortIndex,
};

/// The ports that copies are made for, and what each CPU notes of the frame that it deals with. A
/// port is a `P`.
pub(crate) struct Mirror<P: Send + Sync> {
    is_on: AtomicBool,
    /// Numbers the changes of the ports, under RTNL.
    generation: AtomicU32,
    targets: RcuBox<Targets<P>>,
    /// A frame that was copied to such ports, and which, see [`Seen`].
    seen: Pairs,
    /// A frame that the bridge device sends, by its data; and in one word its number among those,
    /// and of the ports that further copies of it were made for the [`Targets::generation`].
    sent: Pairs,
}

/// The ports that copies are made for, from one change of them to the next.
pub(crate) struct Targets<P: Send + Sync> {
    /// The ports.
    pub(crate) ports: KVec<Arc<P>>,
    /// The number of the change that made them these, from [`Mirror::next_generation`].
    pub(crate) generation: u32,
}

/// From which change on copies are made for a port, or from which one until which other they last
/// were. Changes are meant by their number, [`Targets::generation`].
///
/// One span is enough, since a frame sees one change at most: all its copies leave within one
/// read-side section, and a change waits for the readers of the list before it
/// ([`Mirror::replace`]). The numbers begin anew after 2^32 changes.
pub(crate) struct Span(AtomicU64);

impl Span {
    /// Stands for a change that is still to come.
    const OPEN: u32 = u32::MAX;

    /// Of a port that no copies were ever made for.
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Notes whether copies are made for the port from the change `generation` on. Called before
    /// that change can be seen.
    pub(crate) fn set(&self, _rtnl: &Rtnl, is_target: bool, generation: u32) {
        if is_target != self.is_open() {
            let (from, until) = match is_target {
                true => (generation, Self::OPEN),
                false => (self.bounds().0, generation),
            };
            self.0
                .store_relaxed(u64::from(from) << 32 | u64::from(until));
        }
    }

    /// Whether copies are made for the port as of the last change.
    pub(crate) fn is_open(&self) -> bool {
        self.bounds().1 == Self::OPEN
    }

    /// Whether the port was among the [`Targets`] with this `generation`.
    pub(crate) fn has(&self, generation: u32) -> bool {
        let (from, until) = self.bounds();
        (from..until).contains(&generation)
    }

    fn bounds(&self) -> (u32, u32) {
        let bounds = self.0.load_relaxed();
        ((bounds >> 32) as u32, bounds as u32)
    }
}

/// What a copy of a frame is that the bridge device has sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SentCopy {
    /// The bridge's own, and the first of its frame.
    First,
    /// Another one of the bridge's own. If further copies were made for the ports that are not
    /// filtered: which ports these were, by their [`Targets::generation`].
    Later(Option<u32>),
    /// One of the further copies.
    Further,
}

/// At which ports that are not filtered a frame had a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// At none.
    Nowhere,
    /// At this one.
    At(PortIndex),
    /// At several: it was flooded.
    AtSeveral,
}

impl Seen {
    /// Stands for [`Seen::AtSeveral`] in a word; what is less is a port.
    const SEVERAL: u64 = u64::MAX;
}

impl<P: Send + Sync> Mirror<P> {
    /// In the place of a generation: copies are being made.
    const SENDING: u64 = u32::MAX as u64;

    /// Makes one without ports. May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            is_on: AtomicBool::new(false),
            generation: AtomicU32::new(0),
            targets: RcuBox::empty(),
            seen: Pairs::new()?,
            sent: Pairs::new()?,
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
    pub(crate) fn targets<'a>(&'a self, section: &'a rcu::Guard) -> Option<&'a Targets<P>> {
        self.targets.read(section)
    }

    /// For how many ports copies are made; `None` where the bridge does not mirror.
    pub(crate) fn count(&self) -> Option<usize> {
        rcu::read(|section| self.targets(section).map(|targets| targets.ports.len()))
    }

    /// A number for a change of the ports: neither 0 nor what stands for something else.
    pub(crate) fn next_generation(&self, _rtnl: &Rtnl) -> u32 {
        let generation = self.generation.load_relaxed() % (u32::MAX - 1) + 1;
        self.generation.store_relaxed(generation);
        generation
    }

    /// Changes the ports, and waits until nobody uses the old ones. May sleep.
    pub(crate) fn replace(&self, _rtnl: &Rtnl, targets: Option<KBox<Targets<P>>>) {
        self.targets.replace(targets);
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
            Some(other) if other != u64::from(port) => Seen::SEVERAL,
            _ => port.into(),
        });
    }

    /// Where that frame had copies, as this CPU knows, and forgets it: the data of another frame
    /// may be at the same place later.
    #[inline]
    pub(crate) fn take_seen(&self, data_id: u64) -> Seen {
        match self.seen.take(data_id) {
            None => Seen::Nowhere,
            Some(Seen::SEVERAL) => Seen::AtSeveral,
            Some(port) => Seen::At(port as PortIndex),
        }
    }

    /// Notes a copy of a frame that the bridge device has sent, by the
    /// [`data_id`](crate::kapi::skb::BridgeSkBuff::data_id) of its copies and by its number, and
    /// says what it is. `None` if that can't be noted.
    pub(crate) fn note_copy_of(&self, data_id: u64, number: u32) -> Option<SentCopy> {
        match self.sent.second_of(data_id) {
            Some(noted) if noted & Self::SENDING == Self::SENDING => Some(SentCopy::Further),
            Some(noted) if (noted >> 32) as u32 == number => {
                let generation = noted as u32;
                Some(SentCopy::Later((generation != 0).then_some(generation)))
            }
            _ => {
                let is_noted = self.sent.set(data_id, word_of(number, 0));
                is_noted.then_some(SentCopy::First)
            }
        }
    }

    /// Notes that the next copy of that frame is a further one. What that is sent through may have
    /// the bridge device send other frames in between: to be said before each of them.
    pub(crate) fn note_sending(&self, data_id: u64) {
        self.sent.set(data_id, Self::SENDING);
    }

    /// Notes that the further copies are made, for the ports with this `generation`.
    pub(crate) fn note_made(&self, data_id: u64, number: u32, generation: u32) {
        self.sent.set(data_id, word_of(number, generation));
    }
}

/// The number of a frame, and the generation of the ports that copies of it were made for; 0 if
/// none were.
fn word_of(number: u32, generation: u32) -> u64 {
    u64::from(number) << 32 | u64::from(generation)
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
        assert_eq!(mirror.take_seen(7), Seen::AtSeveral);
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
        let softirqs = local_bh_disable();
        let copies = [
            mirror.note_copy_of(7, 1),
            mirror.note_copy_of(7, 1),
            // The next frame, whose data is at the same place.
            mirror.note_copy_of(7, 2),
            // One that it was sent within.
            mirror.note_copy_of(8, 2),
            mirror.note_copy_of(8, 2),
        ];
        drop(softirqs);
        let [first, later] = [SentCopy::First, SentCopy::Later(None)].map(Some);
        assert_eq!(copies, [first, later, first, first, later]);
        assert_eq!(mirror.note_copy_of(9, 3), None);
        Ok(())
    }

    #[test]
    fn further_copies_are_told_from_the_bridges_own() -> Result {
        let mirror = Mirror::<()>::new()?;
        let softirqs = local_bh_disable();
        mirror.note_copy_of(7, 1);
        mirror.note_sending(7);
        let further = mirror.note_copy_of(7, 1);
        // The first of them had another frame sent.
        mirror.note_copy_of(8, 2);
        mirror.note_sending(7);
        let next = mirror.note_copy_of(7, 2);
        mirror.note_made(7, 2, 5);
        let later = mirror.note_copy_of(7, 2);
        drop(softirqs);
        assert_eq!([further, next], [Some(SentCopy::Further); 2]);
        assert_eq!(later, Some(SentCopy::Later(Some(5))));
        Ok(())
    }

    #[test]
    fn a_span_has_the_changes_from_its_begin_to_its_end() {
        let rtnl = Rtnl::lock();
        let span = Span::new();
        let has = || [4, 5, 6, 7, 8].map(|generation| span.has(generation));
        assert_eq!(has(), [false; 5]);
        span.set(&rtnl, false, 4);
        assert!(!span.is_open());
        span.set(&rtnl, true, 5);
        span.set(&rtnl, true, 6);
        assert!(span.is_open());
        assert_eq!(has(), [false, true, true, true, true]);
        span.set(&rtnl, false, 7);
        span.set(&rtnl, false, 8);
        assert!(!span.is_open());
        assert_eq!(has(), [false, true, true, false, false]);
        span.set(&rtnl, true, 8);
        assert_eq!(has(), [false, false, false, false, true]);
    }
}
