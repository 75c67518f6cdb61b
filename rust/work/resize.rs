// SPDX-License-Identifier: GPL-2.0

//! Growing and shrinking the table.

use super::walk::{Walk, BUCKETS_A_HOLD};
use crate::{
    kapi::random,
    table::{Array, Migration, Secret},
};

/// Grows or shrinks the table if it asks for that, and goes on with what memory was lacking for
/// last time.
pub(crate) fn resize(walk: &Walk<'_>) {
    let bridge = walk.bridge();
    loop {
        if migrate(walk) == Migration::Done {
            loop {
                // Dropping an array waits for its readers, which must not happen under the lock.
                let retired = bridge.table_lock.lock().retire();
                if retired.is_none() {
                    break;
                }
            }
        }
        let Some(buckets) = bridge.table_lock.lock().wanted() else {
            bridge.out_of_memory.store_relaxed(false);
            return;
        };
        let array = bridge
            .memory
            .charge(|| Array::allocate(buckets, Secret::new(random::words())));
        let Ok(array) = array else {
            bridge.out_of_memory.store_relaxed(true);
            return;
        };
        bridge.table_lock.lock().begin_resize(array);
    }
}

/// Moves entries to the newest array, a few buckets under each hold of the lock.
fn migrate(walk: &Walk<'_>) -> Migration {
    loop {
        let progress = walk.bridge().table_lock.lock().migrate(BUCKETS_A_HOLD);
        if progress != Migration::More {
            return progress;
        }
    }
}
