//! Which files the process has open, from `/proc/self/fd`.
//!
//! The view is that of the whole process: a test that compares must not share its process with tests
//! that open sockets at the same time.

use std::fs;

/// The open file descriptors with what they refer to (`socket:[1234]`, a path), in ascending order. The
/// descriptor that reads the directory is left out.
pub fn open_fds() -> Vec<(i32, String)> {
    let own_listing = format!("/proc/{}/fd", std::process::id());
    let entries = fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let mut fds: Vec<(i32, String)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let fd = entry.file_name().to_str()?.parse().ok()?;
            // A descriptor that another thread closed since the listing is not open.
            let target = fs::read_link(entry.path()).ok()?;
            Some((fd, target.to_string_lossy().into_owned()))
        })
        .filter(|(_, target)| *target != own_listing)
        .collect();
    fds.sort_unstable();
    fds
}

/// What is open now and was not in `before`.
pub fn new_fds(before: &[(i32, String)]) -> Vec<(i32, String)> {
    let mut now = open_fds();
    now.retain(|fd| !before.contains(fd));
    now
}

/// Nothing is open that was not in `before`; waits for that up to [`crate::DEADLINE`], because the other
/// end of a connection may live in this process too and closes when it likes.
#[track_caller]
pub fn assert_no_new_fds(before: &[(i32, String)]) {
    let settled = crate::wait_for(crate::DEADLINE.as_secs(), || new_fds(before).is_empty());
    assert!(settled, "left open: {:?}", new_fds(before));
}
