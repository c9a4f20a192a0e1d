//! The opening handshake, without any I/O (RFC 6455 section 4).
//!
//! [`ClientHandshake::start`] gives the request to send; [`ClientHandshake::feed`] takes what the
//! server answers, in pieces as they come, until the answer is judged. [`ServerHandshake`] reads what
//! a client asks for; [`Accept`] and [`HttpResponse`] are the answers.

mod client;
pub(crate) mod credentials;
mod error;
mod head;
mod request;
mod response;
mod server;
mod target;
pub(crate) mod tokens;
mod verify;

pub use client::{ClientHandshake, HandshakeLimits, Progress, UpgradeResponse};
pub use error::{HandshakeError, HeadError};
pub use request::UpgradeRequest;
pub use response::{Accept, HttpResponse};
pub use server::{BadRequest, HttpRequest, RequestProgress, ServerHandshake, UpgradeError};
