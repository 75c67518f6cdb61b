// SPDX-License-Identifier: GPL-2.0

//! Readers, writers and frames with a new source, in every order that the model checker (loom)
//! knows of, with two or three preemptions at most.
//!
//! Two threads, a handful of keys and at most three arrays of a few buckets: a reader asks for one
//! key while the writer displaces it, shares it, takes it over, removes it, uses its slot again, or
//! resizes; and a frame looks for its source without the lock and learns it under it, while another
//! port learns the same and the table is resized, once or twice.
//!
//! What they don't show:
//!
//! - Grace periods. An array that is retired is kept until the threads are done, so that a reader
//!   which comes too late is not found here. `stress.rs` frees them at once after waiting for
//!   readers, and so does KASAN's kernel.
//! - Loads that see what is stored only later in program order: the checker has none. Every word
//!   that a reader acts on is checked by the bucket's `seq` after it.
//! - Stamps, the marks `offloaded` and `revoking`, and the order between the table and the bridge's
//!   own database; `is_owned_by_any()` and the later look-ups of a frame, which read a bucket in
//!   the same way.
//! - That a reader gets on: its wait for a writer is a yield here, and a writer is never preempted
//!   for long.
//! - Longer sequences: `random.rs` has those, one operation after the other, and `stress.rs` on
//!   real threads.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test --release --test model`.

#![cfg(loom)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use loom::sync::atomic::{AtomicBool, Ordering};
use maclearn_table_tests::platform::read_lock;
use maclearn_table_tests::table::Ownership::{Mine, Nobody, Other};
use maclearn_table_tests::table::*;

const NO_LIMITS: Limits = Limits { port: 0, total: 0 };

fn secret() -> Secret {
    Secret::new([
        0x6a09_e667_f3bc_c908,
        0xbb67_ae85_84ca_a73b,
        0x3c6e_f372_fe94_f82b,
        0xa54f_f53a_5f1d_36f1,
    ])
}

fn key(number: u64) -> Key {
    Key::from_parts(0, (number << 8) | 2)
}

fn learn(writer: &mut Writer, key: Key, port: PortIndex) {
    let learned = writer.learn(key, port, 1, NO_LIMITS, false);
    assert!(matches!(learned, Learned::New { .. }), "{learned:?}");
}

/// What a reader may see: the key, the port that asks, and the answers that are true.
type Expected = (Key, PortIndex, &'static [Ownership]);

/// For each expectation, runs `write` beside one reader on the table that `prepare` made, in every
/// order with at most so many preemptions.
fn check<Kept>(
    preemptions: usize,
    prepare: impl Fn(&mut Writer) + Clone + Send + Sync + 'static,
    write: impl Fn(&mut Writer) -> Kept + Clone + Send + Sync + 'static,
    expected: &[Expected],
) {
    for (key, port, answers) in expected.iter().copied() {
        let (prepare, write) = (prepare.clone(), write.clone());
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(preemptions);
        model.max_branches = 10_000;
        model.check(move || {
            let (table, mut writer) = Table::new(secret(), 0).unwrap();
            prepare(&mut writer);
            let reader = loom::thread::spawn(move || {
                let answer = table.ownership(&read_lock(), key, port);
                assert!(
                    answers.contains(&answer),
                    "port {port} got {answer:?} for {key:?}"
                );
            });
            let kept = write(&mut writer);
            reader.join().unwrap();
            drop(kept);
        });
    }
}

/// Runs once in a model, for what has to be known before.
fn find_out<T: Send + 'static>(run: impl Fn() -> T + Send + Sync + 'static) -> T {
    let result = Arc::new(Mutex::new(None));
    let mut model = loom::model::Builder::new();
    model.max_branches = 100_000;
    model.check({
        let result = result.clone();
        move || *result.lock().unwrap() = Some(run())
    });
    let found = result.lock().unwrap().take();
    found.unwrap()
}

/// The bucket that each key is in.
fn places(writer: &mut Writer) -> BTreeMap<Key, usize> {
    let mut places = BTreeMap::new();
    let mut cursor = writer.cursor();
    for bucket in 0.. {
        let visit = writer.visit(&mut cursor, 1, |entry| {
            places.insert(entry.key, bucket);
            Action::Keep
        });
        if visit != Visit::More {
            break;
        }
    }
    places
}

fn with_five_buckets(writer: &mut Writer) {
    writer.begin_resize(Array::allocate(5, secret()).unwrap());
    while writer.migrate(1) == Migration::More {}
    drop(writer.retire());
}

fn migrate_all(writer: &mut Writer) -> Option<Retired> {
    while writer.migrate(1) == Migration::More {}
    let retired = writer.retire();
    assert!(retired.is_some());
    retired
}

