//! The bytes that end a package, and the search for them (libhv: `UNPACK_BY_DELIMITER`).

use super::error::{MAX_DELIMITER, UnpackError, UnpackSettingError};
use memchr::memchr;
use std::fmt;

/// From one to [`MAX_DELIMITER`] bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// Zero from `len` on, so that equal delimiters are equal as structs.
    bytes: [u8; MAX_DELIMITER],
    len: u8,
}

impl Delimiter {
    /// # Errors
    ///
    /// [`UnpackSettingError::DelimiterLength`]: there are none, or too many.
    pub(super) fn new(delimiter: &[u8]) -> Result<Self, UnpackSettingError> {
        let len = delimiter.len();
        if len == 0 || len > MAX_DELIMITER {
            return Err(UnpackSettingError::DelimiterLength { len });
        }
        let mut bytes = [0; MAX_DELIMITER];
        bytes[..len].copy_from_slice(delimiter);
        Ok(Self {
            bytes,
            len: len as u8, // at most 16
        })
    }

    /// One byte.
    pub(super) fn byte(byte: u8) -> Self {
        let mut bytes = [0; MAX_DELIMITER];
        bytes[0] = byte;
        Self { bytes, len: 1 }
    }

    /// The bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Where the package ends that begins with `held`, in which the delimiter does not lie as a
    /// whole, and goes on with `more`: as the number of bytes of `more` that belong to it.
    /// `None`: further on. Looks at `more` and at the seam only, so that a stream is searched once,
    /// however it was split.
    ///
    /// # Errors
    ///
    /// [`UnpackError::TooLong`]: the delimiter does not end within `max` bytes. Also when it ends
    /// later on in `more`: another split would not have shown that, so that no size is named.
    pub(super) fn find_end(
        &self,
        held: &[u8],
        more: &[u8],
        max: usize,
    ) -> Result<Option<usize>, UnpackError> {
        let delimiter = self.as_bytes();
        let room = max.saturating_sub(held.len());
        let within = &more[..more.len().min(room)];
        let found = self
            .find_at_seam(held, within)
            .or_else(|| find(within, delimiter).map(|at| at + delimiter.len()));
        match found {
            None if more.len() >= room => Err(UnpackError::TooLong {
                limit: max,
                size: None,
            }),
            found => Ok(found),
        }
    }

    /// As [`find_end`](Self::find_end), for a delimiter that begins in `held` and ends in `more`.
    fn find_at_seam(&self, held: &[u8], more: &[u8]) -> Option<usize> {
        let delimiter = self.as_bytes();
        // One byte less than the delimiter on either side: what is found lies on both.
        let reach = delimiter.len() - 1;
        let before = &held[held.len().saturating_sub(reach)..];
        let after = &more[..more.len().min(reach)];
        let mut seam = [0; 2 * (MAX_DELIMITER - 1)];
        let seam = &mut seam[..before.len() + after.len()];
        seam[..before.len()].copy_from_slice(before);
        seam[before.len()..].copy_from_slice(after);
        find(seam, delimiter).map(|at| at + delimiter.len() - before.len())
    }
}

impl fmt::Debug for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// Where `needle`, which is not empty, first begins. The needle is short: that its first byte may
/// lead astray at every place costs at most its length for each.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    let mut from = 0;
    loop {
        from += memchr(first, &haystack[from..])? + 1;
        if haystack[from..].starts_with(rest) {
            return Some(from - 1);
        }
    }
}

#[cfg(test)]
mod tests;
