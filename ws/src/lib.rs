//! WebSocket (RFC 6455) on hvloop's event loop.
//!
//! [`WebSocketClient`] is the client, [`WebSocketServer`] the server. [`protocol`] and [`handshake`] are the protocol without any
//! I/O: bytes in, events and bytes out.
//!
//! # Callbacks
//!
//! A callback runs on the thread of its connection's loop, never inside the call that caused it, and one
//! after the other. It gets what it is about as its first argument, so that it need not capture a handle.
//! A client's callbacks are set on the client, before or after `open()`, each in the place of the one
//! before (`FnMut + Send`), and are dropped after the last `on_close`. Those of a server belong to a
//! [`WebSocketService`], which many connections share on many loops (`Fn + Send + Sync`). One that panics
//! closes its connection with 1011, and nothing else.
//!
//! # Options
//!
//! Options are values: `new()` is the defaults, each setter takes the whole and gives it back, and what is
//! wrong is told where they are used ([`OpenError`]). A setter of what can be absent takes the value or
//! `None`: `ping_interval(Duration::from_secs(10))`, `ping_interval(None)`. A `…_timeout` is how long
//! something may take or be waited for, an `…_interval` how often it is done, a `…_limit` how much there
//! may be.
//!
//! # Names
//!
//! As libhv's, in the case of Rust: `is_connected` says whether messages go both ways now.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used))]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod client;
mod deflate;
mod events;
mod fields;
pub mod handshake;
pub mod protocol;
mod server;
mod url;
mod websocket;

pub use self::client::{
    ClientConnection, ClientEvent, ClientOptions, ClientReceiver, ClientState, ConnectRequest,
    OpenError, OpenEvent, WebSocketClient,
};
pub use self::deflate::{DeflateOptions, DeflateParams, WindowBitsError};
pub use self::events::{
    CloseEvent, ConnectionError, Initiator, Message, PrepareError, RedirectError, RedirectProblem,
};
pub use self::server::{
    ChannelState, HttpOptions, ServiceOptions, WebSocketChannel, WebSocketServer, WebSocketService,
};
pub use self::url::{UrlError, WsTarget, WsUrl};
pub use self::websocket::{CloseError, PingError, WhenFull};
pub use http;

/// What users hold may go to, and mostly be used on, any thread.
const _: () = {
    const fn send<T: Send>() {}
    const fn send_sync<T: Send + Sync>() {}
    send::<ConnectRequest>();
    send_sync::<(ClientConnection, ClientReceiver, WebSocketClient)>();
    send_sync::<(WebSocketChannel, WebSocketServer)>();
};
