//! The opening handshake, without any I/O (RFC 6455 section 4).
//!
//! [`ClientHandshake::start`] gives the request to send; [`ClientHandshake::feed`] takes what the
//! server answers, in pieces as they come, until the answer is judged.

mod client;
mod error;
mod head;
mod request;
mod verify;

pub use client::{ClientHandshake, HandshakeLimits, Progress, UpgradeResponse};
pub use error::{HandshakeError, RequestError};
pub use request::UpgradeRequest;
