// SPDX-License-Identifier: GPL-2.0

//! What `maclearn top` shows: rates of ports, their order, and which of them are in sight. It knows
//! of no terminal.

use std::{cmp::Ordering, collections::HashMap, time::Duration};

use maclearn_family::{PortAttributes, StatisticsAttributes};

use crate::devices::Names;

/// What is counted of each port.
pub const COUNTERS: usize = 5;

/// By what ports are sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// Their name.
    Port,
    /// The name of their bridge.
    Bridge,
    /// How many MACs they own.
    Macs,
    /// The rate of one of the counters.
    Rate(usize),
}

/// The keys, with what they are called and pressed by.
pub const KEYS: [(Key, &str, char); 3 + COUNTERS] = [
    (Key::Port, "port", 'p'),
    (Key::Bridge, "bridge", 'b'),
    (Key::Macs, "macs", 'm'),
    (Key::Rate(0), "suppressed", 's'),
    (Key::Rate(1), "bytes", 'y'),
    (Key::Rate(2), "owned", 'o'),
    (Key::Rate(3), "unknown", 'u'),
    (Key::Rate(4), "failing", 'f'),
];

/// A port, and what it does in a second.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Its name.
    pub port: String,
    /// Its bridge's name.
    pub bridge: String,
    /// Whether it is filtered.
    pub is_enabled: bool,
    /// Whether it gets every copy since a source could not be learned.
    pub is_failing: bool,
    /// MACs that it owns.
    pub macs: u32,
    /// For each counter; none if it was not there before.
    pub rates: [Option<f64>; COUNTERS],
}

/// What somebody wants by pressing a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Another order, or the same the other way round.
    Sort(Key),
    /// The order the other way round.
    Reverse,
    /// Stop, or go on.
    Pause,
    /// So many lines down, or up if it is below 0.
    Scroll(isize),
    /// To the first line.
    First,
    /// To the last line.
    Last,
}

/// The state of what is shown.
#[derive(Debug)]
pub struct Model {
    key: Key,
    is_reversed: bool,
    is_paused: bool,
    /// The first row in sight.
    first: usize,
    rows: Vec<Row>,
    /// When it was counted last, and what.
    before: Option<(Duration, HashMap<u32, [u64; COUNTERS]>)>,
}

impl Model {
    /// Nothing is known yet.
    pub fn new(key: Key) -> Self {
        Self {
            key,
            is_reversed: false,
            is_paused: false,
            first: 0,
            rows: Vec::new(),
            before: None,
        }
    }

    /// Takes what was counted up to `now`, a time since any beginning.
    pub fn update(
        &mut self,
        now: Duration,
        ports: &[PortAttributes],
        counted: &[StatisticsAttributes],
        names: &Names,
    ) {
        let counted: HashMap<_, _> = counted
            .iter()
            .filter_map(|counted| Some((counted.ifindex?, counters(counted))))
            .collect();
        let rates = |index: u32| {
            let (then, before) = self.before.as_ref()?;
            let seconds = now.checked_sub(*then)?.as_secs_f64();
            let (now, before) = (counted.get(&index)?, before.get(&index)?);
            let mut rates = [None; COUNTERS];
            for (rate, (now, before)) in rates.iter_mut().zip(now.iter().zip(before)) {
                // They were reset meanwhile if they are lower: it is not known how much that was.
                let grown = now.checked_sub(*before).filter(|_| seconds > 0.0);
                *rate = grown.map(|grown| grown as f64 / seconds);
            }
            Some(rates)
        };
        self.rows = ports
            .iter()
            .filter_map(|port| {
                let index = port.ifindex?;
                Some(Row {
                    port: names.get(index).into_owned(),
                    bridge: names.get(port.bridge.unwrap_or_default()).into_owned(),
                    is_enabled: port.enabled == Some(true),
                    is_failing: port.failing_open == Some(true),
                    macs: port.n_macs.unwrap_or_default(),
                    rates: rates(index).unwrap_or_default(),
                })
            })
            .collect();
        self.before = Some((now, counted));
        self.sort();
    }

    /// Does what somebody wants; `height` is how many rows fit.
    pub fn heed(&mut self, wish: Wish, height: usize) {
        match wish {
            Wish::Sort(key) if key == self.key => self.is_reversed = !self.is_reversed,
            Wish::Sort(key) => (self.key, self.is_reversed) = (key, false),
            Wish::Reverse => self.is_reversed = !self.is_reversed,
            Wish::Pause => self.is_paused = !self.is_paused,
            Wish::Scroll(lines) => self.first = self.first.saturating_add_signed(lines),
            Wish::First => self.first = 0,
            Wish::Last => self.first = usize::MAX,
        }
        self.first = self.first.min(self.rows.len().saturating_sub(height));
        self.sort();
    }

