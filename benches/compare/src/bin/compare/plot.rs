//! Plots of the tables, as SVG.

use crate::results::Line;
use crate::rows::{Plot, Table};
use crate::subjects::{FLOOR, HVLOOP};
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 420;
/// The colour of each name, in all plots.
fn colour(name: &str) -> RGBColor {
    match name {
        FLOOR => RGBColor(0x9e, 0x9e, 0x9e),
        HVLOOP => RGBColor(0x1f, 0x5f, 0xbf),
        "tokio-tungstenite" => RGBColor(0xe0, 0x7b, 0x39),
        "tokio-tungstenite, batched" => RGBColor(0xf0, 0xb4, 0x7a),
        "tokio-websockets" => RGBColor(0x3f, 0x9b, 0x5a),
        "fastwebsockets" => RGBColor(0xb5, 0x3c, 0x52),
        "sockudo-ws" => RGBColor(0x7a, 0x5c, 0xa8),
        _ => BLACK,
    }
}

/// What a group of bars leaves free.
const GAP: f64 = 0.2;

/// Draws a table.
pub fn draw(path: &Path, table: &Table, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    match table.plot {
        Plot::None => Ok(()),
        Plot::Lines => draw_lines(path, table, lines),
        Plot::Bars => draw_bars(path, table, lines, table.unit, |_| Some(1.0)),
        Plot::Ratios => {
            let unit = format!("{}, in units of the floor", table.unit);
            draw_bars(path, table, lines, &unit, |line| line.of(FLOOR))
        }
    }
}

fn names(lines: &[Line]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, _) in lines.iter().flat_map(|line| &line.medians) {
        if !names.contains(name) {
            names.push(*name);
        }
    }
    names
}

fn draw_bars(
    path: &Path,
    table: &Table,
    lines: &[Line],
    unit: &str,
    one: impl Fn(&Line) -> Option<f64>,
) -> Result<(), Box<dyn Error>> {
    let names = names(lines);
    let height = |line: &Line, name| Some(line.of(name)? / one(line)?);
    let heights = lines
        .iter()
        .flat_map(|line| names.iter().filter_map(|name| height(line, name)));
    // A peer that is far off does not make the others unreadable: it is cut, and its height is written.
    let most = heights.fold(1.0, f64::max);
    let top = match table.plot {
        Plot::Ratios => most.min(4.0),
        _ => most,
    };
    let root = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(table.title, ("sans-serif", 20))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..lines.len() as f64, 0.0..top * 1.15)?;
    let label = |at: &f64| match at.fract() {
        0.5 => lines
            .get(*at as usize)
            .map_or("", |line| &line.name)
            .to_owned(),
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(0)
        .x_labels(lines.len() * 2 + 1)
        .x_label_formatter(&label)
        .x_desc(table.head)
        .y_desc(unit)
        .draw()?;
    let width = (1.0 - GAP) / names.len() as f64;
    let (few, mut written) = (names.len() * lines.len() <= 36, Vec::new());
    for (which, name) in names.iter().enumerate() {
        let colour = colour(name);
        let bars = lines.iter().enumerate().filter_map(|(n, line)| {
            let left = n as f64 + GAP / 2.0 + which as f64 * width;
            Some((left, height(line, name)?))
        });
        let bars: Vec<(f64, f64)> = bars.collect();
        let rectangle = |&(left, height): &(f64, f64)| {
            let corners = [(left, 0.0), (left + width * 0.92, height.min(top))];
            Rectangle::new(corners, colour.filled())
        };
        chart
            .draw_series(bars.iter().map(rectangle))?
            .label(*name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        written.extend(
            bars.into_iter()
                .filter(|(_, height)| few || *height > top || *name == HVLOOP),
        );
    }
    let style = ("sans-serif", 11).into_font().color(&BLACK);
    let text = |(left, height): (f64, f64)| {
        let at = (left, height.min(top) + top * 0.045);
        Text::new(format!("{height:.2}"), at, style.clone())
    };
    // Above the bars, also those beside them.
    chart.draw_series(written.into_iter().map(text))?;
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK)
        .position(SeriesLabelPosition::UpperRight)
        .draw()?;
    root.present()?;
    Ok(())
}

fn draw_lines(path: &Path, table: &Table, lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let at = |line: &Line| line.name.parse::<f64>();
    let places = lines.iter().map(at).collect::<Result<Vec<f64>, _>>()?;
    let names = names(lines);
    let all = lines.iter().flat_map(|line| &line.medians);
    let most = all.filter_map(|(_, figure)| *figure).fold(1.0, f64::max);
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return Ok(());
    };
    let root = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(table.title, ("sans-serif", 20))
        .margin(8)
        .margin_right(32)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d((*first..*last + 1.0).log_scale(), 0.0..most * 1.15)?;
    chart
        .configure_mesh()
        .max_light_lines(0)
        .x_desc(table.head)
        .y_desc(table.unit)
        .draw()?;
    for name in names {
        let colour = colour(name);
        let points = places.iter().zip(lines);
        let points = points.filter_map(|(place, line)| Some((*place, line.of(name)?)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE)
        .border_style(BLACK)
        .position(SeriesLabelPosition::LowerRight)
        .draw()?;
    root.present()?;
    Ok(())
}
