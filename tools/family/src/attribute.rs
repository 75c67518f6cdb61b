// SPDX-License-Identifier: GPL-2.0

//! Attributes: what they are called, what they hold, and how that is written in a message.

use std::{fmt, marker::PhantomData};

use thiserror::Error;

use crate::{
    mac::{Mac, NoMac},
    message,
    name::{Name, NoName},
};

/// An attribute of a set.
#[derive(Debug)]
pub struct Attribute {
    /// What the kernel knows it by.
    pub number: u16,
    /// Its name as in sysfs, with underscores.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The lowest number that the kernel takes.
    pub min: u64,
    /// The highest number that the kernel takes.
    pub max: u64,
    /// What it means, in one line.
    pub doc: &'static str,
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A byte that is 0 or 1.
    Switch,
    /// A number of 16 bits.
    U16,
    /// A number of 32 bits.
    U32,
    /// A number of 32 bits or, if it takes them, 64.
    Uint,
    /// One of several words, sent as a number of 32 bits.
    Word(&'static Enumeration),
    /// A MAC address.
    Mac,
    /// The name of a device.
    Name,
}

/// The words that an attribute can have, in the order of their numbers.
#[derive(Debug)]
pub struct Enumeration {
    /// The words.
    pub entries: &'static [Entry],
}

/// A word of an [`Enumeration`].
#[derive(Debug)]
pub struct Entry {
    /// The word.
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
}

impl Enumeration {
    /// The word with that number, unless only a newer kernel knows it.
    pub fn name(&self, number: u32) -> Option<&'static str> {
        let entry = self.entries.get(usize::try_from(number).ok()?)?;
        Some(entry.name)
    }

    /// The number of a word.
    pub fn number(&self, name: &str) -> Option<u32> {
        let index = self.entries.iter().position(|entry| entry.name == name)?;
        u32::try_from(index).ok()
    }
}

/// A type that stands for the words of an [`Enumeration`].
pub trait Enumerated: Copy {
    /// The words.
    const ENUMERATION: &'static Enumeration;

    /// What the kernel knows it by.
    fn number(self) -> u32;

    /// The one that the kernel knows by that number.
    fn from_number(number: u32) -> Self;

    /// Its word, or its number if only a newer kernel knows the word.
    fn word(self) -> Value {
        Value::Word(Self::ENUMERATION, self.number())
    }
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// On or off.
    Switch(bool),
    /// A number of any size.
    Number(u64),
    /// A word, by its number.
    Word(&'static Enumeration, u32),
    /// A MAC address.
    Mac(Mac),
    /// The name of a device.
    Name(Name),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(on) => formatter.write_str(if *on { "on" } else { "off" }),
            Self::Number(number) => number.fmt(formatter),
            Self::Word(enumeration, number) => match enumeration.name(*number) {
                Some(name) => formatter.write_str(name),
                None => number.fmt(formatter),
            },
            Self::Mac(mac) => mac.fmt(formatter),
            Self::Name(name) => name.fmt(formatter),
        }
    }
}

/// A value is of another kind than the attribute, or does not fit into it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the value is not one of the attribute")]
pub struct Unfit;