    /// Whether nothing is asked and changed until that is wished.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// The rows in sight where `height` of them fit. Only these cost anything to draw.
    pub fn in_sight(&self, height: usize) -> &[Row] {
        let first = self.first.min(self.rows.len().saturating_sub(height));
        let end = self.rows.len().min(first.saturating_add(height));
        self.rows.get(first..end).unwrap_or_default()
    }

    /// What is shown, in a line.
    pub fn title(&self) -> String {
        let key = KEYS.iter().find(|(key, ..)| *key == self.key);
        let name = key.map_or("", |(_, name, _)| *name);
        let reversed = if self.is_reversed { " reversed" } else { "" };
        let paused = if self.is_paused { ", paused" } else { "" };
        let failing = self.rows.iter().filter(|row| row.is_failing).count();
        let failing = match failing {
            0 => String::new(),
            failing => format!(", {failing} failing open"),
        };
        format!(
            "maclearn: {} ports{failing}, by {name}{reversed}{paused}",
            self.rows.len()
        )
    }

    fn sort(&mut self) {
        let (key, is_reversed) = (self.key, self.is_reversed);
        self.rows.sort_by(|a, b| {
            let order = match key {
                Key::Port => Ordering::Equal,
                Key::Bridge => a.bridge.cmp(&b.bridge),
                Key::Macs => b.macs.cmp(&a.macs),
                Key::Rate(number) => {
                    let rate = |row: &Row| row.rates.get(number).copied().flatten();
                    let (a, b) = (rate(a).unwrap_or(-1.0), rate(b).unwrap_or(-1.0));
                    b.total_cmp(&a)
                }
            };
            // Those that are the same keep their place from one time to the next.
            let order = order.then_with(|| a.port.cmp(&b.port));
            if is_reversed { order.reverse() } else { order }
        });
    }
}

fn counters(counted: &StatisticsAttributes) -> [u64; COUNTERS] {
    [
        counted.suppressed,
        counted.suppressed_bytes,
        counted.passed_owned,
        counted.passed_unknown,
        counted.passed_failing_open,
    ]
    .map(Option::unwrap_or_default)
}

/// The head of the table.
pub fn head() -> String {
    let rates = ["SUPPR/s", "BYTES/s", "OWNED/s", "UNKN/s", "FAIL/s"];
    line(["PORT", "BRIDGE", "IS", "MACS"], rates.map(str::to_string))
}

impl Row {
    /// A line of the table.
    pub fn line(&self) -> String {
        let state = match (self.is_failing, self.is_enabled) {
            (true, _) => "open",
            (false, true) => "on",
            (false, false) => "off",
        };
        let rates = self
            .rates
            .map(|rate| rate.map_or_else(|| "-".to_string(), short));
        let macs = short(self.macs.into());
        line([&self.port, &self.bridge, state, &macs], rates)
    }
}

fn line([port, bridge, state, macs]: [&str; 4], rates: [String; COUNTERS]) -> String {
    let mut line = format!("{port:<15.15} {bridge:<12.12} {state:<4} {macs:>6}");
    for rate in rates {
        line += &format!(" {rate:>7}");
    }
    line
}

