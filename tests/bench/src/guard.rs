// SPDX-License-Identifier: GPL-2.0

//! Whether maclearn's figures are still as good as those that were recorded.
//!
//! Instructions of one kernel can be compared as they are. Where the recorded ones are another
//! kernel's, each is first divided by what a copy costs there that a hook drops without a look-up.

use anyhow::{ensure, Context, Result};
use comfy_table::{presets::NOTHING, Table};

use crate::{
    cost::Figure,
    report::number,
    results::{Results, Work},
};

/// Worse than this is a failure.
const TOLERANCE: f64 = 0.05;
/// What a figure that is the difference of two may be off by, instructions.
const NOISE: f64 = 10.0;

/// A figure, recorded and now, in the same unit.
#[derive(Debug, PartialEq)]
struct Comparison {
    name: String,
    recorded: f64,
    now: f64,
}

impl Comparison {
    fn is_worse(&self) -> bool {
        self.now > self.recorded * (1.0 + TOLERANCE) && self.now > self.recorded + NOISE
    }
}

/// Prints each figure beside the recorded one; whether none is worse.
pub fn run(baseline: &str, results: &str) -> Result<bool> {
    let (baseline, results) = (Results::read(baseline)?, Results::read(results)?);
    if baseline.kernel == results.kernel {
        println!("Instructions on Linux {}:", results.kernel);
    } else {
        println!(
            "Instructions on Linux {}; those recorded on Linux {} are scaled by the cost of a copy that a\n\
             hook drops without a look-up:",
            results.kernel, baseline.kernel
        );
    }
    let comparisons = compare(&baseline, &results)?;
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.force_no_tty();
    table.set_header(["", "", "recorded", "now"]);
    for comparison in &comparisons {
        table.add_row([
            if comparison.is_worse() { "WORSE" } else { "ok" }.into(),
            comparison.name.as_str().into(),
            number(comparison.recorded),
            number(comparison.now),
        ]);
    }
    println!("{}", table.trim_fmt());
    Ok(!comparisons.iter().any(Comparison::is_worse))
}

fn compare(baseline: &Results, results: &Results) -> Result<Vec<Comparison>> {
    let scale = if baseline.kernel == results.kernel {
        1.0
    } else {
        let floor = |results: &Results| {
            results
                .usual_copy("floor", Work::Unicast)
                .context("the floor was not measured")
        };
        floor(results)? / floor(baseline)?
    };
    let now = results.figures();
    let comparisons = baseline
        .figures()
        .into_iter()
        .map(|Figure { name, instructions }| {
            let now = now
                .iter()
                .find(|figure| figure.name == name)
                .with_context(|| format!("{name}: recorded, but not measured"))?
                .instructions;
            Ok(Comparison {
                name,
                recorded: instructions * scale,
                now,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    ensure!(!comparisons.is_empty(), "nothing is recorded");
    Ok(comparisons)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::tests::cell;

    fn results(kernel: &str, floor: f64, maclearn: f64) -> Results {
        let mut cells = Vec::new();
        for (peer, copy) in [("floor", floor), ("maclearn", maclearn)] {
            cells.push(cell(peer, Work::Unicast, 4, 64, 0.0));
            cells.push(cell(peer, Work::Unicast, 16, 64, 12.0 * copy));
        }
        Results {
            kernel: kernel.into(),
            cells,
            ..Results::default()
        }
    }

    fn worse(baseline: &Results, results: &Results) -> Vec<String> {
        compare(baseline, results)
            .unwrap()
            .into_iter()
            .filter(Comparison::is_worse)
            .map(|comparison| comparison.name)
            .collect()
    }

    #[test]
    fn five_percent_are_tolerated() {
        let recorded = results("7.3.4", 800.0, 1000.0);
        assert_eq!(worse(&recorded, &results("7.3.4", 800.0, 1049.0)), [""; 0]);
        assert_eq!(
            worse(&recorded, &results("7.3.4", 800.0, 1051.0)),
            ["suppressed copy", "frame"]
        );
    }

    #[test]
    fn another_kernel_is_compared_by_its_floor() {
        let recorded = results("7.3.4", 800.0, 1000.0);
        assert_eq!(worse(&recorded, &results("7.2.1", 880.0, 1100.0)), [""; 0]);
        assert_eq!(
            worse(&recorded, &results("7.2.1", 800.0, 1100.0)),
            ["suppressed copy", "frame"]
        );
    }

    #[test]
    fn what_is_not_measured_any_more_is_missed() {
        let recorded = results("7.3.4", 800.0, 1000.0);
        let mut now = recorded.clone();
        now.cells.retain(|cell| cell.peer != "maclearn");
        assert!(compare(&recorded, &now).is_err());
    }
}
