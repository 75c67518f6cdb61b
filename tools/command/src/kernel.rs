// SPDX-License-Identifier: GPL-2.0

//! What the kernel says of itself in files.

use std::{
    fs::{self, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Stdio},
};

use nix::libc;

use crate::{
    failure::{Failure, plain},
    grammar::NAME,
};

/// Bytes of the longest record of its log.
const RECORD: usize = 8192;

/// Its release, as `uname -r` prints it.
pub fn release() -> Result<String, Failure> {
    const FILE: &str = "/proc/sys/kernel/osrelease";
    let release = fs::read_to_string(FILE)
        .map_err(|error| Failure::usage(format!("Cannot read \"{FILE}\": {}", plain(&error))))?;
    Ok(release.trim().to_string())
}

/// Whether it is preemptible everywhere (PREEMPT_RT).
pub fn is_realtime() -> bool {
    let text = fs::read_to_string("/proc/sys/kernel/version").unwrap_or_default();
    text.split_whitespace().any(|word| word == "PREEMPT_RT")
}

/// Whether it loads only modules that are signed with a key that it knows.
pub fn takes_only_signed() -> bool {
    switch("/sys/module/module/parameters/sig_enforce") || is_locked_down()
}

fn is_locked_down() -> bool {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    !text.is_empty() && !text.contains("[none]")
}

/// Whether a file says yes.
pub fn switch(file: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    matches!(text.trim(), "1" | "Y")
}

/// What the module that runs says of itself in a field such as `version`.
pub fn running(field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/sys/module/{NAME}/{field}")).ok()?;
    Some(text.trim().to_string())
}

/// What the module that is installed for this kernel says of itself in a field.
pub fn installed(field: &str) -> Option<String> {
    let said = Command::new("modinfo")
        .args(["-F", field, NAME])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&said.stdout).trim().to_string();
    said.status.success().then_some(text)
}

/// The last that its log has of a module that it did not take, if this user may read that.
pub fn refused() -> Option<String> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK);
    let mut file = file.open("/dev/kmsg").ok()?;
    let (mut last, mut record) = (None, [0; RECORD]);
    loop {
        match file.read(&mut record) {
            Ok(0) => return last,
            Ok(length) => {
                let text = String::from_utf8_lossy(record.get(..length)?);
                last = refusal(&text).map(str::to_string).or(last);
            }
            // It was overwritten meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => (),
            Err(_) => return last,
        }
    }
}

/// What a record of the log says, if it says that a module was not taken.
fn refusal(record: &str) -> Option<&str> {
    let (_, text) = record.split_once(';')?;
    let text = text.lines().next()?;
    let is_ours = text.strip_prefix(NAME).is_some_and(|rest| {
        let reasons = [
            ": version magic ",
            ": disagrees about version of symbol ",
            ": Unknown symbol ",
        ];
        reasons.iter().any(|reason| rest.starts_with(reason))
    });
    // It does not say which.
    let is_unsigned = text.starts_with("Loading of ") && text.ends_with(" is rejected")
        || text.starts_with("Lockdown: ") && text.contains("unsigned module loading");
    (is_ours || is_unsigned).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_in_the_log_why_a_module_was_not_taken() {
        for text in [
            "maclearn: version magic '6.12.1 SMP' should be '6.12.2 SMP'",
            "maclearn: Unknown symbol br_forward (err -2)",
            "Loading of unsigned module is rejected",
            "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
        ] {
            let record = format!("5,339,5140900,-;{text}\n SUBSYSTEM=x\n");
            assert_eq!(refusal(&record), Some(text));
        }
        for record in [
            "",
            "5,339,5140900,-;other: Unknown symbol br_forward (err -2)\n",
            "5,339,5140900,-;maclearn: host1 can't learn more\n",
        ] {
            assert_eq!(refusal(record), None, "{record}");
        }
    }
}