/// A number in at most six characters.
fn short(number: f64) -> String {
    let mut number = number;
    for unit in ["", "k", "M", "G", "T"] {
        if number < 9999.5 || unit == "T" {
            return match unit {
                "" if number < 9.95 && number.fract() != 0.0 => format!("{number:.1}"),
                _ => format!("{number:.0}{unit}"),
            };
        }
        number /= 1000.0;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(index: u32, macs: u32) -> PortAttributes {
        PortAttributes {
            ifindex: Some(index),
            bridge: Some(1000 + index % 2),
            enabled: Some(true),
            n_macs: Some(macs),
            ..Default::default()
        }
    }

    fn counted(index: u32, suppressed: u64) -> StatisticsAttributes {
        StatisticsAttributes {
            ifindex: Some(index),
            suppressed: Some(suppressed),
            ..Default::default()
        }
    }

    fn model(key: Key, all: &[(u32, u64, u64)]) -> Model {
        let mut model = Model::new(key);
        let ports: Vec<_> = all.iter().map(|(index, ..)| port(*index, *index)).collect();
        for (time, number) in [(5, 0), (7, 1)] {
            let counted: Vec<_> = all
                .iter()
                .map(|(index, before, now)| counted(*index, [*before, *now][number]))
                .collect();
            let now = Duration::from_secs(time);
            model.update(now, &ports, &counted, &Names::default());
        }
        model
    }

    fn ports(model: &Model, height: usize) -> Vec<String> {
        let rows = model.in_sight(height).iter();
        rows.map(|row| row.port.clone()).collect()
    }

    #[test]
    fn a_rate_is_what_was_counted_in_the_time_between() {
        let mut model = model(Key::Port, &[(1, 100, 150), (2, 100, 90)]);
        let rates = |model: &Model| {
            let rows = model.in_sight(9).iter();
            rows.map(|row| row.rates[0]).collect::<Vec<_>>()
        };
        // One was reset.
        assert_eq!(rates(&model), [Some(25.0), None]);
        let later = [port(2, 0), port(3, 0)];
        let now = [counted(2, 90), counted(3, 7)];
        model.update(Duration::from_secs(8), &later, &now, &Names::default());
        // One has left, and one is new.
        assert_eq!(ports(&model, 9), ["if2", "if3"]);
        assert_eq!(rates(&model), [Some(0.0), None]);
    }

    #[test]
    fn sorts_by_what_is_wished() {
        let mut model = model(Key::Rate(0), &[(1, 0, 10), (2, 0, 30), (3, 0, 20)]);
        assert_eq!(ports(&model, 9), ["if2", "if3", "if1"]);
        model.heed(Wish::Sort(Key::Macs), 9);
        assert_eq!(ports(&model, 9), ["if3", "if2", "if1"]);
        model.heed(Wish::Sort(Key::Macs), 9);
        assert_eq!(ports(&model, 9), ["if1", "if2", "if3"]);
        model.heed(Wish::Sort(Key::Bridge), 9);
        assert_eq!(ports(&model, 9), ["if2", "if1", "if3"]);
        model.heed(Wish::Reverse, 9);
        assert_eq!(ports(&model, 9), ["if3", "if1", "if2"]);
        assert_eq!(model.title(), "maclearn: 3 ports, by bridge reversed");
        model.heed(Wish::Pause, 9);
        assert!(model.is_paused() && model.title().ends_with(", paused"));
    }

    #[test]
    fn shows_only_what_is_in_sight() {
        let all: Vec<_> = (1..=1000).map(|index| (index, 0, 0)).collect();
        let mut model = model(Key::Macs, &all);
        assert_eq!(ports(&model, 2), ["if1000", "if999"]);
        model.heed(Wish::Scroll(3), 2);
        assert_eq!(ports(&model, 2), ["if997", "if996"]);
        model.heed(Wish::Last, 2);
        assert_eq!(ports(&model, 2), ["if2", "if1"]);
        model.heed(Wish::Scroll(5), 2);
        model.heed(Wish::Scroll(-1), 2);
        assert_eq!(ports(&model, 2), ["if3", "if2"]);
        // Fewer are left, and a larger window.
        model.update(
            Duration::from_secs(9),
            &[port(1, 1)],
            &[],
            &Names::default(),
        );
        assert_eq!(ports(&model, 5), ["if1"]);
        model.heed(Wish::First, 5);
        assert_eq!(ports(&model, 5), ["if1"]);
        assert_eq!(ports(&model, 0), [""; 0]);
    }

    #[test]
    fn a_line_has_80_columns_whatever_is_in_it() {
        let row = Row {
            port: "a23456789012345".to_string(),
            bridge: "b23456789012345".to_string(),
            is_enabled: true,
            is_failing: true,
            macs: 1 << 20,
            rates: [
                Some(0.0),
                Some(9.94),
                Some(123_456_789_012.0),
                Some(9999.6),
                None,
            ],
        };
        let wanted =
            "a23456789012345 b23456789012 open  1049k       0     9.9    123G     10k       -";
        assert_eq!(row.line(), wanted);
        assert!(row.line().len() <= 80 && head().len() == row.line().len());
    }

    #[test]
    fn numbers_are_short() {
        for (number, wanted) in [
            (0.0, "0"),
            (0.25, "0.2"),
            (7.0, "7"),
            (12.6, "13"),
            (9999.4, "9999"),
            (9999.5, "10k"),
            (12_345_678.0, "12M"),
            (9e15, "9000T"),
        ] {
            assert_eq!(short(number), wanted);
        }
    }
}
