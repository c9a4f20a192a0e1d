//! What is set about a WebSocket client.

use hvloop::{ClientOptions, ReconnectPolicy};
use std::time::Duration;

/// What is set, for the next open.
pub(super) struct Settings {
    pub(super) options: ClientOptions,
    /// Those of the user's: all but these are in `options`.
    pub(super) headers: Vec<(String, String)>,
    pub(super) subprotocols: Vec<String>,
    pub(super) policy: Option<ReconnectPolicy>,
    /// The client brings its loop.
    pub(super) is_own_loop: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            options: ClientOptions::new().keep_callbacks(true),
            headers: Vec::new(),
            subprotocols: Vec::new(),
            policy: None,
            is_own_loop: false,
        }
    }
}

impl Settings {
    /// As Rust has them. There is a policy in any case: what was opened without one cannot get one.
    pub(super) fn client_options(&self) -> ClientOptions {
        // One that no program has, which a back-off of the program's would go on with.
        let none = || ReconnectPolicy::fixed(Duration::from_millis(86_399_999));
        let mut options = self.options.clone();
        options = options.reconnect(self.policy.unwrap_or_else(none));
        for (name, value) in &self.headers {
            options = options.header(name, value);
        }
        for name in &self.subprotocols {
            options = options.subprotocol(name);
        }
        options
    }
}
