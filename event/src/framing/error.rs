//! What can be wrong with a stream of packages, and with a setting for one.

use std::error::Error;
use std::fmt;

/// The longest delimiter, in bytes (libhv: `PACKAGE_MAX_DELIMITER_BYTES`, which is 8).
pub(super) const MAX_DELIMITER: usize = 16;

/// Why a stream cannot be cut into packages any further. The place where the next package would
/// begin is lost: the connection is of no more use (libhv closes it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnpackError {
    /// A package is over the limit, be it by its length field, or because its delimiter is not
    /// among the first `limit` bytes (libhv: `ERR_OVER_LIMIT`).
    TooLong {
        /// The most a package may have, in bytes, head and delimiter included.
        limit: usize,
        /// What the package has, in bytes; `None`: its end is not known, or is over `u64`.
        size: Option<u64>,
    },
    /// A length in varint coding does not end within ten bytes, or does not fit into 64 bits
    /// (libhv: `ERR_OVER_LIMIT`).
    BadVarint,
    /// The adjustment takes more off the length field than there is: the body would have less than
    /// no bytes (libhv: `ERR_INVALID_PACKAGE`).
    NegativeLength {
        /// What the length field says.
        length: u64,
        /// What was to be added to it.
        adjustment: i32,
    },
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong {
                limit,
                size: Some(size),
            } => write!(
                f,
                "a package of {size} bytes is over the limit of {limit} bytes"
            ),
            Self::TooLong { limit, size: None } => {
                write!(f, "a package is over the limit of {limit} bytes")
            }
            Self::BadVarint => f.write_str("the length of a package is no varint of 64 bits"),
            Self::NegativeLength { length, adjustment } => write!(
                f,
                "the length of a package, {length}, adjusted by {adjustment}, is negative"
            ),
        }
    }
}

impl Error for UnpackError {}

/// What is wrong with the setting that [`UnpackBuilder::build`](super::UnpackBuilder::build)
/// refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnpackSettingError {
    /// A fixed length of no bytes.
    ZeroLength,
    /// The fixed length is over the greatest size of a package.
    FixedOverMax {
        /// The fixed length, in bytes.
        len: usize,
        /// The greatest size, in bytes.
        max: usize,
    },
    /// The delimiter is empty, or has more than 16 bytes.
    DelimiterLength {
        /// How many bytes it has.
        len: usize,
    },
    /// The delimiter alone is over the greatest size of a package.
    DelimiterOverMax {
        /// How many bytes it has.
        len: usize,
        /// The greatest size, in bytes.
        max: usize,
    },
    /// The width of the length field is out of its range: from 1 to 8 bytes, for a varint from 1
    /// to 10.
    FieldBytes {
        /// The width that was asked for.
        bytes: usize,
        /// The greatest width of this coding.
        most: usize,
    },
    /// The body begins before the length field ends.
    BodyInField {
        /// Where the body begins.
        body_offset: usize,
        /// Where the length field begins.
        offset: usize,
        /// How many bytes it has.
        bytes: usize,
    },
    /// The head alone is over the greatest size of a package.
    HeadOverMax {
        /// The least length of a head, in bytes.
        head: usize,
        /// The greatest size, in bytes.
        max: usize,
    },
    /// With this adjustment, no value of the length field would stand for a package from an empty
    /// body to the greatest size.
    AdjustmentOutOfRange {
        /// The adjustment, in bytes.
        adjustment: i32,
    },
}

impl fmt::Display for UnpackSettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroLength => f.write_str("the fixed package length is zero"),
            Self::FixedOverMax { len, max } => write!(
                f,
                "the fixed package length, {len} bytes, is over the limit of {max} bytes"
            ),
            Self::DelimiterLength { len } => write!(
                f,
                "the delimiter has {len} bytes, which is not from 1 to {MAX_DELIMITER}"
            ),
            Self::DelimiterOverMax { len, max } => write!(
                f,
                "the delimiter, {len} bytes, is over the package limit of {max} bytes"
            ),
            Self::FieldBytes { bytes, most } => write!(
                f,
                "the length field has {bytes} bytes, which is not from 1 to {most}"
            ),
            Self::BodyInField {
                body_offset,
                offset,
                bytes,
            } => write!(
                f,
                "the body at {body_offset} begins inside the length field, {bytes} bytes at {offset}"
            ),
            Self::HeadOverMax { head, max } => write!(
                f,
                "the head, {head} bytes, is over the package limit of {max} bytes"
            ),
            Self::AdjustmentOutOfRange { adjustment } => {
                write!(f, "no package can have a length adjusted by {adjustment}")
            }
        }
    }
}

impl Error for UnpackSettingError {}
