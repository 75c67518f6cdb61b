// SPDX-License-Identifier: GPL-2.0

//! Makes the family's types from its specification.

mod generate;
mod specification;

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result};

const SPECIFICATION: &str = "../../Documentation/netlink/specs/maclearn.yaml";

fn main() -> Result<()> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let output = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed={SPECIFICATION}");
    println!("cargo::rerun-if-changed=build");
    let text = fs::read_to_string(folder.join(SPECIFICATION)).context(SPECIFICATION)?;
    let specification = serde_norway::from_str(&text).context(SPECIFICATION)?;
    fs::write(output.join("family.rs"), generate::family(&specification)?)?;
    Ok(())
}
