//! Messages to their compressed form (RFC 7692 section 7.2.1).

use super::TAIL;
use super::options::DeflateOptions;
use super::params::MIN_BITS;
use flate2::{Compress, Compression, FlushCompress};

/// Compresses a connection's messages.
pub(crate) struct Deflater {
    level: u8,
    window_bits: u8,
    takes_context_over: bool,
    /// Also what does not get shorter.
    always: bool,
    /// Made when it is needed, and dropped when the next message has no use for it.
    compress: Option<Compress>,
}

impl Deflater {
    /// For a window of so many bits. `None`: zlib has no such window, so nothing is compressed.
    pub(crate) fn new(
        options: &DeflateOptions,
        window_bits: u8,
        takes_context_over: bool,
    ) -> Option<Self> {
        (window_bits >= MIN_BITS).then_some(Self {
            level: options.level,
            window_bits,
            takes_context_over,
            always: options.always,
            compress: None,
        })
    }

    /// Appends a whole message in its compressed form, if that is shorter, or wanted in any case.
    /// `false`: it is not, nothing was appended, and the message is to be sent as it is.
    pub(crate) fn deflate(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        if message.is_empty() {
            // A block that is empty, too (RFC 7692 section 7.2.3.6).
            out.extend_from_slice(if self.always { &[0] } else { &[] });
            return self.always;
        }
        let (level, bits) = (self.level, self.window_bits);
        let compress = self.compress.get_or_insert_with(|| {
            Compress::new_with_window_bits(Compression::new(level.into()), false, bits)
        });
        let start = out.len();
        // What is longer than the message is of no use.
        let limit = match self.always {
            true => usize::MAX - TAIL.len(),
            false => start + message.len(),
        };
        let sent = run(compress, message, out, limit) && out.len() > start;
        if !sent {
            out.truncate(start);
            // What the peer does not get must not be referred to.
            self.forget();
        } else if !self.takes_context_over {
            self.forget();
        }
        sent
    }

    /// Begins anew: the next message refers to none before it. Gives the memory back.
    pub(crate) fn forget(&mut self) {
        self.compress = None;
    }

    /// Whether it holds memory.
    pub(crate) fn is_loaded(&self) -> bool {
        self.compress.is_some()
    }
}

/// Compresses all of `message` and ends on a byte's border, less the tail. `false`: it grew over
/// `limit` bytes of `out`, or zlib refused.
fn run(compress: &mut Compress, message: &[u8], out: &mut Vec<u8>, limit: usize) -> bool {
    let before = compress.total_in();
    loop {
        let taken = (compress.total_in() - before) as usize; // within the message
        out.reserve(((message.len() - taken) / 4).clamp(64, 64 * 1024));
        let room = out.capacity() - out.len();
        let length = out.len();
        if compress
            .compress_vec(&message[taken..], out, FlushCompress::Sync)
            .is_err()
        {
            return false;
        }
        let taken = (compress.total_in() - before) as usize;
        // Room was left: the flush is complete (zlib.h, deflate()).
        if taken == message.len() && out.len() - length < room {
            break;
        }
        if out.len() >= limit + TAIL.len() {
            return false;
        }
    }
    // Always there after a flush.
    if !out.ends_with(&TAIL) {
        return false;
    }
    out.truncate(out.len() - TAIL.len());
    out.len() < limit
}

hvloop_event::debug_fields!(Deflater, this:
    "window_bits" = this.window_bits,
    "takes_context_over" = this.takes_context_over,
    "loaded" = this.is_loaded(),
);
