// SPDX-License-Identifier: GPL-2.0

//! Reads a command line as iproute2 does: options before the object, an object, its command,
//! keywords with values; each may be cut short as long as it is the only one that begins so. What
//! comes out are the arguments that clap expects of its definition.

use std::collections::HashSet;

use clap::{
    Arg, ArgMatches, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{failure::Failure, grammar::NAME, usage};

/// What was said.
pub fn read(grammar: &Command, arguments: &[String]) -> Result<ArgMatches, Failure> {
    let mut built = grammar.clone();
    built.build();
    let mut words = arguments.iter().map(String::as_str).peekable();
    let mut said = vec![NAME.to_string()];
    while let Some(option) = words.next_if(|word| word.starts_with('-')) {
        read_option(&built, option, &mut words, &mut said)?;
    }
    let (path, command) = descend(&built, &mut words, &mut said)?;
    read_keywords(&built, &path, command, &mut words, &mut said)?;
    grammar
        .clone()
        .try_get_matches_from(said)
        .map_err(|error| explain(&path, &error))
}

fn read_option<'a>(
    grammar: &Command,
    option: &str,
    words: &mut impl Iterator<Item = &'a str>,
    said: &mut Vec<String>,
) -> Result<(), Failure> {
    let unknown = || {
        Failure::usage(format!(
            "Option \"{option}\" is unknown, try \"{NAME} help\"."
        ))
    };
    let name = option
        .strip_prefix("--")
        .or(option.strip_prefix('-'))
        .unwrap_or(option);
    let (name, value) = name
        .split_once('=')
        .map_or((name, None), |(name, value)| (name, Some(value)));
    let found = match name.chars().collect::<Vec<_>>()[..] {
        [] => return Err(unknown()),
        [short] => grammar
            .get_arguments()
            .find(|argument| argument.get_short() == Some(short)),
        _ => the_only(grammar.get_arguments(), name, Arg::get_long).map_err(|_| unknown())?,
    };
    let argument = found.ok_or_else(unknown)?;
    let long = argument.get_long().unwrap_or_default();
    let takes_value = argument.get_action().takes_values();
    said.push(
        match (value, takes_value, argument.is_require_equals_set()) {
            (None, true, false) => {
                let value = words.next().ok_or_else(|| incomplete(NAME))?;
                format!("--{long}={value}")
            }
            (None, ..) => format!("--{long}"),
            (Some(value), true, _) => format!("--{long}={value}"),
            (Some(_), false, _) => return Err(unknown()),
        },
    );
    if long == "help" {
        return Err(Failure::HelpOption(usage::of(grammar, &[])));
    }
    Ok(())
}

/// Finds the object and its command: the words that lead there, and what it can be told.
fn descend<'g, 'a>(
    grammar: &'g Command,
    words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    said: &mut Vec<String>,
) -> Result<(Vec<&'g str>, &'g Command), Failure> {
    let mut path = Vec::new();
    let mut command = grammar;
    let mut wants_help = false;
    while command.has_subcommands() {
        let place = place(&path);
        let next = match words.next() {
            // Of what comes then.
            Some("help") => {
                wants_help = true;
                continue;
            }
            None if wants_help => break,
            Some(word) => {
                if is_help_option(word) {
                    return Err(Failure::HelpOption(usage::of(grammar, &path)));
                }
                let kind = if path.is_empty() { "Object" } else { "Command" };
                the_only(command.get_subcommands(), word, |command| {
                    Some(command.get_name())
                })
                .map_err(|several| ambiguous(word, &several))?
                .ok_or_else(|| {
                    Failure::usage(format!(
                        "{kind} \"{word}\" is unknown, try \"{place} help\"."
                    ))
                })?
            }
            // The first is what is done if nothing is said.
            None => match command.get_subcommands().next() {
                Some(first) => first,
                None => break,
            },
        };
        said.push(next.get_name().to_string());
        path.push(next.get_name());
        command = next;
    }
    if wants_help || words.peek() == Some(&"help") {
        return Err(Failure::Help(usage::of(grammar, &path)));
    }
    Ok((path, command))
}

