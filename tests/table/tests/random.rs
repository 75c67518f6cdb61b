// SPDX-License-Identifier: GPL-2.0

//! Random operations on a table and on a naive twin, which must agree after every one of them.

#![cfg(not(loom))]

use std::collections::{BTreeMap, BTreeSet};

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
    Claim {
        key: u64,
        port: PortIndex,
        claims: Claims,
    },
    Withdraw {
        key: u64,
        port: PortIndex,
        claims: Claims,
    },
    Offload {
        key: u64,
    },
    /// Revokes a port's keys.
    Revoke {
        port: PortIndex,
    },
    Refresh {
        key: u64,
        port: PortIndex,
    },
    /// Forgets what a port learned.
    Flush {
        port: PortIndex,
    },
    /// A port departs, after which it gets nothing new until all of it is forgotten.
    Depart {
        port: PortIndex,
    },
    /// Forgets what departed ports own.
    Purge,
    /// Forgets what was learned and not used for so long.
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
    Maintenance,
    Migrate {
        buckets: usize,
    },
    Retire,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let owner = || (0..KEYS, 0..PORTS);
    let pin = || prop_oneof![Just(Claims::STATIC), Just(Claims::BRIDGE)];
    let claims = || {
        prop_oneof![
            3 => Just(Claims::ALL),
            1 => Just(Claims::LEARNED),
            1 => Just(Claims::STATIC),
            1 => Just(Claims::BRIDGE),
        ]
    };
    prop_oneof![
        12 => (owner(), any::<bool>()).prop_map(|((key, port), exclusive)| Learn {
            key,
            port,
            exclusive,
        }),
        14 => owner().prop_map(|(key, port)| Learn { key, port, exclusive: false }),
        4 => (owner(), pin()).prop_map(|((key, port), claims)| Claim { key, port, claims }),
        6 => (owner(), claims()).prop_map(|((key, port), claims)| Withdraw {
            key,
            port,
            claims,
        }),
        8 => (0..KEYS).prop_map(|key| Offload { key }),
        1 => (0..PORTS).prop_map(|port| Revoke { port }),
        4 => owner().prop_map(|(key, port)| Refresh { key, port }),
        1 => (0..PORTS).prop_map(|port| Flush { port }),
        1 => (0..PORTS).prop_map(|port| Depart { port }),
        1 => Just(Purge),
        1 => (1..20u16).prop_map(|time| Age { time }),
        1 => (0..PORTS).prop_map(|port| Restamp { port }),
        4 => Just(TimePasses),
        1 => (0..20usize).prop_map(|buckets| BeginResize { buckets }),
        1 => Just(Maintenance),
        4 => (1..10usize).prop_map(|buckets| Migrate { buckets }),
        2 => Just(Retire),
    ]
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Owner {
    claims: Claims,
    stamp: Stamp,
}

/// The naive twin: every key's owners, and the keys that are offloaded with the owner that they
/// had then.
#[derive(Default)]
struct Twin {
    owners: BTreeMap<Key, BTreeMap<PortIndex, Owner>>,
    offloaded: BTreeMap<Key, PortIndex>,
    departed: BTreeSet<PortIndex>,
}

impl Twin {
    fn total(&self) -> usize {
        let ports = self.owners.values().flat_map(BTreeMap::keys);
        ports.filter(|port| !self.departed.contains(port)).count()
    }

    fn port_count(&self, port: PortIndex) -> usize {
        let owns = |owners: &&BTreeMap<_, _>| owners.contains_key(&port);
        self.owners.values().filter(owns).count()
    }

    fn is_owned(&self, key: Key) -> bool {
        self.owners
            .get(&key)
            .is_some_and(|owners| !owners.is_empty())
    }

