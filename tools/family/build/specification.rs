// SPDX-License-Identifier: GPL-2.0

//! The specification, as far as user space needs it. What is not known here is an error, so that
//! nothing of it is silently left out.

use serde::Deserialize;

/// The whole of it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Specification {
    pub name: String,
    pub definitions: Vec<Definition>,
    pub attribute_sets: Vec<Set>,
    pub operations: Operations,
    pub mcast_groups: Groups,
}

/// An enumeration or a constant.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Definition {
    Enum {
        name: String,
        doc: String,
        entries: Vec<Entry>,
    },
    Const {
        name: String,
        value: u64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub name: String,
    pub doc: String,
}

/// A set of attributes; they are numbered from 1.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub name: String,
    pub attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Attribute {
    pub name: String,
    pub r#type: String,
    pub r#enum: Option<String>,
    pub display_hint: Option<String>,
    pub doc: String,
    #[serde(default)]
    pub checks: Checks,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Checks {
    pub min: Option<u64>,
    pub max: Option<Limit>,
    pub exact_len: Option<u64>,
}

/// A number, or the name of a constant.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Limit {
    Number(u64),
    Constant(String),
}

#[derive(Deserialize)]
pub struct Operations {
    pub list: Vec<Operation>,
}

/// Operations are numbered from 1, notifications included.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Operation {
    pub name: String,
    pub doc: String,
    pub attribute_set: String,
    #[serde(rename = "do")]
    pub done: Option<Exchange>,
    pub dump: Option<Exchange>,
}

#[derive(Deserialize)]
pub struct Exchange {
    pub request: Option<Request>,
}

#[derive(Deserialize)]
pub struct Request {
    pub attributes: Vec<String>,
}

#[derive(Deserialize)]
pub struct Groups {
    pub list: Vec<Group>,
}

#[derive(Deserialize)]
pub struct Group {
    pub name: String,
}
