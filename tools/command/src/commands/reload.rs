// SPDX-License-Identifier: GPL-2.0

//! `maclearn reload`: the module that is installed now takes the place of the one that runs, and
//! gets what that knew. In between every copy passes.

use std::{
    env,
    fs::{self, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    failure::{Failure, plain},
    grammar::NAME,
};

/// Where what the module knew is kept meanwhile, and stays if it could not be given back.
const SAVED: &str = "/run/maclearn.saved";

/// How often what is known is asked for: while it changes the answer may lack something.
const ATTEMPTS: usize = 20;

/// Saves, unloads, loads, restores. Nothing is unloaded unless all of it was saved.
pub fn run() -> Result<(), Failure> {
    let mut attempts = 1..=ATTEMPTS;
    loop {
        match save() {
            Ok(()) => break,
            Err(failure) if attempts.next().is_none() => return Err(failure),
            Err(_) => (),
        }
    }
    // Not modprobe -r: it also unloads what nothing else uses, the bridge with all bridges.
    carry_out(Command::new("rmmod").arg(NAME))?;
    carry_out(Command::new("modprobe").arg(NAME))
        .and_then(|()| carry_out(Command::new(me()?).args(["restore", "file", SAVED])))
        .map_err(|failure| Failure::usage(format!("{failure} What it knew is in {SAVED}.")))?;
    Ok(fs::remove_file(SAVED)?)
}

fn save() -> Result<(), Failure> {
    let saved = Path::new(SAVED);
    if saved.exists() {
        fs::remove_file(saved)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(saved)?;
    carry_out(Command::new(me()?).arg("save").stdout(file))
}

fn me() -> Result<PathBuf, Failure> {
    Ok(env::current_exe()?)
}

/// Runs a command. Its last line on standard error is the reason if it fails.
fn carry_out(command: &mut Command) -> Result<(), Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: &str| Failure::usage(format!("{name}: {why}"));
    let child = command.stderr(Stdio::piped()).spawn();
    let output = child
        .and_then(|child| child.wait_with_output())
        .map_err(|error| failed(&plain(&error)))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(failed(text.lines().last().unwrap_or("it failed")))
        }
    }
}
