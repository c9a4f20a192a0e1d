//! One read at a time (libhv: `hio_read_once` and those built on it).

use super::assembler::{AfterPackage, Assembler};
use super::delimiter::Delimiter;
use super::error::UnpackError;
use super::rule::Rule;
use super::setting::Unpack;
use super::unpacker::Unpacker;
use std::num::NonZeroUsize;

/// What one read is to bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadMode {
    /// Whatever is there (libhv: `hio_read_once`). No limit applies: nothing is held for it.
    Any,
    /// All up to this byte, and the byte (libhv: `hio_read_until_delim`).
    Until(u8),
    /// So many bytes (libhv: `hio_read_until_length`, `hio_readbytes`; none at all, which libhv
    /// ignores, cannot be asked for).
    Bytes(NonZeroUsize),
}

impl ReadMode {
    /// A line, with its `\n` (libhv: `hio_readline`).
    pub(crate) const LINE: Self = Self::Until(b'\n');

    /// A string of C, with its `\0` (libhv: `hio_readstring`).
    pub(crate) const STRING: Self = Self::Until(0);

    fn rule(self) -> Rule {
        match self {
            Self::Any => Rule::Any,
            Self::Until(byte) => Rule::Delimiter(Delimiter::byte(byte)),
            Self::Bytes(len) => Rule::Fixed(len.get()),
        }
    }
}

/// Brings what is asked for, once for each time it is asked, and keeps the rest for the next time.
///
/// As in the [`Unpacker`], what lies in one read as a whole is not copied. Bytes that nobody has
/// asked for are held without a limit: reading is to be paused after an answer that asks for no
/// more.
#[derive(Debug)]
pub(crate) struct Reader {
    assembler: Assembler,
    /// A read was asked for and has not come.
    asked: bool,
}

impl Reader {
    /// For a connection of which nothing was read. No line and no count of bytes may be over
    /// `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self::from_assembler(Assembler::new(Rule::Any, limit), limit)
    }

    /// Goes on with single reads of at most `limit` bytes, from the first byte that was not handed on.
    pub(crate) fn from_unpacker(unpacker: Unpacker, limit: usize) -> Self {
        Self::from_assembler(unpacker.into_assembler(), limit)
    }

    fn from_assembler(mut assembler: Assembler, limit: usize) -> Self {
        assembler.set(Rule::Any, limit);
        Self {
            assembler,
            asked: false,
        }
    }

    /// Asks for one read, in place of what was asked for before and has not come. Hands nothing on
    /// by itself: that does the next [`push`](Self::push), maybe of no bytes, as it may have come in already.
    pub(crate) fn ask(&mut self, mode: ReadMode) {
        self.assembler.set(mode.rule(), self.assembler.max());
        self.asked = true;
    }

    /// Whether a read was asked for and has not come.
    pub(crate) fn is_waiting(&self) -> bool {
        self.asked
    }

    /// Calls `each` with what was asked for, as soon as it is whole. What `each` returns is the next
    /// read, which is looked for at once in the rest of `data`; `None`: asks for no more, and the
    /// rest is kept.
    ///
    /// `each` may change the bytes in place: they are nobody else's.
    ///
    /// # Errors
    ///
    /// What was asked for is over the limit: [`UnpackError::TooLong`]; for a count of bytes, as soon
    /// as the first of them is there. Whatever comes later meets the same error.
    pub(crate) fn push(
        &mut self,
        data: &mut [u8],
        mut each: impl FnMut(&mut [u8]) -> Option<ReadMode>,
    ) -> Result<(), UnpackError> {
        if !self.asked {
            return self.assembler.keep(data);
        }
        let asked = &mut self.asked;
        self.assembler.run(data, |bytes| {
            *asked = false;
            match each(bytes) {
                Some(mode) => {
                    *asked = true;
                    AfterPackage::Change(mode.rule())
                }
                None => AfterPackage::Stop,
            }
        })
    }

    /// Takes out the bytes that came in and were not handed on (libhv: `hio_read_remain`).
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        self.assembler.take()
    }

    /// Goes on with packages, from the first byte that was not handed on.
    pub(crate) fn into_unpacker(self, setting: Unpack) -> Unpacker {
        Unpacker::from_assembler(self.assembler, setting)
    }

    /// Bytes of memory owned for what is held.
    pub(crate) fn capacity(&self) -> usize {
        self.assembler.capacity()
    }
}

#[cfg(test)]
mod tests;
