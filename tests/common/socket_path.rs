//! Paths for Unix sockets.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A path that nobody else has; removed at the end.
pub struct SocketPath(pub PathBuf);

impl SocketPath {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hvloop-{}-{n}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
