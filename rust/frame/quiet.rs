// SPDX-License-Identifier: GPL-2.0

//! Whether a copy's destination is owned by ports only that can't receive.

use crate::{
    kapi::rcu,
    state::bridge::Bridge,
    table::{Key, Owners},
};

/// Whether all owners of `key`, the destination of a copy, are quiet. It has one at least. If the
/// frame's copies have a memo (`has_memo`) the others need not try each owner.
pub(crate) fn are_all_owners_quiet(
    bridge: &Bridge,
    key: Key,
    has_memo: bool,
    section: &rcu::Guard,
) -> bool {
    let (quiet, memo) = (&bridge.quiet, &bridge.memo);
    if quiet.is_empty() {
        return false;
    }
    if has_memo && memo.recall(key).is_some_and(Owners::are_quiet) {
        return true;
    }
    let is_awake = |port, _| !quiet.has(port);
    let are_quiet = !bridge.table.is_owned_by_any(section, key, is_awake);
    if are_quiet && has_memo {
        memo.note(key, bridge.table.owners(section, key).quietly());
    }
    are_quiet
}

#[kernel::macros::kunit_tests(maclearn_quiet)]
mod tests {
    use super::*;
    use crate::{
        kapi::spinlock_bh::local_bh_disable,
        lab::{Lab, KEY},
    };
    use kernel::prelude::*;

    #[test]
    fn that_all_owners_are_quiet_is_found_out_once_a_frame() -> Result {
        let lab = Lab::new()?;
        let bridge = &*lab.bridge;
        for port in [0, 1] {
            lab.learn(port, KEY);
            bridge.quiet.set(&mut bridge.table_lock.lock(), port, true);
        }
        let ask =
            |has_memo| rcu::read(|section| are_all_owners_quiet(bridge, KEY, has_memo, section));
        let softirqs = local_bh_disable();
        bridge.memo.clear();
        let without = (ask(false), bridge.memo.recall(KEY));
        let first = ask(true);
        bridge.quiet.set(&mut bridge.table_lock.lock(), 0, false);
        let others = (ask(true), ask(false));
        bridge.memo.clear();
        let next = (ask(true), bridge.memo.recall(KEY));
        drop(softirqs);
        // A frame whose copies have no memo leaves nothing there.
        assert_eq!(without, (true, None));
        // All copies of a frame go by what its first found, but for those that have no memo.
        assert!(first);
        assert_eq!(others, (true, false));
        // The next frame does not.
        assert_eq!(next, (false, None));
        Ok(())
    }
}
