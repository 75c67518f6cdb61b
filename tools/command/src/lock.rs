// SPDX-License-Identifier: GPL-2.0

//! Who gives settings to devices waits for who reloads the module or restores what was saved, and
//! the other way round: a port that filters before it has its MACs back would lose frames.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt,
};

use nix::fcntl::{Flock, FlockArg};

use crate::failure::{Failure, plain};

/// It stays: who locks a file that was removed excludes nobody.
const FILE: &str = "/run/maclearn.lock";

/// Held as long as it lives.
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// For who restores what was saved, unless that is nothing for this user.
    pub fn for_restore() -> Result<Option<Self>, Failure> {
        match Self::alone() {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if is_not_for_us(&error) => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }

    /// For who reloads the module.
    pub fn exclusive() -> Result<Self, Failure> {
        Self::alone().map_err(|error| refused(&error))
    }

    fn alone() -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600);
        Self::take(file.open(FILE)?, FlockArg::LockExclusive)
    }

    /// For who gives settings, who may be unable to write there. None if nobody has ever reloaded
    /// it or restored anything, or if that is nothing for this user.
    pub fn shared() -> Result<Option<Self>, Failure> {
        match File::open(FILE).and_then(|file| Self::take(file, FlockArg::LockShared)) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == ErrorKind::NotFound || is_not_for_us(&error) => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }

    fn take(file: File, kind: FlockArg) -> io::Result<Self> {
        let file = Flock::lock(file, kind).map_err(|(_, error)| error)?;
        Ok(Self { _file: file })
    }
}

fn refused(error: &io::Error) -> Failure {
    Failure::usage(format!("Cannot lock \"{FILE}\": {}", plain(error)))
}

fn is_not_for_us(error: &io::Error) -> bool {
    let kinds = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    kinds.contains(&error.kind())
}
