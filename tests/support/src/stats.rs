//! What a server saw of its clients.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Counters of one server since its start, as a copy taken at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// TCP connections accepted.
    pub accepted: u64,
    /// TCP connections that the server holds right now.
    pub open: u64,
    /// Highest value that `open` had.
    pub peak: u64,
    /// WebSocket handshakes completed.
    pub upgraded: u64,
    /// Connections that ended inside the TLS or the WebSocket handshake.
    pub handshakes_failed: u64,
    /// Text and binary messages received.
    pub messages: u64,
    /// Payload bytes of these messages.
    pub bytes: u64,
    /// Ping frames received.
    pub pings: u64,
    /// Pong frames received.
    pub pongs: u64,
    /// Close frames received, by code; a Close frame without a code counts as 1005.
    pub closes: BTreeMap<u16, u64>,
    /// Connections that ended well: Close frames both ways, then an orderly end of the stream (with
    /// close_notify under TLS).
    pub clean: u64,
    /// Open WebSockets whose stream ended (end of file or reset) before any Close frame came.
    pub abrupt: u64,
    /// TLS streams that ended without close_notify, before or after the Close frame.
    pub truncated: u64,
    /// Open WebSockets that ended in a TCP reset, before or after the Close frame.
    pub resets: u64,
    /// Connections that the server had to fail because the client broke the protocol.
    pub protocol_errors: u64,
}

impl Stats {
    /// Close frames received with `code`.
    pub fn closes_with(&self, code: u16) -> u64 {
        self.closes.get(&code).copied().unwrap_or(0)
    }

    /// Close frames received, whatever the code.
    pub fn closes_total(&self) -> u64 {
        self.closes.values().sum()
    }

    /// The value called `key`: a field's name, or `close.1001` for a code.
    pub fn get(&self, key: &str) -> Option<u64> {
        if let Some(code) = key.strip_prefix("close.") {
            return code.parse().ok().map(|code| self.closes_with(code));
        }
        self.named()
            .into_iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// The counters as one line of `key=value`, for pipes.
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        for (name, value) in self.named() {
            let _ = write!(line, "{name}={value} ");
        }
        for (code, count) in &self.closes {
            let _ = write!(line, "close.{code}={count} ");
        }
        line.truncate(line.trim_end().len());
        line
    }

    /// Reads what [`Stats::to_line`] wrote; `None` when the line is anything else.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut stats = Self::default();
        for pair in line.split_whitespace() {
            let (key, value) = pair.split_once('=')?;
            let value: u64 = value.parse().ok()?;
            if let Some(code) = key.strip_prefix("close.") {
                stats.closes.insert(code.parse().ok()?, value);
            } else {
                *stats.field(key)? = value;
            }
        }
        Some(stats)
    }

    fn named(&self) -> [(&'static str, u64); 14] {
        [
            ("accepted", self.accepted),
            ("open", self.open),
            ("peak", self.peak),
            ("upgraded", self.upgraded),
            ("handshakes_failed", self.handshakes_failed),
            ("messages", self.messages),
            ("bytes", self.bytes),
            ("pings", self.pings),
            ("pongs", self.pongs),
            ("clean", self.clean),
            ("abrupt", self.abrupt),
            ("truncated", self.truncated),
            ("resets", self.resets),
            ("protocol_errors", self.protocol_errors),
        ]
    }

    fn field(&mut self, key: &str) -> Option<&mut u64> {
        Some(match key {
            "accepted" => &mut self.accepted,
            "open" => &mut self.open,
            "peak" => &mut self.peak,
            "upgraded" => &mut self.upgraded,
            "handshakes_failed" => &mut self.handshakes_failed,
            "messages" => &mut self.messages,
            "bytes" => &mut self.bytes,
            "pings" => &mut self.pings,
            "pongs" => &mut self.pongs,
            "clean" => &mut self.clean,
            "abrupt" => &mut self.abrupt,
            "truncated" => &mut self.truncated,
            "resets" => &mut self.resets,
            "protocol_errors" => &mut self.protocol_errors,
            _ => return None,
        })
    }
}
