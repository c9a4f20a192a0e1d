//! How a stream is cut into packages.

use crate::error::{Failure, Outcome};
use hvloop::{LengthCoding, LengthField, Unpack};
use std::ffi::c_int;

/// By what a stream is cut into packages.
#[repr(i32)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum hvloop_unpack_mode {
    /// Packages of `fixed_length` bytes each.
    FixedLength = 1,
    /// Packages that end with `delimiter`, which is part of them.
    Delimiter = 2,
    /// Packages that say their length in their head.
    LengthField = 3,
}

/// How a length is written.
#[repr(i32)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum hvloop_length_coding {
    /// The most significant byte first.
    BigEndian = 0,
    /// The least significant byte first.
    LittleEndian = 1,
    /// Seven bits a byte, the least significant first; all bytes but the last have their top bit set.
    Varint = 2,
}

/// The longest delimiter, in bytes.
pub const HVLOOP_MAX_DELIMITER: usize = 16;

/// How a stream is cut into packages, each of which `on_message` gets whole, head and delimiter included. Copied
/// where it is given.
#[repr(C)]
#[allow(non_camel_case_types, reason = "named as C has it")]
#[derive(Debug, Clone, Copy)]
pub struct hvloop_unpack {
    /// A `hvloop_unpack_mode`. What is of another mode does not count.
    pub mode: c_int,
    /// The most bytes of a package, head and delimiter included; 0: 2 MiB. One that is longer ends the connection.
    pub max_size: u32,
    /// The bytes of each package.
    pub fixed_length: u32,
    /// The delimiter.
    pub delimiter: [u8; HVLOOP_MAX_DELIMITER],
    /// How many bytes it has, from 1 to 16.
    pub delimiter_size: u16,
    /// Where the body begins: the length of the head.
    pub body_offset: u16,
    /// Where the length is.
    pub length_offset: u16,
    /// How many bytes the length has, from 1 to 8; of a varint, how many of them `body_offset` counts.
    pub length_size: u16,
    /// What to add to the length to get that of the body. If it counts the whole package: minus the head's.
    pub length_adjustment: i32,
    /// A `hvloop_length_coding`.
    pub length_coding: c_int,
}

/// The rule of C's; NULL: none.
///
/// # Errors
///
/// A value is out of its range.
///
/// # Safety
///
/// NULL, or a rule.
pub(crate) unsafe fn rule(unpack: *const hvloop_unpack) -> Outcome<Option<Unpack>> {
    if unpack.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's word.
    let unpack = unsafe { unpack.read() };
    let builder = match unpack.mode {
        1 => Unpack::fixed(unpack.fixed_length as usize),
        2 => {
            let size = usize::from(unpack.delimiter_size);
            let delimiter = unpack.delimiter.get(..size).ok_or_else(|| {
                Failure::argument(format!("a delimiter of {size} bytes is too long"))
            })?;
            Unpack::delimiter(delimiter)
        }
        3 => Unpack::length_field(
            LengthField::new()
                .body_offset(unpack.body_offset.into())
                .offset(unpack.length_offset.into())
                .bytes(unpack.length_size.into())
                .adjustment(unpack.length_adjustment)
                .coding(coding(unpack.length_coding)?),
        ),
        mode => {
            let text = format!("{mode} is no hvloop_unpack_mode");
            return Err(Failure::argument(text));
        }
    };
    let built = match unpack.max_size {
        0 => builder.build(),
        size => builder.max_size(size as usize).build(),
    };
    built
        .map(Some)
        .map_err(|error| Failure::argument(error.to_string()))
}

fn coding(number: c_int) -> Outcome<LengthCoding> {
    match number {
        0 => Ok(LengthCoding::BigEndian),
        1 => Ok(LengthCoding::LittleEndian),
        2 => Ok(LengthCoding::Varint),
        _ => Err(Failure::argument(format!(
            "{number} is no hvloop_length_coding"
        ))),
    }
}
