// SPDX-License-Identifier: GPL-2.0

//! `maclearn monitor`.

use std::{io, os::fd::AsFd};

use jiff::Timestamp;
use maclearn_family::{Arrivals, Error, Event, EventAttributes, Value};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::Context;
use crate::{
    devices::Names,
    failure::Failure,
    output::{Item, Paint, Record},
};

/// Shows what happens, a line for each, at once, until the module goes: another one would not be
/// heard.
pub fn show(context: &mut Context) -> Result<(), Failure> {
    let mut arrivals = Arrivals::listen()?;
    // From here on nothing is missed.
    let mut events = context.client.listen()?;
    let mut names = Names::all()?;
    loop {
        let files = [events.as_fd(), arrivals.as_fd()];
        let mut files = files.map(|file| PollFd::new(file, PollFlags::POLLIN));
        match poll(&mut files, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            other => other.map_err(io::Error::from)?,
        };
        let has_heard = files.first().is_some_and(|file| file.any() == Some(true));
        if !has_heard {
            let mut is_gone = false;
            let heard = arrivals.next(|_| is_gone = true)?;
            if is_gone || !heard {
                return Err(Failure::from(Error::NoFamily).ended());
            }
            continue;
        }
        let time = context.with_time;
        let output = &mut context.output;
        let heard = events.next(|event| output.line(&record(&event, &mut names, time)))?;
        if !heard {
            // How many there were is not known.
            let lost = EventAttributes {
                event: Some(Event::Lost),
                ..Default::default()
            };
            output.line(&record(&lost, &mut names, time))?;
        }
    }
}

fn record(event: &EventAttributes, names: &mut Names, with_time: bool) -> Record {
    let mut record = Record::new();
    if with_time {
        let now = Timestamp::now();
        record.title("timestamp", Item::word(format!("{now:.6}")));
    }
    if let Some(kind) = event.event {
        let paint = match kind {
            Event::FailingOpen | Event::LimitReached | Event::Lost => Paint::Bad,
            Event::Recovered => Paint::Good,
            _ => Paint::Plain,
        };
        record.title(
            "event",
            Item::Word(Value::from(kind).to_string().into(), paint),
        );
    }
    if let Some(mac) = event.mac {
        record.title("mac", Item::Mac(mac));
    }
    match (event.ifname, event.port) {
        // What it was called then; it may be gone.
        (Some(name), _) => record.device(Item::device(name.to_string())),
        (None, Some(index)) => record.device(Item::device(names.now(index))),
        (None, None) => (),
    }
    if let Some(vlan) = event.vlan.filter(|vlan| *vlan != 0) {
        record.field("vlan", Item::Number(vlan.into()));
    }
    if let Some(index) = event.bridge {
        record.field("master", Item::device(names.now(index)));
    }
    if let Some(lost) = event.lost {
        record.field("lost", Item::Number(lost.into()));
    }
    record
}

#[cfg(test)]
mod tests {
    use maclearn_family::Mac;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event = EventAttributes {
            event: Some(Event::MovedIn),
            // No device has such an index.
            bridge: Some(u32::MAX),
            port: Some(u32::MAX - 1),
            vlan: Some(10),
            mac: Some(Mac([2, 0, 0, 0, 1, 1])),
            ..Default::default()
        };
        let wanted = "moved-in 02:00:00:00:01:01 dev if4294967294 vlan 10 master if4294967295\n";
        assert_eq!(text(&event), wanted);
    }

    #[test]
    fn a_port_that_has_left_keeps_its_name() {
        let event = EventAttributes {
            event: Some(Event::PortLeft),
            bridge: Some(u32::MAX),
            port: Some(u32::MAX - 1),
            ifname: Some("vnet0".parse().unwrap()),
            ..Default::default()
        };
        assert_eq!(text(&event), "port-left dev vnet0 master if4294967295\n");
    }

    fn text(event: &EventAttributes) -> String {
        let mut text = Vec::new();
        record(event, &mut Names::default(), false)
            .write(&mut text, false)
            .unwrap();
        String::from_utf8(text).unwrap()
    }
}
