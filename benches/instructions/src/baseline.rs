//! What the paths took before, and what has changed since.

use crate::Fallible;
use crate::measure::Machine;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::Path;

/// By how much a count may grow, in percent. Those of two runs are less than one apart.
const TOLERANCE: f64 = 3.0;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt");

/// The file: a line that says on what machine, and one a path.
#[derive(Default)]
pub struct Baseline {
    machine: Machine,
    counts: BTreeMap<String, u64>,
}

impl Baseline {
    /// That of the repository; an empty one if there is none.
    pub fn read() -> Fallible<Self> {
        let text = match fs::read_to_string(Path::new(FILE)) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e.into()),
        };
        let mut lines = text.lines();
        let machine = Machine(lines.next().unwrap_or_default().to_owned());
        let count = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        let counts = lines.map(|line| count(line).ok_or_else(|| format!("{FILE}: {line}")));
        Ok(Self {
            machine,
            counts: counts.collect::<Result<_, _>>()?,
        })
    }

    /// From now on these are what it was. Of other paths what was there stays, if it is of this machine.
    pub fn write(before: Self, machine: &Machine, counts: &[(&'static str, u64)]) -> Fallible<()> {
        let mut all = BTreeMap::new();
        if before.machine == *machine {
            all = before.counts;
            all.retain(|name, _| crate::work::find(name).is_ok());
        }
        all.extend(
            counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count)),
        );
        let mut text = format!("{machine}\n");
        for work in crate::work::ALL {
            if let Some(count) = all.get(work.name) {
                writeln!(text, "{} {count}", work.name)?;
            }
        }
        fs::write(FILE, text)?;
        println!("\nwritten to {FILE}");
        Ok(())
    }
}

/// The table, and whether something has grown.
pub struct Verdict {
    /// The baseline is of another machine, which it names.
    other: Option<Machine>,
    machine: Machine,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    now: u64,
    before: Option<u64>,
}

impl Row {
    /// In percent.
    fn growth(&self) -> Option<f64> {
        let before = self.before? as f64;
        Some((self.now as f64 / before - 1.0) * 100.0)
    }

    fn has_grown(&self) -> bool {
        self.growth().is_some_and(|growth| growth > TOLERANCE)
    }
}

impl Verdict {
    pub fn new(baseline: &Baseline, machine: &Machine, counts: &[(&'static str, u64)]) -> Self {
        let rows = counts.iter().map(|&(name, now)| Row {
            name,
            now,
            before: baseline.counts.get(name).copied(),
        });
        let is_other = baseline.machine != *machine;
        Self {
            other: is_other.then(|| baseline.machine.clone()),
            machine: machine.clone(),
            rows: rows.collect(),
        }
    }

    /// A path has grown, or is not in the baseline. Between two machines nothing can be said.
    pub fn has_grown(&self) -> bool {
        let is_bad = |row: &Row| row.before.is_none() || row.has_grown();
        self.other.is_none() && self.rows.iter().any(is_bad)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        writeln!(
            f,
            "{:<24} {:>12} {:>12}",
            "instructions of", "before", "now"
        )?;
        for row in &self.rows {
            let before = row.before.map_or("-".to_owned(), |n| n.to_string());
            write!(f, "{:<24} {before:>12} {:>12}", row.name, row.now)?;
            match row.growth() {
                None => writeln!(f, "  not in the baseline")?,
                Some(growth) if row.has_grown() => writeln!(f, " {growth:+7.2} %  GROWN")?,
                Some(growth) if growth < -TOLERANCE => {
                    writeln!(f, " {growth:+7.2} %  less: --accept keeps it so")?;
                }
                Some(growth) => writeln!(f, " {growth:+7.2} %")?,
            }
        }
        match &self.other {
            Some(other) => writeln!(
                f,
                "\nnote: NOT compared, the baseline is of another machine: {other}"
            ),
            None if self.has_grown() => writeln!(
                f,
                "\nmore than {TOLERANCE} % above the baseline, or not in it. If that is meant, --accept writes it anew"
            ),
            None => writeln!(f, "\nnothing is more than {TOLERANCE} % above the baseline"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(machine: &str, before: &[(&str, u64)], now: u64) -> Verdict {
        let counts = before.iter().map(|(name, n)| ((*name).to_owned(), *n));
        let baseline = Baseline {
            machine: Machine("one".to_owned()),
            counts: counts.collect(),
        };
        Verdict::new(&baseline, &Machine(machine.to_owned()), &[("path", now)])
    }

    #[test]
    fn more_than_a_little_is_told() {
        for (now, grown) in [(900, false), (1_000, false), (1_029, false), (1_031, true)] {
            let verdict = verdict("one", &[("path", 1_000)], now);
            assert_eq!(verdict.has_grown(), grown, "{verdict}");
            assert_eq!(verdict.to_string().contains("GROWN"), grown, "{verdict}");
        }
    }

    #[test]
    fn a_path_without_a_baseline_is_told() {
        assert!(verdict("one", &[("other", 1_000)], 1).has_grown());
    }

    #[test]
    fn another_machine_is_not_compared() {
        let verdict = verdict("another", &[("path", 1_000)], 5_000);
        assert!(!verdict.has_grown());
        assert!(verdict.to_string().contains("NOT compared"), "{verdict}");
    }
}
