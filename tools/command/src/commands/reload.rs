// SPDX-License-Identifier: GPL-2.0

//! `maclearn reload`: the module that is installed now takes the place of the one that runs, and
//! gets what that knew. In between every copy passes.

use std::{
    env,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::ArgMatches;
use maclearn_family::{Client, PortAttributes, operation};
use nix::sys::signal::{SigSet, Signal};

use super::saved;
use crate::{
    failure::{Failure, plain},
    grammar::NAME,
    kernel,
    lock::Lock,
    namespace,
};

/// Where what the module knew is kept meanwhile, and stays if it could not be given back.
const SAVED: &str = "/run/maclearn.saved";

/// Where it is written.
const SAVING: &str = "/run/maclearn.saving";

/// How often what is known is asked for: while it changes the answer may lack something.
const ATTEMPTS: usize = 20;

/// What ends a program that was started on a terminal.
const ENDS: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// Saves, unloads, loads, restores. Nothing is unloaded unless all of it was saved, and what is
/// installed is for this kernel.
pub fn run(matches: &ArgMatches) -> Result<(), Failure> {
    // Who gives settings waits until all is restored.
    let _lock = Lock::exclusive()?;
    if Path::new(SAVED).exists() {
        return Err(Failure::usage(format!(
            "Error: {SAVED} is what a reload that failed has left: {}, and remove it.",
            gives_back()
        )));
    }
    can_load()?;
    if !matches.get_flag("force") {
        nobody_else_loses()?;
    }
    let mut attempts = 1..=ATTEMPTS;
    loop {
        match save() {
            Ok(()) => break,
            Err(failure) if attempts.next().is_none() => return Err(failure),
            Err(_) => (),
        }
    }
    // They wait until the end, also for what is started from here on.
    let ends: SigSet = ENDS.into_iter().collect();
    ends.thread_block().map_err(io::Error::from)?;
    fs::rename(SAVING, SAVED).map_err(|error| cannot("rename", SAVING, &error))?;
    // Not modprobe -r: it also unloads what nothing else uses, the bridge with all bridges.
    if let Err(failure) = carry_out(Command::new("rmmod").arg(NAME)) {
        remove_saved()?;
        return Err(failure);
    }
    carry_out(Command::new("modprobe").arg(NAME))
        .and_then(|_| saved::restore_file(SAVED))
        .map_err(|failure| {
            Failure::usage(format!(
                "{failure} What it knew is in {SAVED}: {}, and remove it.",
                gives_back()
            ))
        })?;
    remove_saved()
}

fn remove_saved() -> Result<(), Failure> {
    fs::remove_file(SAVED).map_err(|error| cannot("remove", SAVED, &error))
}

fn cannot(verb: &str, file: &str, error: &io::Error) -> Failure {
    Failure::usage(format!("Cannot {verb} \"{file}\": {}", plain(error)))
}

fn gives_back() -> String {
    format!("do \"{NAME} restore file {SAVED}\" with the module loaded")
}

/// Whether the module that is installed can be loaded, as far as one can know.
fn can_load() -> Result<(), Failure> {
    carry_out(Command::new("modprobe").args(["-n", NAME]))?;
    let told = |field| carry_out(Command::new("modinfo").args(["-F", field, NAME]));
    is_for(
        &kernel::release()?,
        &told("vermagic")?,
        !kernel::takes_only_signed() || !told("sig_id")?.trim().is_empty(),
    )
}

/// Whether what a module says of itself is what this kernel takes.
fn is_for(release: &str, vermagic: &str, is_signed_enough: bool) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::usage(format!("Error: {why}; nothing was done.")));
    let built = vermagic.split_whitespace().next().unwrap_or_default();
    if built != release {
        return refuse(&format!(
            "the module that is installed is for {built}, and this kernel is {release}"
        ));
    }
    if !is_signed_enough {
        return refuse(
            "this kernel takes only modules that are signed, and the one that is installed is not",
        );
    }
    Ok(())
}

/// Settings and MACs are saved in this network namespace only.
fn nobody_else_loses() -> Result<(), Failure> {
    let mut losers = namespace::others();
    losers.retain(|name| namespace::within(name, filters) == Some(true));
    if losers.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "Error: ports of other network namespaces are enabled, whose settings and MACs are not saved: {}; \
         \"{NAME} -n NAMESPACE save\" saves them, and \"{NAME} reload force\" does it all the same.",
        losers.join(", ")
    )))
}

/// Whether a port of the network namespace that the thread is in is enabled.
fn filters() -> bool {
    let ports = Client::open()
        .and_then(|mut client| client.list(&operation::PORT_GET, &PortAttributes::default()));
    ports.is_ok_and(|ports| ports.iter().any(|port| port.enabled == Some(true)))
}

fn save() -> Result<(), Failure> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(SAVING)
        .map_err(|error| cannot("write", SAVING, &error))?;
    carry_out(Command::new(me()?).arg("save").stdout(file)).map(drop)
}

fn me() -> Result<PathBuf, Failure> {
    Ok(env::current_exe()?)
}

/// Runs a command, and returns what it prints. Its last line on standard error is the reason if it
/// fails.
fn carry_out(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: &str| Failure::usage(format!("{name}: {why}"));
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(&plain(&error)))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(failed(text.lines().last().unwrap_or("it failed")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unloads_only_for_a_module_that_this_kernel_takes() {
        let said = |vermagic, is_signed_enough| {
            let refused = is_for("7.3.4-amd64", vermagic, is_signed_enough);
            refused.map_err(|failure| failure.to_string())
        };
        assert_eq!(said("7.3.4-amd64 SMP preempt mod_unload \n", true), Ok(()));
        for vermagic in ["7.3.4 SMP\n", "7.3.4-amd64+ SMP\n", ""] {
            assert!(said(vermagic, true).is_err(), "{vermagic}");
        }
        assert_eq!(
            said("7.3.4-amd64 SMP\n", false),
            Err(
                "Error: this kernel takes only modules that are signed, and the one that is \
                 installed is not; nothing was done."
                    .to_string()
            )
        );
    }
}
