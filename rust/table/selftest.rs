// SPDX-License-Identifier: GPL-2.0

//! What a table promises, shown one promise a test. Runs in the kernel (KUnit) and on the host.

#[cfg_attr(CONFIG_KUNIT, kernel::macros::kunit_tests(maclearn_table))]
mod tests {
    use crate::platform::{read_lock, OutOfMemory};
    use crate::table::*;

    const NO_LIMITS: Limits = Limits { port: 0, total: 0 };

    fn secret() -> Secret {
        Secret::new([
            0x0123_4567_89ab_cdef,
            0x1f83_d9ab_fb41_bd6b,
            0x9b05_688c_2b3e_6c1f,
            0x5be0_cd19_137e_2179,
        ])
    }

    fn table() -> Result<(Table, Writer), OutOfMemory> {
        Table::new(secret(), 0)
    }

    fn key(number: u64) -> Key {
        Key::from_parts(0, 0x02 | (number << 8))
    }

    fn learn(writer: &mut Writer, key: Key, port: PortIndex) -> Learned {
        writer.learn(key, port, 0, NO_LIMITS, false)
    }

    fn ownership(table: &Table, key: Key, port: PortIndex) -> Ownership {
        table.ownership(&read_lock(), key, port)
    }

    fn refresh(table: &Table, key: Key, port: PortIndex, now: Stamp) -> bool {
        table.refresh(&read_lock(), key, port, now) != Use::Unknown
    }

    fn remove(writer: &mut Writer, key: Key, port: PortIndex) -> bool {
        writer.withdraw(key, port, Claims::ALL)
    }

    /// The only entry of `writer`, if there is exactly one.
    fn only_entry(writer: &mut Writer) -> Option<Entry> {
        let mut found = None;
        let mut count = 0;
        let mut cursor = writer.cursor();
        while writer.visit(&mut cursor, 1, |entry| {
            found = Some(entry);
            count += 1;
            Action::Keep
        }) == Visit::More
        {}
        found.filter(|_| count == 1)
    }

    /// Resizes the table as long as it wants to be.
    fn resize(writer: &mut Writer) -> Result<(), OutOfMemory> {
        while let Some(buckets) = writer.wanted() {
            writer.begin_resize(Array::allocate(buckets, secret())?);
            while writer.migrate(3) == Migration::More {}
            drop(writer.retire());
        }
        Ok(())
    }

    #[test]
    fn key_keeps_vlan_and_mac() {
        let mac = [0x02, 0xfe, 0x80, 0x01, 0x7f, 0xff];
        let key = Key::new(4094, mac);
        assert_eq!(key.vlan(), 4094);
        assert_eq!(key.mac(), mac);
        // Two bytes of something else follow the address in a frame.
        let word = u64::from_le_bytes([0x02, 0xfe, 0x80, 0x01, 0x7f, 0xff, 0x08, 0x06]);
        assert!(Key::from_parts(4094, word) == key);
        assert!(Key::new(4093, mac) != key);
    }

