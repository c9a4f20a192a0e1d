//! Paths for Unix sockets.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A path that nobody else has, in a directory that nobody else locks; removed at the end.
pub struct SocketPath(pub PathBuf, PathBuf);

impl SocketPath {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("hvloop-{}-{n}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            match std::fs::create_dir(&directory) {
                Ok(()) => return Self(directory.join("a.sock"), directory),
                // Of a process that had the same id, and was killed.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => panic!("{}: {e}", directory.display()),
            }
        }
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.1);
    }
}
