//! WebSocket (RFC 6455) on hvloop's event loop.
//!
//! [`WebSocketClient`] is the client, [`WebSocketServer`] the server. [`protocol`] and [`handshake`] are the protocol without any
//! I/O: bytes in, events and bytes out.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used))]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod client;
mod deflate;
mod event;
pub mod handshake;
mod link;
mod lock;
mod mutant;
pub mod protocol;
mod server;
mod url;

pub use client::{
    ClientEvent, ClientOptions, ClientReceiver, ClientState, CloseError, ConnectRequest, OpenError,
    OpenEvent, PrepareError, RedirectError, RedirectProblem, WebSocketClient,
};
pub use deflate::{DeflateOptions, DeflateParams, WindowBitsError};
pub use event::{CloseEvent, ConnectionError, Initiator, Message};
pub use link::WhenFull;
pub use server::{
    ChannelState, ServiceOptions, WebSocketChannel, WebSocketServer, WebSocketService,
};
pub use tungstenite::http;
pub use url::{UrlError, WsTarget, WsUrl};
