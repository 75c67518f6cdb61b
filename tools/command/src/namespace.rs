// SPDX-License-Identifier: GPL-2.0

//! Network namespaces with a name, as `ip netns` makes them.

use std::{fs::File, path::Path};

use nix::sched::{CloneFlags, setns};

use crate::failure::{Failure, plain};

const NAMED: &str = "/run/netns";

/// Goes into a network namespace: one that has this name, or the file with this path.
pub fn enter(name: &str) -> Result<(), Failure> {
    // An absolute path is the result by itself.
    let path = Path::new(NAMED).join(name);
    let refuse = |verb: &str, error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "Cannot {verb} network namespace \"{name}\": {error}"
        ))
    };
    let file = File::open(&path).map_err(|error| refuse("open", &plain(&error)))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|error| refuse("enter", &error.desc()))
}