fn read_keywords<'a>(
    grammar: &Command,
    path: &[&str],
    command: &Command,
    words: &mut impl Iterator<Item = &'a str>,
    said: &mut Vec<String>,
) -> Result<(), Failure> {
    let place = place(path);
    let mut seen = HashSet::new();
    let mut positional = command.get_positionals();
    let mut without_keyword = Vec::new();
    while let Some(word) = words.next() {
        // Who is used to it may write a keyword as a long option.
        let option = word.strip_prefix("--").filter(|name| {
            let mut names = command.get_arguments().filter_map(Arg::get_long);
            names.any(|long| long == *name)
        });
        let word = option.unwrap_or(word);
        let keywords = command
            .get_arguments()
            .filter(|argument| !argument.is_global_set());
        let found =
            the_only(keywords, word, Arg::get_long).map_err(|several| ambiguous(word, &several))?;
        let Some((argument, name)) =
            found.and_then(|argument| Some((argument, argument.get_long()?)))
        else {
            if is_help_option(word) {
                return Err(Failure::HelpOption(usage::of(grammar, path)));
            }
            positional.next().ok_or_else(|| {
                Failure::usage(format!("\"{word}\" is unknown, try \"{place} help\"."))
            })?;
            without_keyword.push(word.to_string());
            continue;
        };
        let value = match argument.get_action().takes_values() {
            true => Some(words.next().ok_or_else(|| incomplete(&place))?),
            false => None,
        };
        if !seen.insert(name) {
            let second = value.unwrap_or(name);
            return Err(Failure::usage(format!(
                "Error: duplicate \"{name}\": \"{second}\" is the second value."
            )));
        }
        said.push(value.map_or_else(|| format!("--{name}"), |value| format!("--{name}={value}")));
    }
    if !without_keyword.is_empty() {
        said.push("--".to_string());
        said.append(&mut without_keyword);
    }
    Ok(())
}

/// Whether somebody who is used to other commands asks for help.
fn is_help_option(word: &str) -> bool {
    ["-h", "-help", "--help"].contains(&word)
}

/// The one that is called so, or else the only one whose name begins so; the names if there are
/// several.
pub fn the_only<'g, T: 'g>(
    all: impl Iterator<Item = &'g T>,
    word: &str,
    name: impl Fn(&'g T) -> Option<&'g str>,
) -> Result<Option<&'g T>, Vec<&'g str>> {
    let mut found = Vec::new();
    for one in all {
        match name(one) {
            Some(name) if name == word => return Ok(Some(one)),
            Some(name) if !word.is_empty() && name.starts_with(word) => found.push((one, name)),
            _ => (),
        }
    }
    match found[..] {
        [] => Ok(None),
        [(one, _)] => Ok(Some(one)),
        _ => Err(found.into_iter().map(|(_, name)| name).collect()),
    }
}

/// What to ask for help of.
fn place(path: &[&str]) -> String {
    [&[NAME], path].concat().join(" ")
}

fn ambiguous(word: &str, names: &[&str]) -> Failure {
    Failure::usage(format!("\"{word}\" is ambiguous: {}.", names.join(", ")))
}

fn incomplete(place: &str) -> Failure {
    Failure::usage(format!(
        "Command line is not complete, try \"{place} help\"."
    ))
}

/// What clap does not accept, in a line like iproute2's.
fn explain(path: &[&str], error: &clap::Error) -> Failure {
    let texts = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let named = || {
        let names = texts(ContextKind::InvalidArg);
        let names: Vec<_> = names.iter().map(|name| keyword_of(name)).collect();
        names.join(", ")
    };
    let value = || texts(ContextKind::InvalidValue).join(" ");
    let try_help = || format!("try \"{} help\"", place(path));
    Failure::usage(match error.kind() {
        ErrorKind::InvalidValue if !texts(ContextKind::ValidValue).is_empty() => format!(
            "Error: argument of \"{}\" must be one of \"{}\", not \"{}\".",
            named(),
            texts(ContextKind::ValidValue).join("\", \""),
            value()
        ),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let source = std::error::Error::source(error).map(ToString::to_string);
            let reason = source.unwrap_or_else(|| "it is empty".to_string());
            format!(
                "Error: argument \"{}\" of \"{}\" is wrong: {reason}.",
                value(),
                named()
            )
        }
        ErrorKind::MissingRequiredArgument => {
            format!("Error: required, and missing: {}, {}.", named(), try_help())
        }
        ErrorKind::ArgumentConflict => {
            let other = texts(ContextKind::PriorArg);
            let other: Vec<_> = other.iter().map(|name| keyword_of(name)).collect();
            format!(
                "Error: \"{}\" and \"{}\" don't go together.",
                named(),
                other.join("\", \"")
            )
        }
        _ => format!("Command line is not understood, {}.", try_help()),
    })
}

