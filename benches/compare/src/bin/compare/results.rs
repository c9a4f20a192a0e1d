//! What was measured.

use crate::measure::Outcome;
use crate::rows::{Figure, Row, Table};
use crate::subjects::{FLOOR, HVLOOP, Subject};
use std::collections::BTreeMap;

/// A row of a table, and whom it was measured of.
type Place = (&'static str, usize, &'static str);

#[derive(Default)]
pub struct Results {
    rounds: BTreeMap<Place, Vec<Vec<f64>>>,
    pub failures: Vec<String>,
    others: Vec<f64>,
}

/// A line of a table.
pub struct Line {
    pub name: String,
    pub figure: Figure,
    /// One for each of the row's subjects: the median of the rounds, if there were any.
    pub medians: Vec<(&'static str, Option<f64>)>,
}

impl Results {
    pub fn add(&mut self, table: &Table, row: usize, subject: &Subject, outcome: Outcome) {
        self.others.extend(outcome.others);
        let place = (table.id, row, subject.name);
        self.rounds.entry(place).or_default().push(outcome.figures);
    }

    pub fn failed(&mut self, table: &Table, row: &Row, subject: &Subject, why: impl ToString) {
        let why = why.to_string();
        let text = format!("{}: {}: {}: {why}", table.title, row.name, subject.name);
        if !self.failures.contains(&text) {
            self.failures.push(text);
        }
    }

    /// The lines of a table; those of rows that were not measured are left out.
    pub fn lines(&self, table: &Table) -> Vec<Line> {
        let mut lines = Vec::new();
        for (n, row) in table.rows.iter().enumerate() {
            for (which, figure) in row.kind.figures().iter().enumerate() {
                let median_of = |subject: &Subject| {
                    let rounds = self.rounds.get(&(table.id, n, subject.name));
                    let rounds = rounds.into_iter().flatten();
                    median(rounds.map(|figures| figures[which]).collect())
                };
                let median_of = |subject| (subject, median_of(subject));
                let medians: Vec<_> = row.subjects.iter().map(median_of).collect();
                if medians.iter().any(|(_, median)| median.is_some()) {
                    let name = match figure.name {
                        "" => row.name.clone(),
                        name => format!("{}: {name}", row.name),
                    };
                    let medians = medians.into_iter().map(|(s, median)| (s.name, median));
                    lines.push(Line {
                        name,
                        figure: *figure,
                        medians: medians.collect(),
                    });
                }
            }
        }
        lines
    }

    /// The median and the largest share of the CPUs that others used during a measurement.
    pub fn others(&self) -> Option<(f64, f64)> {
        let most = self.others.iter().copied().fold(0.0, f64::max);
        Some((median(self.others.clone())?, most))
    }

    /// How far the rounds of one figure are apart, as a share of their median: the median, and what nine in
    /// ten stay below.
    pub fn spread(&self) -> Option<(f64, f64)> {
        let mut spreads = Vec::new();
        for rounds in self.rounds.values().filter(|rounds| rounds.len() > 1) {
            for which in 0..rounds[0].len() {
                let figures: Vec<f64> = rounds.iter().map(|figures| figures[which]).collect();
                let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
                let most = figures.iter().copied().fold(0.0, f64::max);
                let median = median(figures).filter(|median| *median > 0.0);
                spreads.extend(median.map(|median| (most - least) / median));
            }
        }
        spreads.sort_by(f64::total_cmp);
        let high = spreads.get(spreads.len() * 9 / 10).copied()?;
        Some((median(spreads)?, high))
    }
}

impl Line {
    pub fn of(&self, name: &str) -> Option<f64> {
        let found = self.medians.iter().find(|(subject, _)| *subject == name);
        found.and_then(|(_, median)| *median)
    }

    /// The best of those that are neither the floor nor hvloop.
    pub fn best_peer(&self) -> Option<(&'static str, f64)> {
        let peers = self
            .medians
            .iter()
            .filter(|(name, _)| ![FLOOR, HVLOOP].contains(name));
        let peers = peers.filter_map(|(name, median)| Some((*name, (*median)?)));
        match self.figure.more {
            true => peers.max_by(|a, b| a.1.total_cmp(&b.1)),
            false => peers.min_by(|a, b| a.1.total_cmp(&b.1)),
        }
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let (low, high) = (
        figures.get(figures.len().checked_sub(1)? / 2)?,
        figures.get(figures.len() / 2)?,
    );
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn the_best_peer_is_neither_hvloop_nor_the_floor() {
        let line = |more| Line {
            name: String::new(),
            figure: Figure {
                name: "",
                more,
                ratios: true,
            },
            medians: vec![
                (FLOOR, Some(1.0)),
                (HVLOOP, Some(9.0)),
                ("a", Some(3.0)),
                ("b", None),
                ("c", Some(4.0)),
            ],
        };
        assert_eq!(line(false).best_peer(), Some(("a", 3.0)));
        assert_eq!(line(true).best_peer(), Some(("c", 4.0)));
    }
}
