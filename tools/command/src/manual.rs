// SPDX-License-Identifier: GPL-2.0

//! The manual page, maclearn(8).

use clap::Command;
use roff::{Roff, bold, italic, roman};

use crate::{grammar::NAME, usage};

/// The page, for man.
pub fn page(grammar: &Command) -> String {
    let mut page = Roff::new();
    let about = grammar
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    page.control("TH", ["MACLEARN", "8", "", NAME, "maclearn"]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{NAME} - {about}"))]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([
        bold(NAME),
        roman(" [ "),
        italic("OPTIONS"),
        roman(" ] [ "),
        italic("OBJECT"),
        roman(" { "),
        italic("COMMAND"),
        roman(" | "),
        bold("help"),
        roman(" } ]"),
    ]);
    page.control("SH", ["OPTIONS"]);
    for option in grammar.get_arguments() {
        let (short, long) = (
            option.get_short().unwrap_or_default(),
            option.get_long().unwrap_or_default(),
        );
        page.control("TP", []);
        page.text([
            bold(format!("-{short}, -{long}")),
            italic(usage::value_of_option(option)),
        ]);
        page.text([roman(usage::help_of(option))]);
    }
    page.control("SH", ["COMMANDS"]);
    page.text([roman(
        "Each word can be cut short as long as no other begins so. An object alone is shown, and \
         maclearn alone shows a summary.",
    )]);
    for object in grammar.get_subcommands() {
        commands(&mut page, &format!("{NAME} {}", object.get_name()), object);
    }
    page.control("SH", ["EXIT STATUS"]);
    page.text([roman(
        "0; 255 if the command line is not understood, names a device that is not there, or is \
         refused by the kernel, whose words are printed; 1 if what is shown is not complete or can't be \
         written.",
    )]);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("bridge"),
        roman("(8), "),
        bold("ip-link"),
        roman("(8)"),
    ]);
    page.render()
}

fn commands(page: &mut Roff, prefix: &str, command: &Command) {
    if command.has_subcommands() {
        for inner in command.get_subcommands() {
            commands(page, &format!("{prefix} {}", inner.get_name()), inner);
        }
        return;
    }
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    page.control(
        "SS",
        [format!("{prefix}{}", usage::synopsis(command)).as_str()],
    );
    page.text([roman(about)]);
    for argument in command.get_arguments() {
        let value = usage::value_of(argument);
        page.control("TP", []);
        match argument.get_long() {
            Some(name) if argument.get_action().takes_values() => {
                page.text([bold(name), roman(" "), italic(value)]);
            }
            Some(name) => {
                page.text([bold(name)]);
            }
            None => {
                page.text([italic(value)]);
            }
        }
        page.text([roman(usage::help_of(argument))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::grammar;

    #[test]
    fn names_every_keyword() {
        let page = page(&grammar());
        for wanted in [
            "unknown_unicast",
            "ageing_time",
            "maclearn entry flush",
            "\\-netns\\fR\\fI NETNS",
            "\\-color\\fR\\fI[=always|auto|never]",
            "why",
        ] {
            assert!(page.contains(wanted), "{wanted} is not in\n{page}");
        }
    }
}
