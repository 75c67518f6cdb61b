// SPDX-License-Identifier: GPL-2.0

//! Random messages: the kernel has to answer each, take none that the specification does not allow,
//! and change what a taken one says, and nothing for a refused one.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use anyhow::{bail, ensure, Context, Result};
use maclearn_family::{Request, NAME, REQUESTS};
use rand::{rngs::StdRng, SeedableRng};

use crate::{
    generate::Generator,
    message::{
        attributes, messages, Header, GENERIC_HEADER, HEADER, NLMSG_MIN_TYPE, NLM_F_DUMP,
        NLM_F_REQUEST,
    },
    socket::{Answer, Connection},
    spec::{attribute, named, number, request_of},
    twin::{is_allowed, Difference, Settings},
};

/// Messages in a datagram at most, and those after which the settings are looked at.
const BATCH: usize = 128;

/// A device that is neither a port nor a bridge, and none at all.
const OTHER_DEVICES: [u32; 2] = [1, 9999];

struct Sent {
    header: Header,
    bytes: Vec<u8>,
    error: Option<i32>,
}

/// What the kernel makes of a message.
enum Fate {
    /// It is no message: neither it nor what follows is looked at.
    Unheard,
    /// It is acknowledged, and that is all.
    Ignored,
    /// It is a request, possibly for no operation at all.
    Request { command: u8, is_dump: bool },
}

impl Sent {
    fn fate(&self) -> Fate {
        let length = self.header.length as usize;
        if length < HEADER || length > self.bytes.len() {
            Fate::Unheard
        } else if self.header.flags & NLM_F_REQUEST == 0 || self.header.family < NLMSG_MIN_TYPE {
            Fate::Ignored
        } else {
            Fate::Request {
                command: self.bytes.get(HEADER).copied().unwrap_or_default(),
                is_dump: self.header.flags & NLM_F_DUMP == NLM_F_DUMP,
            }
        }
    }

    fn operation(&self) -> Option<&'static Request> {
        match self.fate() {
            Fate::Request { command, is_dump } => request_of(command, is_dump),
            _ => None,
        }
    }

    fn body(&self) -> &[u8] {
        let length = self.header.length as usize;
        self.bytes
            .get(HEADER + GENERIC_HEADER..length)
            .unwrap_or(&[])
    }
}

/// How often an operation was asked for.
#[derive(Default)]
struct Tally {
    taken: u64,
    refused: u64,
}

/// Sends `count` messages.
pub fn fuzz(count: u64, seed: u64) -> Result<()> {
    println!("{count} messages from seed {seed}");
    let begun = Instant::now();
    let mut connection = Connection::open()?;
    let family = connection.family(NAME)?;
    let mut listener = Connection::open()?;
    listener.listen(family)?;

    let mut wanted = Settings::read(&mut connection, family)?;
    let bridge_of = bridges(&mut connection, family.id)?;
    let devices = wanted
        .devices()
        .map(|index| index as u32)
        .chain(OTHER_DEVICES);
    let mut generator = Generator {
        family: family.id,
        devices: devices.collect(),
        random: StdRng::seed_from_u64(seed),
    };
    let mut tallies: BTreeMap<(&str, bool), Tally> = BTreeMap::new();
    let mut sent = 0;
    while sent < count {
        let mut messages = Vec::new();
        while messages.len() < BATCH {
            let mut batch = batch(&mut generator, &mut connection);
            let exchanged = exchange(&mut connection, &mut batch)
                .and_then(|()| check(&bridge_of, &batch, &mut wanted, &mut tallies));
            messages.extend(batch);
            exchanged.with_context(|| story(&messages))?;
        }
        sent += messages.len() as u64;
        Settings::read(&mut connection, family)
            .and_then(|found| {
                ensure!(found == wanted, "{}", Difference(&found, &wanted));
                Ok(())
            })
            .with_context(|| story(&messages))?;
    }
    println!("{sent} messages in {:.1} s", begun.elapsed().as_secs_f64());
    for operation in REQUESTS {
        let key = (operation.name, operation.is_dump);
        let tally = tallies.remove(&key).unwrap_or_default();
        let how = if operation.is_dump { "dump" } else { "do" };
        println!(
            "{} {how}: {} taken, {} refused",
            operation.name, tally.taken, tally.refused
        );
        let can_refuse = operation.attributes.is_some();
        ensure!(
            tally.taken != 0 && (tally.refused != 0 || !can_refuse),
            "that was no test"
        );
    }
    Ok(())
}

