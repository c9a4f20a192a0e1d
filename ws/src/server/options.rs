//! What can be set about a service.

use crate::deflate::DeflateOptions;
use crate::protocol::Limits;
use crate::websocket::{ConnectionOptions, WhenFull, connection_setters};
use std::sync::Arc;
use std::time::Duration;

/// Options of a [`WebSocketService`](super::WebSocketService). The send queue, its time-out and
/// the time for the handshakes are the listener's: see [`Listen`](hvloop_event::Listen).
///
/// ```
/// use hvloop_ws::ServiceOptions;
/// use std::time::Duration;
///
/// let options = ServiceOptions::new().ping_interval(Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ServiceOptions {
    pub(super) connection: Arc<ConnectionOptions>,
}

impl ServiceOptions {
    /// The defaults: 5 s for the close handshake, a Ping after 30 s of silence and 10 s for the
    /// answer, 16 MiB per frame and 64 MiB per message.
    pub fn new() -> Self {
        Self::default()
    }

    connection_setters!(connection);
}
