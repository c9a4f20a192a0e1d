//! How often the kernel put a thread to sleep: tells a loop that sleeps from one that polls.

use std::fs;
use std::io;

/// The kernel's id of the calling thread.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn current_tid() -> io::Result<u32> {
    // The link reads `<pid>/task/<tid>`.
    fs::read_link("/proc/thread-self")?
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| io::Error::other("/proc/thread-self is not <pid>/task/<tid>"))
}

/// How often thread `tid` of this process has gone to sleep of its own will so far.
///
/// # Errors
/// When there is no such thread, or `/proc` cannot be read.
pub fn voluntary_ctxt_switches(tid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/self/task/{tid}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .and_then(|count| count.trim().parse().ok())
        .ok_or_else(|| io::Error::other("no voluntary_ctxt_switches in the status file"))
}
