//! What the callbacks are told, in either role.
//!
//! | file | holds |
//! |---|---|
//! | `message` | a message |
//! | `close` | the end of an attempt or a session |
//! | `permanent` | whether it would come again |
//! | `error` | what may go wrong |

mod close;
mod error;
mod message;
mod permanent;
#[cfg(test)]
pub(crate) mod testkit;

pub use self::close::{CloseEvent, Initiator};
pub use self::error::{ConnectionError, PrepareError, RedirectError, RedirectProblem};
pub use self::message::Message;
