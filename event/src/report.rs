//! What a loop did on its way out.

use std::fmt;
use std::time::Duration;

/// What `run()` and `join()` return: how the loop's stop went.
///
/// "At the stop" means when the loop began to drain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Connections that were open at the stop, finished in order and were closed.
    pub closed_cleanly: usize,
    /// Connections that the deadline closed by force.
    pub forced: usize,
    /// Connections that ended while draining for a reason of their own (reset by the peer, an
    /// error), so neither cleanly nor by force.
    pub failed: usize,
    /// Connects (DNS, TCP, TLS or the protocol's handshake) that were under way at the stop and
    /// given up.
    pub aborted_connects: usize,
    /// Bytes that were accepted for sending and that no socket had taken when their connection ended,
    /// while draining.
    pub lost_bytes: usize,
    /// Tasks that ran after the stop was noticed.
    pub tasks_run: usize,
    /// Who was still there when the deadline passed: connections by peer and [`Hold`]s by name.
    ///
    /// [`Hold`]: crate::Hold
    pub still_held: Vec<String>,
    /// From noticing the stop to the return of `run()`.
    pub elapsed: Duration,
}

impl ShutdownReport {
    /// Whether nothing had to be forced and no hold was left.
    pub fn is_clean(&self) -> bool {
        self.forced == 0 && self.failed == 0 && self.still_held.is_empty()
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} closed cleanly, {} forced, {} failed, {} connects aborted, {} tasks run, {:?}",
            self.closed_cleanly,
            self.forced,
            self.failed,
            self.aborted_connects,
            self.tasks_run,
            self.elapsed
        )?;
        if self.lost_bytes > 0 {
            write!(f, "; {} bytes lost", self.lost_bytes)?;
        }
        if !self.still_held.is_empty() {
            write!(f, "; still held by {}", self.still_held.join(", "))?;
        }
        Ok(())
    }
}