impl From<bool> for Value {
    fn from(on: bool) -> Self {
        Self::Switch(on)
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Mac> for Value {
    fn from(mac: Mac) -> Self {
        Self::Mac(mac)
    }
}

impl From<Name> for Value {
    fn from(name: Name) -> Self {
        Self::Name(name)
    }
}

impl<E: Enumerated> From<E> for Value {
    fn from(word: E) -> Self {
        word.word()
    }
}

impl TryFrom<Value> for bool {
    type Error = Unfit;

    fn try_from(value: Value) -> Result<Self, Unfit> {
        match value {
            Value::Switch(on) => Ok(on),
            _ => Err(Unfit),
        }
    }
}

impl TryFrom<Value> for u64 {
    type Error = Unfit;

    fn try_from(value: Value) -> Result<Self, Unfit> {
        match value {
            Value::Number(number) => Ok(number),
            _ => Err(Unfit),
        }
    }
}

impl TryFrom<Value> for u32 {
    type Error = Unfit;

    fn try_from(value: Value) -> Result<Self, Unfit> {
        u64::try_from(value)?.try_into().map_err(|_| Unfit)
    }
}

impl TryFrom<Value> for u16 {
    type Error = Unfit;

    fn try_from(value: Value) -> Result<Self, Unfit> {
        u64::try_from(value)?.try_into().map_err(|_| Unfit)
    }
}

impl TryFrom<Value> for Mac {
    type Error = Unfit;

    fn try_from(value: Value) -> Result<Self, Unfit> {
        match value {
            Value::Mac(mac) => Ok(mac),
            _ => Err(Unfit),
        }
    }
}

impl TryFrom<Value> for Name {
    type Error = Unfit;

    fn try_from(value: Value) -> Result<Self, Unfit> {
        match value {
            Value::Name(name) => Ok(name),
            _ => Err(Unfit),
        }
    }
}

/// A text is not what an attribute holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum WrongText {
    /// It is no number, or has too many bits.
    #[error("not a number of {0} bits")]
    Number(u32),
    /// It is none of the words.
    #[error("not one of the words")]
    Word,
    /// It is not a MAC address.
    #[error(transparent)]
    Mac(#[from] NoMac),
    /// It is not the name of a device.
    #[error(transparent)]
    Name(#[from] NoName),
}

impl Kind {
    /// Reads a value as a person writes it.
    ///
    /// # Errors
    ///
    /// [`WrongText`] if it is none. Whether a number is in range is for the kernel to say.
    pub fn parse(self, text: &str) -> Result<Value, WrongText> {
        match self {
            Self::Switch => match text {
                "on" | "1" => Ok(Value::Switch(true)),
                "off" | "0" => Ok(Value::Switch(false)),
                _ => Err(WrongText::Word),
            },
            Self::U16 => decimal(text, 16),
            Self::U32 => decimal(text, 32),
            Self::Uint => decimal(text, 64),
            Self::Word(enumeration) => match enumeration.number(text) {
                Some(number) => Ok(Value::Word(enumeration, number)),
                None => Err(WrongText::Word),
            },
            Self::Mac => Ok(Value::Mac(text.parse()?)),
            Self::Name => Ok(Value::Name(text.parse()?)),
        }
    }

    /// The words that [`Kind::parse`] takes, where they are few.
    pub fn words(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        const SWITCH: &[Entry] = &[
            Entry {
                name: "on",
                doc: "",
            },
            Entry {
                name: "off",
                doc: "",
            },
        ];
        let entries = match self {
            Self::Switch => SWITCH,
            Self::Word(enumeration) => enumeration.entries,
            _ => &[],
        };
        entries.iter().map(|entry| (entry.name, entry.doc))
    }

    /// The value in a message's attribute, if it is of this kind.
    fn read(self, payload: &[u8]) -> Option<Value> {
        let number = |bytes: &[u8]| match *bytes {
            [a] => Some(u64::from(a)),
            [a, b] => Some(u16::from_ne_bytes([a, b]).into()),
            [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
            [a, b, c, d, e, f, g, h] => Some(u64::from_ne_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        };
        match (self, payload.len()) {
            (Self::Switch, 1) => number(payload).map(|number| Value::Switch(number != 0)),
            (Self::U16, 2) | (Self::U32, 4) | (Self::Uint, 4 | 8) => {
                number(payload).map(Value::Number)
            }
            (Self::Word(enumeration), 4) => {
                let number = number(payload)?.try_into().ok()?;
                Some(Value::Word(enumeration, number))
            }
            (Self::Mac, 6) => payload.try_into().ok().map(|mac| Value::Mac(Mac(mac))),
            (Self::Name, _) => Name::read(payload).map(Value::Name),
            _ => None,
        }
    }

    /// Adds an attribute with `value` to a message.
    fn write(self, bytes: &mut Vec<u8>, attribute: u16, value: Value) -> Result<(), Unfit> {
        let mut put = |payload: &[u8]| message::put(bytes, attribute, payload);
        match (self, value) {
            (Self::Switch, Value::Switch(on)) => put(&[on.into()]),
            (Self::U16, value @ Value::Number(_)) => put(&u16::try_from(value)?.to_ne_bytes()),
            (Self::U32, value @ Value::Number(_)) => put(&u32::try_from(value)?.to_ne_bytes()),
            (Self::Uint, Value::Number(number)) => match u32::try_from(number) {
                Ok(short) => put(&short.to_ne_bytes()),
                Err(_) => put(&number.to_ne_bytes()),
            },
            (Self::Word(_), Value::Word(_, number)) => put(&number.to_ne_bytes()),
            (Self::Mac, Value::Mac(mac)) => put(&mac.0),
            (Self::Name, Value::Name(name)) => put(&name.with_zero()),
            _ => return Err(Unfit),
        }
        Ok(())
    }
}

fn decimal(text: &str, bits: u32) -> Result<Value, WrongText> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|_| digits);
    number
        .filter(|number| number.checked_shr(bits).unwrap_or(0) == 0)
        .map(Value::Number)
        .ok_or(WrongText::Number(bits))
}

/// The values of a set's attributes, each of which may be missing.
pub trait Attributes: Default {
    /// The set.
    const ATTRIBUTES: &'static [Attribute];

    /// The value of the attribute with that number, if it has one.
    fn get(&self, number: u16) -> Option<Value>;

    /// Gives a value to the attribute with that number. One that is not of its kind leaves it
    /// without.
    fn set(&mut self, number: u16, value: Value);

    /// The attribute with that number.
    fn attribute(number: u16) -> Option<&'static Attribute> {
        // They are numbered from 1 and stand in this order.
        let attribute = Self::ATTRIBUTES.get(usize::from(number).checked_sub(1)?)?;
        (attribute.number == number).then_some(attribute)
    }

    /// The attributes that have a value.
    fn present(&self) -> impl Iterator<Item = (&'static Attribute, Value)> {
        Self::ATTRIBUTES
            .iter()
            .filter_map(|attribute| Some((attribute, self.get(attribute.number)?)))
    }
}

/// Reads the attributes of a message. Those that are not known, or are not of their kind, are
/// left out: a newer kernel may say more.
pub fn decode<A: Attributes>(bytes: &[u8]) -> A {
    let mut all = A::default();
    for (number, payload) in message::attributes(bytes) {
        let value = A::attribute(number).and_then(|attribute| attribute.kind.read(payload));
        if let Some(value) = value {
            all.set(number, value);
        }
    }
    all
}

/// Adds attributes to a message.
pub fn encode<A: Attributes>(bytes: &mut Vec<u8>, attributes: &A) {
    for (attribute, value) in attributes.present() {
        // It came from a field of its kind.
        let _ = attribute.kind.write(bytes, attribute.number, value);
    }
}

/// What can be asked of the family, with attributes of the set `A`.
pub struct Operation<A> {
    /// Its name.
    pub name: &'static str,
    /// What the kernel knows it by.
    pub command: u8,
    /// The numbers of the attributes that a request to do it may have.
    pub request: &'static [u16],
    attributes: PhantomData<A>,
}

impl<A> Operation<A> {
    pub(crate) const fn new(name: &'static str, command: u8, request: &'static [u16]) -> Self {
        Self {
            name,
            command,
            request,
            attributes: PhantomData,
        }
    }
}

/// Something that can be asked of the family, for who makes messages of any attributes.
#[derive(Debug)]
pub struct Request {
    /// The name of the operation.
    pub name: &'static str,
    /// What the kernel knows it by.
    pub command: u8,
    /// Whether it is asked for as a dump.
    pub is_dump: bool,
    /// The numbers of the attributes that it may have; none if the kernel looks at none.
    pub attributes: Option<&'static [u16]>,
    /// The attributes that there are.
    pub set: &'static [Attribute],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EntryAttributes, PortAttributes, UnknownUnicast, operation};

    #[test]
    fn reads_what_it_has_written() {
        let port = PortAttributes {
            ifindex: Some(3),
            enabled: Some(true),
            unknown_unicast: Some(UnknownUnicast::Suppress),
            ..Default::default()
        };
        let entry = EntryAttributes {
            vlan: Some(4094),
            mac: Some(Mac([2, 0, 0, 0, 1, 1])),
            age: Some(0),
            ..Default::default()
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        encode(&mut first, &port);
        encode(&mut second, &entry);
        assert_eq!(decode::<PortAttributes>(&first), port);
        assert_eq!(decode::<EntryAttributes>(&second), entry);
    }

    #[test]
    fn leaves_out_what_it_does_not_know() {
        let mut bytes = Vec::new();
        message::put(&mut bytes, 4000, &[1]);
        message::put(&mut bytes, 0, &[1]);
        message::put(&mut bytes, 1, &[1, 2]);
        message::put(&mut bytes, 5, &9u32.to_ne_bytes());
        let port: PortAttributes = decode(&bytes);
        assert_eq!(port.ifindex, None);
        assert_eq!(port.unknown_unicast, Some(UnknownUnicast::Other(9)));
        assert_eq!(
            port.unknown_unicast.map(|word| word.word().to_string()),
            Some("9".into())
        );
    }

    #[test]
    fn knows_what_a_port_can_be_set_to() {
        let set = operation::PORT_SET.request;
        let names = set
            .iter()
            .filter_map(|number| PortAttributes::attribute(*number));
        let names: Vec<_> = names.map(|attribute| attribute.name).collect();
        let wanted = [
            "ifindex",
            "enabled",
            "learning",
            "unknown_unicast",
            "on_failure",
            "max_macs",
        ];
        assert_eq!(names, wanted);
    }

    #[test]
    fn takes_numbers_that_fit() {
        assert!(matches!(Kind::U16.parse("65535"), Ok(Value::Number(65535))));
        assert!(matches!(
            Kind::Uint.parse("18446744073709551615"),
            Ok(Value::Number(u64::MAX))
        ));
        for (kind, text) in [
            (Kind::U16, "65536"),
            (Kind::U32, "4294967296"),
            (Kind::U32, "+1"),
            (Kind::U32, ""),
        ] {
            assert!(kind.parse(text).is_err(), "{text}");
        }
    }
}
