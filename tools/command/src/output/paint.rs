// SPDX-License-Identifier: GPL-2.0

//! Colours: those of iproute2.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};

/// What a word is, for its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// Nothing special.
    Plain,
    /// The name of a device.
    Device,
    /// A MAC address.
    Mac,
    /// As it should be.
    Good,
    /// Something to look into.
    Bad,
}

impl Paint {
    /// Adds a word to a line of text, with its colour on a terminal.
    pub fn add(self, line: &mut String, word: &str, coloured: bool) -> fmt::Result {
        let colour = match self {
            _ if !coloured => None,
            Self::Plain => None,
            Self::Device => Some(AnsiColor::Cyan),
            Self::Mac => Some(AnsiColor::Yellow),
            Self::Good => Some(AnsiColor::Green),
            Self::Bad => Some(AnsiColor::Red),
        };
        let Some(colour) = colour else {
            line.push_str(word);
            return Ok(());
        };
        let style = Style::new().fg_color(Some(colour.into()));
        let style = if self == Self::Bad {
            style.bold()
        } else {
            style
        };
        write!(line, "{style}{word}{style:#}")
    }
}
