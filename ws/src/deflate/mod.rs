//! permessage-deflate (RFC 7692): its options, its negotiation, and the two halves of its codec. No
//! I/O here.
//!
//! | file | holds |
//! |---|---|
//! | `options` | what a user wants of it |
//! | `params` | its parameters |
//! | `extensions` | the header that it is negotiated in |
//! | `negotiate` | offers, their acceptance, and what comes of it |
//! | `deflater`, `inflater` | messages to their compressed form, and back |
//! | `history` | what inflated messages may refer to |

#[cfg(test)]
pub(crate) mod blocks;
mod deflater;
mod extensions;
mod history;
mod inflater;
mod negotiate;
mod options;
mod params;

pub use self::options::{DeflateOptions, WindowBitsError};
pub use self::params::DeflateParams;
pub(crate) use self::params::{MAX_BITS, MIN_BITS};

pub(crate) use self::deflater::Deflater;
pub(crate) use self::inflater::Inflater;
pub(crate) use self::negotiate::{accept, check_answer, offer};

/// What ends each message's last block, and is not sent (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
