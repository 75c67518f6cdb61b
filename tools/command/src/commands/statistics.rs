// SPDX-License-Identifier: GPL-2.0

//! `maclearn statistics`, and the same beside ports and bridges with `-s`.

use std::collections::HashMap;

use clap::ArgMatches;
use maclearn_family::{Attributes, Client, Error, StatisticsAttributes, operation};

use super::Context;
use crate::{
    devices::{self, Names},
    failure::Failure,
    output::{Item, Record},
};

/// Shows those of a port, of a bridge, or of all ports.
pub fn show(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let client = &mut context.client;
    let counted = match devices::said(matches, "dev")? {
        Some(index) => vec![of(client, index)?],
        None => client.list(&operation::STATS_GET, &StatisticsAttributes::default())?,
    };
    let names = Names::all()?;
    context.output.list(|emit| {
        for counted in &counted {
            let mut record = Record::new();
            if let Some(index) = counted.ifindex {
                record.hidden("ifindex", Item::Number(index.into()));
                record.title("ifname", Item::device(names.get(index)));
            }
            record.group("statistics", fields(counted));
            emit(&record)?;
        }
        Ok(())
    })
}

/// Sets them to 0.
pub fn reset(context: &mut Context, matches: &ArgMatches) -> Result<(), Failure> {
    let request = StatisticsAttributes {
        ifindex: devices::said(matches, "dev")?,
        ..Default::default()
    };
    Ok(context.client.set(&operation::STATS_RESET, &request)?)
}

/// Those of a port, or the sums of a bridge's ports.
pub fn of(client: &mut Client, index: u32) -> Result<StatisticsAttributes, Error> {
    let request = StatisticsAttributes {
        ifindex: Some(index),
        ..Default::default()
    };
    client.get(&operation::STATS_GET, &request)
}

/// Those of all ports, by their index.
pub fn all(client: &mut Client) -> Result<HashMap<u32, StatisticsAttributes>, Error> {
    let all = client.list(&operation::STATS_GET, &StatisticsAttributes::default())?;
    let all = all
        .into_iter()
        .filter_map(|counted| Some((counted.ifindex?, counted)));
    Ok(all.collect())
}

/// What was counted.
pub fn fields(counted: &StatisticsAttributes) -> impl Iterator<Item = (&'static str, Item)> {
    let counters = counted
        .present()
        .filter(|(attribute, _)| attribute.name != "ifindex");
    counters.map(|(attribute, value)| (attribute.name, Item::attribute(value)))
}
