// SPDX-License-Identifier: GPL-2.0

//! Where results go: text for people or JSON, record by record, so that a million of them need no
//! memory.

mod paint;
mod record;

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use clap::ArgMatches;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

pub use paint::Paint;
pub use record::{Item, Record};

use crate::failure::Failure;

/// Spaces of a level in JSON for people.
const INDENT: &[u8] = b"    ";

/// Standard output in the form that was asked for.
pub struct Output {
    stream: BufWriter<Stdout>,
    form: Form,
    coloured: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    PrettyJson,
}

impl Output {
    /// What the options ask for.
    pub fn new(options: &ArgMatches) -> Self {
        let form = match (options.get_flag("json"), options.get_flag("pretty")) {
            (false, _) => Form::Text,
            (true, false) => Form::Json,
            (true, true) => Form::PrettyJson,
        };
        let when = options.get_one::<String>("color").map(String::as_str);
        let may = || io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            stream: BufWriter::with_capacity(64 << 10, io::stdout()),
            form,
            coloured: form == Form::Text
                && (when == Some("always") || when == Some("auto") && may()),
        }
    }

    /// Whether it is JSON.
    pub fn is_json(&self) -> bool {
        self.form != Form::Text
    }

    /// Writes what `fill` gives, in JSON as an array.
    pub fn list(
        &mut self,
        fill: impl FnOnce(&mut dyn FnMut(&Record) -> Result<(), Failure>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut separator: &[u8] = b"[";
        fill(&mut |record| {
            match self.form {
                Form::Text => self.text(record)?,
                form => {
                    self.stream.write_all(separator)?;
                    let text = json(record, form, 1)?;
                    self.stream.write_all(&text)?;
                    separator = b",";
                }
            }
            Ok(())
        })?;
        if self.is_json() {
            let empty = separator == b"[";
            let end: &[u8] = match self.form {
                _ if empty => b"[]\n",
                Form::PrettyJson => b"\n]\n",
                _ => b"]\n",
            };
            self.stream.write_all(end)?;
        }
        Ok(self.stream.flush()?)
    }

    /// Writes one record by itself, a line of JSON, at once.
    pub fn line(&mut self, record: &Record) -> Result<(), Failure> {
        match self.form {
            Form::Text => self.text(record)?,
            form => {
                self.stream.write_all(&json(record, form, 0)?)?;
                self.stream.write_all(b"\n")?;
            }
        }
        Ok(self.stream.flush()?)
    }

    /// Writes one record as a line of JSON, whatever was asked for.
    pub fn json_line(&mut self, record: &Record) -> Result<(), Failure> {
        self.stream.write_all(&json(record, Form::Json, 0)?)?;
        Ok(self.stream.write_all(b"\n")?)
    }

    /// Writes a text as it is.
    pub fn raw(&mut self, text: &str) -> Result<(), Failure> {
        self.stream.write_all(text.as_bytes())?;
        self.flush()
    }

    /// Writes what waits.
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stream.flush()?)
    }

    fn text(&mut self, record: &Record) -> io::Result<()> {
        record.write(&mut self.stream, self.coloured)
    }
}

/// A record as JSON, `depth` levels deep in what is around it.
fn json(record: &Record, form: Form, depth: usize) -> io::Result<Vec<u8>> {
    if form == Form::Json {
        return Ok(serde_json::to_vec(record)?);
    }
    let mut bytes = Vec::new();
    record.serialize(&mut Serializer::with_formatter(
        &mut bytes,
        PrettyFormatter::with_indent(INDENT),
    ))?;
    if depth == 0 {
        return Ok(bytes);
    }
    // No string has a line break in it: those are escaped.
    let mut indented = vec![b'\n'];
    indented.extend_from_slice(INDENT);
    for byte in bytes {
        indented.push(byte);
        if byte == b'\n' {
            indented.extend_from_slice(INDENT);
        }
    }
    Ok(indented)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_json_is_the_same_json() {
        let mut record = Record::new();
        record.title("ifname", Item::device("host1"));
        record.group("statistics", [("learned", Item::Number(3))]);
        let pretty = json(&record, Form::PrettyJson, 1).unwrap();
        let plain = json(&record, Form::Json, 1).unwrap();
        assert_eq!(plain, br#"{"ifname":"host1","statistics":{"learned":3}}"#);
        let value: serde_json::Value = serde_json::from_slice(&pretty).unwrap();
        assert_eq!(
            value,
            serde_json::from_slice::<serde_json::Value>(&plain).unwrap()
        );
        assert!(pretty.starts_with(b"\n    {\n        \"ifname\""));
    }
}
