//! An end for children that hang.

use std::process::{Child, Command};

use crate::wait::Event;

/// A child of the test that runs for longer than any test may is killed, so that who waits for it, or reads what it
/// says, goes on and fails. Dropped when its end is no longer waited for.
#[derive(Debug)]
pub struct ChildLimit(Event);

impl ChildLimit {
    /// Begins to count.
    pub fn of(child: &Child) -> Self {
        let (over, id) = (Event::new(), child.id().to_string());
        let waits = over.clone();
        std::thread::spawn(move || {
            if !waits.wait(10 * crate::DEADLINE) {
                eprintln!("process {id} hangs, and is killed");
                // There is nobody to tell if that fails.
                let _ = Command::new("kill").args(["-9", &id]).status();
            }
        });
        Self(over)
    }
}

impl Drop for ChildLimit {
    fn drop(&mut self) {
        self.0.set();
    }
}
