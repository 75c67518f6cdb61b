// SPDX-License-Identifier: GPL-2.0

//! Charts of the results, as SVG.

use std::path::Path;

use anyhow::{anyhow, Result};
use plotters::prelude::*;

use crate::{
    plan::{FEW_MACS, FEW_PORTS, MANY_MACS, MANY_PORTS, PORTS},
    results::{Results, Work},
};

const SIZE: (u32, u32) = (900, 520);

/// Who is drawn, and how. Colours that colour-blind people can tell apart (Okabe and Ito).
const LINES: [(&str, RGBColor); 8] = [
    ("hub", RGBColor(0, 0, 0)),
    ("nft-netdev-port-sets", RGBColor(213, 94, 0)),
    ("nft-netdev-mark", RGBColor(230, 159, 0)),
    ("tc", RGBColor(204, 121, 167)),
    ("tcx", RGBColor(0, 114, 178)),
    ("floor", RGBColor(150, 150, 150)),
    ("maclearn", RGBColor(0, 158, 115)),
    ("learning", RGBColor(86, 180, 233)),
];
const OFFLOADED: (&str, RGBColor) = ("maclearn-offloaded", RGBColor(160, 0, 160));
const MIRROR: (&str, RGBColor) = ("maclearn-mirror", RGBColor(100, 60, 20));

/// A line of a chart.
struct Line {
    name: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Draws all charts for which there are figures.
pub fn draw(results: &Results, directory: &Path) -> Result<()> {
    let ports = [FEW_PORTS, PORTS, 64, MANY_PORTS];
    let macs = [FEW_MACS, 4096, 262_144, MANY_MACS];
    bars(results, &directory.join("copy.svg"))?;
    lines(
        &directory.join("ports.svg"),
        SeriesLabelPosition::UpperLeft,
        "Instructions a frame of known unicast, by the number of ports",
        "ports",
        &collect(|peer| {
            ports
                .iter()
                .filter_map(|&ports| {
                    let cost = results.cost(peer, Work::Unicast, ports, FEW_MACS)?;
                    Some((ports as f64, cost))
                })
                .collect()
        }),
    )?;
    lines(
        &directory.join("macs.svg"),
        SeriesLabelPosition::Coordinate(30, 210),
        "Instructions a frame to one of many MACs at 16 ports, by the number of MACs learned",
        "MACs",
        &collect(|peer| {
            macs.iter()
                .filter_map(|&macs| {
                    let cost = results.cost(peer, Work::Destinations, PORTS, macs)?;
                    Some((f64::from(macs), cost))
                })
                .collect()
        }),
    )
}

fn collect(points: impl Fn(&str) -> Vec<(f64, f64)>) -> Vec<Line> {
    LINES
        .into_iter()
        .chain([OFFLOADED, MIRROR])
        .map(|(name, colour)| Line {
            name,
            colour,
            points: points(name),
        })
        .filter(|line| line.points.len() > 1)
        .collect()
}

/// Both axes are logarithmic.
fn lines(
    path: &Path,
    legend: SeriesLabelPosition,
    title: &str,
    unit: &str,
    lines: &[Line],
) -> Result<()> {
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let Some(x) = range(all().map(|point| point.0)) else {
        return Ok(());
    };
    let Some(y) = range(all().map(|point| point.1)) else {
        return Ok(());
    };
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(15)
        .margin_right(40)
        .x_label_area_size(45)
        .y_label_area_size(75)
        .build_cartesian_2d((x.0..x.1).log_scale(), (y.0 / 1.3..y.1 * 1.3).log_scale())
        .map_err(failed)?;
    chart
        .configure_mesh()
        .x_desc(unit)
        .y_desc("instructions")
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .light_line_style(WHITE)
        .draw()
        .map_err(failed)?;
    for line in lines {
        let colour = line.colour;
        chart
            .draw_series(
                LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)).point_size(3),
            )
            .map_err(failed)?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()
        .map_err(failed)?;
    area.present().map_err(failed)
}

/// What one more port costs.
fn bars(results: &Results, path: &Path) -> Result<()> {
    let bars: Vec<(&str, RGBColor, f64)> = LINES
        .into_iter()
        .chain([OFFLOADED])
        .filter_map(|(name, colour)| {
            let copy = results.usual_copy(name, Work::Unicast)?;
            Some((name, colour, copy.max(0.0)))
        })
        // From the bottom to the top
        .rev()
        .collect();
    let Some((_, most)) = range(bars.iter().map(|bar| bar.2)) else {
        return Ok(());
    };
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let names: Vec<&str> = bars.iter().map(|bar| bar.0).collect();
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Instructions of one more copy of known unicast",
            ("sans-serif", 18),
        )
        .margin(15)
        .x_label_area_size(45)
        .y_label_area_size(160)
        .build_cartesian_2d(0.0..most * 1.15, (0..bars.len() - 1).into_segmented())
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(WHITE)
        .x_desc("instructions")
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| match value {
            SegmentValue::CenterOf(bar) => names.get(*bar).copied().unwrap_or_default().to_owned(),
            _ => String::new(),
        })
        .draw()
        .map_err(failed)?;
    for (index, (_, colour, copy)) in bars.iter().enumerate() {
        let mut bar = Rectangle::new(
            [
                (0.0, SegmentValue::Exact(index)),
                (*copy, SegmentValue::Exact(index + 1)),
            ],
            colour.filled(),
        );
        bar.set_margin(6, 6, 0, 0);
        chart.draw_series([bar]).map_err(failed)?;
        chart
            .draw_series([Text::new(
                format!("{copy:.0}"),
                (*copy + most * 0.01, SegmentValue::CenterOf(index)),
                ("sans-serif", 14),
            )])
            .map_err(failed)?;
    }
    area.present().map_err(failed)
}

/// The least and the most of them.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        let (least, most) = range.unwrap_or((value, value));
        Some((least.min(value), most.max(value)))
    })
}

/// Errors of the drawing library borrow from what is drawn.
fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("drawing: {error}")
}