#[test]
fn key_is_found_while_it_is_displaced() {
    // Learn keys until one of them has to give way: `moved` is displaced by the last.
    let (keys, moved) = find_out(|| {
        let (_table, mut writer) = Table::new(secret(), 0).unwrap();
        with_five_buckets(&mut writer);
        let mut before = BTreeMap::new();
        for number in 0.. {
            learn(&mut writer, key(number), 1);
            let after = places(&mut writer);
            for (moved, bucket) in &before {
                if after[moved] != *bucket {
                    return (number, *moved);
                }
            }
            before = after;
        }
        unreachable!()
    });
    check(
        3,
        move |writer| {
            with_five_buckets(writer);
            for number in 0..keys {
                learn(
                    writer,
                    key(number),
                    if key(number) == moved { 1 } else { 2 },
                );
            }
        },
        move |writer| learn(writer, key(keys), 2),
        &[(moved, 1, &[Mine]), (moved, 2, &[Other])],
    );
}

#[test]
fn key_is_found_while_it_migrates() {
    check(
        3,
        |writer| {
            learn(writer, key(1), 1);
            learn(writer, key(2), 2);
            writer.begin_resize(Array::allocate(2, secret()).unwrap());
        },
        migrate_all,
        &[(key(1), 1, &[Mine]), (key(1), 2, &[Other])],
    );
}

#[test]
fn key_is_found_while_a_resize_begins() {
    check(
        3,
        |writer| learn(writer, key(1), 1),
        |writer| {
            writer.begin_resize(Array::allocate(3, secret()).unwrap());
            migrate_all(writer)
        },
        &[(key(1), 1, &[Mine]), (key(2), 1, &[Nobody])],
    );
}

#[test]
fn shared_key_is_found_while_it_migrates() {
    check(
        2,
        |writer| {
            learn(writer, key(1), 1);
            learn(writer, key(1), 2);
            writer.begin_resize(Array::allocate(2, secret()).unwrap());
        },
        migrate_all,
        &[(key(1), 2, &[Mine]), (key(1), 3, &[Other])],
    );
}

#[test]
fn extra_owner_stays_while_the_first_is_removed() {
    check(
        3,
        |writer| {
            learn(writer, key(1), 1);
            learn(writer, key(1), 2);
        },
        |writer| assert!(writer.withdraw(key(1), 1, Claims::ALL)),
        &[(key(1), 2, &[Mine]), (key(1), 3, &[Other])],
    );
}

#[test]
fn extra_owner_of_another_array_stays_while_the_first_is_removed() {
    check(
        3,
        |writer| {
            learn(writer, key(1), 1);
            writer.begin_resize(Array::allocate(2, secret()).unwrap());
            learn(writer, key(1), 2);
        },
        |writer| assert!(writer.withdraw(key(1), 1, Claims::ALL)),
        &[(key(1), 2, &[Mine]), (key(1), 3, &[Other])],
    );
}

#[test]
fn key_has_an_owner_while_it_is_taken_over() {
    check(
        3,
        |writer| learn(writer, key(1), 1),
        |writer| {
            let learned = writer.learn(key(1), 2, 1, NO_LIMITS, true);
            assert_eq!(learned, Learned::New { moved: true });
        },
        &[
            (key(1), 1, &[Mine, Other]),
            (key(1), 2, &[Mine, Other]),
            (key(1), 3, &[Other]),
        ],
    );
}

#[test]
fn extra_owner_stays_while_it_takes_over() {
    check(
        2,
        |writer| {
            learn(writer, key(1), 1);
            learn(writer, key(1), 2);
        },
        |writer| {
            let learned = writer.learn(key(1), 2, 1, NO_LIMITS, true);
            assert_eq!(learned, Learned::Known);
        },
        &[(key(1), 2, &[Mine]), (key(1), 3, &[Other])],
    );
}

#[test]
fn owner_stays_while_it_comes_to_share() {
    check(
        3,
        |writer| learn(writer, key(1), 1),
        |writer| learn(writer, key(1), 2),
        &[(key(1), 1, &[Mine]), (key(1), 3, &[Other])],
    );
}

#[test]
fn slot_is_used_again_for_another_key() {
    let other = find_out(|| {
        let (_table, mut writer) = Table::new(secret(), 0).unwrap();
        let mut place = |key| {
            learn(&mut writer, key, 1);
            let place = places(&mut writer)[&key];
            writer.withdraw(key, 1, Claims::ALL);
            place
        };
        let wanted = place(key(1));
        (2..).map(key).find(|key| place(*key) == wanted).unwrap()
    });
    check(
        3,
        |writer| learn(writer, key(1), 1),
        move |writer| {
            assert!(writer.withdraw(key(1), 1, Claims::ALL));
            learn(writer, other, 2);
        },
        &[(key(1), 2, &[Other, Nobody]), (other, 1, &[Other, Nobody])],
    );
}

/// What a walk shows of `key`: its owners, each of which it shows once.
fn owners(writer: &mut Writer, key: Key) -> Vec<PortIndex> {
    let mut owners = Vec::new();
    let mut cursor = writer.cursor();
    while writer.visit(&mut cursor, 1, |entry| {
        if entry.key == key {
            owners.push(entry.port);
        }
        Action::Keep
    }) == Visit::More
    {}
    owners.sort_unstable();
    owners
}