    #[test]
    fn learned_key_belongs_to_its_port() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        assert_eq!(ownership(&table, key(1), 3), Ownership::Nobody);
        assert_eq!(learn(&mut writer, key(1), 3), Learned::New { moved: false });
        assert_eq!(learn(&mut writer, key(1), 3), Learned::Known);
        assert_eq!(ownership(&table, key(1), 3), Ownership::Mine);
        assert_eq!(ownership(&table, key(1), 4), Ownership::Other);
        assert_eq!(ownership(&table, key(2), 3), Ownership::Nobody);
        assert_eq!(table.port_count(3), 1);
        assert_eq!(table.total(), 1);
        assert!(remove(&mut writer, key(1), 3));
        assert!(!remove(&mut writer, key(1), 3));
        assert_eq!(ownership(&table, key(1), 3), Ownership::Nobody);
        assert_eq!(table.total(), 0);
        Ok(())
    }

    fn miss<'a>(
        table: &'a Table,
        guard: &'a crate::platform::ReadGuard,
        key: Key,
    ) -> Option<Miss<'a>> {
        match table.refresh_fast(guard, key, 1, 0) {
            Sight::New(miss) => Some(miss),
            Sight::Known | Sight::Unclear => None,
        }
    }

    #[test]
    fn absent_key_is_learned_without_another_look() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        let guard = read_lock();
        let mut learn = |number, limits| {
            let miss = miss(&table, &guard, key(number));
            miss.and_then(|miss| writer.learn_after_miss(&miss, 1, 7, limits))
        };
        let limits = |port, total| Limits { port, total };
        let new = Learned::New { moved: false };
        assert_eq!(learn(1, limits(1, 1)), Some(new));
        assert_eq!(learn(2, limits(1, 0)), Some(Learned::PortLimit));
        assert_eq!(learn(3, limits(0, 1)), Some(Learned::TotalLimit));
        assert_eq!(ownership(&table, key(1), 1), Ownership::Mine);
        assert_eq!(table.port_count(1), 1);
        assert_eq!(only_entry(&mut writer).map(|entry| entry.stamp), Some(7));
        Ok(())
    }

    #[test]
    fn absence_is_no_proof_once_the_key_may_be_there() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        let larger = Array::allocate(16, secret())?;
        let guard = read_lock();
        let before = miss(&table, &guard, key(1));
        assert!(before.is_some());
        learn(&mut writer, key(1), 2);
        let learned = before.and_then(|before| writer.learn_after_miss(&before, 1, 0, NO_LIMITS));
        assert_eq!(learned, None);
        // Nor in an array that is the last no longer.
        let before = miss(&table, &guard, key(2));
        assert!(before.is_some());
        writer.begin_resize(larger);
        learn(&mut writer, key(2), 2);
        let learned = before.and_then(|before| writer.learn_after_miss(&before, 1, 0, NO_LIMITS));
        assert_eq!(learned, None);
        assert_eq!(table.total(), 2);
        Ok(())
    }

    #[test]
    fn same_mac_in_two_vlans_is_two_keys() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        let mac = [2, 0, 0, 0, 0, 1];
        learn(&mut writer, Key::new(10, mac), 1);
        learn(&mut writer, Key::new(20, mac), 2);
        assert_eq!(ownership(&table, Key::new(10, mac), 1), Ownership::Mine);
        assert_eq!(ownership(&table, Key::new(20, mac), 1), Ownership::Other);
        assert_eq!(ownership(&table, Key::new(30, mac), 1), Ownership::Nobody);
        Ok(())
    }

    #[test]
    fn refresh_stamps_what_the_port_learned() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        writer.learn(key(1), 3, 10, NO_LIMITS, false);
        assert_eq!(table.refresh(&read_lock(), key(1), 3, 11), Use::First);
        assert_eq!(table.refresh(&read_lock(), key(1), 3, 11), Use::Again);
        assert!(!refresh(&table, key(1), 4, 12));
        assert!(!refresh(&table, key(2), 3, 12));
        assert_eq!(only_entry(&mut writer).map(|entry| entry.stamp), Some(11));
        writer.claim(key(1), 3, Claims::STATIC, NO_LIMITS);
        assert!(refresh(&table, key(1), 3, 13));
        assert_eq!(only_entry(&mut writer).map(|entry| entry.stamp), Some(13));
        // It is the port's own, but that it sends from it is news.
        writer.withdraw(key(1), 3, Claims::LEARNED);
        assert!(!refresh(&table, key(1), 3, 14));
        Ok(())
    }

    #[test]
    fn key_of_several_ports() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        learn(&mut writer, key(1), 1);
        assert_eq!(learn(&mut writer, key(1), 2), Learned::New { moved: true });
        assert_eq!(learn(&mut writer, key(1), 3), Learned::New { moved: true });
        assert_eq!(table.total(), 3);
        assert_eq!(ownership(&table, key(1), 4), Ownership::Other);
        assert!(refresh(&table, key(1), 3, 9));
        // The first owner goes: the others stay.
        assert!(remove(&mut writer, key(1), 1));
        assert_eq!(ownership(&table, key(1), 1), Ownership::Other);
        assert_eq!(ownership(&table, key(1), 2), Ownership::Mine);
        assert_eq!(ownership(&table, key(1), 3), Ownership::Mine);
        assert!(remove(&mut writer, key(1), 3));
        assert_eq!(ownership(&table, key(1), 2), Ownership::Mine);
        assert!(remove(&mut writer, key(1), 2));
        assert_eq!(ownership(&table, key(1), 2), Ownership::Nobody);
        assert_eq!(table.total(), 0);
        Ok(())
    }

    #[test]
    fn exclusive_takes_what_was_learned() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        learn(&mut writer, key(1), 1);
        learn(&mut writer, key(1), 2);
        writer.claim(key(1), 3, Claims::STATIC, NO_LIMITS);
        let full = Limits { port: 0, total: 3 };
        assert_eq!(
            writer.learn(key(1), 4, 0, full, true),
            Learned::New { moved: true }
        );
        assert_eq!(ownership(&table, key(1), 1), Ownership::Other);
        assert_eq!(ownership(&table, key(1), 2), Ownership::Other);
        assert_eq!(ownership(&table, key(1), 3), Ownership::Mine);
        assert_eq!(ownership(&table, key(1), 4), Ownership::Mine);
        assert_eq!(table.port_count(1) + table.port_count(2), 0);
        assert_eq!(table.total(), 2);
        Ok(())
    }

    #[test]
    fn exclusive_next_to_a_configured_first_owner() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        writer.claim(key(1), 1, Claims::STATIC, NO_LIMITS);
        let full = Limits { port: 0, total: 2 };
        assert_eq!(
            writer.learn(key(1), 2, 0, full, true),
            Learned::New { moved: true }
        );
        assert_eq!(
            writer.learn(key(1), 3, 0, full, true),
            Learned::New { moved: true }
        );
        assert_eq!(ownership(&table, key(1), 1), Ownership::Mine);
        assert_eq!(ownership(&table, key(1), 2), Ownership::Other);
        assert_eq!(ownership(&table, key(1), 3), Ownership::Mine);
        assert_eq!(table.total(), 2);
        Ok(())
    }

    #[test]
    fn tells_when_others_used_a_key_last() -> Result<(), OutOfMemory> {
        let (_table, mut writer) = table()?;
        assert!(!writer.has_key(key(1)));
        // Across the wrap of a stamp.
        for (port, stamp) in [(1, 0xffff), (2, 3), (3, 1)] {
            assert_eq!(writer.age_elsewhere(key(1), port, 5).is_some(), port > 1);
            writer.learn(key(1), port, stamp, NO_LIMITS, false);
        }
        writer.claim(key(1), 4, Claims::STATIC, NO_LIMITS);
        assert!(writer.has_key(key(1)));
        assert_eq!(writer.age_elsewhere(key(1), 4, 5), Some(2));
        assert_eq!(writer.age_elsewhere(key(1), 2, 5), Some(4));
        writer.withdraw(key(1), 2, Claims::LEARNED);
        writer.withdraw(key(1), 3, Claims::LEARNED);
        assert_eq!(writer.age_elsewhere(key(1), 4, 5), Some(6));
        assert_eq!(writer.age_elsewhere(key(1), 1, 5), None);
        // Used since the clock was read
        writer.learn(key(1), 5, 6, NO_LIMITS, false);
        assert_eq!(writer.age_elsewhere(key(1), 1, 5), Some(0));
        // Long ago, where nothing ages
        assert_eq!(writer.age_elsewhere(key(1), 1, 54_006), Some(54_000));
        Ok(())
    }

    #[test]
    fn limits_hold_back_new_keys_only() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        let limits = Limits { port: 2, total: 3 };
        let mut learn = |number, port| writer.learn(key(number), port, 0, limits, false);
        assert_eq!(learn(1, 1), Learned::New { moved: false });
        assert_eq!(learn(2, 1), Learned::New { moved: false });
        assert_eq!(learn(3, 1), Learned::PortLimit);
        assert_eq!(learn(1, 1), Learned::Known);
        assert_eq!(learn(3, 2), Learned::New { moved: false });
        assert_eq!(learn(4, 2), Learned::TotalLimit);
        assert_eq!(learn(1, 2), Learned::TotalLimit);
        assert_eq!(ownership(&table, key(4), 2), Ownership::Nobody);
        assert_eq!(table.total(), 3);
        Ok(())
    }

    #[test]
    fn port_out_of_range_owns_nothing() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        let port = MAX_PORTS as PortIndex;
        assert_eq!(learn(&mut writer, key(1), port), Learned::PortLimit);
        assert_eq!(
            writer.claim(key(1), port, Claims::STATIC, NO_LIMITS),
            Learned::PortLimit
        );
        assert_eq!(ownership(&table, key(1), port), Ownership::Nobody);
        assert_eq!(table.port_count(port), 0);
        Ok(())
    }

    #[test]
    fn claims_are_kept_apart() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        let port = 1;
        learn(&mut writer, key(1), port);
        assert_eq!(writer.claims(key(1), port), Claims::LEARNED);
        assert_eq!(
            writer.claim(key(1), port, Claims::STATIC, NO_LIMITS),
            Learned::Known
        );
        assert_eq!(
            writer.claim(key(1), port, Claims::BRIDGE, NO_LIMITS),
            Learned::Known
        );
        assert_eq!(table.total(), 1);
        assert!(writer.withdraw(key(1), port, Claims::LEARNED));
        assert!(!writer.withdraw(key(1), port, Claims::LEARNED));
        assert!(writer.withdraw(key(1), port, Claims::STATIC));
        assert_eq!(writer.claims(key(1), port), Claims::BRIDGE);
        assert_eq!(ownership(&table, key(1), port), Ownership::Mine);
        assert!(writer.withdraw(key(1), port, Claims::BRIDGE));
        assert_eq!(ownership(&table, key(1), port), Ownership::Nobody);
        assert_eq!(table.total(), 0);
        Ok(())
    }

    #[test]
    fn bridge_has_one_port_for_a_key() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        writer.claim(key(1), 1, Claims::BRIDGE, NO_LIMITS);
        learn(&mut writer, key(1), 2);
        assert!(writer.is_in_bridge_fdb(key(1)));
        writer.claim(key(1), 3, Claims::BRIDGE, NO_LIMITS);
        assert!(writer.is_in_bridge_fdb(key(1)));
        assert_eq!(ownership(&table, key(1), 1), Ownership::Other);
        assert_eq!(ownership(&table, key(1), 2), Ownership::Mine);
        assert_eq!(ownership(&table, key(1), 3), Ownership::Mine);
        writer.withdraw(key(1), 3, Claims::BRIDGE);
        assert!(!writer.is_in_bridge_fdb(key(1)));
        Ok(())
    }

    /// What must be revoked, and is.
    fn revoked(writer: &mut Writer) -> Option<Key> {
        let taken = writer.take_revoked()?;
        let key = taken.keys().next();
        writer.end_revoking(taken);
        for port in 0..4 {
            writer.clear_revoking(key?, port);
        }
        key
    }

    fn has(revoked: Option<&Revoked>, key: Key) -> bool {
        revoked.is_some_and(|keys| keys.keys().any(|other| other == key))
    }

    /// Whether a frame would find that the port has learned the key, and go on.
    fn goes_on(table: &Table, key: Key, port: PortIndex) -> bool {
        let guard = read_lock();
        matches!(table.refresh_fast(&guard, key, port, 0), Sight::Known)
            || table.refresh(&guard, key, port, 0) != Use::Unknown
    }

    #[test]
    fn no_frame_goes_on_before_its_source_is_taken_back() -> Result<(), OutOfMemory> {
        for exclusive in [false, true] {
            let (table, mut writer) = table()?;
            learn(&mut writer, key(1), 1);
            writer.offload(key(1));
            assert!(goes_on(&table, key(1), 1));
            writer.learn(key(1), 2, 0, NO_LIMITS, exclusive);
            let first = writer.take_revoked();
            assert!(has(first.as_ref(), key(1)));
            // The next frame, elsewhere, before that is done.
            assert!(!goes_on(&table, key(1), 2));
            writer.learn(key(1), 2, 0, NO_LIMITS, exclusive);
            let next = writer.take_revoked();
            assert!(has(next.as_ref(), key(1)));
            // Nor is it offloaded meanwhile, even when it has one owner again.
            writer.withdraw(key(1), 1, Claims::LEARNED);
            assert_eq!(writer.offload(key(1)), None);
            writer.clear_revoking(key(1), 2);
            assert!(goes_on(&table, key(1), 2));
            assert_eq!(writer.offload(key(1)), Some(2));
            for keys in [first, next].into_iter().flatten() {
                writer.end_revoking(keys);
            }
        }
        Ok(())
    }

    #[test]
    fn key_that_comes_back_while_it_is_taken_back_is_so_again() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        learn(&mut writer, key(1), 1);
        writer.offload(key(1));
        remove(&mut writer, key(1), 1);
        let Some(removed) = writer.take_revoked() else {
            panic!("nothing was revoked");
        };
        // One that can't be learned, one that is looked for first, one that is not.
        writer.revoke(key(1));
        assert!(has(writer.take_revoked().as_ref(), key(1)));
        for looks in [true, false] {
            let port = if looks { 2 } else { 3 };
            let guard = read_lock();
            let miss = match table.refresh_fast(&guard, key(1), port, 0) {
                Sight::New(miss) if looks => Some(miss),
                _ => None,
            };
            miss.and_then(|miss| writer.learn_after_miss(&miss, port, 0, NO_LIMITS))
                .unwrap_or_else(|| writer.learn(key(1), port, 0, NO_LIMITS, false));
            assert!(has(writer.take_revoked().as_ref(), key(1)));
            assert!(!goes_on(&table, key(1), port));
            writer.clear_revoking(key(1), port);
            assert!(goes_on(&table, key(1), port));
        }
        // What the bridge's own database has is not offloaded, nor revoked.
        writer.claim(key(2), 1, Claims::BRIDGE, NO_LIMITS);
        assert!(writer.take_revoked().is_none());
        writer.end_revoking(removed);
        Ok(())
    }

    #[test]
    fn key_is_offloaded_while_it_has_that_owner_only() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        assert_eq!(writer.offload(key(1)), None);
        learn(&mut writer, key(1), 1);
        assert_eq!(writer.offload(key(1)), Some(1));
        assert_eq!(writer.offload(key(1)), None);
        assert_eq!(table.offloaded(), 1);
        assert!(revoked(&mut writer).is_none());
        // A second owner.
        learn(&mut writer, key(1), 2);
        assert!(revoked(&mut writer) == Some(key(1)));
        assert_eq!(writer.offload(key(1)), None);
        // The first one goes.
        remove(&mut writer, key(1), 1);
        assert_eq!(writer.offload(key(1)), Some(2));
        // Another takes it over.
        writer.learn(key(1), 3, 0, NO_LIMITS, true);
        assert!(revoked(&mut writer) == Some(key(1)));
        assert_eq!(writer.offload(key(1)), Some(3));
        remove(&mut writer, key(1), 3);
        assert!(revoked(&mut writer) == Some(key(1)));
        assert_eq!(table.offloaded(), 0);
        Ok(())
    }

    #[test]
    fn bridge_takes_what_is_offloaded_for_its_own() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        learn(&mut writer, key(1), 1);
        writer.offload(key(1));
        writer.claim(key(1), 2, Claims::BRIDGE, NO_LIMITS);
        assert_eq!(table.offloaded(), 0);
        assert!(revoked(&mut writer).is_none());
        assert_eq!(writer.offload(key(1)), None);
        Ok(())
    }

    #[test]
    fn visit_removes_a_ports_keys() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        for number in 0..9 {
            learn(&mut writer, key(number), 1);
            learn(&mut writer, key(number), 2);
        }
        let mut cursor = writer.cursor();
        let mut visit = Visit::More;
        while visit == Visit::More {
            visit = writer.visit(&mut cursor, 1, |entry| match entry.port {
                1 => Action::Withdraw(Claims::ALL),
                _ => Action::Keep,
            });
        }
        assert_eq!(visit, Visit::Complete);
        assert_eq!(table.port_count(1), 0);
        assert_eq!(table.port_count(2), 9);
        for number in 0..9 {
            assert_eq!(ownership(&table, key(number), 1), Ownership::Other);
            assert_eq!(ownership(&table, key(number), 2), Ownership::Mine);
        }
        Ok(())
    }

    #[test]
    fn visit_says_when_it_may_have_missed_an_entry() -> Result<(), OutOfMemory> {
        let (_table, mut writer) = table()?;
        learn(&mut writer, key(1), 1);
        learn(&mut writer, key(1), 2);
        let mut cursor = writer.cursor();
        writer.visit(&mut cursor, 4, |_| Action::Keep);
        // Port 2's entry takes the place of port 1's, which may have been visited.
        remove(&mut writer, key(1), 1);
        let mut visit = Visit::More;
        while visit == Visit::More {
            visit = writer.visit(&mut cursor, 1, |_| Action::Keep);
        }
        assert_eq!(visit, Visit::Incomplete);
        Ok(())
    }

    #[test]
    fn restamp_sets_the_stamp() -> Result<(), OutOfMemory> {
        let (_table, mut writer) = table()?;
        learn(&mut writer, key(1), 1);
        let mut cursor = writer.cursor();
        while writer.visit(&mut cursor, 1, |_| Action::Restamp(77)) == Visit::More {}
        assert_eq!(only_entry(&mut writer).map(|entry| entry.stamp), Some(77));
        Ok(())
    }

    #[test]
    fn grows_and_shrinks_with_its_keys() -> Result<(), OutOfMemory> {
        const KEYS: u64 = 3000;
        let (table, mut writer) = table()?;
        let empty = table.memory_bytes();
        for number in 0..KEYS {
            assert_eq!(
                learn(&mut writer, key(number), (number % 7) as PortIndex),
                Learned::New { moved: false }
            );
            resize(&mut writer)?;
        }
        let full = table.memory_bytes() - empty;
        assert!(full <= 32 * KEYS as usize);
        for number in 0..KEYS {
            let port = (number % 7) as PortIndex;
            assert_eq!(ownership(&table, key(number), port), Ownership::Mine);
            assert_eq!(ownership(&table, key(number), 7), Ownership::Other);
        }
        for number in 0..KEYS {
            assert!(remove(&mut writer, key(number), (number % 7) as PortIndex));
            resize(&mut writer)?;
        }
        assert_eq!(table.total(), 0);
        assert_eq!(table.memory_bytes(), empty);
        Ok(())
    }

    #[test]
    fn everything_is_found_in_the_middle_of_a_resize() -> Result<(), OutOfMemory> {
        let (table, mut writer) = table()?;
        for number in 0..20 {
            learn(&mut writer, key(number), 1);
        }
        // The second array is too small for all, so a third one is begun.
        writer.begin_resize(Array::allocate(8, secret())?);
        for number in 20..40 {
            learn(&mut writer, key(number), 1);
        }
        let learned = table.total();
        loop {
            let found = (0..40)
                .filter(|number| ownership(&table, key(*number), 1) == Ownership::Mine)
                .count();
            assert_eq!(found, learned as usize);
            match writer.migrate(1) {
                Migration::More => {}
                Migration::Stuck => writer.begin_resize(Array::allocate(18, secret())?),
                Migration::Done => match writer.retire() {
                    Some(array) => drop(array),
                    None => break,
                },
            }
        }
        assert_eq!(table.total(), learned);
        Ok(())
    }
}
