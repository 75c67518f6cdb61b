// SPDX-License-Identifier: GPL-2.0

//! Offload: telling the bridge itself where a MAC is, so that it makes no copies.
//!
//! Where every port of a bridge is filtered, all copies but the owner's would be suppressed. Then
//! the bridge's own forwarding database (FDB) is given each MAC that has exactly one owner; the
//! table calls it *published*.
//!
//! # Why no frame is lost
//!
//! - A key that gets a second owner, or another one, is taken back by whoever changes the table,
//!   before the frame goes on that showed it: [`revoke::take_back`].
//! - Before a port may count on every copy (it is disabled, or joins without being enabled), all
//!   keys are taken back: [`flush`]. A port that fails open while frames flow gets all copies as soon
//!   as the upkeep has done so, but those for MACs that it has sent from at once.
//! - A key that is published and one that is taken back are never mixed up: both happen under
//!   [`Bridge::gate`], publishing only while the key has one owner and the gate is open. Whoever
//!   closes the gate has said before why it must be closed, and only who has looked for such
//!   reasons under the gate's lock opens it.

use kernel::{prelude::*, sync::Arc};

use super::walk::{Walk, BUCKETS_A_HOLD};
use crate::{
    kapi::{
        bridge::{self as kernel_bridge, PortFlag},
        delayed_work::Job,
        rcu::{self, ReadSection},
        rtnl::Rtnl,
        switchdev,
    },
    state::{
        bridge::{Bridge, Publisher},
        events::Kind,
        flags::Flag,
        port::Port,
        retry::SOON,
        revoke,
    },
    table::{Action, Claims, Entry, Visit},
};

/// Most keys that are published at a time: the bridge needs more memory for each than the table.
const MOST: u32 = 1 << 16;

/// Most keys that are published under one hold of RTNL, some milliseconds.
const MOST_A_HOLD: usize = 1024;

/// Takes all keys back, and lets no more be published. May sleep.
pub(crate) fn flush(bridge: &Bridge) {
    bridge.gate.lock().close();
    loop {
        let unpublished = bridge.writer.lock().take_unpublished();
        if let Some(keys) = unpublished {
            revoke::take_back(bridge, keys, None);
        }
        if bridge.table.published() != 0 {
            let walk = Walk::begin(bridge);
            walk.visit_all(Kind::Deleted, |entry| {
                if entry.is_published {
                    Action::Unpublish
                } else {
                    Action::Keep
                }
            });
        } else if bridge.writer.lock().is_revoking() {
            // Others are at it, among them hooks, which are readers.
            rcu::wait_for_readers();
        } else {
            break;
        }
    }
}

/// Sees to it that what can be is published, or takes all back if the bridge must make copies. May
/// sleep.
pub(crate) fn sync(bridge: &Bridge) {
    if !wants(bridge) {
        flush(bridge);
        return;
    }
    let has_changed = |port: &Port| may_be_given(port) != (port.is_given.load_relaxed() != 0);
    if bridge.ports.lock().iter().any(|port| has_changed(port)) {
        revoke::reconsider(bridge);
    }
    let is_done = {
        let gate = bridge.gate.lock();
        let is_full = bridge.table.published() >= MOST;
        gate.is_open() && (is_full || gate.done == Some(bridge.writer.lock().changes()))
    };
    if !is_done {
        bridge.ask_to_publish();
    }
}

/// Whether anything may be published, as far as can be told without RTNL.
fn wants(bridge: &Bridge) -> bool {
    may_publish(bridge, &bridge.ports.lock())
}

impl Job for Publisher {
    fn run(&self) -> Option<usize> {
        let bridge = &*self.bridge;
        if !wants(bridge) {
            // The upkeep takes back what is published.
            return None;
        }
        // Ports stay in the bridge meanwhile, and keep the settings by which it directs frames.
        let Some(rtnl) = Rtnl::try_lock() else {
            return Some(self.retry.wait(0));
        };
        self.retry.reset();
        if !open(bridge, &rtnl) {
            drop(rtnl);
            flush(bridge);
            return None;
        }
        // Without memory it is tried again in a second.
        let is_more = publish(bridge, &rtnl).unwrap_or(false);
        is_more.then_some(SOON)
    }
}

