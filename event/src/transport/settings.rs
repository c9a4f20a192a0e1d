//! What a connection is set to, whichever side began it.

use super::budget::SendBudget;
use crate::sys::SocketOptions;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

/// See [`Connect`](crate::Connect) and [`Listen`](crate::Listen), whose builders set these. All
/// connections of a listener share one [`Settings`] until one of them is set otherwise.
#[derive(Debug, Clone)]
pub(crate) struct ConnSettings {
    pub(crate) budget: Arc<SendBudget>,
    settings: Arc<Settings>,
}

/// What does not differ from one connection to the next.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Open by then.
    pub(crate) open_timeout: Duration,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) close_timeout: Duration,
    pub(crate) socket: SocketOptions,
    /// Nothing read.
    pub(crate) read_timeout: Option<Duration>,
    /// Neither read nor written.
    pub(crate) idle_timeout: Option<Duration>,
    /// The peer's end of its side is not the end of this side.
    pub(crate) allow_half_open: bool,
}

impl ConnSettings {
    /// The default limit of a connection's send queue, in bytes.
    pub(crate) const SEND_LIMIT: usize = 16 * 1024 * 1024;

    pub(crate) fn new() -> Self {
        let settings = Settings {
            open_timeout: Duration::from_secs(10),
            write_timeout: Some(Duration::from_secs(30)),
            close_timeout: Duration::from_secs(5),
            socket: SocketOptions::new(),
            read_timeout: None,
            idle_timeout: None,
            allow_half_open: false,
        };
        Self {
            budget: Arc::new(SendBudget::new(Self::SEND_LIMIT)),
            settings: Arc::new(settings),
        }
    }

    /// The same for one more connection: with an account of its own.
    pub(crate) fn for_another(&self) -> Self {
        Self {
            budget: Arc::new(SendBudget::new(self.budget.limit())),
            settings: self.settings.clone(),
        }
    }
}

impl Deref for ConnSettings {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// To set this connection otherwise, which then has settings of its own.
impl DerefMut for ConnSettings {
    fn deref_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Settings {
    /// How long the connection may be quiet, counted from the last read (`true`) or from the last
    /// read or write: the shorter one decides when to look.
    pub(crate) fn quiet_limits(&self) -> impl Iterator<Item = (Duration, bool)> {
        let read = limit(self.read_timeout).map(|limit| (limit, true));
        let idle = limit(self.idle_timeout).map(|limit| (limit, false));
        read.into_iter().chain(idle)
    }

    /// How long a queue may stand.
    pub(crate) fn stall_limit(&self) -> Option<Duration> {
        limit(self.write_timeout)
    }
}

/// Zero, which nobody could keep, is no limit.
fn limit(limit: Option<Duration>) -> Option<Duration> {
    limit.filter(|limit| !limit.is_zero())
}
