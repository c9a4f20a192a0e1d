//! Tests that need a process of their own.

use hvloop_test_support::ChildLimit;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};

const CHILD: &str = "HVLOOP_TEST_ALONE";

/// Runs that test again, as the only one of a program of its own, and one such program after the other.
/// `None`: this is that program.
pub fn alone(name: &str) -> Option<ExitStatus> {
    static TURN: Mutex<()> = Mutex::new(());
    if std::env::var(CHILD).is_ok() {
        return None;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1");
    let mut child = command.spawn().unwrap();
    let _limit = ChildLimit::of(&child);
    Some(child.wait().unwrap())
}
