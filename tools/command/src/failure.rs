// SPDX-License-Identifier: GPL-2.0

//! Why a command was not carried out: one line on standard error, and an exit status.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use maclearn_family::Error;
use thiserror::Error as ThisError;

/// What iproute2's `bridge` exits with if it was not understood or the kernel has refused.
const REFUSED: u8 = 255;

/// The same if a dump could not be had.
const NO_DUMP: u8 = 1;

/// What a shell says of a program that nobody reads from any more.
const BROKEN_PIPE: u8 = 128 + 13;

/// Why a command was not carried out.
#[derive(Debug, ThisError)]
pub enum Failure {
    /// It was not understood, or names something that is not there.
    #[error("{0}")]
    Usage(String),
    /// The kernel has refused it, or can't be asked.
    #[error("Error: {0}.")]
    Kernel(#[from] Error),
    /// The kernel can't be asked any more, after that went well.
    #[error("Error: {0}.")]
    Ended(Error),
    /// A part of what was asked for is missing.
    #[error("{0}")]
    Incomplete(&'static str),
    /// The output can't be written.
    #[error("Cannot write: {}", plain(.0))]
    Output(#[from] io::Error),
    /// Help was asked for, as an object or a command.
    #[error("{0}")]
    Help(String),
    /// The same by an option: that is answered, and no failure.
    #[error("{0}")]
    HelpOption(String),
}

impl Failure {
    /// It was not understood.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// It was carried out until now.
    pub fn ended(self) -> Self {
        match self {
            Self::Kernel(error) => Self::Ended(error),
            other => other,
        }
    }

    /// Tells the user.
    pub fn report(self) -> ExitCode {
        let status = match &self {
            Self::HelpOption(text) => {
                return match writeln!(io::stdout(), "{text}") {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => Self::Output(error).report(),
                };
            }
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return BROKEN_PIPE.into();
            }
            Self::Output(_) | Self::Incomplete(_) | Self::Ended(_) => NO_DUMP,
            Self::Usage(_) | Self::Kernel(_) | Self::Help(_) => REFUSED,
        };
        // If that can't be written either, the status has to do.
        let _ = writeln!(io::stderr(), "{self}");
        status.into()
    }
}

/// What an error is, without its number.
pub fn plain(error: &io::Error) -> String {
    let number = error.raw_os_error();
    number.map_or_else(
        || error.to_string(),
        |number| nix::errno::Errno::from_raw(number).desc().to_string(),
    )
}
