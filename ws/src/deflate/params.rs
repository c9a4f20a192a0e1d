//! The parameters of permessage-deflate (RFC 7692 section 7.1).

/// The largest window, which is the default.
pub(crate) const MAX_BITS: u8 = 15;
/// The smallest that the codec has.
pub(crate) const MIN_BITS: u8 = 9;

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateParams {
    /// The server compresses each message by itself.
    pub server_no_context_takeover: bool,
    /// The client compresses each message by itself.
    pub client_no_context_takeover: bool,
    /// The server's window is at most 2^this bytes: 8 to 15.
    pub server_max_window_bits: u8,
    /// The client's window is at most 2^this bytes: 8 to 15.
    pub client_max_window_bits: u8,
}

impl DeflateParams {
    /// No parameter at all.
    pub(crate) const NOTHING: Self = Self {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: MAX_BITS,
        client_max_window_bits: MAX_BITS,
    };
}
