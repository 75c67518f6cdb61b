// SPDX-License-Identifier: GPL-2.0

//! What the kernel says of itself in files.

use std::{fs, io};

/// Its release, as `uname -r` prints it.
pub fn release() -> io::Result<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(release.trim().to_string())
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
