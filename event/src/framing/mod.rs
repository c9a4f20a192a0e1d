//! From a stream of bytes to packages (libhv: `unpack_setting_t`, `hio_set_unpack`) and to single
//! reads (libhv: `hio_readline`, `hio_readbytes`, `hio_read_until_delim`, `hio_read_once`).
//!
//! No I/O and no clock: bytes go in as they came from the socket, packages come out whole, in order
//! and as slices. How the bytes were split into reads makes no difference to what comes out.
//!
//! - `setting`, `length`, `delimiter`: what a package looks like, and the check of that.
//! - `rule`: where the package at the front of some bytes ends. Keeps nothing.
//! - `assembler`: what is kept between two reads, and the loop over the packages.
//! - `unpacker`, `reader`: the same for all packages of a stream, and for one at a time.
//!
//! Where this differs from libhv is said at the item that differs.
#![forbid(unsafe_code)]

mod assembler;
mod delimiter;
mod error;
mod length;
mod reader;
mod rule;
mod setting;
mod unpacker;

pub use error::{UnpackError, UnpackSettingError};
pub use length::{LengthCoding, LengthField};
pub(crate) use reader::{ReadMode, Reader};
pub use setting::{Unpack, UnpackBuilder};
pub(crate) use unpacker::Unpacker;

#[cfg(test)]
mod tests;
