// SPDX-License-Identifier: GPL-2.0

//! The specification of the family, as far as requests go.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{bail, Context, Result};
use serde::Deserialize;

/// The type of an attribute's payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Number { bytes: usize },
    Bytes,
}

/// An attribute, and which values of it the kernel takes.
#[derive(Debug)]
pub struct Attribute {
    pub name: String,
    pub number: u16,
    pub kind: Kind,
    pub min: u64,
    pub max: u64,
    pub length: Option<usize>,
}

/// An operation, done once or as a dump.
#[derive(Debug)]
pub struct Operation {
    pub name: String,
    pub command: u8,
    pub is_dump: bool,
    /// The attributes that a request may have; `None` if the kernel looks at none.
    pub attributes: Option<Vec<u16>>,
    /// Index in [`Spec::sets`].
    pub set: usize,
}

/// The family.
pub struct Spec {
    pub family: String,
    pub sets: Vec<Vec<Attribute>>,
    pub operations: Vec<Operation>,
}

impl Spec {
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)?;
        let raw: RawSpec = serde_norway::from_str(&text)?;
        raw.resolve()
    }

    /// The operation of a request for `command`.
    pub fn operation(&self, command: u8, is_dump: bool) -> Option<&Operation> {
        self.operations
            .iter()
            .find(|operation| operation.command == command && operation.is_dump == is_dump)
    }

    pub fn named(&self, name: &str, is_dump: bool) -> Result<&Operation> {
        self.operations
            .iter()
            .find(|operation| operation.name == name && operation.is_dump == is_dump)
            .with_context(|| format!("the specification has no operation {name}"))
    }

    pub fn attributes(&self, operation: &Operation) -> &[Attribute] {
        &self.sets[operation.set]
    }

    /// An attribute of `operation`'s set, allowed in its request or not.
    pub fn attribute(&self, operation: &Operation, name: &str) -> Result<&Attribute> {
        self.attributes(operation)
            .iter()
            .find(|attribute| attribute.name == name)
            .with_context(|| format!("{} has no attribute {name}", operation.name))
    }
}

impl Attribute {
    /// Whether the kernel may take this payload.
    pub fn allows(&self, payload: &[u8]) -> bool {
        match self.kind {
            Kind::Number { bytes } => {
                payload.len() == bytes && (self.min..=self.max).contains(&number(payload))
            }
            Kind::Bytes => self.length.is_none_or(|length| payload.len() == length),
        }
    }
}

/// A payload of at most eight bytes as a number.
pub fn number(payload: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..payload.len()].copy_from_slice(payload);
    u64::from_le_bytes(bytes)
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawSpec {
    name: String,
    definitions: Vec<RawDefinition>,
    attribute_sets: Vec<RawSet>,
    operations: RawOperations,
}

#[derive(Deserialize)]
struct RawDefinition {
    name: String,
    value: Option<u64>,
    #[serde(default)]
    entries: Vec<serde_norway::Value>,
}

#[derive(Deserialize)]
struct RawSet {
    name: String,
    attributes: Vec<RawAttribute>,
}

#[derive(Deserialize)]
struct RawAttribute {
    name: String,
    r#type: String,
    r#enum: Option<String>,
    #[serde(default)]
    checks: RawChecks,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct RawChecks {
    min: Option<u64>,
    max: Option<RawLimit>,
    exact_len: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawLimit {
    Number(u64),
    Constant(String),
}

#[derive(Deserialize)]
struct RawOperations {
    list: Vec<RawOperation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawOperation {
    name: String,
    attribute_set: String,
    r#do: Option<RawExchange>,
    dump: Option<RawExchange>,
}

#[derive(Deserialize)]
struct RawExchange {
    request: Option<RawRequest>,
}

#[derive(Deserialize)]
struct RawRequest {
    attributes: Vec<String>,
}

impl RawSpec {
    fn resolve(self) -> Result<Spec> {
        let definitions: HashMap<_, _> = self.definitions.iter().map(|d| (&*d.name, d)).collect();
        let mut sets = Vec::new();
        for set in &self.attribute_sets {
            let attributes = (1..).zip(&set.attributes);
            let resolved: Result<Vec<_>> = attributes
                .map(|(number, raw)| raw.resolve(number, &definitions))
                .collect();
            sets.push(resolved?);
        }
        let mut operations = Vec::new();
        for (command, raw) in (1..).zip(&self.operations.list) {
            let set = self
                .attribute_sets
                .iter()
                .position(|set| set.name == raw.attribute_set)
                .context("an operation without attribute set")?;
            for (is_dump, exchange) in [(false, &raw.r#do), (true, &raw.dump)] {
                let Some(exchange) = exchange else { continue };
                let numbers = exchange.request.as_ref().map(|request| {
                    let named =
                        |attribute: &&Attribute| request.attributes.contains(&attribute.name);
                    sets[set].iter().filter(named).map(|a| a.number).collect()
                });
                operations.push(Operation {
                    name: raw.name.clone(),
                    command,
                    is_dump,
                    attributes: numbers,
                    set,
                });
            }
        }
        Ok(Spec {
            family: self.name,
            sets,
            operations,
        })
    }
}

impl RawAttribute {
    fn resolve(
        &self,
        number: u16,
        definitions: &HashMap<&str, &RawDefinition>,
    ) -> Result<Attribute> {
        let kind = match &*self.r#type {
            "u8" => Kind::Number { bytes: 1 },
            "u16" => Kind::Number { bytes: 2 },
            "u32" => Kind::Number { bytes: 4 },
            "uint" => Kind::Number { bytes: 8 },
            "binary" | "string" => Kind::Bytes,
            other => bail!("attribute {} is of the unknown type {other}", self.name),
        };
        let max = match (&self.checks.max, &self.r#enum) {
            (Some(RawLimit::Number(max)), _) => Some(*max),
            (Some(RawLimit::Constant(name)), _) => definitions[&**name].value,
            (None, Some(name)) => Some(definitions[&**name].entries.len() as u64 - 1),
            (None, None) => None,
        };
        Ok(Attribute {
            name: self.name.clone(),
            number,
            kind,
            min: self.checks.min.unwrap_or(0),
            max: max.unwrap_or(u64::MAX),
            length: self.checks.exact_len,
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn spec() -> Spec {
        let file = "../../Documentation/netlink/specs/maclearn.yaml";
        Spec::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
    }

    #[test]
    fn knows_what_the_kernel_takes() {
        let spec = spec();
        let set = spec.named("port-set", false).unwrap();
        assert_eq!(set.command, 2);
        let max_macs = spec.attribute(set, "max-macs").unwrap();
        assert!(max_macs.allows(&(1u32 << 20).to_le_bytes()));
        assert!(!max_macs.allows(&((1u32 << 20) + 1).to_le_bytes()));
        assert!(!max_macs.allows(&[1]));
        let unknown = spec.attribute(set, "unknown-unicast").unwrap();
        assert!(unknown.allows(&1u32.to_le_bytes()) && !unknown.allows(&2u32.to_le_bytes()));
        let n_macs = spec.attribute(set, "n-macs").unwrap();
        assert!(!set.attributes.as_ref().unwrap().contains(&n_macs.number));
    }
}
