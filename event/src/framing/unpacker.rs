//! All packages of a stream, one after the other (libhv: `hio_unpack`).

use super::assembler::{AfterPackage, Assembler};
use super::error::UnpackError;
use super::setting::Unpack;
use std::ops::ControlFlow;

/// Cuts a stream into packages by an [`Unpack`]: one per connection, fed with every read in order.
///
/// A package that lies in one read as a whole is borrowed from there; only one that spans reads is
/// copied. See [`Assembler`] for what is held and for how much memory.
#[derive(Debug)]
pub(crate) struct Unpacker {
    assembler: Assembler,
}

impl Unpacker {
    /// For a connection of which nothing was read.
    pub(crate) fn new(setting: Unpack) -> Self {
        Self {
            assembler: Assembler::new(setting.rule, setting.max_size),
        }
    }

    pub(super) fn from_assembler(mut assembler: Assembler, setting: Unpack) -> Self {
        assembler.set(setting.rule, setting.max_size);
        Self { assembler }
    }

    /// Goes on by another setting from the first byte that was not handed on (libhv:
    /// `hio_set_unpack`, which forgets what was read). Hands nothing on by itself: that does
    /// the next [`push`](Self::push).
    pub(crate) fn set(&mut self, setting: Unpack) {
        self.assembler.set(setting.rule, setting.max_size);
    }

    /// Calls `each` with every package that `data` makes whole, and with those that were left when
    /// `each` last broke off; they are first. [`ControlFlow::Break`] stops at once: the rest of
    /// `data` is kept for the next `push`, which may bring no new bytes.
    ///
    /// `each` may change the package in place: it is nobody else's.
    ///
    /// # Errors
    ///
    /// A package is over the limit or has no readable length. Whatever comes later meets the same
    /// error. The packages before were handed on.
    pub(crate) fn push(
        &mut self,
        data: &mut [u8],
        mut each: impl FnMut(&mut [u8]) -> ControlFlow<()>,
    ) -> Result<(), UnpackError> {
        self.assembler.run(data, |package| match each(package) {
            ControlFlow::Continue(()) => AfterPackage::Go,
            ControlFlow::Break(()) => AfterPackage::Stop,
        })
    }

    /// Keeps `data` behind what was left when `each` last broke off, and hands nothing on.
    ///
    /// # Errors
    ///
    /// As for `push`, of an earlier call.
    pub(crate) fn keep(&mut self, data: &[u8]) -> Result<(), UnpackError> {
        self.assembler.keep(data)
    }

    /// Bytes that came in and were not handed on. When the peer ends the stream and this is not
    /// zero, it ended inside a package.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        self.assembler.held()
    }

    /// Takes out the bytes that came in and were not handed on (libhv: `hio_unset_unpack`, which
    /// forgets them, and `hio_read_remain`).
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        self.assembler.take()
    }

    /// What holds those bytes.
    pub(super) fn into_assembler(self) -> Assembler {
        self.assembler
    }

    /// Bytes of memory owned for what is held.
    pub(crate) fn capacity(&self) -> usize {
        self.assembler.capacity()
    }
}
