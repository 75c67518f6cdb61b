// SPDX-License-Identifier: GPL-2.0

//! A sequence as a script for `tests/functional`.

use crate::{
    event::{Destination, Event, Frame, Ingress, Port, Ports, Sequence, Switch},
    promise::{Expectation, Model, Verdict},
};
use std::fmt::Write;

const BRIDGE_ADDRESS: &str = "02:00:00:00:0b:01";

/// The lines of a script that reproduces the sequence. What two senders do at the same time it does
/// one after the other.
pub fn script(sequence: &Sequence) -> String {
    let mut lines = String::from(
        "#!/bin/bash\n# SPDX-License-Identifier: GPL-2.0\n\nsource \"${BASH_SOURCE%/*}/lib.sh\"\n\n",
    );
    let setup = &sequence.setup;
    lines += "make_hub host1 host2 host3 host4\nip link set dev br type bridge forward_delay 0\n";
    if setup.learns {
        lines += "ip link set dev br type bridge ageing_time 30000\n";
    }
    lines += "for port in host1 host2 host3 host4; do bridge vlan add dev \"$port\" vid 10; done\n";
    if setup.loaded {
        lines += "load_module\n";
        let offload = if setup.offload { "auto" } else { "off" };
        line(
            &mut lines,
            format_args!("set_attribute br fdb_offload {offload}"),
        );
        enable(&mut lines, setup.enabled);
    }
    let mut model = Model::new(setup);
    for event in &sequence.events {
        carry_out(&mut lines, event, &mut model);
    }
    lines
}

fn line(lines: &mut String, text: std::fmt::Arguments) {
    // Writing to a string does not fail.
    let _ = writeln!(lines, "{text}");
}

fn enable(lines: &mut String, ports: Ports) {
    if ports != Ports::NONE {
        let names: Vec<_> = ports.iter().map(|port| port.to_string()).collect();
        line(lines, format_args!("enable {}", names.join(" ")));
    }
}

fn carry_out(lines: &mut String, event: &Event, model: &mut Model) {
    match event {
        Event::Frame(frame) => {
            let verdict = model.frame(frame);
            exchange(lines, frame, &verdict);
        }
        Event::Both(first, second) => {
            let (verdicts, others) = model.both(first, second);
            let all = first.iter().zip(verdicts);
            for (frame, verdict) in all.chain(second.iter().zip(others)) {
                exchange(lines, frame, &verdict);
            }
        }
        Event::UnloadUnder if !model.is_loaded() => {}
        Event::UnloadUnder => {
            line(lines, format_args!("rmmod maclearn &"));
            model.begin_unload();
            let mut gone = Ports::NONE;
            for (nth, port) in model.bridge().joined().iter().enumerate() {
                line(
                    lines,
                    format_args!("while [[ -e /sys/class/net/{port}/maclearn ]]; do :; done"),
                );
                gone = gone.with(port);
                for guest in model.movers(nth, gone, port) {
                    for (frame, verdict) in model.move_and_answer(guest, port) {
                        exchange(lines, &frame, &verdict);
                    }
                }
            }
            line(lines, format_args!("wait $!\nMODULE_LOADED="));
            model.end_unload();
        }
        _ => {
            if model.apply(event) {
                command(lines, event, model);
            }
        }
    }
}

