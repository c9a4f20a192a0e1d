//! A peer that reads slowly, and steadily.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Reads so many bytes a second, in small steps: sleeping is what it is for.
pub struct Pace {
    rate: usize,
    began: Instant,
    read: usize,
}

impl Pace {
    const STEP: Duration = Duration::from_millis(20);

    pub fn new(bytes_a_second: usize) -> Self {
        Self {
            rate: bytes_a_second,
            began: Instant::now(),
            read: 0,
        }
    }

    /// How much was read so far.
    pub fn total(&self) -> usize {
        self.read
    }

    /// The next few bytes, when it is time for them; none: the end.
    pub fn read(&mut self, from: &mut impl Read) -> io::Result<Vec<u8>> {
        let due = Duration::from_secs_f64(self.read as f64 / self.rate as f64);
        std::thread::sleep(due.saturating_sub(self.began.elapsed()));
        let mut buffer = vec![0; (self.rate as f64 * Self::STEP.as_secs_f64()) as usize];
        let n = from.read(&mut buffer)?;
        self.read += n;
        buffer.truncate(n);
        Ok(buffer)
    }
}
