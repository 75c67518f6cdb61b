// SPDX-License-Identifier: GPL-2.0

//! The version is that of the packages, and of the module.

use std::{error::Error, fs};

const CHANGELOG: &str = "../../debian/changelog";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={CHANGELOG}");
    let text = fs::read_to_string(CHANGELOG)?;
    let after = text.split_once('(').map(|(_, after)| after);
    let version = after.and_then(|after| after.split_once(')'));
    let (version, _) = version.ok_or("debian/changelog begins with no version")?;
    println!("cargo::rustc-env=MACLEARN_VERSION={version}");
    Ok(())
}
