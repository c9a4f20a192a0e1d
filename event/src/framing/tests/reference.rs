//! The same in the plainest way: all bytes at once, no state. Uses the public items only, so that
//! the fuzz target can include it.

use super::{LengthCoding, LengthField, Unpack, UnpackError};

/// A setting that can be looked into.
#[derive(Debug, Clone)]
pub struct Spec {
    pub kind: Kind,
    pub max: usize,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Fixed(usize),
    Delimiter(Vec<u8>),
    Length {
        body_offset: usize,
        offset: usize,
        bytes: usize,
        adjustment: i32,
        coding: LengthCoding,
    },
}

/// The packages, and what ended them. Without an error, the rest is the beginning of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub packages: Vec<Vec<u8>>,
    pub error: Option<UnpackError>,
    pub rest: usize,
}

impl Spec {
    /// `None`: the setting is refused.
    pub fn setting(&self) -> Option<Unpack> {
        let builder = match &self.kind {
            Kind::Fixed(len) => Unpack::fixed(*len),
            Kind::Delimiter(bytes) => Unpack::delimiter(bytes),
            Kind::Length {
                body_offset,
                offset,
                bytes,
                adjustment,
                coding,
            } => Unpack::length_field(
                LengthField::new()
                    .body_offset(*body_offset)
                    .offset(*offset)
                    .bytes(*bytes)
                    .adjustment(*adjustment)
                    .coding(*coding),
            ),
        };
        builder.max_size(self.max).build().ok()
    }

    /// Cuts a whole stream.
    pub fn cut(&self, stream: &[u8]) -> Outcome {
        let mut outcome = Outcome::default();
        let mut rest = stream;
        while !rest.is_empty() {
            match self.first(rest) {
                Err(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
                Ok(Some(len)) if len <= rest.len() => {
                    outcome.packages.push(rest[..len].to_vec());
                    rest = &rest[len..];
                }
                Ok(_) => break,
            }
        }
        outcome.rest = rest.len();
        outcome
    }

    /// The length of the first package, as far as it is known.
    fn first(&self, bytes: &[u8]) -> Result<Option<usize>, UnpackError> {
        match &self.kind {
            Kind::Fixed(len) => Ok(Some(*len)),
            Kind::Delimiter(delimiter) => {
                let end = (0..bytes.len())
                    .find(|&at| bytes[at..].starts_with(delimiter))
                    .map(|at| at + delimiter.len());
                match end {
                    Some(end) if end <= self.max => Ok(Some(end)),
                    _ if bytes.len() >= self.max => Err(self.too_long(None)),
                    _ => Ok(None),
                }
            }
            Kind::Length {
                body_offset,
                offset,
                bytes: width,
                adjustment,
                coding,
            } => {
                let field = bytes.get(*offset..).unwrap_or_default();
                let (value, width, head) = match coding {
                    LengthCoding::Varint => {
                        let Some(last) = field.iter().take(10).position(|b| b & 0x80 == 0) else {
                            return match field.len() {
                                0..10 => Ok(None),
                                _ => Err(UnpackError::BadVarint),
                            };
                        };
                        let value = field[..=last]
                            .iter()
                            .rev()
                            .fold(0u128, |value, b| value << 7 | u128::from(b & 0x7f));
                        if value > u128::from(u64::MAX) {
                            return Err(UnpackError::BadVarint);
                        }
                        (value, last + 1, body_offset - width + last + 1)
                    }
                    _ if field.len() < *width => return Ok(None),
                    LengthCoding::LittleEndian => {
                        let field = field[..*width].iter().rev();
                        let value = field.fold(0, |value, b| value << 8 | u128::from(*b));
                        (value, *width, *body_offset)
                    }
                    _ => {
                        let field = field[..*width].iter();
                        let value = field.fold(0, |value, b| value << 8 | u128::from(*b));
                        (value, *width, *body_offset)
                    }
                };
                assert!(offset + width <= head);
                let body = value as i128 + i128::from(*adjustment);
                if body < 0 {
                    return Err(UnpackError::NegativeLength {
                        length: value as u64,
                        adjustment: *adjustment,
                    });
                }
                let len = body + head as i128;
                if len > self.max as i128 {
                    let body = u64::try_from(body).ok();
                    let size = body.and_then(|body| body.checked_add(head as u64));
                    return Err(self.too_long(size));
                }
                Ok(Some(len as usize))
            }
        }
    }

    fn too_long(&self, size: Option<u64>) -> UnpackError {
        UnpackError::TooLong {
            limit: self.max,
            size,
        }
    }
}
