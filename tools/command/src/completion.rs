// SPDX-License-Identifier: GPL-2.0

//! What a shell may offer next. `maclearn completion` prints the shell's part of it, which asks
//! `maclearn complete WORD...`; the last word is the one to complete.

use clap::{Arg, Command};
use nix::net::if_::if_nameindex;

use crate::words::the_only;

/// What Bash is to do.
pub const BASH: &str = "\
_maclearn() {
    local words word
    COMPREPLY=()
    mapfile -t words <<<\"$(maclearn complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\"
    # Not compgen -W, which expands them: a device may be called $(reboot).
    for word in \"${words[@]}\"; do
        [[ $word && $word == \"${COMP_WORDS[COMP_CWORD]}\"* ]] || continue
        printf -v word %q \"$word\"
        COMPREPLY+=(\"$word\")
    done
}
complete -F _maclearn maclearn
";

/// What may stand where the last word is.
pub fn candidates(grammar: &Command, words: &[String]) -> Vec<String> {
    let (last, before) = match words.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", words),
    };
    let mut before = before.iter().map(String::as_str).peekable();
    while let Some(option) = before.next_if(|word| word.starts_with('-')) {
        let name = option.trim_start_matches('-');
        let takes_word = grammar.get_arguments().any(|argument| {
            let is_meant = argument
                .get_long()
                .is_some_and(|long| long.starts_with(name));
            is_meant && argument.get_action().takes_values() && !argument.is_require_equals_set()
        });
        if takes_word && before.next().is_none() {
            return Vec::new();
        }
    }
    let mut command = grammar;
    while command.has_subcommands() {
        let Some(word) = before.next() else {
            return objects(command, last);
        };
        let found = the_only(command.get_subcommands(), word, |command| {
            Some(command.get_name())
        });
        match found {
            Ok(Some(next)) => command = next,
            _ => return Vec::new(),
        }
    }
    keywords(command, before)
}

/// Objects or commands, or options where they can stand.
fn objects(command: &Command, last: &str) -> Vec<String> {
    if last.starts_with('-') {
        let options = command.get_arguments().filter_map(Arg::get_long);
        return options.map(|name| format!("-{name}")).collect();
    }
    command
        .get_subcommands()
        .map(|command| command.get_name().to_string())
        .collect()
}

/// Keywords that were not said yet, or the values of one that waits for it.
fn keywords<'a>(command: &Command, mut words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(word) = words.next() {
        let Ok(Some(argument)) = the_only(command.get_arguments(), word, Arg::get_long) else {
            continue;
        };
        said.push(argument.get_id());
        if argument.get_action().takes_values() && words.next().is_none() {
            return values(argument);
        }
    }
    let left = command
        .get_arguments()
        .filter(|argument| !said.contains(&argument.get_id()));
    left.filter_map(Arg::get_long).map(str::to_string).collect()
}

fn values(argument: &Arg) -> Vec<String> {
    let words = argument.get_possible_values();
    if !words.is_empty() {
        return words
            .iter()
            .map(|word| word.get_name().to_string())
            .collect();
    }
    let kind = argument
        .get_value_names()
        .and_then(<[_]>::first)
        .map(|name| name.as_str());
    match kind {
        Some("PORT" | "BRIDGE" | "DEVICE") => devices(),
        _ => Vec::new(),
    }
}

fn devices() -> Vec<String> {
    let Ok(all) = if_nameindex() else {
        return Vec::new();
    };
    all.iter()
        .map(|device| device.name().to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::grammar;

    fn offered(line: &str) -> String {
        let words: Vec<_> = line.split(' ').map(str::to_string).collect();
        candidates(&grammar(), &words).join(" ")
    }

    #[test]
    fn offers_what_can_follow() {
        assert!(offered("").starts_with("summary port bridge entry "));
        assert_eq!(offered("port "), "show set");
        assert_eq!(offered("-j -n blue entry "), "show add del flush");
        assert_eq!(
            offered("port set dev a "),
            "enabled learning unknown_unicast on_failure max_macs"
        );
        assert_eq!(offered("port set dev a enabled "), "on off");
        assert_eq!(offered("p se d a unk "), "flood suppress");
        assert_eq!(offered("port set dev a max_macs "), "");
        assert_eq!(offered("none "), "");
        assert!(offered("-").contains("-json") && offered("-").contains("-netns"));
        assert!(
            offered("port show dev ")
                .split(' ')
                .any(|name| name == "lo")
        );
    }
}