    /// What a look at the table says to `port` of who owns `key`.
    fn seen_from(&self, key: Key, port: PortIndex) -> Option<Ownership> {
        match self.only_owner(key) {
            Some((owner, _)) if owner == port => Some(Ownership::Mine),
            Some((_, own)) if own.claims.has(Claims::BRIDGE) => None,
            Some((owner, _)) if self.offloaded.get(&key) == Some(&owner) => None,
            Some(_) => Some(Ownership::Other),
            None if self.is_owned(key) => None,
            None => Some(Ownership::Nobody),
        }
    }

    fn ownership(&self, key: Key, port: PortIndex) -> Ownership {
        match self.owners.get(&key) {
            Some(owners) if owners.contains_key(&port) => Ownership::Mine,
            Some(owners) if !owners.is_empty() => Ownership::Other,
            _ => Ownership::Nobody,
        }
    }

    fn add(
        &mut self,
        key: Key,
        port: PortIndex,
        new: Owner,
        limits: Limits,
        exclusive: bool,
    ) -> Learned {
        if new.claims == Claims::BRIDGE {
            self.take_from_others(key, port, Claims::BRIDGE);
        }
        let reached = |limit: u32, count: usize| limit != 0 && count >= limit as usize;
        let port_reached = reached(limits.port, self.port_count(port));
        let total_reached = reached(limits.total, self.total());
        let owners = self.owners.entry(key).or_default();
        let moved = !owners.is_empty();
        let learned = if let Some(own) = owners.get_mut(&port) {
            own.claims = own.claims.and(new.claims);
            if new.claims == Claims::LEARNED {
                own.stamp = new.stamp;
            }
            Learned::Known
        } else if port_reached {
            return Learned::PortLimit;
        } else if total_reached
            && !(exclusive && owners.values().any(|owner| owner.claims == Claims::LEARNED))
        {
            return Learned::TotalLimit;
        } else {
            owners.insert(port, new);
            Learned::New { moved }
        };
        if exclusive {
            self.take_from_others(key, port, Claims::LEARNED);
        }
        learned
    }

    fn take_from_others(&mut self, key: Key, port: PortIndex, claims: Claims) {
        self.withdraw(claims, |other, owner, _| other == key && owner != port);
    }

    /// Takes claims from the owners that are meant.
    fn withdraw(&mut self, claims: Claims, is_meant: impl Fn(Key, PortIndex, Owner) -> bool) {
        for (key, owners) in &mut self.owners {
            owners.retain(|port, owner| {
                if is_meant(*key, *port, *owner) {
                    owner.claims = owner.claims.without(claims);
                }
                owner.claims != Claims::NONE
            });
        }
    }

    fn only_owner(&self, key: Key) -> Option<(PortIndex, Owner)> {
        let owners = self.owners.get(&key)?;
        let (port, owner) = owners.first_key_value()?;
        (owners.len() == 1).then_some((*port, *owner))
    }

    /// The keys that must be found not to be offloaded any more: they have another owner.
    fn revoke_changed(&mut self) -> BTreeSet<Key> {
        let changed: BTreeSet<_> = self
            .offloaded
            .iter()
            .filter(|(key, port)| {
                self.only_owner(**key)
                    .is_none_or(|(only, _)| only != **port)
            })
            .map(|(key, _)| *key)
            .collect();
        self.offloaded.retain(|key, _| !changed.contains(key));
        changed
    }
}

/// Walks until a walk has surely shown every entry. Returns the keys that were revoked.
fn visit_all(writer: &mut Writer, mut action: impl FnMut(Entry) -> Action) -> BTreeSet<Key> {
    let mut revoked = BTreeSet::new();
    loop {
        let mut cursor = writer.cursor();
        let mut visit = Visit::More;
        while visit == Visit::More {
            visit = writer.visit(&mut cursor, 3, &mut action);
            collect_revoked(writer, &mut revoked);
        }
        if visit == Visit::Complete {
            return revoked;
        }
    }
}

fn collect_revoked(writer: &mut Writer, into: &mut BTreeSet<Key>) {
    let Some(keys) = writer.take_revoked() else {
        return;
    };
    for key in keys.keys() {
        assert!(into.insert(key), "said twice");
        for port in 0..PORTS {
            writer.clear_revoking(key, port);
        }
    }
    writer.end_revoking(keys);
}