/// The keywords in clap's way of writing an argument, such as `--dev <PORT>`, `--color[=<color>]`,
/// `<MAC>`, `[VID]` or, of a group, `<--br <BRIDGE>|--dev <PORT>>`.
fn keyword_of(argument: &str) -> String {
    let keywords: Vec<_> = argument.split('|').map(one_keyword).collect();
    keywords.join(" or ")
}

fn one_keyword(argument: &str) -> &str {
    match argument.trim_start_matches('<').strip_prefix("--") {
        Some(name) => name.split([' ', '=', '[', '>']).next().unwrap_or(name),
        None => argument.trim_matches(['<', '>', '[', ']']),
    }
}

#[cfg(test)]
mod tests {
    use maclearn_family::Value;
    use proptest::prelude::*;

    use super::*;
    use crate::grammar::grammar;

    fn said(line: &str) -> Result<ArgMatches, Failure> {
        let words: Vec<_> = line.split_whitespace().map(str::to_string).collect();
        read(&grammar(), &words)
    }

    fn refusal(line: &str) -> String {
        said(line).unwrap_err().to_string()
    }

    /// The object, its command and what that was told.
    fn leaf(line: &str) -> (String, ArgMatches) {
        let matches = said(line).unwrap();
        let (object, matches) = matches.subcommand().unwrap();
        match matches.subcommand() {
            Some((command, matches)) => (format!("{object} {command}"), matches.clone()),
            None => (object.to_string(), matches.clone()),
        }
    }

    #[test]
    fn nothing_is_the_summary_and_an_object_alone_is_shown() {
        assert_eq!(leaf("").0, "summary");
        assert_eq!(leaf("port").0, "port show");
        assert_eq!(leaf("-j -s bridge").0, "bridge show");
        assert_eq!(leaf("entry").0, "entry show");
    }

    #[test]
    fn words_can_be_cut_short() {
        let (command, matches) = leaf("-j p se d host1 en on unk suppress");
        assert_eq!(command, "port set");
        assert_eq!(matches.get_one::<String>("dev").unwrap(), "host1");
        assert!(matches!(
            matches.get_one("enabled"),
            Some(Value::Switch(true))
        ));
        assert!(matches!(
            matches.get_one("unknown_unicast"),
            Some(Value::Word(_, 1))
        ));
        assert_eq!(leaf("e s").0, "entry show");
    }

    #[test]
    fn the_whole_word_is_meant_where_another_begins_so() {
        let (_, matches) = leaf("bridge set dev br ageing own ageing_time 5");
        assert!(matches!(matches.get_one("ageing"), Some(Value::Word(_, 0))));
        assert!(matches!(
            matches.get_one("ageing_time"),
            Some(Value::Number(5))
        ));
    }

    #[test]
    fn options_are_those_of_iproute2() {
        for line in ["-j", "-json", "--json", "-js"] {
            assert!(said(line).unwrap().get_flag("json"), "{line}");
        }
        assert_eq!(
            said("-n blue port")
                .unwrap()
                .get_one::<String>("netns")
                .unwrap(),
            "blue"
        );
        assert_eq!(
            said("-netns blue")
                .unwrap()
                .get_one::<String>("netns")
                .unwrap(),
            "blue"
        );
        assert_eq!(
            said("-c port").unwrap().get_one::<String>("color").unwrap(),
            "always"
        );
        assert_eq!(
            said("-color=never")
                .unwrap()
                .get_one::<String>("color")
                .unwrap(),
            "never"
        );
        assert_eq!(
            said("port").unwrap().get_one::<String>("color").unwrap(),
            "auto"
        );
        // As often as one likes.
        let twice = said("-s -s -c=always -c=never -n blue -n red port").unwrap();
        assert!(twice.get_flag("statistics"));
        let value = |name| twice.get_one::<String>(name).unwrap().as_str();
        assert_eq!((value("color"), value("netns")), ("never", "red"));
    }

