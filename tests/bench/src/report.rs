// SPDX-License-Identifier: GPL-2.0

//! What was measured, as tables and charts.

use std::{fs, path::Path};

use anyhow::Result;
use comfy_table::{
    presets::{ASCII_MARKDOWN, NOTHING, UTF8_BORDERS_ONLY},
    Cell, CellAlignment, Table,
};

use crate::{
    chart,
    peer::PEERS,
    plan::{FEW_MACS, FEW_PORTS, MANY_MACS, MANY_PORTS, PORTS, SOME_MACS},
    results::{Results, Work},
    targets::{measured_verdicts, verdicts, Verdict},
};

/// What is printed for a figure that was not measured.
const NONE: &str = "–";
const ALL_PORTS: [usize; 4] = [FEW_PORTS, PORTS, 64, MANY_PORTS];
const ALL_MACS: [u32; 4] = [FEW_MACS, SOME_MACS, 262_144, MANY_MACS];

/// Prints tables, and writes them and charts to `directory`. Whether all targets are reached:
/// without a `directory` those that were measured.
pub fn run(results: &str, directory: Option<&str>) -> Result<bool> {
    let results = Results::read(results)?;
    let verdicts = match directory {
        Some(_) => verdicts(&results),
        None => measured_verdicts(&results),
    };
    let tables = tables(&results);
    for (title, table) in &tables {
        let mut table = table.clone();
        table.load_preset(UTF8_BORDERS_ONLY);
        println!("{title}\n{table}\n");
    }
    println!("{}", verdict_lines(&verdicts));
    if let Some(directory) = directory {
        let directory = Path::new(directory);
        fs::write(
            directory.join("results.md"),
            page(&results, tables, &verdicts),
        )?;
        chart::draw(&results, directory)?;
    }
    Ok(verdicts.iter().all(Verdict::reached))
}

/// A number without a fraction.
pub fn number(value: f64) -> Cell {
    // Without the sign of what is rounded to 0
    right(format!("{:.0}", value.round() + 0.0))
}

