// SPDX-License-Identifier: GPL-2.0

//! How long the table's lock is held: what is done under one hold, in words read, which are the
//! same on any machine. The microseconds that are printed are this machine's.

#![cfg(not(loom))]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use maclearn_table_tests::platform::{loads, read_lock};
use maclearn_table_tests::table::*;
use maclearn_table_tests::{key, resize, secret, NO_LIMITS};

/// Buckets that the module visits or moves under one hold.
const BUCKETS_A_HOLD: usize = 16;
const SHARED: u64 = 4096;
const PORTS: PortIndex = MAX_PORTS as PortIndex - 1;

/// Words that a walk reads at most of the buckets of one hold.
const WALK: u64 = 2000;

/// Words read in one hold at most: one look-up for each port, besides those after which a walk
/// stops, at 16 words each.
const MOST: u64 = WALK + 16 * (MAX_PORTS as u64 + 256);

/// What is done under one hold of the lock, and what it is called.
type Step = (&'static str, fn(&mut Writer, Key));

/// The longest of some holds.
#[derive(Default)]
struct Longest {
    loads: u64,
    times: Vec<Duration>,
}

impl Longest {
    fn hold<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (before, begun) = (loads(), Instant::now());
        let result = work();
        self.times.push(begun.elapsed());
        self.loads = self.loads.max(loads() - before);
        result
    }

    /// The longest time is often that in which the machine did something else.
    fn print(&mut self, what: &str) {
        self.times.sort_unstable();
        let time = self.times[(self.times.len() - 1) * 99 / 100];
        println!("{what}: {} words, {time:?} in 99 of 100", self.loads);
    }
}

fn table() -> (Table, Writer) {
    Table::new(secret(0), 0).unwrap()
}

fn learn(writer: &mut Writer, number: u64, port: PortIndex) {
    let learned = writer.learn(key(number), port, 0, NO_LIMITS, false);
    assert!(matches!(learned, Learned::New { .. }), "{learned:?}");
    resize(writer, &mut (number + 1));
}

/// Keys of ports 1 and 2 each, and one key that every port shares: whoever looks for the owners of
/// a key has all ports to try.
fn fill(writer: &mut Writer, shared: u64) {
    for number in 0..shared {
        learn(writer, number, 1);
        learn(writer, number, 2);
    }
    for port in 1..PORTS {
        learn(writer, u64::from(u32::MAX), port);
    }
}

/// Takes all that is owned through walks, and returns the longest hold.
fn forget_all(table: &Table, writer: &mut Writer) -> Longest {
    let mut longest = Longest::default();
    while table.total() != 0 {
        let mut cursor = writer.cursor();
        let visit = loop {
            let visit = longest.hold(|| {
                writer.visit(&mut cursor, BUCKETS_A_HOLD, |_| {
                    Action::Withdraw(Claims::ALL)
                })
            });
            if visit != Visit::More {
                break visit;
            }
        };
        assert!(visit == Visit::Incomplete || table.total() == 0);
    }
    longest
}

#[test]
fn walk_that_forgets_shared_keys_stops_in_time() {
    let (table, mut writer) = table();
    fill(&mut writer, SHARED);
    let mut longest = forget_all(&table, &mut writer);
    longest.print("a walk that forgets shared keys");
    assert!(longest.loads <= MOST);
}

#[test]
fn walk_takes_no_longer_for_ports_that_share_nothing() {
    let (table, mut writer) = table();
    for number in 0..SHARED {
        learn(
            &mut writer,
            number,
            (number % u64::from(PORTS)) as PortIndex,
        );
    }
    // Few of them are shared.
    for number in (0..SHARED).step_by(16) {
        learn(&mut writer, number, 1021);
        learn(&mut writer, number, 1022);
    }
    let mut longest = forget_all(&table, &mut writer);
    longest.print("a walk with a thousand ports of which two share");
    assert!(longest.loads <= WALK);
}

#[test]
fn single_steps_take_one_look_up_a_port_at_most() {
    let (_table, mut writer) = table();
    fill(&mut writer, SHARED);
    let mut longest = Longest::default();
    let steps: &[Step] = &[
        ("the first owner goes", |writer, key| {
            assert!(writer.withdraw(key, 1, Claims::ALL));
        }),
        ("another owner goes", |writer, key| {
            assert!(writer.withdraw(key, 2, Claims::ALL));
        }),
        ("another port learns it", |writer, key| {
            writer.learn(key, 3, 0, NO_LIMITS, false);
        }),
        ("another port takes it", |writer, key| {
            writer.learn(key, 3, 0, NO_LIMITS, true);
        }),
        ("its bridge claims it", |writer, key| {
            writer.claim(key, 3, Claims::BRIDGE, NO_LIMITS);
        }),
        ("it is asked whether its bridge claims it", |writer, key| {
            assert!(!writer.is_in_bridge_fdb(key));
        }),
    ];
    for ((what, step), number) in steps.iter().zip(0..) {
        let mut alone = Longest::default();
        alone.hold(|| step(&mut writer, key(number)));
        alone.print(what);
        longest.loads = longest.loads.max(alone.loads);
    }
    assert!(longest.loads <= 2 * MOST);
}

#[test]
fn moving_to_a_new_array_stops_in_time() {
    let (_table, mut writer) = table();
    fill(&mut writer, SHARED);
    let mut longest = Longest::default();
    writer.begin_resize(Array::allocate(4096, secret(77)).unwrap());
    while longest.hold(|| writer.migrate(BUCKETS_A_HOLD)) == Migration::More {}
    longest.print("moving to a new array");
    assert!(longest.loads <= MOST);
}

#[test]
fn owners_are_looked_for_only_where_ports_share() {
    let (table, mut writer) = table();
    for port in 0..PORTS {
        learn(&mut writer, port.into(), port);
    }
    let shared = key(u64::from(u32::MAX));
    for port in [1, 2] {
        writer.learn(shared, port, 0, NO_LIMITS, false);
    }
    let guard = read_lock();
    let (before, seen) = (loads(), RefCell::new(Vec::new()));
    let found = table.is_owned_by_any(&guard, shared, |port, _| {
        seen.borrow_mut().push(port);
        false
    });
    let loads = loads() - before;
    println!("looking for the owners of a key: {loads} words");
    assert!(!found && seen.into_inner() == [1, 2]);
    assert!(loads <= WALK);
}
