//! The user's callbacks, and what `on_open` is told.

use super::{ClientConnection, WebSocketClient};
use crate::events::{CloseEvent, Message};
use crate::handshake::UpgradeResponse;
use crate::url::WsUrl;
use std::sync::Arc;

/// The connection is open: what the server answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenEvent {
    /// The server's answer to the upgrade.
    pub response: Arc<UpgradeResponse>,
    /// The application protocol that TLS agreed on (ALPN), usually `http/1.1`; `None`: no TLS, or the
    /// server chose none.
    pub alpn: Option<Vec<u8>>,
    /// Where the connection ended up: the URL that was opened, or where redirects led.
    pub url: WsUrl,
    /// How many redirects were followed ([`ClientOptions::redirects`](super::ClientOptions::redirects)).
    pub redirects: u32,
    /// The connection, as a handle to it alone.
    pub connection: ClientConnection,
    /// Which attempt since `open()` this was, counted from 1.
    pub attempt: u32,
    /// Whether an earlier session of this `open()` had ended.
    pub is_reconnect: bool,
}

pub(super) type OnOpen = Box<dyn FnMut(&WebSocketClient, &OpenEvent) + Send>;
pub(super) type OnMessage = Box<dyn FnMut(&WebSocketClient, Message<'_>) + Send>;
pub(super) type OnClose = Box<dyn FnMut(&WebSocketClient, &CloseEvent) + Send>;
pub(super) type OnDrain = Box<dyn FnMut(&WebSocketClient) + Send>;

/// The user's callbacks. One that is being called is taken out for the time.
#[derive(Default)]
pub(super) struct Callbacks {
    pub(super) open: Option<OnOpen>,
    pub(super) message: Option<OnMessage>,
    pub(super) close: Option<OnClose>,
    pub(super) drain: Option<OnDrain>,
}

impl Callbacks {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none()
            && self.message.is_none()
            && self.close.is_none()
            && self.drain.is_none()
    }

    /// Takes what `newer` has in place of its own; what was replaced comes back, to be dropped
    /// where no borrow is held.
    #[must_use]
    pub(super) fn replace(&mut self, newer: Callbacks) -> Callbacks {
        Callbacks {
            open: replace(&mut self.open, newer.open),
            message: replace(&mut self.message, newer.message),
            close: replace(&mut self.close, newer.close),
            drain: replace(&mut self.drain, newer.drain),
        }
    }

    /// Takes from `older` what it has not itself; the rest of `older` comes back.
    #[must_use]
    pub(super) fn fill(&mut self, older: Callbacks) -> Callbacks {
        Callbacks {
            open: fill(&mut self.open, older.open),
            message: fill(&mut self.message, older.message),
            close: fill(&mut self.close, older.close),
            drain: fill(&mut self.drain, older.drain),
        }
    }
}

fn replace<T>(slot: &mut Option<T>, newer: Option<T>) -> Option<T> {
    newer.and_then(|newer| slot.replace(newer))
}

/// Takes `older` if it is empty; else that comes back.
pub(super) fn fill<T>(slot: &mut Option<T>, older: Option<T>) -> Option<T> {
    match slot {
        Some(_) => older,
        None => {
            *slot = older;
            None
        }
    }
}
