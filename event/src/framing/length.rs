//! Packages that say their length in their head (libhv: `UNPACK_BY_LENGTH_FIELD`).

use super::error::{UnpackError, UnpackSettingError};

/// The most bytes of a varint of 64 bits.
const MAX_VARINT: usize = 10;

/// How a length is written (libhv: `unpack_coding_e`; `ENCODE_BY_ASN1` is not supported).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LengthCoding {
    /// The most significant byte first: network order (libhv: `ENCODE_BY_BIG_ENDIAN`).
    BigEndian,
    /// The least significant byte first (libhv: `ENCODE_BY_LITTEL_ENDIAN`, as it is spelt there).
    LittleEndian,
    /// Seven bits a byte, the least significant first; all bytes but the last have their top bit
    /// set. As in MQTT and Protocol Buffers (libhv: `ENCODE_BY_VARINT`).
    ///
    /// A length may be written in more bytes than it needs, up to ten. Ten bytes without an end
    /// are an error, and so is what does not fit into 64 bits (in libhv it overflows).
    Varint,
}

impl LengthCoding {
    /// The widest field of this coding, in bytes.
    fn most_bytes(self) -> usize {
        match self {
            Self::BigEndian | Self::LittleEndian => 8,
            Self::Varint => MAX_VARINT,
        }
    }
}

/// Where the length of a package is written, and what it counts.
///
/// A package is a head and a body. The head has [`body_offset`](Self::body_offset) bytes and holds
/// the length field; the body has as many bytes as the length field and the
/// [`adjustment`](Self::adjustment) make together. The package is handed on with its head.
///
/// The head of a [`Varint`](LengthCoding::Varint) package is as much longer or shorter than
/// `body_offset` as its length field is than [`bytes`](Self::bytes).
///
/// | protocol | setting |
/// |---|---|
/// | gRPC message: flag, length in 4 bytes | `LengthField::new()` |
/// | MQTT packet: type, varint | `LengthField::new().body_offset(2).bytes(1).coding(LengthCoding::Varint)` |
/// | 2 bytes in little-endian that count themselves | `LengthField::new().body_offset(2).offset(0).bytes(2).coding(LengthCoding::LittleEndian).adjustment(-2)` |
///
/// Unlike in libhv,
///
/// - a length is 64 bits all through, where libhv drops what is over 32;
/// - a package that would be shorter than its own head is an error, where libhv cuts it off inside
///   the head and takes the rest of the head for the next one;
/// - a length is judged, and a package handed on, as soon as the length field and the package are
///   there, where libhv waits for `body_offset` bytes, which a short varint package may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct LengthField {
    body_offset: usize,
    offset: usize,
    bytes: usize,
    adjustment: i32,
    coding: LengthCoding,
}

impl LengthField {
    /// libhv's recommendation: a head of one byte of flags and four of length in network order,
    /// which count the body alone.
    pub fn new() -> Self {
        Self {
            body_offset: 5,
            offset: 1,
            bytes: 4,
            adjustment: 0,
            coding: LengthCoding::BigEndian,
        }
    }

    setters! {
        /// Where the body begins, in bytes from the start of the package: the length of the head.
        /// Default 5; not before the end of the length field.
        body_offset(body_offset: usize) => body_offset;

        /// Where the length field begins, in bytes from the start of the package. Default 1 (libhv:
        /// `length_field_offset`).
        offset(offset: usize) => offset;

        /// How many bytes the length field has, from 1 to 8. Default 4 (libhv: `length_field_bytes`).
        ///
        /// For a varint, how many of them are counted into `body_offset`, from 1 to 10; what the
        /// varint really has may differ.
        bytes(bytes: usize) => bytes;

        /// What to add to the length field to get the length of the body, in bytes. Default 0 (libhv:
        /// `length_adjustment`, 16 bits there). With a field that counts the whole package, this is
        /// minus the length of the head.
        adjustment(adjustment: i32) => adjustment;

        /// How the length is written. Default [`LengthCoding::BigEndian`] (libhv:
        /// `length_field_coding`).
        coding(coding: LengthCoding) => coding;
    }

