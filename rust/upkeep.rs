// SPDX-License-Identifier: GPL-2.0

//! What keeps a bridge's table in shape, in process context: resizing and ageing.

use kernel::prelude::*;

use crate::{
    bridge::{new_secret, Bridge, BUCKETS_A_HOLD},
    events::{self, Kind},
    fdb,
    kapi::{clock, delayed_work::Job, rtnl::Rtnl},
    offload,
    port::Counter,
    quiet,
    table::{Action, Array, Claims, Migration, PortMask},
};

/// When to go on with what could not be finished, in ticks.
const SOON: usize = clock::TICKS_PER_SECOND.div_ceil(100) as usize;

/// Ticks between two walks that forget ports which have left.
const PURGE_INTERVAL: u64 = clock::TICKS_PER_SECOND.div_ceil(5);

impl Job for Bridge {
    /// Runs every second while the bridge is tracked, and when the packet path asks.
    fn run(&self) -> Option<usize> {
        let left_vlans = look(self);
        self.follow_ageing();
        let walk = self.walk.lock();
        let is_purging = purge(self);
        resize(self);
        // Those that have become quiet may be able to receive by now, and RTNL may be free.
        let is_soon = quiet::forget(self) || (self.left_vlans().is_some() && left_vlans.is_none());
        if let Some(left) = left_vlans {
            quiet::forget_left_vlans(self, left);
        }
        // Without memory for it, the sweep is tried again in a second.
        let _ = sweep(self);
        drop(walk);
        self.settle();
        offload::tend(self);
        events::send(self);
        if is_soon || is_purging {
            return Some(SOON);
        }
        self.is_tracked()
            .then_some(clock::TICKS_PER_SECOND as usize)
    }
}

/// Forgets ports that have left, but not at every run: where many leave, they share a walk. Whether
/// there is more to do soon.
fn purge(bridge: &Bridge) -> bool {
    let now = clock::ticks();
    let departed = bridge.writer.lock().departed();
    let is_due = now.wrapping_sub(bridge.purged.load_relaxed()) >= PURGE_INTERVAL;
    if departed != PortMask::NONE && is_due {
        bridge.purge(departed);
        bridge.purged.store_relaxed(now);
    }
    bridge.writer.lock().departed() != PortMask::NONE
}

/// Does what needs RTNL, if that can be had. What [`Bridge::left_vlans`] said then.
fn look(bridge: &Bridge) -> Option<u32> {
    let rtnl = Rtnl::try_lock()?;
    if bridge.are_addresses_due() {
        let _ = bridge.update_addresses();
    }
    quiet::look_at_all(bridge, &rtnl);
    fdb::tend(bridge, &rtnl);
    bridge.follow_vlan_filtering();
    // Whoever takes a port from a VLAN holds RTNL from when that is said until it is done.
    bridge.left_vlans()
}

/// Grows or shrinks the table if it asks for that, and goes on with what memory was lacking for
/// last time.
pub(crate) fn resize(bridge: &Bridge) {
    loop {
        if migrate(bridge) == Migration::Done {
            loop {
                // Dropping an array waits for its readers, which must not happen under the lock.
                let retired = bridge.writer.lock().retire();
                if retired.is_none() {
                    break;
                }
            }
        }
        let Some(buckets) = bridge.writer.lock().wanted() else {
            bridge.set_out_of_memory(false);
            return;
        };
        let array = bridge
            .memory
            .charge(|| Array::allocate(buckets, new_secret()));
        let Ok(array) = array else {
            bridge.set_out_of_memory(true);
            return;
        };
        bridge.writer.lock().begin_resize(array);
    }
}

/// Moves entries to the newest array, a few buckets under each hold of the lock.
fn migrate(bridge: &Bridge) -> Migration {
    loop {
        let progress = bridge.writer.lock().migrate(BUCKETS_A_HOLD);
        if progress != Migration::More {
            return progress;
        }
    }
}

/// Forgets aged entries, if there can be any.
fn sweep(bridge: &Bridge) -> Result {
    let ageing = bridge.ageing();
    let now = bridge.now();
    let is_early = || bridge.ports.lock().iter().all(|port| port.expiry() > now);
    if ageing.limit.is_none() || is_early() {
        return Ok(());
    }
    let by_index = bridge.ports_by_index()?;
    {
        let writer = bridge.writer.lock();
        bridge.set_sweeping(true);
        // Lowered again for each entry that stays, here and by whoever learns meanwhile.
        for port in by_index.iter().flatten() {
            port.set_expiry(&writer, u64::MAX);
        }
    }
    bridge.visit_table(Kind::Aged, |entry| {
        let Some(Some(port)) = by_index.get(usize::from(entry.port)) else {
            return Action::Keep;
        };
        if !entry.claims.has(Claims::LEARNED) {
            return Action::Keep;
        }
        if ageing.is_aged(entry.stamp, now) {
            port.counters.increment::<{ Counter::Aged as usize }>();
            return Action::Withdraw(Claims::LEARNED);
        }
        port.lower_expiry(ageing.expiry(entry.stamp, now));
        Action::Keep
    });
    bridge.set_sweeping(false);
    Ok(())
}