fn command(lines: &mut String, event: &Event, model: &Model) {
    let up = |on: bool| if on { "up" } else { "down" };
    let digit = |on: bool| u8::from(on);
    let wait = |lines: &mut String, port: Port| {
        if model.bridge().has_joined(port) {
            let state = model.bridge().state(port) as u8;
            line(
                lines,
                format_args!("wait_until 20 is_in_state {port} {state}"),
            );
        }
    };
    match *event {
        Event::Move(guest, port) => line(lines, format_args!("# {guest} is behind {port} now.")),
        Event::Link(port, on) => {
            let up = up(on);
            line(lines, format_args!("ip -n hosts link set dev {port} {up}"));
            wait(lines, port);
        }
        Event::Admin(port, on) => {
            line(lines, format_args!("ip link set dev {port} {}", up(on)));
            wait(lines, port);
        }
        Event::State(port, state) => {
            let state = state as u8;
            line(
                lines,
                format_args!("bridge link set dev {port} state {state}"),
            );
        }
        Event::Member(port, on) => {
            let what = if on { "add" } else { "del" };
            line(lines, format_args!("bridge vlan {what} dev {port} vid 10"));
        }
        Event::Filtering(on) => line(
            lines,
            format_args!(
                "ip link set dev br type bridge vlan_filtering {}",
                digit(on)
            ),
        ),
        Event::Replace(guest, port, is_static) => {
            let kind = if is_static { "static" } else { "dynamic" };
            line(
                lines,
                format_args!("bridge fdb replace ${guest} dev {port} master {kind}"),
            );
        }
        Event::Delete(guest, port) => line(
            lines,
            format_args!("bridge fdb del ${guest} dev {port} master || true"),
        ),
        Event::FlushBridge => line(
            lines,
            format_args!("echo 1 >/sys/class/net/br/bridge/flush"),
        ),
        Event::Age => {
            if model.is_loaded() {
                line(lines, format_args!("set_attribute br flush 1"));
            }
            if model.bridge().learns() {
                line(
                    lines,
                    format_args!("echo 1 >/sys/class/net/br/bridge/flush"),
                );
            }
        }
        Event::Backup(port, Some(backup)) => line(
            lines,
            format_args!("bridge link set dev {port} backup_port {backup}"),
        ),
        Event::Backup(port, None) => {
            line(
                lines,
                format_args!("bridge link set dev {port} nobackup_port"),
            );
        }
        Event::Set(port, switch, on) => {
            let (name, value) = match switch {
                Switch::Enabled => ("enabled", ["0", "1"][usize::from(on)]),
                Switch::Learning => ("learning", ["0", "1"][usize::from(on)]),
                Switch::Suppress => ("unknown_unicast", ["flood", "suppress"][usize::from(on)]),
                Switch::Closed => ("on_failure", ["open", "closed"][usize::from(on)]),
            };
            line(lines, format_args!("set_attribute {port} {name} {value}"));
        }
        Event::MaxMacs(port, macs) => {
            line(lines, format_args!("set_attribute {port} max_macs {macs}"));
        }
        Event::Exclusive(on) => {
            line(
                lines,
                format_args!("set_attribute br exclusive {}", digit(on)),
            );
        }
        Event::Offload(on) => {
            let value = if on { "auto" } else { "off" };
            line(lines, format_args!("set_attribute br fdb_offload {value}"));
        }
        Event::Load(enabled) => {
            line(lines, format_args!("load_module"));
            enable(lines, enabled.and(model.bridge().joined()));
        }
        Event::Unload => line(lines, format_args!("unload_module")),
        Event::Join(port) => {
            line(lines, format_args!("ip link set dev {port} master br"));
            wait(lines, port);
        }
        Event::Leave(port) => line(lines, format_args!("ip link set dev {port} nomaster")),
        Event::Settle if model.is_loaded() => {
            let (offloaded, ports) = (model.offloadable(), model.bridge().joined());
            if offloaded > 0 {
                line(
                    lines,
                    format_args!("wait_until 20 attribute_is br n_offloaded {offloaded}"),
                );
            }
            for port in ports.iter().filter(|&port| model.has_room(port)) {
                line(
                    lines,
                    format_args!("wait_until 20 attribute_is {port} failing_open 0"),
                );
            }
        }
        Event::Settle | Event::Frame(_) | Event::Both(..) | Event::UnloadUnder => {}
    }
}

fn exchange(lines: &mut String, frame: &Frame, verdict: &Verdict) {
    let destination = match frame.destination {
        Destination::Guest(guest) => format!("${guest}"),
        Destination::Nobody => "$NOBODY".into(),
        Destination::Broadcast => "$BROADCAST".into(),
        Destination::LinkLocal => "01:80:c2:00:00:0e".into(),
    };
    let source = match frame.ingress {
        Ingress::Bridge => BRIDGE_ADDRESS.into(),
        Ingress::Port(_) => format!("${}", frame.source),
    };
    let tag = if frame.tagged { " vlan 10" } else { "" };
    line(lines, format_args!("uncounted_exchange <<PLAN"));
    match frame.ingress {
        Ingress::Bridge => {
            line(lines, format_args!("port bridge br"));
            line(lines, format_args!("send bridge {source} {destination}"));
        }
        Ingress::Port(port) => {
            line(
                lines,
                format_args!("send {port} {source} {destination}{tag}"),
            );
        }
    }
    for port in Port::all() {
        let word = match verdict[port.index()] {
            Expectation::Must(_) => "expect",
            Expectation::May => "allow",
            Expectation::MustNot(_) => continue,
        };
        line(
            lines,
            format_args!("{word} {port} {source} {destination}{tag}"),
        );
    }
    line(lines, format_args!("PLAN"));
}
