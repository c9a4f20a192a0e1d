//! Streams as users hold them: TCP, TLS and Unix sockets, clients and servers.
//!
//! | module | holds |
//! |---|---|
//! | `channel` | a connection as a handle for any thread, and what such handles ask of the loop's side |
//! | `loop_side` | the loop's side of a channel: framing, single reads, pauses, moves |
//! | `client`, `session`, `retry` | `TcpClient`, what one `connect()` began, and its reconnects |
//! | `server` | `TcpServer`, and its connections |

mod channel;
mod client;
mod loop_side;
mod retry;
mod server;
mod session;

pub use self::channel::{Channel, ChannelId};
pub use self::client::{ConnectError, TcpClient};
pub use self::server::TcpServer;
