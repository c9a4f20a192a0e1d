//! What can be wrong with a stream of packages, and with a setting for one.

/// The longest delimiter, in bytes (libhv: `PACKAGE_MAX_DELIMITER_BYTES`, which is 8).
pub(super) const MAX_DELIMITER: usize = 16;

/// Why a stream cannot be cut into packages any further. The place where the next package would
/// begin is lost: the connection is of no more use (libhv closes it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// A package is over the limit, be it by its length field, or because its delimiter is not
    /// among the first `limit` bytes (libhv: `ERR_OVER_LIMIT`).
    #[error("a package {}is over the limit of {limit} bytes", of_size(*.size))]
    TooLong {
        /// The most a package may have, in bytes, head and delimiter included.
        limit: usize,
        /// What the package has, in bytes; `None`: its end is not known, or is over `u64`.
        size: Option<u64>,
    },
    /// A length in varint coding does not end within ten bytes, or does not fit into 64 bits
    /// (libhv: `ERR_OVER_LIMIT`).
    #[error("the length of a package is no varint of 64 bits")]
    BadVarint,
    /// The adjustment takes more off the length field than there is: the body would have less than
    /// no bytes (libhv: `ERR_INVALID_PACKAGE`).
    #[error("the length of a package, {length}, adjusted by {adjustment}, is negative")]
    NegativeLength {
        /// What the length field says.
        length: u64,
        /// What was to be added to it.
        adjustment: i32,
    },
}

fn of_size(size: Option<u64>) -> String {
    size.map_or_else(String::new, |size| format!("of {size} bytes "))
}

/// What is wrong with the setting that [`UnpackBuilder::build`](super::UnpackBuilder::build)
/// refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackSettingError {
    /// A fixed length of no bytes.
    #[error("the fixed package length is zero")]
    ZeroLength,
    /// The fixed length is over the greatest size of a package.
    #[error("the fixed package length, {len} bytes, is over the limit of {max} bytes")]
    FixedOverMax {
        /// The fixed length, in bytes.
        len: usize,
        /// The greatest size, in bytes.
        max: usize,
    },
    /// The delimiter is empty, or has more than 16 bytes.
    #[error("the delimiter has {len} bytes, which is not from 1 to {MAX_DELIMITER}")]
    DelimiterLength {
        /// How many bytes it has.
        len: usize,
    },
    /// The delimiter alone is over the greatest size of a package.
    #[error("the delimiter, {len} bytes, is over the package limit of {max} bytes")]
    DelimiterOverMax {
        /// How many bytes it has.
        len: usize,
        /// The greatest size, in bytes.
        max: usize,
    },
    /// The width of the length field is out of its range: from 1 to 8 bytes, for a varint from 1
    /// to 10.
    #[error("the length field has {bytes} bytes, which is not from 1 to {most}")]
    FieldBytes {
        /// The width that was asked for.
        bytes: usize,
        /// The greatest width of this coding.
        most: usize,
    },
    /// The body begins before the length field ends.
    #[error("the body at {body_offset} begins inside the length field, {bytes} bytes at {offset}")]
    BodyInField {
        /// Where the body begins.
        body_offset: usize,
        /// Where the length field begins.
        offset: usize,
        /// How many bytes it has.
        bytes: usize,
    },
    /// The head alone is over the greatest size of a package.
    #[error("the head, {head} bytes, is over the package limit of {max} bytes")]
    HeadOverMax {
        /// The least length of a head, in bytes.
        head: usize,
        /// The greatest size, in bytes.
        max: usize,
    },
    /// With this adjustment, no value of the length field would stand for a package from an empty
    /// body to the greatest size.
    #[error("no package can have a length adjusted by {adjustment}")]
    AdjustmentOutOfRange {
        /// The adjustment, in bytes.
        adjustment: i32,
    },
}
