//! How a stop went.

use crate::ffi::text::to_millis;
use hvloop::ShutdownReport;

/// What running, or joining, a loop returns: how its stop went.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, Default)]
pub struct hvloop_report {
    /// Connections that were open at the stop, finished in order and were closed.
    pub closed_cleanly: u64,
    /// Connections that the deadline closed by force.
    pub forced: u64,
    /// Connections that ended for a reason of their own meanwhile.
    pub failed: u64,
    /// Connects under way at the stop that were given up.
    pub aborted_connects: u64,
    /// Bytes that were accepted for sending, and that no socket had taken at the end.
    pub lost_bytes: u64,
    /// Tasks that ran after the stop was noticed.
    pub tasks_run: u64,
    /// How many connections and holds were still there when the deadline passed.
    pub still_held: u64,
    /// From noticing the stop to its end, in milliseconds.
    pub elapsed_ms: i64,
    /// 1: nothing had to be forced, and nothing was left; else 0.
    pub clean: i32,
}

impl From<&ShutdownReport> for hvloop_report {
    fn from(report: &ShutdownReport) -> Self {
        Self {
            closed_cleanly: report.closed_cleanly as u64,
            forced: report.forced as u64,
            failed: report.failed as u64,
            aborted_connects: report.aborted_connects as u64,
            lost_bytes: report.lost_bytes as u64,
            tasks_run: report.tasks_run as u64,
            still_held: report.still_held.len() as u64,
            elapsed_ms: to_millis(report.elapsed),
            clean: i32::from(report.is_clean()),
        }
    }
}