/// Lets keys be published if they may be. Whether they may.
fn open(bridge: &Bridge, rtnl: &Rtnl) -> bool {
    let ports = bridge.ports.lock();
    // One that could not be taken in gets every copy.
    let knows_all = ports.len() == kernel_bridge::count_ports(&bridge.device, rtnl);
    let mut gate = bridge.gate.lock();
    let may = knows_all && may_publish(bridge, &ports);
    gate.set_open(may);
    may
}

/// Whether the bridge may direct frames: no port but the owner's would get them, and it learns nothing
/// by itself.
fn may_publish(bridge: &Bridge, ports: &[Arc<Port>]) -> bool {
    let device = &bridge.device;
    let is_hub = kernel_bridge::is_hub(device);
    let hides_states = kernel_bridge::filters_vlans(device) && kernel_bridge::runs_mst(device);
    ReadSection::enter(|section| {
        let is_plain = |port: &Port| {
            let has = |flag| kernel_bridge::has_flag(&port.device, flag, section);
            // It answers ARP for whatever has an entry.
            !has(PortFlag::ProxyArp) && (is_hub || !has(PortFlag::Learning))
        };
        bridge.offloads()
            && bridge.is_tracked()
            // An address of its own would cease to be that, were it published.
            && !bridge.are_addresses_due()
            && !hides_states
            && !bridge.is_closed()
            && bridge.writer.lock().has_nothing_pending()
            && ports.iter().all(|port| {
                let flags = port.flags();
                // Nothing is published while a port joins, which takes RTNL; and who lets it join
                // sees to what is, if it is not to be enabled.
                (flags.filters() || flags.has(Flag::Joining)) && is_plain(port)
            })
    })
}

/// Whether an entry for what the port owns would do no more than spare copies.
fn may_be_given(port: &Port) -> bool {
    ReadSection::enter(|section| {
        let has = |flag| kernel_bridge::has_flag(&port.device, flag, section);
        // A frame that the bridge directs to a port gets there where a copy would not.
        has(PortFlag::Flood)
            // The entry would authorise a source.
            && !has(PortFlag::Locked)
            // Neighbours that have one there are answered for.
            && !has(PortFlag::ProxyArpWifi)
            && !has(PortFlag::NeighbourSuppress)
            && !has(PortFlag::NeighbourVlanSuppress)
    })
}

/// Gives the bridge what is not published yet, and takes back what may not be any more. Whether there
/// is more.
fn publish(bridge: &Bridge, rtnl: &Rtnl) -> Result<bool> {
    let (changes, mut cursor) = {
        let locked = bridge.writer.lock();
        (locked.changes(), locked.cursor())
    };
    let done = bridge.gate.lock().done;
    if done == Some(changes) {
        return Ok(false);
    }
    let mut ports = bridge.ports_by_index()?;
    let mut are_all = true;
    for place in &mut ports {
        let Some(port) = place else { continue };
        let may = may_be_given(port);
        port.is_given.store_relaxed(may.into());
        if !may {
            *place = None;
            are_all = false;
        }
    }
    let port_of = |index| ports.get(usize::from(index)).and_then(Option::as_deref);
    if done.is_none() && !are_all && bridge.table.published() != 0 {
        let walk = Walk::begin(bridge);
        let was_complete = walk.visit_all(Kind::Deleted, |entry| {
            if entry.is_published && port_of(entry.port).is_none() {
                Action::Unpublish
            } else {
                Action::Keep
            }
        });
        if !was_complete {
            return Ok(true);
        }
    }
    let mut keys = KVec::with_capacity(BUCKETS_A_HOLD * Entry::MOST_IN_A_BUCKET, GFP_KERNEL)?;
    let mut published = 0;
    loop {
        keys.clear();
        let visit = bridge
            .writer
            .lock()
            .visit(&mut cursor, BUCKETS_A_HOLD, |entry| {
                let is_candidate = !entry.is_published
                    && !entry.claims.has(Claims::BRIDGE)
                    && port_of(entry.port).is_some()
                    // Its frames would be lost.
                    && !bridge.quiet.has(entry.port);
                if is_candidate {
                    // There is room for all that the buckets can hold.
                    let _ = keys.push_within_capacity(entry.key);
                }
                Action::Keep
            });
        for &key in &*keys {
            let gate = bridge.gate.lock();
            if !gate.is_open() || bridge.table.published() >= MOST {
                return Ok(false);
            }
            if kernel_bridge::has_entry(&bridge.device, key.mac(), key.vlan(), rtnl) {
                // Somebody else's, which it would replace. Not every one is told of.
                continue;
            }
            let index = bridge.writer.lock().publish(key);
            let Some(index) = index else { continue };
            let Some(port) = port_of(index) else {
                // It has changed hands since.
                bridge.writer.lock().disown_published(key);
                continue;
            };
            let given = switchdev::give_to_bridge(&port.device, key.mac(), key.vlan(), rtnl);
            let is_published = {
                let mut locked = bridge.writer.lock();
                if given.is_err() {
                    locked.disown_published(key);
                }
                locked.is_published(key)
            };
            given?;
            if !is_published {
                // It has ceased to be since, perhaps since an older entry went.
                revoke::take(bridge, key);
                continue;
            }
            published += 1;
        }
        match visit {
            Visit::More if published < MOST_A_HOLD => {}
            Visit::More | Visit::Incomplete => return Ok(true),
            Visit::Complete => break,
        }
    }
    let mut gate = bridge.gate.lock();
    if gate.is_open() {
        gate.done = Some(changes);
        bridge.set_all_published(true);
    }
    Ok(false)
}

