// SPDX-License-Identifier: GPL-2.0

//! What can be said: options, objects, their commands, and the keywords of those. A keyword
//! (`dev host1`) is a long option in this definition. The settings, their words and what they mean
//! come from the family's specification.

use clap::{
    Arg, ArgAction, ArgGroup, Command,
    builder::{
        NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser,
        ValueParser,
    },
};
use maclearn_family::{Attribute, Attributes, Kind, Mac, Operation, operation};

use crate::{commands::sort_words, setting};

/// The command.
pub const NAME: &str = "maclearn";

/// All that can be said.
pub fn grammar() -> Command {
    Command::new(NAME)
        .about("show and change what the kernel module maclearn does at bridges")
        .version(env!("MACLEARN_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        // An option may be said twice, as with iproute2.
        .args_override_self(true)
        .args(options())
        .subcommands([
            summary(),
            port(),
            bridge(),
            entry(),
            statistics(),
            monitor(),
            top(),
            why(),
            doctor(),
            apply(),
            save(),
            restore(),
            reload(),
            metrics(),
        ])
}

/// What comes before the object.
fn options() -> Vec<Arg> {
    let flag = |name, short, help| {
        Arg::new(name)
            .long(name)
            .short(short)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    vec![
        flag("json", 'j', "print JSON"),
        flag("pretty", 'p', "print JSON that is easy to read"),
        flag("statistics", 's', "show statistics, too"),
        flag("details", 'd', "show all there is"),
        flag("timestamp", 't', "show when an event has arrived"),
        Arg::new("color")
            .long("color")
            .short('c')
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("always")
            .default_value("auto")
            .value_parser(["always", "auto", "never"])
            .help("use colours: always, never, or on a terminal (auto)"),
        Arg::new("netns")
            .long("netns")
            .short('n')
            .value_name("NETNS")
            .value_parser(NonEmptyStringValueParser::new())
            .help("do it in this network namespace"),
        flag("Version", 'V', "print the version"),
        flag("help", 'h', "print what can be said"),
    ]
}

fn summary() -> Command {
    Command::new("summary").about("show at a glance how things are (what maclearn alone does)")
}

fn port() -> Command {
    let set = settings(
        "change settings of a port, all of them or none",
        &operation::PORT_SET,
    )
    .arg(device("PORT").required(true));
    let show = Command::new("show")
        .about("show settings and state of ports")
        .arg(device("PORT"))
        .arg(bridge_of().conflicts_with("dev"));
    Command::new("port")
        .about("the ports of bridges")
        .subcommands([show, set])
}

fn bridge() -> Command {
    let set = settings(
        "change settings of a bridge, all of them or none",
        &operation::BRIDGE_SET,
    )
    .arg(device("BRIDGE").required(true));
    let show = Command::new("show")
        .about("show settings and state of bridges")
        .arg(device("BRIDGE"));
    Command::new("bridge")
        .about("the bridges")
        .subcommands([show, set])
}

fn entry() -> Command {
    let show = Command::new("show")
        .about("show which port owns which MAC")
        .args(filter())
        .args([
            is_static("only what was configured"),
            is_dynamic("only what was learned"),
        ])
        .group(ArgGroup::new("kind").args(["static", "dynamic"]));
    let add = Command::new("add")
        .about("make a port an owner of a MAC")
        .args([mac().required(true), device("PORT").required(true), vlan()])
        .args([
            is_static("for good, as if nothing is said of it"),
            is_dynamic("as if it had been learned"),
        ])
        .arg(
            keyword(
                "age",
                "SECONDS",
                "since it was last seen; it is dynamic then",
            )
            .value_parser(setting::milliseconds)
            .conflicts_with("static"),
        )
        .group(ArgGroup::new("kind").args(["static", "dynamic"]));
    let del = Command::new("del").about("take a MAC from a port").args([
        mac().required(true),
        device("PORT").required(true),
        vlan(),
    ]);
    let flush = Command::new("flush")
        .about("forget what was learned")
        .args(filter())
        .arg(is_static("forget what was configured, instead"))
        .group(
            ArgGroup::new("where")
                .args(["br", "dev"])
                .required(true)
                .multiple(true),
        );
    Command::new("entry")
        .about("the table of MACs")
        .subcommands([show, add, del, flush])
}

fn statistics() -> Command {
    let show = Command::new("show")
        .about("show the statistics of a port, of a bridge, or of all ports")
        .arg(device("DEVICE"));
    let reset = Command::new("reset")
        .about("set them to 0; those of a bridge are those of its ports")
        .arg(device("DEVICE").required(true));
    Command::new("statistics")
        .about("what was counted")
        .subcommands([show, reset])
}

fn monitor() -> Command {
    Command::new("monitor").about("show what happens, until interrupted or the module is unloaded")
}

fn top() -> Command {
    Command::new("top")
        .about("show on a terminal what each port does in a second, until q is pressed")
        .args([
            keyword("sort", "WORD", "the order at first; keys change it")
                .value_parser(PossibleValuesParser::new(sort_words())),
            keyword(
                "delay",
                "SECONDS",
                "from one look to the next, 1 if nothing is said and 0.1 at least",
            )
            .value_parser(setting::milliseconds),
        ])
}

fn why() -> Command {
    let from = keyword("from", "PORT", "of a frame that comes in there")
        .value_parser(NonEmptyStringValueParser::new());
    Command::new("why")
        .about("show who gets a copy of a frame for a MAC, and for which reason")
        .args([mac().required(true), vlan_without_keyword()])
        .args([from, bridge_of(), vlan().conflicts_with("vid")])
}

fn doctor() -> Command {
    Command::new("doctor").about("look for what is known to go wrong, and say what helps")
}

fn apply() -> Command {
    let file = Arg::new("file")
        .value_name("FILE")
        .required(true)
        .value_parser(NonEmptyStringValueParser::new())
        .help("sections of TOML, such as /etc/maclearn.toml");
    let flag = |name: &'static str, help| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("apply")
        .about("give bridges and ports the settings that a file says")
        .args([
            file,
            flag("check", "only show what would change"),
            flag(
                "follow",
                "go on, and give them to what comes later; SIGHUP has the file read again, unless there is a terminal",
            )
            .conflicts_with("check"),
        ])
}

fn save() -> Command {
    Command::new("save")
        .about("print settings and the table as lines of JSON")
        .args([bridge_of().conflicts_with("dev"), device("PORT")])
}

fn restore() -> Command {
    let file = keyword("file", "FILE", "what to read, or else standard input")
        .value_parser(NonEmptyStringValueParser::new());
    let port = device("PORT").help("the port that all ports and entries are meant to be of");
    Command::new("restore")
        .about("do what was saved")
        .args([file, port])
}

fn reload() -> Command {
    Command::new("reload")
        .about("load the module anew, as it is installed now, with all that it knew")
        .arg(
            Arg::new("force")
                .long("force")
                .action(ArgAction::SetTrue)
                .help("also if ports of other network namespaces lose what it knew there"),
        )
}

fn metrics() -> Command {
    Command::new("metrics").about("print counters and states for Prometheus")
}

/// A keyword with a value.
fn keyword(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn device(kind: &'static str) -> Arg {
    keyword("dev", kind, "the name of the device").value_parser(NonEmptyStringValueParser::new())
}

fn bridge_of() -> Arg {
    keyword("br", "BRIDGE", "only what belongs to this bridge")
        .value_parser(NonEmptyStringValueParser::new())
}

fn vlan() -> Arg {
    keyword("vlan", "VID", "in this VLAN").value_parser(vlan_parser())
}

/// A VLAN that stands without a keyword.
fn vlan_without_keyword() -> Arg {
    Arg::new("vid")
        .value_name("VID")
        .value_parser(vlan_parser())
        .help("in this VLAN")
}

fn vlan_parser() -> ValueParser {
    ValueParser::new(|text: &str| {
        Kind::U16
            .parse(text)
            .map(|value| u16::try_from(value).unwrap_or_default())
    })
}

/// An address that stands without a keyword.
fn mac() -> Arg {
    Arg::new("mac")
        .value_name("MAC")
        .value_parser(mac_parser())
        .help("a MAC address")
}

fn mac_parser() -> ValueParser {
    ValueParser::new(|text: &str| text.parse::<Mac>())
}

fn is_static(help: &'static str) -> Arg {
    Arg::new("static")
        .long("static")
        .action(ArgAction::SetTrue)
        .help(help)
}

fn is_dynamic(help: &'static str) -> Arg {
    Arg::new("dynamic")
        .long("dynamic")
        .action(ArgAction::SetTrue)
        .help(help)
}

/// What restricts the table.
fn filter() -> [Arg; 4] {
    [
        bridge_of(),
        keyword("dev", "PORT", "only what this port owns")
            .value_parser(NonEmptyStringValueParser::new()),
        vlan(),
        keyword("mac", "MAC", "only this address").value_parser(mac_parser()),
    ]
}

/// `set`, with the settings that the operation takes.
fn settings<A: Attributes>(about: &'static str, operation: &Operation<A>) -> Command {
    let settings: Vec<_> = setting::of(operation).map(setting_keyword).collect();
    let names: Vec<_> = setting::of(operation).map(|setting| setting.name).collect();
    Command::new("set").about(about).args(settings).group(
        ArgGroup::new("setting")
            .args(names)
            .required(true)
            .multiple(true),
    )
}

fn setting_keyword(attribute: &'static Attribute) -> Arg {
    let kind = attribute.kind;
    let parse = move |text: &str| kind.parse(text);
    let words: Vec<_> = kind.words().collect();
    let argument = keyword(attribute.name, "NUMBER", attribute.doc);
    if words.is_empty() {
        return argument.value_parser(parse);
    }
    let words = words.into_iter().map(|(word, doc)| {
        // What sysfs says and takes.
        let number = match (kind, word) {
            (Kind::Switch, "on") => "1",
            (Kind::Switch, _) => "0",
            _ => word,
        };
        PossibleValue::new(word).help(doc).alias(number)
    });
    argument.value_parser(PossibleValuesParser::new(words).try_map(move |word| parse(&word)))
}