fn optional(value: Option<f64>) -> Cell {
    value.map_or(right(NONE.into()), number)
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn new_table(header: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.force_no_tty();
    table.set_header(header);
    table
}

/// The figure of a peer.
type Column<'a> = dyn Fn(&str) -> Option<f64> + 'a;

/// The peers that have a figure in it.
fn rows(table: &mut Table, columns: &[&Column<'_>]) {
    for (peer, _) in PEERS {
        let values: Vec<Option<f64>> = columns.iter().map(|column| column(peer)).collect();
        if values.iter().any(Option::is_some) {
            let mut row = vec![Cell::new(peer)];
            row.extend(values.into_iter().map(optional));
            table.add_row(row);
        }
    }
}

/// Each with its title. Those that a quick run has no figures for are left out.
fn tables(results: &Results) -> Vec<(String, Table)> {
    let mut tables = vec![
        (
            format!("Instructions, {FEW_MACS} MACs learned, frames of 60 bytes"),
            overview(results),
        ),
        (
            format!("Instructions a copy, {FEW_MACS} MACs learned"),
            copies(results),
        ),
    ];
    if results.most_macs("maclearn", Work::Unicast) == Some(MANY_MACS) {
        tables.extend([
            (
                format!("Instructions a frame of known unicast, {FEW_MACS} MACs learned"),
                by_ports(results),
            ),
            (
                format!("Instructions a frame to one of many MACs, {PORTS} ports"),
                by_macs(results, |peer, macs| {
                    results.cost(peer, Work::Destinations, PORTS, macs)
                }),
            ),
            (
                "A known source, instructions over the hub".into(),
                by_macs(results, |peer, macs| results.known_source(peer, macs)),
            ),
            (
                "A new source, instructions over the hub".into(),
                by_macs(results, |peer, macs| {
                    results.entering(peer, Work::NewSources, macs)
                }),
            ),
        ]);
    }
    for other in &results.others {
        if other.kernel != results.kernel {
            tables.push((
                format!(
                    "Instructions on Linux {}, {} way, {FEW_MACS} MACs learned",
                    other.kernel,
                    other.way.name()
                ),
                overview(other),
            ));
        }
    }
    if let Some(other) = results.other_way() {
        tables.push((
            "Instructions in either way to build the module".into(),
            both_ways(results, &other),
        ));
    }
    tables
}

fn both_ways(results: &Results, other: &Results) -> Table {
    let mut table = new_table([
        String::new(),
        results.way.name().into(),
        other.way.name().into(),
    ]);
    for ((text, own), (_, other)) in results.compared().into_iter().zip(other.compared()) {
        table.add_row([text.into(), optional(own), optional(other)]);
    }
    for (text, macs, work) in [
        ("known source, over the hub", FEW_MACS, Work::Sources),
        ("new source, over the hub", SOME_MACS, Work::NewSources),
    ] {
        let cost = |results: &Results| optional(results.entering("maclearn", work, macs));
        table.add_row([text.into(), cost(results), cost(other)]);
    }
    table.add_row([
        "bytes of code".into(),
        number(results.text_bytes as f64),
        number(other.text_bytes as f64),
    ]);
    table
}

fn overview(results: &Results) -> Table {
    let mut table = new_table([
        String::new(),
        "a copy".into(),
        "known source,\nover the hub".into(),
        "new source,\nover the hub".into(),
        "once a frame,\nover the hub".into(),
        format!("frame at\n{PORTS} ports"),
        "bytes\na MAC".into(),
    ]);
    rows(
        &mut table,
        &[
            &|peer| results.usual_copy(peer, Work::Unicast),
            &|peer| results.known_source(peer, FEW_MACS),
            &|peer| results.new_source(peer),
            &|peer| results.once_a_frame(peer),
            &|peer| results.cost(peer, Work::Unicast, PORTS, FEW_MACS),
            &|peer| results.bytes_a_mac(peer),
        ],
    );
    table
}

fn copies(results: &Results) -> Table {
    let mut table = new_table(
        [
            "",
            "unicast",
            "to many\nMACs",
            "VLAN-aware\nbridge",
            "GSO\nbuffer",
            "broadcast",
            "multicast",
        ]
        .map(str::to_owned),
    );
    rows(
        &mut table,
        &[
            &|peer| results.usual_copy(peer, Work::Unicast),
            &|peer| results.usual_copy(peer, Work::Destinations),
            &|peer| results.usual_copy(peer, Work::Vlan),
            &|peer| results.usual_copy(peer, Work::Gso),
            &|peer| results.usual_copy(peer, Work::Broadcast),
            &|peer| results.usual_copy(peer, Work::Multicast),
        ],
    );
    table
}

fn by_ports(results: &Results) -> Table {
    let mut table = new_table(
        [String::new()]
            .into_iter()
            .chain(ALL_PORTS.map(|ports| format!("{ports} ports"))),
    );
    let columns =
        ALL_PORTS.map(|ports| move |peer: &str| results.cost(peer, Work::Unicast, ports, FEW_MACS));
    let columns = columns.each_ref().map(|column| column as &Column<'_>);
    rows(&mut table, &columns);
    table
}

fn by_macs(results: &Results, cost: impl Fn(&str, u32) -> Option<f64>) -> Table {
    let mut table = new_table(
        [String::new()]
            .into_iter()
            .chain(ALL_MACS.map(|macs| format!("{macs} MACs"))),
    );
    let learns = |peer: &str| results.memory.iter().any(|memory| memory.peer == peer);
    let cost = &cost;
    let columns =
        ALL_MACS.map(|macs| move |peer: &str| learns(peer).then(|| cost(peer, macs)).flatten());
    let columns = columns.each_ref().map(|column| column as &Column<'_>);
    rows(&mut table, &columns);
    table
}

fn verdict_table(verdicts: &[Verdict]) -> Table {
    let mut table = new_table(["", "target", "measured", "at most"].map(str::to_owned));
    for verdict in verdicts {
        table.add_row([
            Cell::new(if verdict.reached() { "yes" } else { "NO" }),
            Cell::new(&verdict.text),
            right(verdict.value.map_or(NONE.to_owned(), significant)),
            right(significant(verdict.limit)),
        ]);
    }
    table
}

fn verdict_lines(verdicts: &[Verdict]) -> String {
    let mut table = verdict_table(verdicts);
    table.load_preset(NOTHING);
    table.trim_fmt()
}

fn significant(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
}

/// The same as a page of the documentation.
fn page(results: &Results, tables: Vec<(String, Table)>, verdicts: &[Verdict]) -> String {
    let mut page = format!(
        "# Results\n\nMade by `{}` on Linux {}. [README.md](README.md) says what the words mean.\n\n",
        results.command, results.kernel
    );
    for version in &results.versions {
        page += &format!("- {version}\n");
    }
    let verdicts = ("Targets".to_owned(), verdict_table(verdicts));
    for (title, mut table) in tables.into_iter().chain([verdicts]) {
        table.load_preset(ASCII_MARKDOWN);
        page += &format!("\n## {title}\n\n{}\n", one_line_header(table));
    }
    page
}

/// Markdown has no line breaks in cells.
fn one_line_header(mut table: Table) -> Table {
    if let Some(header) = table.header() {
        let cells: Vec<String> = header
            .cell_iter()
            .map(|cell| cell.content().replace('\n', " "))
            .collect();
        table.set_header(cells);
    }
    table
}
