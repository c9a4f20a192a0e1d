//! Messages back from their compressed form (RFC 7692 section 7.2.2).

use super::TAIL;
use super::options::MIN_BITS;
use flate2::{Decompress, FlushDecompress, Status};
use std::fmt;

/// Bytes inflated at a time.
const CHUNK: usize = 8 * 1024;

/// Inflates a connection's messages, piece by piece as they come.
pub(crate) struct Inflater {
    window_bits: u8,
    takes_context_over: bool,
    /// Made when it is needed, and dropped when the next message has no use for it.
    decompress: Option<Decompress>,
}

/// What ends an inflation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InflateError<E> {
    /// The data is no DEFLATE, or refers to what was never there.
    Invalid,
    /// What takes the output refuses it.
    Refused(E),
}

impl Inflater {
    /// For a peer whose window has at most so many bits.
    pub(crate) fn new(window_bits: u8, takes_context_over: bool) -> Self {
        Self {
            window_bits: window_bits.max(MIN_BITS),
            takes_context_over,
            decompress: None,
        }
    }

    /// Inflates a piece of a message, which goes to `out` in portions.
    pub(crate) fn inflate<E>(
        &mut self,
        piece: &[u8],
        out: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), InflateError<E>> {
        let bits = self.window_bits;
        let decompress = self
            .decompress
            .get_or_insert_with(|| Decompress::new_with_window_bits(false, bits));
        run(decompress, piece, out)
    }

    /// All pieces of the message were given: inflates what is left of it.
    pub(crate) fn finish<E>(
        &mut self,
        out: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), InflateError<E>> {
        let ended = self.inflate(&TAIL, out);
        if !self.takes_context_over {
            self.decompress = None;
        }
        ended
    }
}

fn run<E>(
    decompress: &mut Decompress,
    mut input: &[u8],
    mut out: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), InflateError<E>> {
    let mut chunk = [0; CHUNK];
    loop {
        let (taken, given) = (decompress.total_in(), decompress.total_out());
        let status = decompress
            .decompress(input, &mut chunk, FlushDecompress::Sync)
            .map_err(|_| InflateError::Invalid)?;
        let taken = (decompress.total_in() - taken) as usize; // within the input
        let given = (decompress.total_out() - given) as usize; // within the chunk
        input = &input[taken..];
        if given > 0 {
            out(&chunk[..given]).map_err(InflateError::Refused)?;
        }
        if status == Status::StreamEnd {
            // A last block (BFINAL) ends the stream, and the next one begins (section 7.2.3.4).
            decompress.reset(false);
        }
        // With the chunk full there may be more to come.
        if input.is_empty() && given < CHUNK {
            return Ok(());
        }
        if taken == 0 && given == 0 && status != Status::StreamEnd {
            return Err(InflateError::Invalid);
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("window_bits", &self.window_bits)
            .field("takes_context_over", &self.takes_context_over)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