    /// Checks the values against each other and against the greatest size of a package.
    ///
    /// # Errors
    ///
    /// Which of them is out of its range.
    pub(super) fn validate(&self, max: usize) -> Result<(), UnpackSettingError> {
        let most = self.coding.most_bytes();
        if self.bytes == 0 || self.bytes > most {
            return Err(UnpackSettingError::FieldBytes {
                bytes: self.bytes,
                most,
            });
        }
        let field_end = self.offset.checked_add(self.bytes);
        if field_end.is_none_or(|end| self.body_offset < end) {
            return Err(UnpackSettingError::BodyInField {
                body_offset: self.body_offset,
                offset: self.offset,
                bytes: self.bytes,
            });
        }
        let (head, greatest) = match self.coding {
            LengthCoding::Varint => (self.head(1), u64::MAX),
            _ => (self.body_offset, u64::MAX >> (64 - 8 * self.bytes)),
        };
        if head > max {
            return Err(UnpackSettingError::HeadOverMax { head, max });
        }
        // The shortest body of all: that of a field of zero, or an empty one.
        let least = u64::try_from(self.adjustment).unwrap_or(0);
        let reaches_zero = u64::from(self.adjustment.min(0).unsigned_abs()) <= greatest;
        if least > (max - head) as u64 || !reaches_zero {
            return Err(UnpackSettingError::AdjustmentOutOfRange {
                adjustment: self.adjustment,
            });
        }
        Ok(())
    }

    /// How many bytes the package has that begins with `held` and goes on with `more`, head
    /// included. `None`: its length field is not all there.
    ///
    /// # Errors
    ///
    /// The length is over `max`, negative or not readable.
    pub(super) fn package_len(
        &self,
        held: &[u8],
        more: &[u8],
        max: usize,
    ) -> Result<Option<usize>, UnpackError> {
        let from = held.iter().chain(more).skip(self.offset).copied();
        let Some((length, width)) = self.read(from)? else {
            return Ok(None);
        };
        let head = self.head(width);
        let too_long = |size| UnpackError::TooLong { limit: max, size };
        let body = match length.checked_add_signed(self.adjustment.into()) {
            Some(body) => body,
            None if self.adjustment > 0 => return Err(too_long(None)),
            None => {
                return Err(UnpackError::NegativeLength {
                    length,
                    adjustment: self.adjustment,
                });
            }
        };
        match body.checked_add(head as u64) {
            Some(len) if len <= max as u64 => Ok(Some(len as usize)), // `max` is usize
            size => Err(too_long(size)),
        }
    }

    /// The length of the head when the length field has `width` bytes.
    fn head(&self, width: usize) -> usize {
        // `validate` saw to it that `body_offset` is not less than `bytes`. A head that saturates is
        // over any limit, or as good as endless under a limit of `usize::MAX`.
        (self.body_offset - self.bytes).saturating_add(width)
    }

    /// Reads the length field, with which `from` begins. Returns its value and its width in bytes;
    /// `None`: it is not all there.
    fn read(&self, from: impl Iterator<Item = u8>) -> Result<Option<(u64, usize)>, UnpackError> {
        let most = match self.coding {
            LengthCoding::Varint => MAX_VARINT,
            _ => self.bytes,
        };
        let mut value = 0;
        for (at, byte) in from.take(most).enumerate() {
            let last = at + 1 == most;
            let done = match self.coding {
                LengthCoding::BigEndian => {
                    value = value << 8 | u64::from(byte);
                    last
                }
                LengthCoding::LittleEndian => {
                    value |= u64::from(byte) << (8 * at);
                    last
                }
                LengthCoding::Varint => {
                    // Nine bytes are 63 bits: one more fits, and nothing may follow.
                    if last && byte > 1 {
                        return Err(UnpackError::BadVarint);
                    }
                    value |= u64::from(byte & 0x7f) << (7 * at);
                    byte & 0x80 == 0
                }
            };
            if done {
                return Ok(Some((value, at + 1)));
            }
        }
        Ok(None)
    }
}

impl Default for LengthField {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
