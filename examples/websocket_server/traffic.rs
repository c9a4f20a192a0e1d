//! What goes through the server, counted.

use hvloop::CloseEvent;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The counters; any thread.
pub struct Traffic {
    began: Instant,
    connections: AtomicUsize,
    received: AtomicU64,
    sent: AtomicU64,
    /// How the last one that went did, in JSON.
    last_close: Mutex<String>,
}

impl Traffic {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            connections: AtomicUsize::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            last_close: Mutex::new("null".to_owned()),
        }
    }

    pub fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub fn disconnected(&self, event: &CloseEvent) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
        let (code, reason) = (event.code, quote(&event.reason));
        *lock(&self.last_close) = format!(r#"{{"code":{code},"reason":{reason}}}"#);
    }

    pub fn count_received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count_sent(&self, messages: usize) {
        self.sent.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Totals, not rates: who misses one misses nothing.
    pub fn to_json(&self) -> String {
        let last_close = lock(&self.last_close);
        format!(
            r#"{{"ms":{},"connections":{},"received":{},"sent":{},"lastClose":{last_close}}}"#,
            self.began.elapsed().as_millis(),
            self.connections.load(Ordering::Relaxed),
            self.received.load(Ordering::Relaxed),
            self.sent.load(Ordering::Relaxed),
        )
    }
}

fn lock(text: &Mutex<String>) -> MutexGuard<'_, String> {
    // A panic leaves no string half written.
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A string of JSON (RFC 8259 section 7): the reason is a peer's.
fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
