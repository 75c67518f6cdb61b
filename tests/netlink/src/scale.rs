// SPDX-License-Identifier: GPL-2.0

//! Large tables: filled, dumped, and dumped while they change.

use std::{
    collections::HashSet,
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{ensure, Context, Result};
use maclearn_family::NAME;
use nix::net::if_::if_nametoindex;

use crate::{
    message::{attributes, messages, put, request, NLM_F_ACK, NLM_F_REQUEST},
    socket::{status, Connection, Family},
    spec::{attribute, named, number},
};

/// Entries made with one datagram.
const BATCH: u32 = 256;

/// Until entries have moved under a dump.
const PATIENCE: Duration = Duration::from_secs(60);

/// Attributes and commands for entries.
struct Entries {
    family: Family,
    new: u8,
    get: u8,
    port: u16,
    mac: u16,
    age: u16,
}

impl Entries {
    fn open(mut connection: Connection) -> Result<(Self, Connection)> {
        let get = named("entry-get", true)?;
        let entries = Self {
            family: connection.family(NAME)?,
            new: named("entry-new", false)?.command,
            get: get.command,
            port: attribute(get, "port")?.number,
            mac: attribute(get, "mac")?.number,
            age: attribute(get, "age")?.number,
        };
        Ok((entries, connection))
    }

    /// The attributes that name entry `n` of a port; those from `fill` begin at 0.
    fn name(&self, port: u32, n: u32) -> Vec<u8> {
        let mut name = Vec::new();
        let [a, b, c, d] = n.to_be_bytes();
        put(&mut name, self.port, &port.to_le_bytes());
        put(&mut name, self.mac, &[2, 1, a, b, c, d]);
        name
    }

    /// Has `port` own the entries in `range`, as if they were seen `age` milliseconds ago, with
    /// several requests in a datagram.
    fn make(
        &self,
        connection: &mut Connection,
        port: u32,
        range: Range<u32>,
        age: u32,
    ) -> Result<()> {
        for first in range.clone().step_by(BATCH as usize) {
            let mut datagram = Vec::new();
            let last = range.end.min(first + BATCH) - 1;
            for n in first..=last {
                // Only the last one is answered, and those that are refused.
                let flags = if n == last {
                    NLM_F_REQUEST | NLM_F_ACK
                } else {
                    NLM_F_REQUEST
                };
                let mut entry = self.name(port, n);
                put(&mut entry, self.age, &age.to_le_bytes());
                let sequence = connection.next_sequence();
                datagram.extend(request(self.family.id, flags, sequence, self.new, &entry));
            }
            connection.send(&datagram)?;
            for (_, body) in messages(connection.receive()?) {
                ensure!(status(body) == 0, "an entry was refused: {}", status(body));
            }
        }
        Ok(())
    }

    /// All entries' MACs and ports, and whether entries moved while they were dumped. `between` is
    /// done after each datagram but the last.
    fn dump(
        &self,
        connection: &mut Connection,
        between: impl FnMut() -> Result<()>,
    ) -> Result<(Vec<(u64, u64)>, bool)> {
        let mut found = Vec::new();
        let part = |part: &[u8]| {
            let (mut mac, mut port) = (0, 0);
            for (kind, payload) in attributes(part) {
                if kind == self.mac {
                    mac = number(payload);
                } else if kind == self.port {
                    port = number(payload);
                }
            }
            found.push((mac, port));
        };
        let interrupted =
            connection.dump_with_breaks(self.family.id, self.get, &[], part, between)?;
        Ok((found, interrupted))
    }
}

/// Has each of `ports` own `count` entries, as if they were seen `age` milliseconds ago: the first
/// one 0 to `count`, the next those that follow. Prints the milliseconds that it took.
pub fn fill(ports: &[String], count: u32, age: u32) -> Result<()> {
    let (entries, mut connection) = Entries::open(Connection::open()?)?;
    let begun = Instant::now();
    for (place, port) in (0..).zip(ports) {
        let port = if_nametoindex(port.as_str())?;
        let range = place * count..(place + 1) * count;
        entries.make(&mut connection, port, range, age)?;
    }
    println!("{}", begun.elapsed().as_millis());
    Ok(())
}

/// Dumps everything, which has to be `count` entries, into a buffer of so many bytes, if that is
/// said.
pub fn dump(count: usize, buffer: Option<usize>) -> Result<()> {
    let connection = buffer.map_or_else(Connection::open, Connection::with_buffer)?;
    let (entries, mut connection) = Entries::open(connection)?;
    let begun = Instant::now();
    let (found, interrupted) = entries.dump(&mut connection, || Ok(()))?;
    let milliseconds = begun.elapsed().as_millis();
    ensure!(
        !interrupted,
        "nothing changes, and the dump says that something did"
    );
    ensure!(
        found.len() == count,
        "{} entries came, not {count}",
        found.len()
    );
    let unique: HashSet<_> = found.iter().collect();
    ensure!(
        unique.len() == count,
        "only {} entries differ",
        unique.len()
    );
    println!("{milliseconds}");
    Ok(())
}

/// Dumps while entries are made, by another thread and between any two datagrams of a dump: none
/// waits for a dump to end. Those that `fill` made have to be in every dump that does not say that
/// it was interrupted. Prints how many dumps were whole and how many interrupted, and how many
/// entries were made between their datagrams.
pub fn disturb(port: &str, count: u32, seconds: u64) -> Result<()> {
    // For many datagrams.
    let (entries, mut connection) = Entries::open(Connection::with_buffer(8 << 10)?)?;
    let port = if_nametoindex(port)?;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut maker = Connection::open()?;
    let mut made = 0;
    let (whole, interrupted) = entries.make_during(port, count, || {
        let (mut whole, mut interrupted) = (0, 0);
        // A slow machine takes longer to make so many that the table grows.
        while Instant::now() < deadline
            || (interrupted == 0 && Instant::now() < deadline + PATIENCE)
        {
            let (found, was_interrupted) = entries.dump(&mut connection, || {
                made += 1;
                let name = entries.name(port, u32::MAX - made);
                maker
                    .request(entries.family.id, entries.new, &name)
                    .context("an entry is made while a dump is under way")?;
                Ok(())
            })?;
            if was_interrupted {
                interrupted += 1;
                continue;
            }
            whole += 1;
            let lasting = |mac: u64| ((mac.swap_bytes() >> 16) & 0xffff_ffff) < count.into();
            let found: HashSet<_> = found.iter().filter(|(mac, _)| lasting(*mac)).collect();
            ensure!(
                found.len() == count as usize,
                "{} of {count} came",
                found.len()
            );
        }
        Ok((whole, interrupted))
    })?;
    println!("{whole} {interrupted} {made}");
    Ok(())
}

impl Entries {
    /// Makes entries from number `first` on while `action` runs.
    fn make_during<T>(
        &self,
        port: u32,
        first: u32,
        action: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let mut connection = Connection::open()?;
        let end = AtomicBool::new(false);
        thread::scope(|scope| {
            let maker = scope.spawn(|| -> Result<()> {
                for number in first.. {
                    if end.load(Ordering::Relaxed) {
                        break;
                    }
                    connection.request(self.family.id, self.new, &self.name(port, number))?;
                }
                Ok(())
            });
            let result = action();
            end.store(true, Ordering::Relaxed);
            maker.join().expect("it does not panic")?;
            result
        })
    }
}
