// SPDX-License-Identifier: GPL-2.0

//! What can be said, as text for people.

use std::fmt::Write;

use clap::{Arg, Command};

use crate::grammar::NAME;

/// What can be said, of all objects or of what the words in `path` lead to.
pub fn of(grammar: &Command, path: &[&str]) -> String {
    let mut command = grammar;
    for word in path {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    let mut text = String::new();
    let prefix = [&[NAME], path].concat().join(" ");
    // It can't fail: it is a string.
    let _ = if path.is_empty() {
        all(&mut text, command)
    } else {
        lines(&mut text, &prefix, command).and_then(|()| keywords(&mut text, command))
    };
    text.trim_end().to_string()
}

fn all(text: &mut String, grammar: &Command) -> std::fmt::Result {
    let objects: Vec<_> = grammar.get_subcommands().map(Command::get_name).collect();
    writeln!(
        text,
        "Usage: {NAME} [ OPTIONS ] [ OBJECT {{ COMMAND | help }} ]"
    )?;
    writeln!(text, "where  OBJECT := {{ {} }}", objects.join(" | "))?;
    writeln!(text, "       OPTIONS :=")?;
    for option in grammar.get_arguments() {
        let long = option.get_long().unwrap_or_default();
        let rest = long.get(1..).unwrap_or_default();
        let first = option.get_short().unwrap_or_default();
        let value = value_of_option(option);
        let said = format!("-{first}[{rest}]{value}");
        writeln!(text, "         {said:<32} {}", help_of(option))?;
    }
    for object in grammar.get_subcommands() {
        lines(text, &format!("{NAME} {}", object.get_name()), object)?;
    }
    writeln!(
        text,
        "When a guest is not reachable, begin with: {NAME} doctor, and {NAME} why MAC from PORT"
    )
}

/// A line for each command of an object, or for one, and its keywords.
fn lines(text: &mut String, prefix: &str, command: &Command) -> std::fmt::Result {
    if command.has_subcommands() {
        for inner in command.get_subcommands() {
            lines(text, &format!("{prefix} {}", inner.get_name()), inner)?;
        }
        return Ok(());
    }
    writeln!(text, "{prefix}{}", synopsis(command))?;
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    writeln!(text, "         {about}")
}

/// What the keywords of a command mean, each in a line.
fn keywords(text: &mut String, command: &Command) -> std::fmt::Result {
    let all: Vec<_> = command.get_arguments().map(said).collect();
    let width = all.iter().map(String::len).max().unwrap_or_default();
    for (said, argument) in all.iter().zip(command.get_arguments()) {
        writeln!(text, "         {said:<width$} {}", help_of(argument))?;
    }
    Ok(())
}

/// What comes after a command's words, such as ` dev PORT [ vlan VID ]`.
pub fn synopsis(command: &Command) -> String {
    let (required, optional): (Vec<_>, Vec<_>) = command
        .get_arguments()
        .partition(|argument| argument.is_required_set());
    let mut text = String::new();
    for argument in required.into_iter().chain(optional) {
        let said = said(argument);
        text += &match argument.is_required_set() {
            true => format!(" {said}"),
            false => format!(" [ {said} ]"),
        };
    }
    text
}

/// An argument with its keyword, such as `dev PORT`.
fn said(argument: &Arg) -> String {
    let value = value_of(argument);
    match (argument.get_long(), argument.get_action().takes_values()) {
        (Some(name), true) => format!("{name} {value}"),
        (Some(name), false) => name.to_string(),
        (None, _) => value,
    }
}

/// What stands for the value of an argument: its words or its name.
pub fn value_of(argument: &Arg) -> String {
    let words: Vec<_> = argument
        .get_possible_values()
        .iter()
        .map(|word| word.get_name().to_string())
        .collect();
    if !words.is_empty() {
        return format!("{{ {} }}", words.join(" | "));
    }
    argument.get_value_names().unwrap_or_default().join(" ")
}

/// What may stand behind an option, with what is between.
pub fn value_of_option(option: &Arg) -> String {
    match option.get_action().takes_values() {
        true if option.is_require_equals_set() => "[=always|auto|never]".to_string(),
        true => format!(" {}", value_of(option)),
        false => String::new(),
    }
}

pub fn help_of(argument: &Arg) -> String {
    argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default()
}
