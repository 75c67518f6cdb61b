// SPDX-License-Identifier: GPL-2.0

//! The text of the generated module.

use std::fmt::Write;

use anyhow::{Context, Result, bail};

use crate::specification::{Attribute, Definition, Entry, Limit, Set, Specification};

/// All types of the family.
pub fn family(specification: &Specification) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "/// What the kernel knows the family by.")?;
    writeln!(text, "pub const NAME: &str = {:?};", specification.name)?;
    for definition in &specification.definitions {
        match definition {
            Definition::Enum { name, doc, entries } => enumeration(&mut text, name, doc, entries)?,
            Definition::Const { name, value } => {
                writeln!(text, "/// {}.", words(name))?;
                writeln!(text, "pub const {}: u64 = {value};", constant(name))?;
            }
        }
    }
    for set in &specification.attribute_sets {
        let made = Made::of(specification, set)?;
        made.structure(&mut text)?;
    }
    writeln!(
        text,
        "/// What can be asked of the family.\npub mod operation {{"
    )?;
    writeln!(text, "use super::*;")?;
    for (number, operation) in (1..).zip(&specification.operations.list) {
        let set = record(&operation.attribute_set);
        document(&mut text, &operation.doc)?;
        let done = operation
            .done
            .as_ref()
            .and_then(|done| done.request.as_ref());
        let request = match done {
            Some(request) => numbers(specification, &operation.attribute_set, &request.attributes)?,
            None => Vec::new(),
        };
        writeln!(
            text,
            "pub const {}: Operation<{set}> = Operation::new({:?}, {number}, &{request:?});",
            constant(&operation.name),
            operation.name,
        )?;
    }
    writeln!(
        text,
        "}}\n/// All that can be asked, whatever attributes it has.\npub const REQUESTS: &[Request] = &["
    )?;
    for (command, operation) in (1..).zip(&specification.operations.list) {
        for (is_dump, exchange) in [(false, &operation.done), (true, &operation.dump)] {
            let Some(exchange) = exchange else { continue };
            let request = exchange.request.as_ref();
            let attributes = request
                .map(|request| {
                    numbers(specification, &operation.attribute_set, &request.attributes)
                })
                .transpose()?;
            let attributes = attributes.map_or_else(
                || "None".to_string(),
                |numbers| format!("Some(&{numbers:?})"),
            );
            writeln!(
                text,
                "Request {{ name: {:?}, command: {command}, is_dump: {is_dump}, attributes: {attributes}, set: {}::ATTRIBUTES }},",
                operation.name,
                record(&operation.attribute_set),
            )?;
        }
    }
    writeln!(text, "];\n/// The multicast groups.\npub mod group {{")?;
    for group in &specification.mcast_groups.list {
        writeln!(text, "/// The group `{}`.", group.name)?;
        writeln!(
            text,
            "pub const {}: &str = {:?};",
            constant(&group.name),
            group.name
        )?;
    }
    writeln!(text, "}}")?;
    Ok(text)
}

fn enumeration(text: &mut String, name: &str, doc: &str, entries: &[Entry]) -> Result<()> {
    let kind = camel(name);
    document(text, doc)?;
    writeln!(
        text,
        "#[derive(Clone, Copy, PartialEq, Eq, Debug)]\npub enum {kind} {{"
    )?;
    for entry in entries {
        document(text, &entry.doc)?;
        writeln!(text, "{},", camel(&entry.name))?;
    }
    writeln!(
        text,
        "/// One that only a newer kernel knows.\nOther(u32),\n}}"
    )?;
    writeln!(text, "impl Enumerated for {kind} {{")?;
    writeln!(
        text,
        "const ENUMERATION: &'static Enumeration = &Enumeration {{ entries: &["
    )?;
    for entry in entries {
        writeln!(
            text,
            "Entry {{ name: {:?}, doc: {:?} }},",
            entry.name,
            entry.doc.trim()
        )?;
    }
    writeln!(text, "] }};\nfn number(self) -> u32 {{ match self {{")?;
    for (number, entry) in entries.iter().enumerate() {
        writeln!(text, "Self::{} => {number},", camel(&entry.name))?;
    }
    writeln!(text, "Self::Other(number) => number,\n}} }}")?;
    writeln!(
        text,
        "fn from_number(number: u32) -> Self {{ match number {{"
    )?;
    for (number, entry) in entries.iter().enumerate() {
        writeln!(text, "{number} => Self::{},", camel(&entry.name))?;
    }
    writeln!(text, "_ => Self::Other(number),\n}} }}\n}}")?;
    writeln!(
        text,
        "impl TryFrom<Value> for {kind} {{\ntype Error = Unfit;"
    )?;
    writeln!(
        text,
        "fn try_from(value: Value) -> Result<Self, Unfit> {{ match value {{"
    )?;
    writeln!(
        text,
        "Value::Word(_, number) => Ok(Self::from_number(number)),"
    )?;
    writeln!(text, "_ => Err(Unfit),\n}} }}\n}}")?;
    Ok(())
}

/// A set with what was found out about its attributes.
struct Made<'a> {
    set: &'a Set,
    attributes: Vec<MadeAttribute<'a>>,
}

struct MadeAttribute<'a> {
    number: u16,
    of: &'a Attribute,
    /// Of the structure's field.
    field: String,
    /// The Rust type of its value.
    value: String,
    /// The expression of its [`Kind`].
    kind: String,
    min: u64,
    max: u64,
}

impl<'a> Made<'a> {
    fn of(specification: &Specification, set: &'a Set) -> Result<Self> {
        let attributes: Result<Vec<_>> = (1..)
            .zip(&set.attributes)
            .map(|(number, of)| {
                MadeAttribute::of(specification, number, of)
                    .with_context(|| format!("attribute {} of {}", of.name, set.name))
            })
            .collect();
        Ok(Self {
            set,
            attributes: attributes?,
        })
    }

