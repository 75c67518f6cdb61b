// SPDX-License-Identifier: GPL-2.0

//! What a bridge tells those who listen to the family's multicast group, until it is sent.
//!
//! It is noted under the table's lock where it happens. A frame thus never makes a message. Between
//! two runs of the maintenance work there is room for [`MOST_WAITING`] events; of more than these
//! the listeners learn how many there were.
//!
//! To add one takes its name, last in the enum `event` of
//! `Documentation/netlink/specs/maclearn.yaml`, and `scripts/netlink-generate`; a row here, without
//! which it does not compile then; where it happens, `Port::note()`; and
//! `Documentation/networking/maclearn.rst`, which the script `documentation` compares.

use kernel::prelude::*;

use crate::{
    kapi::uapi,
    table::{Key, PortIndex},
};

/// Events that wait at most; any more are counted only.
const MOST_WAITING: usize = 512;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:ident;)*) => {
        /// What happened.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        pub(crate) enum Kind {
            $($(#[$doc])* $variant = uapi::maclearn_event::$number as u32,)*
        }

        /// All that the specification has are here, but that some were lost.
        const _: fn(uapi::maclearn_event) = |event| match event {
            $(uapi::maclearn_event::$number => (),)*
            uapi::maclearn_event::MACLEARN_EVENT_LOST => (),
        };
    };
}

kinds! {
    /// A port owns a MAC that it sent a frame from.
    Learned = MACLEARN_EVENT_LEARNED;
    /// The same, and another port owned it before.
    MovedIn = MACLEARN_EVENT_MOVED_IN;
    /// A port owns a MAC by request.
    Added = MACLEARN_EVENT_ADDED;
    /// A MAC was not seen for the ageing time.
    Aged = MACLEARN_EVENT_AGED;
    /// A MAC was forgotten by request, with its port, or with the last enabled port.
    Deleted = MACLEARN_EVENT_DELETED;
    /// A source could not be learned for a limit, the first since there was room.
    LimitReached = MACLEARN_EVENT_LIMIT_REACHED;
    /// A port gets every copy from now on.
    FailingOpen = MACLEARN_EVENT_FAILING_OPEN;
    /// It does no longer.
    Recovered = MACLEARN_EVENT_RECOVERED;
    /// Copies to a port are filtered.
    Enabled = MACLEARN_EVENT_ENABLED;
    /// They are no longer.
    Disabled = MACLEARN_EVENT_DISABLED;
    /// Other settings of a port were changed.
    PortChanged = MACLEARN_EVENT_PORT_CHANGED;
    /// Settings of the bridge were changed.
    BridgeChanged = MACLEARN_EVENT_BRIDGE_CHANGED;
    /// A device has become a port.
    PortJoined = MACLEARN_EVENT_PORT_JOINED;
    /// It is none any more.
    PortLeft = MACLEARN_EVENT_PORT_LEFT;
}

/// An event that waits to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// What happened.
    pub(crate) kind: Kind,
    /// The port's number in the table.
    pub(crate) port: Option<PortIndex>,
    /// The (VLAN, MAC).
    pub(crate) key: Option<Key>,
}

/// Events of a bridge, in their order.
pub(crate) struct Queue {
    events: KVec<Event>,
    lost: u32,
}

impl Queue {
    /// Makes an empty one. May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            events: KVec::with_capacity(MOST_WAITING, GFP_KERNEL_ACCOUNT)?,
            lost: 0,
        })
    }

    /// Those that there was room for.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many others there were.
    pub(crate) fn lost(&self) -> u32 {
        self.lost
    }

    /// Whether there were none at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.lost == 0
    }

    /// Adds one, or counts it.
    pub(crate) fn push(&mut self, event: Event) {
        if self.events.push_within_capacity(event).is_err() {
            self.lose(1);
        }
    }

    /// Counts some of which no more is known.
    pub(crate) fn lose(&mut self, count: u32) {
        self.lost = self.lost.saturating_add(count);
    }

    /// Begins anew.
    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.lost = 0;
    }
}
