// SPDX-License-Identifier: GPL-2.0

//! What is told of one thing, such as a port: in text a line, in JSON an object.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io::{self, Write},
    str,
};

use maclearn_family::{Mac, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::Paint;

/// Characters in a line of text, where it can be wrapped.
const WIDTH: usize = 80;

const INDENT: &str = "    ";

/// The value of a field.
#[derive(Clone, Debug)]
pub enum Item {
    /// On or off.
    Switch(bool),
    /// A number.
    Number(u64),
    /// Milliseconds; told in seconds.
    Milliseconds(u32),
    /// A MAC address.
    Mac(Mac),
    /// Per cent; told with one digit after the point.
    Percent(f64),
    /// A word, and what it is.
    Word(Cow<'static, str>, Paint),
    /// Fields below this one.
    Group(Record),
    /// Records below this one.
    List(Vec<Record>),
    /// Nothing is known.
    Unknown,
}

impl Item {
    /// A word that is nothing special.
    pub fn word(word: impl Into<Cow<'static, str>>) -> Self {
        Self::Word(word.into(), Paint::Plain)
    }

    /// The name of a device.
    pub fn device(name: impl Into<String>) -> Self {
        Self::Word(name.into().into(), Paint::Device)
    }

    /// The value of an attribute.
    pub fn attribute(value: Value) -> Self {
        match value {
            Value::Switch(on) => Self::Switch(on),
            Value::Number(number) => Self::Number(number),
            Value::Word(enumeration, number) => match enumeration.name(number) {
                Some(name) => Self::word(name),
                None => Self::Number(number.into()),
            },
            Value::Mac(mac) => Self::Mac(mac),
            Value::Name(name) => Self::device(name.to_string()),
        }
    }

    /// Adds it to a line of text.
    fn add(&self, line: &mut String, coloured: bool) -> fmt::Result {
        match self {
            Self::Switch(on) => line.push_str(if *on { "on" } else { "off" }),
            Self::Number(number) => write!(line, "{number}")?,
            Self::Milliseconds(milliseconds) => write!(line, "{}", milliseconds / 1000)?,
            Self::Mac(mac) => Paint::Mac.add(
                line,
                str::from_utf8(&mac.text()).unwrap_or_default(),
                coloured,
            )?,
            Self::Percent(percent) => write!(line, "{percent:.1}%")?,
            Self::Word(word, paint) => paint.add(line, word, coloured)?,
            Self::Unknown => line.push('-'),
            Self::Group(_) | Self::List(_) => (),
        }
        Ok(())
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Switch(on) => serializer.serialize_bool(*on),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Milliseconds(milliseconds) => {
                serializer.serialize_f64(f64::from(*milliseconds) / 1000.0)
            }
            Self::Mac(mac) => serializer.collect_str(mac),
            Self::Percent(percent) => serializer.serialize_f64((percent * 10.0).round() / 10.0),
            Self::Word(word, _) => serializer.serialize_str(word),
            Self::Group(record) => record.serialize(serializer),
            Self::List(records) => serializer.collect_seq(records),
            Self::Unknown => serializer.serialize_none(),
        }
    }
}

/// How a field stands in text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    /// Its value only.
    Title,
    /// Its name and its value.
    Named,
    /// The same by another name than in JSON.
    Called(&'static str),
    /// Its name and one of two words.
    Choice([&'static str; 2]),
    /// Its name if it is on, which is as it should be, or not.
    Flag(Paint),
    /// Its name, and each in brackets.
    Listed,
    /// Not at all.
    Json,
}

/// Fields of one thing, in order.
#[derive(Clone, Debug, Default)]
pub struct Record {
    fields: Vec<(&'static str, Item, Style)>,
    is_indented: bool,
}

impl Record {
    /// One without fields.
    pub fn new() -> Self {
        Self {
            // As many as most have
            fields: Vec::with_capacity(8),
            is_indented: false,
        }
    }

    /// What it is about: a value without name.
    pub fn title(&mut self, name: &'static str, item: Item) {
        self.fields.push((name, item, Style::Title));
    }

    /// A value with a name.
    pub fn field(&mut self, name: &'static str, item: Item) {
        self.fields.push((name, item, Style::Named));
    }

    /// The port that something is about: `dev` and its name, as iproute2 writes it.
    pub fn device(&mut self, item: Item) {
        self.fields.push(("ifname", item, Style::Called("dev")));
    }

    /// A word that is there or not.
    pub fn flag(&mut self, name: &'static str, on: bool, paint: Paint) {
        self.fields
            .push((name, Item::Switch(on), Style::Flag(paint)));
    }

    /// One of two things, `words` in text.
    pub fn choice(&mut self, name: &'static str, on: bool, words: [&'static str; 2]) {
        self.fields
            .push((name, Item::Switch(on), Style::Choice(words)));
    }

    /// Records of the same kind, in text in brackets or as none.
    pub fn list(&mut self, name: &'static str, records: Vec<Self>) {
        self.fields.push((name, Item::List(records), Style::Listed));
    }

    /// What only a program needs to know.
    pub fn hidden(&mut self, name: &'static str, item: Item) {
        self.fields.push((name, item, Style::Json));
    }

    /// Fields that stand together, in text in lines below.
    pub fn group(
        &mut self,
        name: &'static str,
        fields: impl IntoIterator<Item = (&'static str, Item)>,
    ) {
        let mut record = Self::new();
        for (name, item) in fields {
            record.field(name, item);
        }
        self.fields.push((name, Item::Group(record), Style::Named));
    }

    /// Adds all fields of another.
    pub fn extend(&mut self, other: Self) {
        self.fields.extend(other.fields);
    }

    /// The same below what comes before, in text.
    pub fn indented(mut self) -> Self {
        self.is_indented = true;
        self
    }

    /// Adds the words of a line of text.
    fn add_words(&self, line: &mut String, coloured: bool) -> fmt::Result {
        let begin = line.len();
        for field in &self.fields {
            let before = line.len();
            if before > begin {
                line.push(' ');
            }
            if !add_word(field, line, coloured)? {
                line.truncate(before);
            }
        }
        Ok(())
    }

    /// Writes it as text.
    pub fn write(&self, stream: &mut impl Write, coloured: bool) -> io::Result<()> {
        let mut line = String::with_capacity(2 * WIDTH);
        if self.is_indented {
            line.push_str(INDENT);
        }
        self.add_words(&mut line, coloured)
            .map_err(io::Error::other)?;
        line.push('\n');
        for (_, item, _) in &self.fields {
            let Item::Group(group) = item else { continue };
            group
                .add_lines(&mut line, coloured)
                .map_err(io::Error::other)?;
        }
        stream.write_all(line.as_bytes())
    }

    /// Adds the words in as many lines as they need.
    fn add_lines(&self, lines: &mut String, coloured: bool) -> fmt::Result {
        lines.push_str(INDENT);
        let mut begin = lines.len();
        let mut added = String::new();
        for field in &self.fields {
            added.clear();
            if !add_word(field, &mut added, coloured)? {
                continue;
            }
            let length = lines.len() - begin;
            if length > 0 && INDENT.len() + length + 1 + added.len() > WIDTH {
                lines.push('\n');
                lines.push_str(INDENT);
                begin = lines.len();
            } else if length > 0 {
                lines.push(' ');
            }
            lines.push_str(&added);
        }
        lines.push('\n');
        Ok(())
    }
}

/// Adds a field to a line of text. Whether it is one that stands there.
fn add_word(
    (name, item, style): &(&str, Item, Style),
    line: &mut String,
    coloured: bool,
) -> Result<bool, fmt::Error> {
    let called = match style {
        Style::Called(called) => called,
        _ => name,
    };
    match (style, item) {
        (Style::Json, _) | (_, Item::Group(_)) => return Ok(false),
        (Style::Listed, Item::List(records)) => {
            line.push_str(name);
            let mut separator = " [ ";
            for record in records {
                line.push_str(separator);
                record.add_words(line, coloured)?;
                separator = ", ";
            }
            line.push_str(if records.is_empty() { " -" } else { " ]" });
        }
        (Style::Flag(paint), Item::Switch(true)) => paint.add(line, name, coloured)?,
        (Style::Choice([off, on]), Item::Switch(is_on)) => {
            line.push_str(name);
            line.push(' ');
            line.push_str(if *is_on { on } else { off });
        }
        (Style::Flag(_) | Style::Choice(_) | Style::Listed, _) | (_, Item::List(_)) => {
            return Ok(false);
        }
        (Style::Title, _) => item.add(line, coloured)?,
        (Style::Named | Style::Called(_), _) => {
            line.push_str(called);
            line.push(' ');
            item.add(line, coloured)?;
        }
    }
    Ok(true)
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, item, _) in &self.fields {
            map.serialize_entry(name, item)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Record {
        let mut record = Record::new();
        record.hidden("ifindex", Item::Number(7));
        record.title("mac", Item::Mac(Mac([2, 0, 0, 0, 1, 1])));
        record.device(Item::device("host1"));
        record.flag("static", true, Paint::Plain);
        record.flag("fdb", false, Paint::Plain);
        record.field("age", Item::Milliseconds(12_345));
        record.field("spared", Item::Percent(97.256));
        record
    }

    fn text(record: &Record, coloured: bool) -> String {
        let mut bytes = Vec::new();
        record.write(&mut bytes, coloured).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_is_a_line_as_iproute2_writes_it() {
        let wanted = "02:00:00:00:01:01 dev host1 static age 12 spared 97.3%\n";
        assert_eq!(text(&sample(), false), wanted);
    }

    #[test]
    fn json_has_all_fields() {
        let wanted = r#"{"ifindex":7,"mac":"02:00:00:00:01:01","ifname":"host1","static":true,"fdb":false,"age":12.345,"spared":97.3}"#;
        assert_eq!(serde_json::to_string(&sample()).unwrap(), wanted);
    }

    #[test]
    fn names_and_addresses_have_iproute2s_colours() {
        let coloured = text(&sample(), true);
        assert!(
            coloured
                .starts_with("\u{1b}[33m02:00:00:00:01:01\u{1b}[0m dev \u{1b}[36mhost1\u{1b}[0m"),
            "{coloured}"
        );
    }

    #[test]
    fn groups_stand_below_and_are_wrapped() {
        let mut record = Record::new();
        record.title("ifname", Item::device("host1"));
        let names = [
            "passed_unknown",
            "passed_owned",
            "suppressed",
            "suppressed_bytes",
            "learned",
        ];
        record.group(
            "statistics",
            names.map(|name| (name, Item::Number(1234567))),
        );
        let text = text(&record, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], "host1");
        assert!(lines[1].starts_with("    passed_unknown 1234567 passed_owned 1234567"));
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
    }
}