    #[test]
    fn a_value_may_look_like_an_option_or_a_keyword() {
        let (_, matches) = leaf("port show dev --help");
        assert_eq!(matches.get_one::<String>("dev").unwrap(), "--help");
        let (_, matches) = leaf("port show dev dev");
        assert_eq!(matches.get_one::<String>("dev").unwrap(), "dev");
    }

    #[test]
    fn a_keyword_may_be_written_as_a_long_option() {
        let (_, matches) = leaf("apply --follow /etc/maclearn.toml");
        assert!(matches.get_flag("follow"));
        assert_eq!(
            matches.get_one::<String>("file").unwrap(),
            "/etc/maclearn.toml"
        );
        let (_, matches) = leaf("apply --fol check");
        assert_eq!(matches.get_one::<String>("file").unwrap(), "--fol");
    }

    #[test]
    fn what_is_wrong_is_named_in_a_line() {
        for (line, wanted) in [
            ("none", "Object \"none\" is unknown, try \"maclearn help\"."),
            (
                "port none",
                "Command \"none\" is unknown, try \"maclearn port help\".",
            ),
            (
                "port set dev a none on",
                "\"none\" is unknown, try \"maclearn port set help\".",
            ),
            ("s", "\"s\" is ambiguous: summary, statistics, save."),
            (
                "-x port",
                "Option \"-x\" is unknown, try \"maclearn help\".",
            ),
            ("-j=1", "Option \"-j=1\" is unknown, try \"maclearn help\"."),
            (
                "-c=none",
                "Error: argument of \"color\" must be one of \"always\", \"auto\", \"never\", not \"none\".",
            ),
            ("-n", "Command line is not complete, try \"maclearn help\"."),
            (
                "port set dev",
                "Command line is not complete, try \"maclearn port set help\".",
            ),
            (
                "port set dev a dev b",
                "Error: duplicate \"dev\": \"b\" is the second value.",
            ),
            (
                "port set dev a enabled maybe",
                "Error: argument of \"enabled\" must be one of \"on\", \"off\", not \"maybe\".",
            ),
            (
                "port set dev a max_macs 1k",
                "Error: argument \"1k\" of \"max_macs\" is wrong: not a number of 32 bits.",
            ),
            (
                "entry add 02: dev a",
                "Error: argument \"02:\" of \"MAC\" is wrong: not a MAC address.",
            ),
            (
                "entry add dev a",
                "Error: required, and missing: MAC, try \"maclearn entry add help\".",
            ),
            (
                "entry flush vlan 5",
                "Error: required, and missing: br or dev, try \"maclearn entry flush help\".",
            ),
            (
                "entry show static dynamic",
                "Error: \"static\" and \"dynamic\" don't go together.",
            ),
            (
                "why 02:00:00:00:00:01 1 vlan 1",
                "Error: \"vlan\" and \"VID\" don't go together.",
            ),
            (
                "port show dev a br b",
                "Error: \"dev\" and \"br\" don't go together.",
            ),
        ] {
            assert_eq!(refusal(line), wanted, "{line}");
        }
    }

    /// Each command that can be said, with the words that lead there.
    fn commands(command: &Command, path: &[String]) -> Vec<(Vec<String>, Command)> {
        if !command.has_subcommands() {
            return vec![(path.to_vec(), command.clone())];
        }
        let inner = command.get_subcommands();
        inner
            .flat_map(|inner| commands(inner, &[path, &[inner.get_name().to_string()]].concat()))
            .collect()
    }

    /// The words for an argument with this value.
    fn words_of(argument: &Arg, value: &str) -> Vec<String> {
        let value = argument.get_action().takes_values().then_some(value);
        let words = [argument.get_long(), value].into_iter().flatten();
        words.map(str::to_string).collect()
    }

