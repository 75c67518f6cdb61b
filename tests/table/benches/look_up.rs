// SPDX-License-Identifier: GPL-2.0

//! What a look-up costs at different sizes: `cargo bench`.
//!
//! Keys are asked for in a random order, so that large tables are measured with the cache misses
//! that traffic between random guests has.

use std::hint::black_box;
use std::time::Instant;

use maclearn_table_tests::platform::read_lock;
use maclearn_table_tests::table::*;
use maclearn_table_tests::{key, resize, secret, NO_LIMITS};

const LOOK_UPS: u64 = 4_000_000;

/// Numbers below `size` in an order without a pattern.
fn order(size: u64) -> impl Iterator<Item = u64> {
    let mut state = 1u64;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(state) * u128::from(size)) >> 64) as u64
    })
}

/// Nanoseconds that one call takes, on top of making up the number it is called with.
fn measure(size: u64, mut look_up: impl FnMut(u64)) -> f64 {
    let time = |call: &mut dyn FnMut(u64)| {
        let began = Instant::now();
        for number in order(size).take(LOOK_UPS as usize) {
            call(number);
        }
        began.elapsed().as_nanos() as f64 / LOOK_UPS as f64
    };
    let bare = time(&mut |number| {
        black_box(key(number));
    });
    time(&mut look_up) - bare
}

fn main() {
    println!("ns a look-up    mine   other  nobody  refresh  bytes/MAC");
    for size in [10, 1000, 100_000, 1_000_000] {
        let (table, mut writer) = Table::new(secret(0), 0).unwrap();
        let mut seed = 0;
        for number in 0..size {
            let learned = writer.learn(key(number), 1, 0, NO_LIMITS, false);
            assert_eq!(learned, Learned::New { moved: false });
            resize(&mut writer, &mut seed);
        }
        let guard = read_lock();
        let ask = |number, port, answer| {
            let ownership = table.ownership(&guard, black_box(key(number)), port);
            assert_eq!(ownership, answer);
        };
        let mine = measure(size, |number| ask(number, 1, Ownership::Mine));
        let other = measure(size, |number| ask(number, 2, Ownership::Other));
        let nobody = measure(size, |number| ask(number + size, 1, Ownership::Nobody));
        let refresh = measure(size, |number| {
            assert_ne!(
                table.refresh(&guard, black_box(key(number)), 1, 1),
                Use::Unknown
            );
        });
        println!(
            "{size:>9} MACs {mine:>7.1} {other:>7.1} {nobody:>7.1} {refresh:>8.1} {:>10}",
            table.memory_bytes() as u64 / size
        );
    }
}
