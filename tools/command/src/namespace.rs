// SPDX-License-Identifier: GPL-2.0

//! Network namespaces with a name, as `ip netns` makes them.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::Path,
    thread,
};

use nix::sched::{CloneFlags, setns};

use crate::failure::{Failure, plain};

const NAMED: &str = "/run/netns";

/// That of the first process, which has no name.
const FIRST: &str = "/proc/1/ns/net";

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

/// The others that have a name, and the first one, by what [`enter`] takes.
pub fn others() -> Vec<String> {
    let identity = |path: &Path| {
        let file = fs::metadata(path).ok()?;
        Some((file.dev(), file.ino()))
    };
    let own = identity(Path::new("/proc/thread-self/ns/net"));
    let named = fs::read_dir(NAMED).into_iter().flatten().flatten();
    let named = named.map(|file| file.file_name().to_string_lossy().into_owned());
    let mut others: Vec<_> = named.chain([FIRST.to_string()]).collect();
    others.retain(|name| identity(&Path::new(NAMED).join(name)) != own);
    others.sort();
    others
}

/// What `work` says in another network namespace; None if one can't get there, as in a file that
/// is left of one.
pub fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> Option<T> {
    // A thread is there by itself.
    thread::scope(|scope| {
        let worker = scope.spawn(|| enter(name).ok().map(|()| work()));
        worker.join().ok().flatten()
    })
}
