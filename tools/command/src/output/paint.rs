// SPDX-License-Identifier: GPL-2.0

//! Colours: those of iproute2.

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
    /// The word, with its colour on a terminal.
    pub fn apply(self, text: &str, coloured: bool) -> String {
        let colour = match self {
            Self::Plain => None,
            Self::Device => Some(AnsiColor::Cyan),
            Self::Mac => Some(AnsiColor::Yellow),
            Self::Good => Some(AnsiColor::Green),
            Self::Bad => Some(AnsiColor::Red),
        };
        match colour.filter(|_| coloured) {
            None => text.to_string(),
            Some(colour) => {
                let style = Style::new().fg_color(Some(colour.into()));
                let style = if self == Self::Bad {
                    style.bold()
                } else {
                    style
                };
                format!("{style}{text}{style:#}")
            }
        }
    }
}
