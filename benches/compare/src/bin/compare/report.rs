//! The report, in Markdown.

use crate::machine::{QUIET, Quiet, facts, versions};
use crate::results::{Line, Results};
use crate::rows::{Plot, Table};
use crate::subjects::{FLOOR, HVLOOP};
use std::fmt::{self, Write};

/// What the run was, beside its figures.
pub struct Run {
    pub command: String,
    pub rounds: usize,
    /// By how much the counts are divided that the rows speak of; 1 but for a try.
    pub divide: usize,
    pub warm_up: f64,
    pub measure: f64,
    pub before: Quiet,
    pub minutes: f64,
    /// The folder of the plots, as seen from the report.
    pub plots: Option<String>,
}

pub fn write(run: &Run, tables: &[Table], results: &Results) -> Result<String, fmt::Error> {
    let mut out = String::new();
    head(&mut out, run)?;
    noise(&mut out, run, results)?;
    for table in tables {
        let lines = results.lines(table);
        if !lines.is_empty() {
            write_table(&mut out, run, table, &lines)?;
        }
    }
    if !results.failures.is_empty() {
        writeln!(out, "\n## Failures\n")?;
        for failure in &results.failures {
            writeln!(out, "- {}", failure.replace('\n', " "))?;
        }
    }
    Ok(out)
}

fn head(out: &mut String, run: &Run) -> fmt::Result {
    writeln!(
        out,
        "# Benchmarks\n\n\
         hvloop beside its peers, and beside a floor: epoll, reads and writes with frames made beforehand, \
         and no protocol but a count of bytes. This file was written by\n\n\
         ```text\n{}\n```\n\n\
         in {:.0} minutes. `benches/README.md` says how it is measured. In short: the program that is measured \
         has one CPU, and the other end of its connections, which is always the floor's, another one. The \
         figures are the CPU time (user and system) of the measured process, or what the heading says: medians \
         of {} rounds, in which the programs take turns; each is measured for {} s, after {} s that do not count; \
         for messages of 64 KiB and more, as well as for tasks, opening and stopping, a round is three shorter \
         measurements. \
         Less is better, where nothing else is said. Ratios within one run are what counts; differences below \
         some 10 % may be noise.\n",
        run.command, run.minutes, run.rounds, run.measure, run.warm_up
    )?;
    if run.divide > 1 {
        writeln!(
            out,
            "**This was a try: of idle connections, timers and tasks there were {} times less than the rows say.**\n",
            run.divide
        )?;
    }
    writeln!(out, "| machine | |\n|---|---|")?;
    for (name, value) in facts() {
        writeln!(out, "| {name} | {value} |")?;
    }
    let versions: Vec<String> = versions()
        .into_iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    writeln!(
        out,
        "| compared, or used by what is compared | {} |",
        versions.join(", ")
    )
}

fn noise(out: &mut String, run: &Run, results: &Results) -> fmt::Result {
    let Quiet { load, busy } = run.before;
    writeln!(
        out,
        "| load, and CPUs in use, before | {load:.2}, {:.0} % |",
        busy * 100.0
    )?;
    if let Some((median, most)) = results.others() {
        writeln!(
            out,
            "| CPUs used by others during the echoes | {:.1} % (median), {:.1} % (most) |",
            median * 100.0,
            most * 100.0
        )?;
    }
    if let Some((median, high)) = results.spread() {
        writeln!(
            out,
            "| largest less smallest round of a figure | {:.0} % (median), {:.0} % (nine in ten are below) |",
            median * 100.0,
            high * 100.0
        )?;
    }
    let others = results.others().is_some_and(|(median, _)| median > QUIET);
    if !run.before.is_quiet() || others {
        writeln!(
            out,
            "\n**The machine was not quiet: these figures are not to be relied on.**"
        )?;
    }
    Ok(())
}

fn write_table(out: &mut String, run: &Run, table: &Table, lines: &[Line]) -> fmt::Result {
    let mut columns: Vec<&str> = Vec::new();
    for (name, _) in lines.iter().flat_map(|line| &line.medians) {
        if !columns.contains(name) {
            columns.push(name);
        }
    }
    let (floor, peers) = (
        columns.contains(&FLOOR),
        columns.iter().any(|name| ![FLOOR, HVLOOP].contains(name)),
    );
    writeln!(out, "\n## {}\n", table.title)?;
    if !table.unit.is_empty() {
        writeln!(out, "{}.\n", capital(table.unit))?;
    }
    write!(out, "| {} |", table.head)?;
    for column in &columns {
        match *column {
            HVLOOP => write!(out, " **{HVLOOP}** |")?,
            other => write!(out, " {other} |")?,
        }
    }
    if floor {
        write!(out, " hvloop ÷ floor |")?;
    }
    if peers {
        write!(out, " best peer | hvloop ÷ best peer |")?;
    }
    let ratios = usize::from(floor) + 2 * usize::from(peers);
    writeln!(out, "\n|---|{}", "---:|".repeat(columns.len() + ratios))?;
    for line in lines {
        let more = if line.figure.more {
            " (more is better)"
        } else {
            ""
        };
        write!(out, "| {}{more} |", line.name)?;
        for column in &columns {
            match line.medians.iter().find(|(name, _)| name == column) {
                Some((_, Some(figure))) if *column == HVLOOP => {
                    write!(out, " **{}** |", short(*figure))?
                }
                Some((_, Some(figure))) => write!(out, " {} |", short(*figure))?,
                Some((_, None)) | None => write!(out, " – |")?,
            }
        }
        let hvloop = line.of(HVLOOP).filter(|_| line.figure.ratios);
        if floor {
            write!(out, " {} |", ratio(hvloop, line.of(FLOOR)))?;
        }
        if peers {
            let best = line.best_peer().filter(|_| line.figure.ratios);
            write!(out, " {} |", best.map_or("–", |(name, _)| name))?;
            write!(out, " {} |", ratio(hvloop, best.map(|(_, figure)| figure)))?;
        }
        writeln!(out)?;
    }
    match &run.plots {
        Some(plots) if table.plot != Plot::None => {
            writeln!(out, "\n![{}]({plots}/{}.svg)", table.title, table.id)
        }
        _ => Ok(()),
    }
}

fn ratio(of: Option<f64>, to: Option<f64>) -> String {
    match (of, to) {
        (Some(of), Some(to)) if to > 0.0 => format!("{:.2}", of / to),
        _ => "–".to_owned(),
    }
}

/// Three figures, or all before the point.
fn short(figure: f64) -> String {
    match figure.abs() {
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{figure:.2}"),
        size if size < 100.0 => format!("{figure:.1}"),
        _ => {
            let digits = format!("{figure:.0}");
            let mut grouped = String::new();
            for (n, digit) in digits.chars().enumerate() {
                let left = digits.len() - n;
                if n > 0 && left % 3 == 0 && digit.is_ascii_digit() {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let told = [0.0, 0.376, 9.996, 25.66, 260.4, 1_611.0, 1_234_567.0].map(short);
        let expected = ["0", "0.38", "10.00", "25.7", "260", "1,611", "1,234,567"];
        assert_eq!(told, expected);
    }
}
