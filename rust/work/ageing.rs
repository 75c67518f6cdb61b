// SPDX-License-Identifier: GPL-2.0

//! Ageing: what was not seen for the ageing time is forgotten, and that time changes.

use kernel::prelude::*;

use super::walk::Walk;
use crate::{
    kapi::{bridge as kernel_bridge, clock, rcu},
    state::{
        ageing::{Ageing, MAX_AGEING_SECONDS},
        bridge::Bridge,
        counters::Counter,
        events::Kind,
        settings::BridgeSetting,
    },
    table::{Action, Claims, Stamp},
};

/// Forgets aged entries, if there can be any. May sleep.
///
/// # Errors
///
/// `ENOMEM`; then it is to be tried again.
pub(crate) fn sweep(walk: &Walk<'_>) -> Result {
    let bridge = walk.bridge();
    let ageing = bridge.ageing();
    let now = bridge.now();
    let is_early = || bridge.ports().iter().all(|port| port.expiry() > now);
    if ageing.limit.is_none() || is_early() {
        return Ok(());
    }
    let by_index = bridge.ports_by_index()?;
    let mut expiries = KVec::from_elem(u64::MAX, by_index.len(), GFP_KERNEL)?;
    {
        let locked = bridge.table_lock.lock();
        bridge.sweeping.store_relaxed(true);
        // Lowered again at the end, for the entries that stay, and by whoever learns meanwhile.
        for port in by_index.iter().flatten() {
            port.set_expiry(&locked, u64::MAX);
        }
    }
    walk.visit_table(Kind::Aged, |entry, _| {
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
        let expiry = &mut expiries[usize::from(entry.port)];
        *expiry = ageing.expiry(entry.stamp, now).min(*expiry);
        Action::Keep
    });
    let locked = bridge.table_lock.lock();
    for (port, &expiry) in by_index.iter().zip(&expiries) {
        if let Some(port) = port {
            port.lower_expiry(&locked, expiry);
        }
    }
    bridge.sweeping.store_relaxed(false);
    Ok(())
}

/// Makes [`Bridge::ageing_seconds`] the bridge's if it is to be that. May sleep.
pub(crate) fn follow_bridge(bridge: &Bridge) {
    let walk = Walk::begin(bridge);
    if !bridge.follows_ageing() {
        return;
    }
    let seconds = match kernel_bridge::ageing_seconds(&bridge.device) {
        0 => BridgeSetting::AgeingTime.default(),
        seconds => seconds.min(MAX_AGEING_SECONDS.into()) as u32,
    };
    if seconds != bridge.ageing_seconds() {
        set_seconds(&walk, seconds);
    }
}

/// Sets [`Bridge::ageing_seconds`]. May sleep.
///
/// Ages start anew if the unit of the stamps changes, or if entries did not age so far.
pub(crate) fn set_seconds(walk: &Walk<'_>, seconds: u32) {
    let bridge = walk.bridge();
    let old = bridge.ageing();
    let new = Ageing::new(seconds, clock::HZ);
    if old.unit_shift != new.unit_shift || old.limit.is_none() {
        bridge.set_unit(walk.walking(), new.unit_shift);
        // What is used before all is stamped anew is among what is old.
        for port in &*bridge.ports() {
            port.set_forget_until(&bridge.table_lock.lock(), bridge.now());
        }
        // Frames under way still stamp in the old unit.
        rcu::wait_for_readers();
        let now = bridge.now() as Stamp;
        walk.visit_all(Kind::Deleted, |_, _| Action::Restamp(now));
        for port in &*bridge.ports() {
            let locked = bridge.table_lock.lock();
            port.set_lost(&locked, bridge.now());
            port.set_forget_until(&locked, bridge.now());
        }
        bridge.set_ahead_until(&bridge.table_lock.lock(), bridge.now() + 1);
    }
    bridge.set_ageing(walk.walking(), &bridge.table_lock.lock(), seconds, new);
    let ports = bridge.ports();
    let locked = bridge.table_lock.lock();
    for port in &*ports {
        port.set_expiry(&locked, 0);
    }
    drop(locked);
    drop(ports);
    bridge.queue_maintenance();
}
