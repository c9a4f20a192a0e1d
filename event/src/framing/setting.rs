//! The setting of a connection that is cut into packages (libhv: `unpack_setting_t`).

use super::delimiter::Delimiter;
use super::error::UnpackSettingError;
use super::length::LengthField;
use super::rule::Rule;

/// How to cut what a peer sends into packages (libhv: `unpack_setting_t`, `hio_set_unpack`).
///
/// Every package is handed on as a whole, head and delimiter included. One that is over
/// [`max_size`](UnpackBuilder::max_size) ends the connection as soon as that can be told: nothing
/// is held for it.
///
/// ```
/// use hvloop_event::{LengthField, LengthCoding, Unpack};
///
/// // FTP: lines.
/// let ftp = Unpack::delimiter(b"\r\n").max_size(8192).build()?;
/// // MQTT: a byte, then the length of the rest as a varint.
/// let field = LengthField::new().body_offset(2).bytes(1).coding(LengthCoding::Varint);
/// let mqtt = Unpack::length_field(field).build()?;
/// # assert_ne!(ftp, mqtt);
/// # Ok::<(), hvloop_event::UnpackSettingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Unpack {
    pub(super) rule: Rule,
    pub(super) max_size: usize,
}

impl Unpack {
    /// The default of [`max_size`](UnpackBuilder::max_size): 2 MiB (libhv:
    /// `DEFAULT_PACKAGE_MAX_LENGTH`).
    pub const DEFAULT_MAX_SIZE: usize = 2 * 1024 * 1024;

    /// Packages of `len` bytes each (libhv: `UNPACK_BY_FIXED_LENGTH`).
    pub fn fixed(len: usize) -> UnpackBuilder {
        UnpackBuilder::new(Ok(Rule::Fixed(len)))
    }

    /// Packages that end with these bytes, from 1 to 16 of them (libhv: `UNPACK_BY_DELIMITER`, up
    /// to 8). The delimiter is part of the package.
    pub fn delimiter(bytes: &[u8]) -> UnpackBuilder {
        UnpackBuilder::new(Delimiter::new(bytes).map(Rule::Delimiter))
    }

    /// Packages that say their length in their head (libhv: `UNPACK_BY_LENGTH_FIELD`).
    pub fn length_field(field: LengthField) -> UnpackBuilder {
        UnpackBuilder::new(Ok(Rule::LengthField(field)))
    }
}

/// An [`Unpack`] that is not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct UnpackBuilder {
    /// What could be told to be wrong before the rest was known, or the rule.
    rule: Result<Rule, UnpackSettingError>,
    max_size: usize,
}

impl UnpackBuilder {
    fn new(rule: Result<Rule, UnpackSettingError>) -> Self {
        Self {
            rule,
            max_size: Unpack::DEFAULT_MAX_SIZE,
        }
    }

    /// The most bytes that a package may have, head and delimiter included. Default
    /// [`Unpack::DEFAULT_MAX_SIZE`] (libhv: `package_max_length`).
    pub fn max_size(mut self, max_size: usize) -> Self {
        self.max_size = max_size;
        self
    }

    /// Checks the setting.
    ///
    /// # Errors
    ///
    /// A value is out of its range, or no package could be within the greatest size. (libhv
    /// asserts some of this, and only in a debug build.)
    pub fn build(self) -> Result<Unpack, UnpackSettingError> {
        let max = self.max_size;
        let rule = self.rule?;
        match &rule {
            Rule::Any => {}
            Rule::Fixed(0) => return Err(UnpackSettingError::ZeroLength),
            Rule::Fixed(len) if *len > max => {
                return Err(UnpackSettingError::FixedOverMax { len: *len, max });
            }
            Rule::Fixed(_) => {}
            Rule::Delimiter(delimiter) => {
                let len = delimiter.as_bytes().len();
                if len > max {
                    return Err(UnpackSettingError::DelimiterOverMax { len, max });
                }
            }
            Rule::LengthField(field) => field.validate(max)?,
        }
        Ok(Unpack {
            rule,
            max_size: max,
        })
    }
}

#[cfg(test)]
mod tests;
