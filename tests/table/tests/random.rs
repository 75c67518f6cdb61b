// SPDX-License-Identifier: GPL-2.0

//! Random operations on a table and on a naive twin, which must agree after every one of them.

#![cfg(not(loom))]

use std::collections::BTreeMap;

use maclearn_table_tests::platform::read_lock;
use maclearn_table_tests::table::*;
use maclearn_table_tests::{key, secret};
use proptest::prelude::*;

// Few enough that keys are shared, and enough to fill small tables.
const KEYS: u64 = 20;
const PORTS: PortIndex = 6;

#[derive(Clone, Debug)]
enum Operation {
    Learn {
        key: u64,
        port: PortIndex,
        exclusive: bool,
    },
    InsertStatic {
        key: u64,
        port: PortIndex,
    },
    Refresh {
        key: u64,
        port: PortIndex,
    },
    Remove {
        key: u64,
        port: PortIndex,
    },
    /// Removes what a port learned.
    Flush {
        port: PortIndex,
    },
    /// Removes what was learned and not used for so long.
    Age {
        time: Stamp,
    },
    /// Sets the stamps of a port's entries.
    Restamp {
        port: PortIndex,
    },
    TimePasses,
    BeginResize {
        buckets: usize,
    },
    /// Begins the resize that the table wants.
    Upkeep,
    Migrate {
        buckets: usize,
    },
    Retire,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let owner = || (0..KEYS, 0..PORTS);
    prop_oneof![
        12 => (owner(), any::<bool>()).prop_map(|((key, port), exclusive)| Learn {
            key,
            port,
            exclusive,
        }),
        14 => owner().prop_map(|(key, port)| Learn { key, port, exclusive: false }),
        3 => owner().prop_map(|(key, port)| InsertStatic { key, port }),
        4 => owner().prop_map(|(key, port)| Refresh { key, port }),
        5 => owner().prop_map(|(key, port)| Remove { key, port }),
        1 => (0..PORTS).prop_map(|port| Flush { port }),
        1 => (1..20u16).prop_map(|time| Age { time }),
        1 => (0..PORTS).prop_map(|port| Restamp { port }),
        4 => Just(TimePasses),
        1 => (0..20usize).prop_map(|buckets| BeginResize { buckets }),
        1 => Just(Upkeep),
        4 => (1..10usize).prop_map(|buckets| Migrate { buckets }),
        2 => Just(Retire),
    ]
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Owner {
    is_static: bool,
    stamp: Stamp,
}

/// The naive twin: every key's owners.
#[derive(Default)]
struct Twin {
    owners: BTreeMap<Key, BTreeMap<PortIndex, Owner>>,
}

impl Twin {
    fn total(&self) -> usize {
        self.owners.values().map(BTreeMap::len).sum()
    }

    fn port_count(&self, port: PortIndex) -> usize {
        let owns = |owners: &&BTreeMap<_, _>| owners.contains_key(&port);
        self.owners.values().filter(owns).count()
    }

    fn ownership(&self, key: Key, port: PortIndex) -> Ownership {
        match self.owners.get(&key) {
            Some(owners) if owners.contains_key(&port) => Ownership::Mine,
            Some(owners) if !owners.is_empty() => Ownership::Other,
            _ => Ownership::Nobody,
        }
    }

    fn learn(
        &mut self,
        key: Key,
        port: PortIndex,
        new: Owner,
        limits: Limits,
        exclusive: bool,
    ) -> Learned {
        let reached = |limit: u32, count: usize| limit != 0 && count >= limit as usize;
        let port_reached = reached(limits.port, self.port_count(port));
        let total_reached = reached(limits.total, self.total());
        let owners = self.owners.entry(key).or_default();
        let moved = !owners.is_empty();
        let learned = if let Some(own) = owners.get_mut(&port) {
            if new.is_static {
                own.is_static = true;
            } else if !own.is_static {
                own.stamp = new.stamp;
            }
            Learned::Known
        } else if port_reached {
            return Learned::PortLimit;
        } else if total_reached && !(exclusive && owners.values().any(|owner| !owner.is_static)) {
            return Learned::TotalLimit;
        } else {
            owners.insert(port, new);
            Learned::New { moved }
        };
        if exclusive {
            owners.retain(|owner, is| *owner == port || is.is_static);
        }
        learned
    }

