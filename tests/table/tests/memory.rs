// SPDX-License-Identifier: GPL-2.0

//! How full a table gets, and how much memory it takes.

#![cfg(not(loom))]

use maclearn_table_tests::table::*;
use maclearn_table_tests::{key, resize, secret, NO_LIMITS};

#[test]
fn million_macs_are_learned_in_32_bytes_each() {
    let (table, mut writer) = Table::new(secret(0), 0).unwrap();
    let mut seed = 0;
    for number in 0..1_000_000 {
        let learned = writer.learn(key(number), 1, 0, NO_LIMITS, false);
        assert_eq!(learned, Learned::New { moved: false }, "key {number}");
        resize(&mut writer, &mut seed);
        let macs = number as usize + 1;
        if macs >= 100_000 {
            let bytes = table.memory_bytes();
            assert!(bytes <= 32 * macs, "{bytes} bytes for {macs} MACs");
        }
        if [1000, 100_000, 262_144, 1_000_000].contains(&macs) {
            println!("{macs} MACs: {} bytes each", table.memory_bytes() / macs);
        }
    }
}

#[test]
fn memory_is_given_back() {
    let (table, mut writer) = Table::new(secret(0), 0).unwrap();
    let mut seed = 0;
    let empty = table.memory_bytes();
    for number in 0..100_000 {
        writer.learn(key(number), 1, 0, NO_LIMITS, false);
        resize(&mut writer, &mut seed);
    }
    for number in 0..100_000 {
        assert!(writer.withdraw(key(number), 1, Claims::ALL));
        resize(&mut writer, &mut seed);
        let left = 99_999 - number as usize;
        let bytes = table.memory_bytes() - empty;
        // A quarter full: five slots in 64 bytes make 51.2 bytes an entry, and no table has less
        // than eight buckets.
        assert!(
            bytes <= (52 * left).max(1024),
            "{bytes} bytes for {left} MACs"
        );
    }
    assert_eq!(table.memory_bytes(), empty);
}

/// Fills an array without growing it, and returns how full it was when a key found no room.
fn load_at_first_failure(buckets: usize, seed: u64) -> f64 {
    let (table, mut writer) = Table::new(secret(seed), 0).unwrap();
    writer.begin_resize(Array::allocate(buckets, secret(seed + 1)).unwrap());
    for number in 0.. {
        if writer.learn(key(number), 1, 0, NO_LIMITS, false) == Learned::NoRoom {
            break;
        }
    }
    f64::from(table.total()) / (5 * buckets) as f64
}

#[test]
fn three_quarters_fit_before_a_key_finds_no_room() {
    for buckets in [8, 12, 18, 27, 100, 1000, 20_000, 130_000] {
        let tries = (200_000 / buckets).clamp(2, 100) as u64;
        let mut loads: Vec<_> = (0..tries)
            .map(|seed| load_at_first_failure(buckets, 10 * seed))
            .collect();
        loads.sort_by(f64::total_cmp);
        println!(
            "{buckets} buckets: full at {:.3} to {:.3}",
            loads[0],
            loads[loads.len() - 1]
        );
        assert!(loads[loads.len() / 2] > 0.8);
        assert!(loads[0] > 0.75);
    }
}