    /// What is wrong at each place where something can be said is refused in a line that names it.
    #[test]
    fn bad_input_is_refused_at_every_place() {
        let mut built = grammar();
        built.build();
        // Whoever has that name is looked for later.
        let names = ["PORT", "BRIDGE", "DEVICE", "FILE"];
        for (path, command) in commands(&built, &[]) {
            let arguments: Vec<_> = command.get_arguments().collect();
            let required = |except: Option<&Arg>| -> Vec<String> {
                let needed = arguments.iter().filter(|argument| {
                    argument.is_required_set()
                        && except.is_none_or(|except| except.get_id() != argument.get_id())
                });
                needed
                    .flat_map(|argument| match usage::value_of(argument).as_str() {
                        "MAC" => words_of(argument, "02:00:00:00:01:01"),
                        _ => words_of(argument, "a"),
                    })
                    .collect()
            };
            let refused = |parts: &[&[String]], wanted: &[&str]| {
                let words = [&[&path[..]], parts].concat().concat();
                let line = match read(&built, &words) {
                    Ok(_) | Err(Failure::Help(_) | Failure::HelpOption(_)) => {
                        panic!("{words:?} is not refused")
                    }
                    Err(failure) => failure.to_string(),
                };
                assert!(!line.contains('\n'), "{words:?}: {line}");
                for wanted in wanted {
                    assert!(line.contains(wanted), "{words:?}: {line}");
                }
            };
            let surplus = vec!["no/thing".to_string(); 1 + command.get_positionals().count()];
            refused(&[&required(None), &surplus], &["\"no/thing\""]);
            for argument in &arguments {
                let place = argument
                    .get_long()
                    .map_or_else(|| usage::value_of(argument), str::to_string);
                let others = required(Some(argument));
                if argument.is_required_set() {
                    refused(&[&others], &["missing", &place]);
                }
                if let Some(name) = argument.get_long() {
                    let twice = words_of(argument, "a");
                    let name = format!("\"{name}\"");
                    refused(&[&others, &twice, &twice], &["duplicate", &name]);
                }
                if !argument.get_action().takes_values() {
                    continue;
                }
                if argument.get_long().is_some() {
                    let cut = &words_of(argument, "")[..1];
                    refused(&[&others, cut], &["is not complete", &path.join(" ")]);
                }
                refused(&[&others, &words_of(argument, "")], &[&place]);
                let is_name = names.contains(&usage::value_of(argument).as_str());
                for value in ["no/thing", "-1", "99999999999999999999", "\u{fe0f}"] {
                    if !is_name {
                        refused(&[&others, &words_of(argument, value)], &[&place, value]);
                    }
                }
            }
        }
    }

    #[test]
    fn help_is_there_for_each_place() {
        for line in [
            "help",
            "port help",
            "port set help",
            "help port set",
            "entry help",
            "monitor help",
        ] {
            assert!(matches!(said(line), Err(Failure::Help(_))), "{line}");
        }
        for line in [
            "-h",
            "--help",
            "port --help",
            "port show -h",
            "doctor --help",
            "why -h",
            "why 02:00:00:00:00:01 -help",
        ] {
            assert!(matches!(said(line), Err(Failure::HelpOption(_))), "{line}");
        }
        assert_eq!(refusal("help why"), refusal("why help"));
        let help = refusal("entry del help");
        assert!(
            help.starts_with("maclearn entry del MAC dev PORT [ vlan VID ]\n"),
            "{help}"
        );
        // It says what each keyword means.
        let explained = help.lines().filter(|line| line.contains("in this VLAN"));
        assert_eq!(explained.count(), 1, "{help}");
        let last = refusal("help").lines().last().map(str::to_string);
        assert_eq!(
            last.as_deref(),
            Some(
                "When a guest is not reachable, begin with: maclearn doctor, and maclearn why MAC from PORT"
            )
        );
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_understood_or_refused_in_a_line(
            words in proptest::collection::vec(
                prop_oneof![
                    prop::sample::select(vec![
                        "port", "bridge", "entry", "show", "set", "add", "del", "flush", "dev", "br", "vlan", "mac",
                        "static", "enabled", "on", "max_macs", "5", "02:00:00:00:00:01", "-j", "-c", "-n", "--", "=",
                    ]).prop_map(str::to_string),
                    ".{0,8}",
                ],
                0..9,
            ),
        ) {
            match read(&grammar(), &words) {
                Ok(_) | Err(Failure::Help(_) | Failure::HelpOption(_)) => (),
                Err(failure) => {
                    let line = failure.to_string();
                    let within = words.concat();
                    prop_assert!(!line.contains('\n') || within.contains('\n'), "{}", line);
                    prop_assert!(!line.is_empty());
                }
            }
        }
    }
}