    fn retain(&mut self, keep: impl Fn(PortIndex, Owner) -> bool) {
        for owners in self.owners.values_mut() {
            owners.retain(|port, owner| keep(*port, *owner));
        }
    }
}

/// Walks until a walk has surely shown every entry.
fn visit_all(writer: &mut Writer, mut action: impl FnMut(Entry) -> Action) {
    loop {
        let mut cursor = writer.cursor();
        let mut visit = Visit::More;
        while visit == Visit::More {
            visit = writer.visit(&mut cursor, 3, &mut action);
        }
        if visit == Visit::Complete {
            break;
        }
    }
}

fn entries(writer: &mut Writer) -> BTreeMap<Key, BTreeMap<PortIndex, Owner>> {
    let mut entries = BTreeMap::<_, BTreeMap<_, _>>::new();
    visit_all(writer, |entry| {
        let owner = Owner {
            is_static: entry.is_static,
            stamp: entry.stamp,
        };
        let owners = entries.entry(entry.key).or_default();
        assert_eq!(owners.insert(entry.port, owner), None, "shown twice");
        Action::Keep
    });
    entries
}

fn run(operations: Vec<Operation>, limits: Limits) -> Result<(), TestCaseError> {
    let mut twin = Twin::default();
    let (table, mut writer) = Table::new(secret(0), 0).unwrap();
    let mut now: Stamp = 0;
    let learned_at = |twin: &mut Twin, key, port, new: Owner, exclusive, learned| {
        if learned == Learned::NoRoom {
            // Allowed, when it asks for a new array.
            return Ok(false);
        }
        let expected = twin.learn(key, port, new, limits, exclusive);
        prop_assert_eq!(learned, expected);
        Ok(true)
    };

    for (step, operation) in operations.into_iter().enumerate() {
        match operation {
            Operation::Learn {
                key: number,
                port,
                exclusive,
            } => {
                let learned = writer.learn(key(number), port, now, limits, exclusive);
                let new = Owner {
                    is_static: false,
                    stamp: now,
                };
                if !learned_at(&mut twin, key(number), port, new, exclusive, learned)? {
                    prop_assert!(writer.wanted().is_some());
                }
            }
            Operation::InsertStatic { key: number, port } => {
                let learned = writer.insert_static(key(number), port, limits);
                let new = Owner {
                    is_static: true,
                    stamp: 0,
                };
                if !learned_at(&mut twin, key(number), port, new, false, learned)? {
                    prop_assert!(writer.wanted().is_some());
                }
            }
            Operation::Refresh { key: number, port } => {
                let known = table.refresh(&read_lock(), key(number), port, now);
                let own = twin
                    .owners
                    .get_mut(&key(number))
                    .and_then(|owners| owners.get_mut(&port));
                prop_assert_eq!(known, own.is_some());
                if let Some(own) = own.filter(|own| !own.is_static) {
                    own.stamp = now;
                }
            }
            Operation::Remove { key: number, port } => {
                let removed = writer.remove(key(number), port);
                let owners = twin.owners.entry(key(number)).or_default();
                prop_assert_eq!(removed, owners.remove(&port).is_some());
            }
            Operation::Flush { port } => {
                visit_all(&mut writer, |entry| {
                    if entry.port == port && !entry.is_static {
                        Action::Remove
                    } else {
                        Action::Keep
                    }
                });
                twin.retain(|owner, is| owner != port || is.is_static);
            }
            Operation::Age { time } => {
                let is_old = |stamp: Stamp| now.wrapping_sub(stamp) >= time;
                visit_all(&mut writer, |entry| {
                    if !entry.is_static && is_old(entry.stamp) {
                        Action::Remove
                    } else {
                        Action::Keep
                    }
                });
                twin.retain(|_, is| is.is_static || !is_old(is.stamp));
            }
            Operation::Restamp { port } => {
                visit_all(&mut writer, |entry| {
                    if entry.port == port {
                        Action::Restamp(now)
                    } else {
                        Action::Keep
                    }
                });
                for owners in twin.owners.values_mut() {
                    if let Some(own) = owners.get_mut(&port) {
                        own.stamp = now;
                    }
                }
            }
            Operation::TimePasses => now = now.wrapping_add(9000),
            Operation::BeginResize { buckets } => {
                writer.begin_resize(Array::allocate(buckets, secret(step as u64 + 1)).unwrap());
            }
            Operation::Upkeep => {
                if let Some(buckets) = writer.wanted() {
                    writer.begin_resize(Array::allocate(buckets, secret(step as u64 + 1)).unwrap());
                }
            }
            Operation::Migrate { buckets } => {
                if writer.migrate(buckets) == Migration::Stuck {
                    prop_assert!(writer.wanted().is_some());
                }
            }
            Operation::Retire => drop(writer.retire()),
        }

        for number in 0..KEYS {
            for port in 0..PORTS {
                prop_assert_eq!(
                    table.ownership(&read_lock(), key(number), port),
                    twin.ownership(key(number), port),
                    "step {}, key {}, port {}",
                    step,
                    number,
                    port
                );
            }
        }
        for port in 0..PORTS {
            prop_assert_eq!(table.port_count(port) as usize, twin.port_count(port));
        }
        prop_assert_eq!(table.total() as usize, twin.total());
        twin.owners.retain(|_, owners| !owners.is_empty());
        prop_assert_eq!(&entries(&mut writer), &twin.owners);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn table_agrees_with_its_twin(
        operations in prop::collection::vec(operation(), 1..250),
    ) {
        run(operations, Limits { port: 0, total: 0 })?;
    }

    #[test]
    fn table_agrees_with_its_twin_under_limits(
        operations in prop::collection::vec(operation(), 1..150),
        port in 1..8u32,
        total in 1..25u32,
    ) {
        run(operations, Limits { port, total })?;
    }
}
