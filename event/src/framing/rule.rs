//! Where a package ends.

use super::delimiter::Delimiter;
use super::error::UnpackError;
use super::length::LengthField;

/// What ends a package. Keeps nothing of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Whatever is there, at least one byte (libhv: `UNPACK_MODE_NONE`).
    Any,
    /// So many bytes, at least one (libhv: `UNPACK_BY_FIXED_LENGTH`).
    Fixed(usize),
    /// These bytes, which belong to it (libhv: `UNPACK_BY_DELIMITER`).
    Delimiter(Delimiter),
    /// The length in its head (libhv: `UNPACK_BY_LENGTH_FIELD`).
    LengthField(LengthField),
}

impl Rule {
    /// Where the package ends that begins with `held`, which is not all of it, and goes on with
    /// `more`: as the number of bytes of `more` that belong to it. `None`: further on, so that all
    /// of `more` belongs to it.
    ///
    /// The answer, and the error too, depends on the bytes alone, not on where they are split.
    ///
    /// # Errors
    ///
    /// The package has more than `max` bytes, or its length cannot be read. In time: no package of
    /// more than `max` bytes is ever asked to be held.
    pub(super) fn find_end(
        &self,
        held: &[u8],
        more: &[u8],
        max: usize,
    ) -> Result<Option<usize>, UnpackError> {
        let len = match self {
            Self::Any => return Ok(Some(more.len()).filter(|&len| len > 0)),
            Self::Delimiter(delimiter) => return delimiter.find_end(held, more, max),
            Self::Fixed(len) if *len > max => {
                return Err(UnpackError::TooLong {
                    limit: max,
                    size: Some(*len as u64),
                });
            }
            Self::Fixed(len) => Some(*len),
            Self::LengthField(field) => field.package_len(held, more, max)?,
        };
        Ok(len
            .map(|len| len.saturating_sub(held.len()))
            .filter(|&rest| rest <= more.len()))
    }
}