/// Has port 1 learn `key(1)` as a frame's source is learned: looked for under no lock, and put
/// there under it. Meanwhile port 2 learns it and the table is resized, each under a hold of the
/// lock of its own, in the order that `meanwhile` has. In the end both own it.
fn check_frame(
    prepare: impl Fn(&mut Writer) + Clone + Send + Sync + 'static,
    meanwhile: &'static [fn(&mut Writer) -> Option<Retired>],
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.max_branches = 10_000;
    model.check(move || {
        let (table, mut writer) = Table::new(secret(), 0).unwrap();
        prepare(&mut writer);
        let (table, writer) = (Arc::new(table), Arc::new(loom::sync::Mutex::new(writer)));
        let frame = loom::thread::spawn({
            let (table, writer) = (table.clone(), writer.clone());
            move || {
                let guard = read_lock();
                let sight = table.refresh_fast(&guard, key(1), 1, 1);
                let mut writer = writer.lock().unwrap();
                let learned = match &sight {
                    Sight::New(miss) => writer.learn_after_miss(miss, 1, 1, NO_LIMITS),
                    Sight::Known | Sight::Unclear => None,
                };
                learned.unwrap_or_else(|| writer.learn(key(1), 1, 1, NO_LIMITS, false))
            }
        });
        let mut retired = Vec::new();
        for step in meanwhile {
            retired.extend(step(&mut writer.lock().unwrap()));
        }
        let learned = frame.join().unwrap();
        assert!(matches!(learned, Learned::New { .. }), "{learned:?}");
        let mut writer = writer.lock().unwrap();
        assert_eq!(owners(&mut writer, key(1)), [1, 2]);
        for (port, answer) in [(1, Mine), (2, Mine), (3, Other)] {
            assert_eq!(table.ownership(&read_lock(), key(1), port), answer);
        }
    });
}

fn port_2_learns(writer: &mut Writer) -> Option<Retired> {
    learn(writer, key(1), 2);
    None
}

fn next_array(writer: &mut Writer) -> Option<Retired> {
    writer.begin_resize(Array::allocate(2, secret()).unwrap());
    None
}

fn migrated(writer: &mut Writer) -> Option<Retired> {
    while writer.migrate(1) == Migration::More {}
    None
}

#[test]
fn absence_is_no_proof_beside_another_frame() {
    check_frame(|_| (), &[port_2_learns]);
}

#[test]
fn absence_is_no_proof_once_the_key_is_in_an_array_before() {
    check_frame(|_| (), &[port_2_learns, next_array]);
}

#[test]
fn absence_is_no_proof_in_an_array_that_is_not_the_last() {
    check_frame(|_| (), &[next_array, port_2_learns]);
}

#[test]
fn absence_is_no_proof_across_a_whole_resize() {
    check_frame(
        |_| (),
        &[port_2_learns, next_array, migrated, Writer::retire],
    );
    check_frame(
        |_| (),
        &[next_array, migrated, port_2_learns, Writer::retire],
    );
}

#[test]
fn absence_is_no_proof_while_two_resizes_overlap() {
    check_frame(
        |writer| drop(next_array(writer)),
        &[port_2_learns, next_array, migrated, Writer::retire],
    );
}

/// Has a reader ask for `key(1)`, which port 1 learns first of all that the writer does. Once that
/// is learned, every answer is that port 1 owns it, however the arrays change under the reader.
fn check_reader(
    preemptions: usize,
    prepare: impl Fn(&mut Writer) + Clone + Send + Sync + 'static,
    then: &'static [fn(&mut Writer) -> Option<Retired>],
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 10_000;
    model.check(move || {
        let (table, mut writer) = Table::new(secret(), 0).unwrap();
        prepare(&mut writer);
        let is_learned = Arc::new(AtomicBool::new(false));
        let reader = loom::thread::spawn({
            let is_learned = is_learned.clone();
            move || {
                let mut must = is_learned.load(Ordering::Acquire);
                for _ in 0..2 {
                    let owners = table.owners(&read_lock(), key(1));
                    // A second reading can't be older than the first.
                    match owners.only() {
                        Some(1) => must = true,
                        None if owners == Owners::NOBODY && !must => {}
                        _ => panic!("{owners:?}, and it must be there: {must}"),
                    }
                }
            }
        });
        learn(&mut writer, key(1), 1);
        is_learned.store(true, Ordering::Release);
        let retired: Vec<_> = then.iter().filter_map(|step| step(&mut writer)).collect();
        reader.join().unwrap();
        drop(retired);
    });
}

#[test]
fn learned_key_is_found_while_arrays_come_and_go() {
    check_reader(3, |_| (), &[next_array, migrated, Writer::retire]);
}

#[test]
fn learned_key_is_found_while_two_resizes_overlap() {
    check_reader(
        2,
        |writer| drop(next_array(writer)),
        &[
            next_array,
            migrated,
            Writer::retire,
            migrated,
            Writer::retire,
        ],
    );
}

#[test]
fn learned_key_is_found_while_another_array_is_linked_half_way() {
    check_reader(
        2,
        |_| (),
        &[next_array, next_array, migrated, Writer::retire],
    );
}
