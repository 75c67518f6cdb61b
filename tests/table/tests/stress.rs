// SPDX-License-Identifier: GPL-2.0

//! Readers and a writer on real threads: what is owned all the time is always found, while the
//! table churns, grows and shrinks around it.

#![cfg(not(loom))]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use maclearn_table_tests::platform::read_lock;
use maclearn_table_tests::table::*;
use maclearn_table_tests::{key, secret, NO_LIMITS};

/// Learned by port `key % 4` and never removed; every third is now and then shared.
const STEADY: u64 = 300;
/// Come and go.
const CHURNING: std::ops::Range<u64> = 1000..9000;
const ABSENT: std::ops::Range<u64> = 20_000..20_100;
const ROUNDS: u64 = 20;
/// It takes seconds; a reader that spins would not end at all.
const DEADLINE: Duration = Duration::from_secs(600);

fn home(number: u64) -> PortIndex {
    (number % 4) as PortIndex
}

fn read(table: &Table, stop: &AtomicBool, sweeps: &AtomicU64) {
    while !stop.load(Relaxed) {
        let guard = read_lock();
        for number in 0..STEADY {
            let port = home(number);
            assert_eq!(table.ownership(&guard, key(number), port), Ownership::Mine);
            // Never owned by this one.
            assert_eq!(table.ownership(&guard, key(number), 9), Ownership::Other);
            assert_ne!(table.refresh(&guard, key(number), port, 5), Use::Unknown);
        }
        for number in ABSENT {
            assert_eq!(table.ownership(&guard, key(number), 1), Ownership::Nobody);
        }
        for number in CHURNING {
            // Port 5 owns them or nobody does.
            let seen = table.ownership(&guard, key(number), 1);
            assert_ne!(seen, Ownership::Mine);
        }
        drop(guard);
        sweeps.fetch_add(1, Relaxed);
    }
}

/// Resizes a few buckets at a time, with other changes in between.
fn resize(writer: &mut Writer, seed: &mut u64) {
    if let Some(buckets) = writer.wanted() {
        *seed += 1;
        writer.begin_resize(Array::allocate(buckets, secret(*seed)).unwrap());
    }
    match writer.migrate(8) {
        Migration::More => {}
        Migration::Stuck => assert!(writer.wanted().is_some()),
        Migration::Done => drop(writer.retire()),
    }
}

fn write(writer: &mut Writer, seed: &mut u64) {
    for number in CHURNING {
        writer.learn(key(number), 5, 1, NO_LIMITS, false);
        let steady = number % STEADY;
        if steady % 3 == 0 {
            // Another owner goes, and comes again as an extra one.
            writer.withdraw(key(steady), 6, Claims::ALL);
            writer.learn(key(steady), 6, 1, NO_LIMITS, false);
        }
        resize(writer, seed);
    }
    for number in CHURNING {
        writer.withdraw(key(number), 5, Claims::ALL);
        writer.withdraw(key(number % STEADY), 6, Claims::ALL);
        resize(writer, seed);
    }
}

#[test]
fn owned_keys_are_always_found() {
    let (table, mut writer) = Table::new(secret(0), 0).unwrap();
    let mut seed = 0;
    for number in 0..STEADY {
        // Port 6 is first with every third key, so that the steady owner is an extra one.
        if number % 3 == 0 {
            writer.learn(key(number), 6, 1, NO_LIMITS, false);
        }
        while writer.learn(key(number), home(number), 1, NO_LIMITS, false) == Learned::NoRoom {
            resize(&mut writer, &mut seed);
        }
        resize(&mut writer, &mut seed);
    }
    let (stop, sweeps) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let readers = [(); 2].map(|()| scope.spawn(|| read(&table, &stop, &sweeps)));
        let began = Instant::now();
        let mut rounds = 0;
        while rounds < ROUNDS || sweeps.load(Relaxed) < 100 {
            assert!(began.elapsed() < DEADLINE, "a reader or writer is stuck");
            if readers.iter().any(|reader| reader.is_finished()) {
                break;
            }
            write(&mut writer, &mut seed);
            rounds += 1;
        }
        stop.store(true, Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
        println!("{rounds} rounds, {seed} resizes, {sweeps:?} sweeps");
    });
    assert_eq!(table.total() as u64, STEADY);
}