type Entries = BTreeMap<Key, BTreeMap<PortIndex, Owner>>;

/// What there is, and what of it is offloaded.
fn entries(writer: &mut Writer) -> (Entries, BTreeMap<Key, PortIndex>) {
    let (mut entries, mut offloaded) = (Entries::new(), BTreeMap::new());
    visit_all(writer, |entry| {
        let owner = Owner {
            claims: entry.claims,
            stamp: entry.stamp,
        };
        let owners = entries.entry(entry.key).or_default();
        assert_eq!(owners.insert(entry.port, owner), None, "shown twice");
        if entry.is_offloaded {
            offloaded.insert(entry.key, entry.port);
        }
        Action::Keep
    });
    (entries, offloaded)
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
        let expected = twin.add(key, port, new, limits, exclusive);
        prop_assert_eq!(learned, expected);
        Ok(true)
    };

    for (step, operation) in operations.into_iter().enumerate() {
        let mut revoked = BTreeSet::new();
        if let Operation::Learn { port, .. } | Operation::Claim { port, .. } = operation {
            if twin.departed.contains(&port) {
                continue;
            }
        }
        match operation {
            Operation::Learn {
                key: number,
                port,
                exclusive,
            } => {
                // Half of them are looked for first, as frames are.
                let guard = read_lock();
                let miss = match table.refresh_fast(&guard, key(number), port, now) {
                    Sight::New(miss) if step % 2 == 0 => Some(miss),
                    _ => None,
                };
                let learned = miss
                    .and_then(|miss| writer.learn_after_miss(&miss, port, now, limits))
                    .unwrap_or_else(|| writer.learn(key(number), port, now, limits, exclusive));
                let new = Owner {
                    claims: Claims::LEARNED,
                    stamp: now,
                };
                if !learned_at(&mut twin, key(number), port, new, exclusive, learned)? {
                    prop_assert!(writer.wanted().is_some());
                }
            }
            Operation::Claim {
                key: number,
                port,
                claims,
            } => {
                let key = key(number);
                let learned = writer.claim(key, port, claims, limits);
                if claims == Claims::BRIDGE {
                    // What was offloaded is the bridge's own now, and nobody is told.
                    twin.offloaded.remove(&key);
                }
                let new = Owner { claims, stamp: 0 };
                if !learned_at(&mut twin, key, port, new, false, learned)? {
                    prop_assert!(writer.wanted().is_some());
                    if claims == Claims::BRIDGE {
                        twin.take_from_others(key, port, claims);
                    }
                }
            }
            Operation::Withdraw {
                key: number,
                port,
                claims,
            } => {
                let key = key(number);
                let had = twin.owners.get(&key).and_then(|owners| owners.get(&port));
                let had = had.map_or(Claims::NONE, |own| own.claims);
                prop_assert_eq!(writer.claims(key, port), had);
                prop_assert_eq!(writer.withdraw(key, port, claims), had.has(claims));
                twin.withdraw(claims, |other, owner, _| other == key && owner == port);
            }
            Operation::Offload { key: number } => {
                let key = key(number);
                let expected = twin
                    .only_owner(key)
                    .filter(|(_, owner)| !owner.claims.has(Claims::BRIDGE))
                    .filter(|_| !twin.offloaded.contains_key(&key))
                    .filter(|(port, _)| !twin.departed.contains(port))
                    .map(|(port, _)| port);
                prop_assert_eq!(writer.offload(key), expected);
                if let Some(port) = expected {
                    twin.offloaded.insert(key, port);
                }
            }
            Operation::Revoke { port } => {
                revoked = visit_all(&mut writer, |entry| {
                    if entry.port == port {
                        Action::Revoke
                    } else {
                        Action::Keep
                    }
                });
                let is_meant = |owner: &PortIndex| *owner == port;
                let expected: BTreeSet<_> = twin
                    .offloaded
                    .iter()
                    .filter(|(_, owner)| is_meant(owner))
                    .map(|(key, _)| *key)
                    .collect();
                prop_assert_eq!(&revoked, &expected);
                twin.offloaded.retain(|_, owner| !is_meant(owner));
                revoked.clear();
            }
            Operation::Refresh { key: number, port } => {
                let guard = read_lock();
                let at_once = table.refresh_fast(&guard, key(number), port, now);
                let known = table.refresh(&guard, key(number), port, now) != Use::Unknown;
                let is_owned = twin.is_owned(key(number));
                let is_sole = twin.seen_from(key(number), port) == Some(Ownership::Mine);
                match at_once {
                    Sight::Known => prop_assert!(known && is_sole),
                    Sight::New(_) => prop_assert!(!is_owned),
                    Sight::Unclear => prop_assert!(is_owned && !(known && is_sole)),
                }
                let own = twin
                    .owners
                    .get_mut(&key(number))
                    .and_then(|owners| owners.get_mut(&port));
                let own = own.filter(|own| own.claims.has(Claims::LEARNED));
                prop_assert_eq!(known, own.is_some());
                if let Some(own) = own {
                    own.stamp = now;
                }
            }
            Operation::Flush { port } => {
                revoked = visit_all(&mut writer, |entry| {
                    if entry.port == port {
                        Action::Withdraw(Claims::LEARNED)
                    } else {
                        Action::Keep
                    }
                });
                twin.withdraw(Claims::LEARNED, |_, owner, _| owner == port);
            }
            Operation::Depart { port } => {
                let count = twin.port_count(port);
                prop_assert_eq!(writer.depart(port), count != 0);
                if count != 0 {
                    twin.departed.insert(port);
                }
            }
            Operation::Purge => {
                let departed = writer.departed();
                revoked = visit_all(&mut writer, |entry| {
                    if departed.has(entry.port) {
                        Action::Withdraw(Claims::ALL)
                    } else {
                        Action::Keep
                    }
                });
                writer.end_departure(departed);
                prop_assert!(writer.departed() == PortMask::NONE);
                let ports = std::mem::take(&mut twin.departed);
                twin.withdraw(Claims::ALL, |_, port, _| ports.contains(&port));
            }
            Operation::Age { time } => {
                let is_old = |stamp: Stamp| now.wrapping_sub(stamp) >= time;
                revoked = visit_all(&mut writer, |entry| {
                    if is_old(entry.stamp) {
                        Action::Withdraw(Claims::LEARNED)
                    } else {
                        Action::Keep
                    }
                });
                twin.withdraw(Claims::LEARNED, |_, _, owner| is_old(owner.stamp));
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
            Operation::Maintenance => {
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
            let owners = table.owners(&read_lock(), key(number));
            for port in 0..PORTS {
                let seen = owners.seen_from(port);
                let is_mine = seen == Some(Ownership::Mine);
                // While it is revoked the other ports have to take the slow way.
                if !owners.is_revoking() || is_mine {
                    prop_assert_eq!(seen, twin.seen_from(key(number), port));
                } else {
                    prop_assert_eq!(seen, None);
                }
                let slowly = owners.slowly().seen_from(port);
                prop_assert_eq!(slowly, is_mine.then_some(Ownership::Mine));
                prop_assert_eq!(owners.only() == Some(port), is_mine);
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
        prop_assert!(writer.departed().iter().eq(twin.departed.iter().copied()));
        twin.owners.retain(|_, owners| !owners.is_empty());
        collect_revoked(&mut writer, &mut revoked);
        prop_assert_eq!(revoked, twin.revoke_changed(), "step {}", step);
        prop_assert_eq!(table.offloaded() as usize, twin.offloaded.len());
        let (entries, offloaded) = entries(&mut writer);
        prop_assert_eq!(entries, twin.owners.clone());
        prop_assert_eq!(offloaded, twin.offloaded.clone());
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
