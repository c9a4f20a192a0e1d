//! What the programs that are compared share: their arguments, how they are asked for figures, frames made
//! beforehand, and the frame of those on tokio.

#![forbid(unsafe_code)]

pub mod args;
pub mod control;
pub mod frames;
pub mod on_loop;
pub mod on_tokio;
pub mod raw;
pub mod tls;

/// The error of a program: it is printed, and the program ends.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// See [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