#[kernel::macros::kunit_tests(maclearn_offload)]
mod tests {
    use super::*;

    use crate::{
        kapi::{atomic::AtomicU32, delayed_work::new_delayed_work},
        lab::Lab,
        state::settings::BridgeSetting,
        table::Key,
    };

    const KEY: Key = Key::from_parts(0, 2);

    /// A test that fails does not release what it has taken.
    fn with_rtnl<R>(run: impl FnOnce(&Rtnl) -> R) -> R {
        run(&Rtnl::lock())
    }

    /// Closes a bridge's gate in a thread of its own.
    struct Closing {
        bridge: Arc<Bridge>,
        has_begun: AtomicU32,
        has_ended: AtomicU32,
    }

    impl Job for Closing {
        fn run(&self) -> Option<usize> {
            self.has_begun.store_release(1);
            flush(&self.bridge);
            self.has_ended.store_release(1);
            None
        }
    }

    #[test]
    fn closing_waits_for_what_others_take_back() -> Result {
        let lab = Lab::new()?;
        let bridge = &lab.bridge;
        lab.learn(0, KEY);
        let is_more = with_rtnl(|rtnl| {
            open(bridge, rtnl);
            publish(bridge, rtnl)
        })?;
        assert!(!is_more);
        assert_eq!(bridge.table.published(), 1);
        // A frame from another port, which has not come to take the key back yet.
        lab.learn(1, KEY);
        let keys = bridge.writer.lock().take_unpublished().ok_or(EINVAL)?;
        assert_eq!(bridge.table.published(), 0);
        let closing = Arc::new(
            Closing {
                bridge: bridge.clone(),
                has_begun: AtomicU32::new(0),
                has_ended: AtomicU32::new(0),
            },
            GFP_KERNEL,
        )?;
        let work = Arc::pin_init(
            new_delayed_work!(closing.clone(), "maclearn_kunit_closing"),
            GFP_KERNEL,
        )?;
        work.schedule(0);
        while closing.has_begun.load_acquire() == 0 {
            rcu::wait_for_readers();
        }
        // Many times what it takes to close a gate that nothing keeps open.
        for _ in 0..20 {
            rcu::wait_for_readers();
        }
        assert_eq!(closing.has_ended.load_acquire(), 0);
        revoke::take_back(bridge, keys, Some(1));
        while closing.has_ended.load_acquire() == 0 {
            rcu::wait_for_readers();
        }
        Ok(())
    }

    #[test]
    fn nothing_is_published_once_the_gate_is_closed() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        lab.learn(0, KEY);
        let [was_open, is_more, is_given, is_open] = with_rtnl(|rtnl| -> Result<_> {
            let was_open = open(bridge, rtnl);
            // By `fdb_offload off`, while it is about to be published.
            bridge
                .settings
                .set(&bridge.writer.lock(), BridgeSetting::FdbOffload, 0);
            flush(bridge);
            let is_more = publish(bridge, rtnl)?;
            let is_given = kernel_bridge::has_entry(&bridge.device, KEY.mac(), 0, rtnl);
            Ok([was_open, is_more, is_given, open(bridge, rtnl)])
        })?;
        assert!(was_open && !is_more && !is_given && !is_open);
        assert_eq!(bridge.table.published(), 0);
        Ok(())
    }
}
