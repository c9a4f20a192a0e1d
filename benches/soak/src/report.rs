//! Samples over time: memory, messages, sessions; a plot of them, and whether memory grew.

use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;
use std::fs;
use std::path::Path;

/// One second.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    pub at: f64,
    /// Resident memory of the two processes, in MiB.
    pub clients_mib: f64,
    pub server_mib: f64,
    /// In this second.
    pub echoes: f64,
    pub mib: f64,
    pub sessions: f64,
}

/// Resident memory of a process, in MiB.
pub fn resident_mib(pid: u32) -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kib.ok_or("no VmRSS")?.trim().parse::<f64>()? / 1024.0)
}

/// The median of a figure around one moment, and around the end.
pub fn at_and_at_the_end(
    samples: &[Sample],
    at: f64,
    of: impl Fn(&Sample) -> f64,
) -> Option<(f64, f64)> {
    const AROUND: f64 = 15.0;
    let end = samples.last()?.at;
    let median = |from: f64, to: f64| {
        let mut values: Vec<f64> = samples
            .iter()
            .filter(|sample| sample.at >= from && sample.at <= to)
            .map(&of)
            .collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Some((
        median(at - AROUND, at + AROUND)?,
        median(end - 2.0 * AROUND, end)?,
    ))
}

/// A line: its name, its colour, and what of a sample it shows.
type Line<'a> = (&'a str, RGBColor, fn(&Sample) -> f64);

/// Draws the samples: memory above, then messages, then sessions.
pub fn draw(path: &Path, samples: &[Sample], title: &str) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (960, 900)).into_drawing_area();
    root.fill(&WHITE)?;
    let areas = root.titled(title, ("sans-serif", 22))?.split_evenly((3, 1));
    let lines: [(&str, &[Line<'_>]); 3] = [
        (
            "resident memory, MiB",
            &[
                ("clients", BLUE, |s| s.clients_mib),
                ("server", RED, |s| s.server_mib),
            ],
        ),
        (
            "a second",
            &[
                ("echoes / 100", BLUE, |s| s.echoes / 100.0),
                ("MiB of echoes", RED, |s| s.mib),
            ],
        ),
        (
            "sessions begun a second",
            &[("sessions", BLUE, |s| s.sessions)],
        ),
    ];
    for (area, (caption, lines)) in areas.iter().zip(lines) {
        chart(area, samples, caption, lines)?;
    }
    root.present()?;
    Ok(())
}

fn chart(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    samples: &[Sample],
    caption: &str,
    lines: &[Line<'_>],
) -> Result<(), Box<dyn Error>> {
    let end = samples.last().map_or(1.0, |sample| sample.at);
    let most = samples
        .iter()
        .flat_map(|sample| lines.iter().map(move |(.., of)| of(sample)))
        .fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.1)?;
    chart.configure_mesh().x_desc("seconds").draw()?;
    for (name, colour, of) in lines {
        let colour = *colour;
        chart
            .draw_series(LineSeries::new(
                samples.iter().map(|s| (s.at, of(s))),
                &colour,
            ))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE)
        .border_style(BLACK)
        .position(SeriesLabelPosition::LowerRight)
        .draw()?;
    Ok(())
}