    fn structure(&self, text: &mut String) -> Result<()> {
        let kind = record(&self.set.name);
        writeln!(text, "/// Attribute set `{}`.", self.set.name)?;
        writeln!(
            text,
            "#[derive(Clone, PartialEq, Eq, Debug, Default)]\npub struct {kind} {{"
        )?;
        for attribute in &self.attributes {
            document(text, &attribute.of.doc)?;
            writeln!(
                text,
                "pub {}: Option<{}>,",
                attribute.field, attribute.value
            )?;
        }
        writeln!(text, "}}\nimpl Attributes for {kind} {{")?;
        writeln!(text, "const ATTRIBUTES: &'static [Attribute] = &[")?;
        for attribute in &self.attributes {
            writeln!(
                text,
                "Attribute {{ number: {}, name: {:?}, kind: {}, min: {}, max: {}, doc: {:?} }},",
                attribute.number,
                snake(&attribute.of.name),
                attribute.kind,
                attribute.min,
                attribute.max,
                one_line(&attribute.of.doc),
            )?;
        }
        writeln!(
            text,
            "];\nfn get(&self, number: u16) -> Option<Value> {{ match number {{"
        )?;
        for MadeAttribute { number, field, .. } in &self.attributes {
            writeln!(text, "{number} => self.{field}.map(Into::into),")?;
        }
        writeln!(text, "_ => None,\n}} }}")?;
        writeln!(
            text,
            "fn set(&mut self, number: u16, value: Value) {{ match number {{"
        )?;
        for MadeAttribute { number, field, .. } in &self.attributes {
            writeln!(text, "{number} => self.{field} = value.try_into().ok(),")?;
        }
        writeln!(text, "_ => (),\n}} }}\n}}")?;
        Ok(())
    }
}

impl<'a> MadeAttribute<'a> {
    fn of(specification: &Specification, number: u16, of: &'a Attribute) -> Result<Self> {
        let max = match &of.checks.max {
            None => None,
            Some(Limit::Number(number)) => Some(*number),
            Some(Limit::Constant(name)) => Some(value_of(specification, name)?),
        };
        let plain = |value: &str, kind: &str, highest| {
            (
                value.to_string(),
                format!("Kind::{kind}"),
                max.unwrap_or(highest),
            )
        };
        let (value, kind, max) = match (&*of.r#type, &of.r#enum) {
            ("u32", Some(name)) => {
                let value = camel(name);
                let kind = format!("Kind::Word({value}::ENUMERATION)");
                (value, kind, entries_of(specification, name)? - 1)
            }
            // All of them are 0 or 1, those that are only told as well.
            ("u8", None) => plain("bool", "Switch", 1),
            ("u16", None) => plain("u16", "U16", u16::MAX.into()),
            ("u32", None) => plain("u32", "U32", u32::MAX.into()),
            ("uint", None) => plain("u64", "Uint", u64::MAX),
            // The only texts are names of devices.
            ("string", None) => plain("Name", "Name", u64::MAX),
            ("binary", None) if of.display_hint.as_deref() == Some("mac") => {
                if of.checks.exact_len != Some(6) {
                    bail!("a MAC that has not 6 bytes");
                }
                plain("Mac", "Mac", u64::MAX)
            }
            (other, _) => bail!("type {other} is not known"),
        };
        let mut field = snake(&of.name);
        if field == "static" {
            field.insert_str(0, "r#");
        }
        Ok(Self {
            number,
            of,
            field,
            value,
            kind,
            min: of.checks.min.unwrap_or(0),
            max,
        })
    }
}

/// The numbers of attributes of a set.
fn numbers(specification: &Specification, set: &str, names: &[String]) -> Result<Vec<usize>> {
    let found = specification
        .attribute_sets
        .iter()
        .find(|found| found.name == set);
    let attributes = &found.with_context(|| format!("no set {set}"))?.attributes;
    names
        .iter()
        .map(|name| {
            let index = attributes
                .iter()
                .position(|attribute| attribute.name == *name);
            Ok(index.with_context(|| format!("no attribute {name} in {set}"))? + 1)
        })
        .collect()
}

fn value_of(specification: &Specification, wanted: &str) -> Result<u64> {
    specification
        .definitions
        .iter()
        .find_map(|definition| match definition {
            Definition::Const { name, value } if name == wanted => Some(*value),
            _ => None,
        })
        .with_context(|| format!("no constant {wanted}"))
}

fn entries_of(specification: &Specification, wanted: &str) -> Result<u64> {
    specification
        .definitions
        .iter()
        .find_map(|definition| match definition {
            Definition::Enum { name, entries, .. } if name == wanted => Some(entries.len() as u64),
            _ => None,
        })
        .with_context(|| format!("no enumeration {wanted}"))
}

/// A set's structure. An enumeration may have the set's name.
fn record(set: &str) -> String {
    camel(set) + "Attributes"
}

fn document(text: &mut String, doc: &str) -> Result<()> {
    for line in doc.trim().lines() {
        writeln!(text, "/// {}", line.trim())?;
    }
    Ok(())
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn words(name: &str) -> String {
    let text = name.replace('-', " ");
    text[..1].to_uppercase() + &text[1..]
}

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

fn constant(name: &str) -> String {
    snake(name).to_uppercase()
}

fn camel(name: &str) -> String {
    name.split('-')
        .filter(|part| !part.is_empty())
        .map(|part| part[..1].to_uppercase() + &part[1..])
        .collect()
}
