// SPDX-License-Identifier: GPL-2.0

//! What the commands do.

mod apply;
mod bridge;
mod doctor;
mod entry;
mod metrics;
mod mirror;
mod monitor;
mod port;
mod reload;
mod saved;
mod statistics;
mod summary;
mod top;
mod why;

pub use top::sort_words;

use clap::ArgMatches;
use maclearn_family::{Attribute, Client, Dump, Error, Value};

use crate::{
    failure::Failure,
    grammar::NAME,
    namespace,
    output::{Item, Output, Paint, Record},
};

/// What every command works with.
struct Context {
    client: Client,
    output: Output,
    with_statistics: bool,
    with_details: bool,
    with_time: bool,
}

/// Carries out what was said.
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    if matches.get_flag("Version") {
        let version = env!("MACLEARN_VERSION");
        return Output::new(matches).raw(&format!("{NAME} utility, {version}\n"));
    }
    if let Some(name) = matches.get_one::<String>("netns") {
        namespace::enter(name)?;
    }
    let mut output = Output::new(matches);
    if let Some(("apply", matches)) = matches.subcommand() {
        return apply::apply(&mut output, matches);
    }
    let client = match Client::open() {
        Ok(client) => client,
        Err(error) if matches.subcommand_name() == Some("metrics") => {
            return output.raw(&metrics::without(error)?);
        }
        Err(Error::NoFamily) if matches.subcommand_name() == Some("doctor") => {
            return doctor::without(&mut output);
        }
        Err(error) => return Err(error.into()),
    };
    let mut context = Context {
        client,
        output,
        with_statistics: matches.get_flag("statistics"),
        with_details: matches.get_flag("details"),
        with_time: matches.get_flag("timestamp"),
    };
    let context = &mut context;
    let Some((object, matches)) = matches.subcommand() else {
        return summary::show(context);
    };
    match (object, matches.subcommand()) {
        ("why", _) => why::show(context, matches),
        ("doctor", _) => doctor::show(context),
        ("metrics", _) => metrics::show(context),
        ("save", _) => saved::save(context, matches),
        ("reload", _) => reload::run(matches),
        ("restore", _) => saved::restore(context, matches),
        ("port", Some(("show", matches))) => port::show(context, matches),
        ("port", Some(("set", matches))) => port::set(context, matches),
        ("bridge", Some(("show", matches))) => bridge::show(context, matches),
        ("bridge", Some(("set", matches))) => bridge::set(context, matches),
        ("entry", Some(("show", matches))) => entry::show(context, matches),
        ("entry", Some(("add", matches))) => entry::add(context, matches),
        ("entry", Some(("del", matches))) => entry::del(context, matches),
        ("entry", Some(("flush", matches))) => entry::flush(context, matches),
        ("statistics", Some(("show", matches))) => statistics::show(context, matches),
        ("statistics", Some(("reset", matches))) => statistics::reset(context, matches),
        ("monitor", _) => monitor::show(context),
        ("top", _) => top::show(context, matches),
        _ => summary::show(context),
    }
}

/// Says so if a dump may have missed something.
fn complete(dump: Dump) -> Result<(), Failure> {
    match dump {
        Dump::Whole => Ok(()),
        Dump::Interrupted => Err(Failure::Incomplete(
            "Dump was interrupted and may be inconsistent.",
        )),
    }
}

/// Adds attributes as fields, those in `flags` as words that are there or not.
fn add_attributes(
    record: &mut Record,
    attributes: impl Iterator<Item = (&'static Attribute, Value)>,
    flags: &[&str],
    is_detail: impl Fn(&str) -> bool,
) {
    for (attribute, value) in attributes {
        match value {
            Value::Switch(on) if flags.contains(&attribute.name) => {
                record.flag(attribute.name, on, Paint::Bad);
            }
            _ if is_detail(attribute.name) => record.hidden(attribute.name, Item::attribute(value)),
            _ => record.field(attribute.name, Item::attribute(value)),
        }
    }
}
