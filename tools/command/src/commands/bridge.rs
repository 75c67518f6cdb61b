// SPDX-License-Identifier: GPL-2.0

//! `maclearn bridge`.

use clap::ArgMatches;
use maclearn_family::{Attributes, BridgeAttributes, operation};

use super::{Context, add_attributes, statistics};
use crate::{
    devices::{self, Names},
    failure::Failure,
    output::{Item, Record},
    route::unless_gone,
    setting,
};

/// Shows one bridge or all.
pub fn show(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let client = &mut context.client;
    let bridges = match devices::said(matches, "dev")? {
        Some(index) => {
            let bridge = BridgeAttributes {
                ifindex: Some(index),
                ..Default::default()
            };
            vec![client.get(&operation::BRIDGE_GET, &bridge)?]
        }
        None => client.list(&operation::BRIDGE_GET, &BridgeAttributes::default())?,
    };
    let names = Names::all()?;
    context.output.list(|emit| {
        for bridge in &bridges {
            let mut record = record(bridge, &names, context.with_details);
            if let Some(index) = bridge.ifindex.filter(|_| context.with_statistics) {
                let Some(counted) = unless_gone(statistics::of(client, index))? else {
                    continue;
                };
                record.group("statistics", statistics::fields(&counted));
            }
            emit(&record)?;
        }
        Ok(())
    })
}

fn record(bridge: &BridgeAttributes, names: &Names, with_details: bool) -> Record {
    let mut record = Record::new();
    if let Some(index) = bridge.ifindex {
        record.hidden("ifindex", Item::Number(index.into()));
        record.title("ifname", Item::device(names.get(index)));
    }
    let rest = bridge
        .present()
        .filter(|(attribute, _)| attribute.name != "ifindex");
    let is_detail =
        |name: &str| !with_details && (name.starts_with("default_") || name == "memory");
    add_attributes(&mut record, rest, &[], is_detail);
    record
}

/// Changes settings.
pub fn set(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    if let Some(index) = devices::said(matches, "dev")? {
        let request = setting::request(&operation::BRIDGE_SET, index, matches);
        context.client.set(&operation::BRIDGE_SET, &request)?;
    }
    Ok(())
}