/// Which bridge each port belongs to.
fn bridges(connection: &mut Connection, family: u16) -> Result<HashMap<u64, u64>> {
    let get = named("port-get", true)?;
    let index = attribute(get, "ifindex")?.number;
    let bridge = attribute(get, "bridge")?.number;
    let mut bridges = HashMap::new();
    connection.dump(family, get.command, &[], |part| {
        let all: HashMap<_, _> = attributes(part).collect();
        let of = |n| all.get(n).map_or(0, |payload| number(payload));
        bridges.insert(of(&index), of(&bridge));
    })?;
    Ok(bridges)
}

/// Messages for one datagram. Dumps go on after it, and what is no message ends it: such are last.
fn batch(generator: &mut Generator, connection: &mut Connection) -> Vec<Sent> {
    let mut batch = Vec::new();
    while batch.len() < BATCH {
        let mut bytes = generator.message(connection.next_sequence());
        let header = Header::read(&bytes).expect("a message has a header");
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let message = Sent {
            header,
            bytes,
            error: None,
        };
        let fate = message.fate();
        batch.push(message);
        if matches!(fate, Fate::Unheard | Fate::Request { is_dump: true, .. }) {
            break;
        }
    }
    batch
}

/// Sends them, and waits for the last answer to each.
fn exchange(connection: &mut Connection, batch: &mut [Sent]) -> Result<()> {
    let datagram: Vec<u8> = batch
        .iter()
        .flat_map(|message| &message.bytes)
        .copied()
        .collect();
    connection.send(&datagram)?;
    let mut missing = batch
        .iter()
        .filter(|message| !matches!(message.fate(), Fate::Unheard))
        .count();
    let first = batch[0].header.sequence;
    while missing != 0 {
        for (header, body) in messages(connection.receive()?) {
            let at = header.sequence.wrapping_sub(first) as usize;
            let asked = batch.get_mut(at).context("an answer to nothing")?;
            ensure!(asked.error.is_none(), "answered twice");
            if let Answer::Final { error } = Answer::of(&header, body) {
                asked.error = Some(error);
                missing -= 1;
            }
        }
    }
    Ok(())
}

/// Notes what each taken message does.
fn check(
    bridge_of: &HashMap<u64, u64>,
    batch: &[Sent],
    wanted: &mut Settings,
    tallies: &mut BTreeMap<(&'static str, bool), Tally>,
) -> Result<()> {
    for message in batch {
        let Fate::Request { .. } = message.fate() else {
            continue;
        };
        let is_taken = message.error == Some(0);
        let Some(operation) = message.operation() else {
            ensure!(!is_taken, "taken, and there is no such operation");
            continue;
        };
        let tally = tallies
            .entry((operation.name, operation.is_dump))
            .or_default();
        if !is_taken {
            tally.refused += 1;
            continue;
        }
        tally.taken += 1;
        if !is_allowed(operation, message.body()) {
            bail!(
                "taken, and the specification does not allow it: {:?}",
                message.header
            );
        }
        wanted.apply(bridge_of, operation, message.body())?;
    }
    Ok(())
}

/// The messages and their answers, for someone to find the fault.
fn story(batch: &[Sent]) -> String {
    let mut story = String::from("after these messages");
    for message in batch {
        let name = message
            .operation()
            .map_or("no operation", |operation| operation.name);
        story += &format!(
            "\n  {name}, answer {:?}: {:02x?}",
            message.error, message.bytes
        );
    }
    story
}
