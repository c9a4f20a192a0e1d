//! The opening handshake, without any I/O (RFC 6455 section 4).
//!
//! [`ClientHandshake::start`] gives the request to send; [`ClientHandshake::feed`] takes what the
//! server answers, in pieces as they come, until the answer is judged. [`ServerHandshake`] reads what
//! a client asks for; [`Accept`] and [`HttpResponse`] are the answers.

mod bad_request;
pub(crate) mod body;
mod client;
pub(crate) mod credentials;
mod error;
mod head;
mod limits;
mod request;
mod response;
mod server;
mod target;
mod verify;

pub use self::bad_request::{BadRequest, UpgradeError};
pub use self::client::{ClientHandshake, Progress, UpgradeResponse};
pub use self::error::{HandshakeError, HeadError};
pub use self::limits::HandshakeLimits;
pub use self::request::UpgradeRequest;
pub use self::response::{Accept, HttpResponse, Persistence};
pub use self::server::{HttpRequest, RequestProgress, ServerHandshake};
