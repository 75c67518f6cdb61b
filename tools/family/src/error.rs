// SPDX-License-Identifier: GPL-2.0

//! What can go wrong between a program and the kernel.

use std::io;

use thiserror::Error;

use crate::refusal::Refusal;

/// Why an operation was not carried out.
#[derive(Debug, Error)]
pub enum Error {
    /// The module is not there.
    #[error(
        "the kernel does not have the family {}: the module is not loaded",
        crate::NAME
    )]
    NoFamily,
    /// The kernel has refused it; nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The socket does not work.
    #[error("netlink: {0}")]
    Socket(#[from] io::Error),
    /// The kernel has answered, but not as it should.
    #[error("the kernel's answer is not understood: {0}")]
    Malformed(&'static str),
    /// The kernel has not answered.
    #[error("the kernel does not answer")]
    Silent,
}
