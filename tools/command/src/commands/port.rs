// SPDX-License-Identifier: GPL-2.0

//! `maclearn port`.

use std::collections::HashMap;

use clap::ArgMatches;
use maclearn_family::{Attributes, Error, PortAttributes, operation};
use nix::libc;

use super::{Context, add_attributes, statistics};
use crate::{
    devices::{self, Names},
    failure::Failure,
    output::{Item, Record},
    setting,
};

/// What is said only if it is so.
const FLAGS: &[&str] = &["failing_open", "limit_reached"];

/// Shows one port, those of a bridge, or all.
pub fn show(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let client = &mut context.client;
    let ports = match devices::said(matches, "dev")? {
        Some(index) => {
            let port = PortAttributes {
                ifindex: Some(index),
                ..Default::default()
            };
            let port = client.get(&operation::PORT_GET, &port);
            vec![port.map_err(|error| refused(error, matches))?]
        }
        None => {
            let filter = PortAttributes {
                bridge: devices::said(matches, "br")?,
                ..Default::default()
            };
            client.list(&operation::PORT_GET, &filter)?
        }
    };
    let counted: HashMap<_, _> = match context.with_statistics {
        true => statistics::all(client)?,
        false => HashMap::new(),
    };
    let names = Names::all()?;
    context.output.list(|emit| {
        for port in &ports {
            let mut record = record(port, &names);
            if let Some(counted) = port.ifindex.and_then(|index| counted.get(&index)) {
                record.group("statistics", statistics::fields(counted));
            }
            emit(&record)?;
        }
        Ok(())
    })
}

fn record(port: &PortAttributes, names: &Names) -> Record {
    let mut record = Record::new();
    if let Some(index) = port.ifindex {
        record.hidden("ifindex", Item::Number(index.into()));
        record.title("ifname", Item::device(names.get(index)));
    }
    if let Some(index) = port.bridge {
        record.field("master", Item::device(names.get(index)));
    }
    let rest = port
        .present()
        .filter(|(attribute, _)| !["ifindex", "bridge"].contains(&attribute.name));
    add_attributes(&mut record, rest, FLAGS, |_| false);
    record
}

/// Changes settings.
pub fn set(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    if let Some(index) = devices::said(matches, "dev")? {
        let request = setting::request(&operation::PORT_SET, index, matches);
        let done = context.client.set(&operation::PORT_SET, &request);
        done.map_err(|error| refused(error, matches))?;
    }
    Ok(())
}

/// The kernel knows a device by its number alone, which tells the user nothing.
fn refused(error: Error, matches: &ArgMatches) -> Failure {
    match error {
        Error::Refused(refusal) if refusal.error == libc::ENODEV => {
            devices::no_port(matches, "dev")
        }
        other => other.into(),
    }
}
