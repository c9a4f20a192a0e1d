//! What one of the processes has counted: both must have counted the same.

use crate::{CHURN, STORM};
use hvloop::CloseEvent;
use std::error::Error;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// Violations that are printed; the others are counted.
const SHOWN: u64 = 20;

/// Sums over sessions, by who closed them. Whoever closes a session has sent its last messages before
/// that, and the other must have received them all.
#[derive(Default)]
pub struct Tally {
    pub by_client: Side,
    pub by_server: Side,
    pub by_stop: Side,
    violations: AtomicU64,
}

/// Sessions that were closed by one side.
#[derive(Default)]
pub struct Side {
    pub sessions: AtomicU64,
    pub received: AtomicU64,
    pub sent: AtomicU64,
}

impl Side {
    fn numbers(&self) -> [&AtomicU64; 3] {
        [&self.sessions, &self.received, &self.sent]
    }

    /// The counts, read.
    pub fn read(&self) -> [u64; 3] {
        self.numbers().map(|n| n.load(Ordering::Relaxed))
    }
}

impl Tally {
    /// A session ended.
    pub fn ended(&self, event: &CloseEvent, received: u64, sent: u64, who: &str) {
        let side = match (event.clean, event.code) {
            (true, CHURN) => &self.by_client,
            (true, STORM) => &self.by_server,
            (true, 1001) => &self.by_stop,
            _ => return self.violation(&format!("{who}: a session ended by {event}")),
        };
        for (number, n) in side.numbers().into_iter().zip([1, received, sent]) {
            number.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Something is not as it must be.
    pub fn violation(&self, what: &str) {
        if self.violations.fetch_add(1, Ordering::Relaxed) < SHOWN {
            eprintln!("violation: {what}");
        }
    }

    pub fn violations(&self) -> u64 {
        self.violations.load(Ordering::Relaxed)
    }

    /// In a line, for the other process.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "counted {}", self.violations())?;
        for side in [&self.by_client, &self.by_server, &self.by_stop] {
            for n in side.read() {
                write!(out, " {n}")?;
            }
        }
        writeln!(out)
    }

    /// What [`write`](Self::write) wrote.
    pub fn parse(line: &str) -> Result<Self, Box<dyn Error>> {
        let tally = Self::default();
        let words = line.strip_prefix("counted ").ok_or("no counts")?;
        let mut numbers = words.split(' ').map(str::parse::<u64>);
        let mut next =
            || -> Result<u64, Box<dyn Error>> { Ok(numbers.next().ok_or("a count is missing")??) };
        tally.violations.store(next()?, Ordering::Relaxed);
        for side in [&tally.by_client, &tally.by_server, &tally.by_stop] {
            for number in side.numbers() {
                number.store(next()?, Ordering::Relaxed);
            }
        }
        Ok(tally)
    }
}
