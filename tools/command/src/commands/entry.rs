// SPDX-License-Identifier: GPL-2.0

//! `maclearn entry`.

use std::collections::HashMap;

use clap::ArgMatches;
use maclearn_family::{EntryAttributes, Mac, operation};

use super::{Context, complete};
use crate::{
    devices::{self, Names},
    failure::Failure,
    output::{Item, Paint, Record},
    route::{self, Route},
};

/// What was said of an entry, or of several.
fn request(matches: &ArgMatches) -> Result<EntryAttributes, Failure> {
    Ok(EntryAttributes {
        port: devices::said(matches, "dev")?,
        vlan: matches.get_one("vlan").copied(),
        mac: matches.get_one::<Mac>("mac").copied(),
        ..Default::default()
    })
}

/// Shows the table, in constant memory.
pub fn show(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let kind = match (matches.get_flag("static"), matches.get_flag("dynamic")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let filter = EntryAttributes {
        bridge: devices::said(matches, "br")?,
        r#static: kind,
        ..request(matches)?
    };
    let names = Names::all()?;
    let mut route = Route::open()?;
    let mut filters = HashMap::new();
    let client = &mut context.client;
    let mut dump = None;
    context.output.list(|emit| {
        dump = Some(client.dump(&operation::ENTRY_GET, &filter, |mut entry| {
            if let Some(bridge) = entry.bridge.filter(|_| entry.offloaded == Some(true)) {
                let filters = filters.entry(bridge).or_insert_with(|| {
                    let device = route.bridge(bridge).ok().flatten();
                    device.map(|device| device.filters_vlans)
                });
                let vlan = entry.vlan.unwrap_or_default();
                entry.offloaded = Some(route::uses_entry(*filters, vlan));
            }
            emit(&record(&entry, &names))
        })?);
        Ok(())
    })?;
    dump.map_or(Ok(()), complete)
}

fn record(entry: &EntryAttributes, names: &Names) -> Record {
    let mut record = Record::new();
    if let Some(mac) = entry.mac {
        record.title("mac", Item::Mac(mac));
    }
    if let Some(index) = entry.port {
        record.device(Item::device(names.get(index)));
    }
    if let Some(vlan) = entry.vlan.filter(|vlan| *vlan != 0) {
        record.field("vlan", Item::Number(vlan.into()));
    }
    if let Some(index) = entry.bridge {
        record.field("master", Item::device(names.get(index)));
    }
    for (name, on) in [
        ("static", entry.r#static),
        ("fdb", entry.fdb),
        ("offloaded", entry.offloaded),
    ] {
        record.flag(name, on == Some(true), Paint::Plain);
    }
    if let Some(age) = entry.age {
        record.field("age", Item::Milliseconds(age));
    }
    record
}

/// Makes a port an owner of a MAC.
pub fn add(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let age: Option<u32> = matches.get_one("age").copied();
    let is_dynamic = matches.get_flag("dynamic") || age.is_some();
    let entry = EntryAttributes {
        r#static: Some(!is_dynamic),
        age,
        ..request(matches)?
    };
    Ok(context.client.set(&operation::ENTRY_NEW, &entry)?)
}

/// Takes a MAC from a port.
pub fn del(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    Ok(context
        .client
        .set(&operation::ENTRY_DEL, &request(matches)?)?)
}

/// Forgets what was learned, or configured.
pub fn flush(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let filter = EntryAttributes {
        bridge: devices::said(matches, "br")?,
        r#static: matches.get_flag("static").then_some(true),
        ..request(matches)?
    };
    Ok(context.client.set(&operation::ENTRY_FLUSH, &filter)?)
}
