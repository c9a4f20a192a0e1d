//! permessage-deflate in a history: what each side wants, and what comes of it.

use hvloop_ws::{DeflateOptions, DeflateParams, WindowBitsError};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::time::Duration;

/// What one side wants, or what both agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// The server compresses each message by itself.
    pub server_alone: bool,
    pub client_alone: bool,
    pub server_bits: u8,
    pub client_bits: u8,
}

/// Of a client or a server under test.
#[derive(Debug, Clone, Copy)]
pub struct DeflatePlan {
    pub ours: Wish,
    /// The peer's; `None`: it does not know of compression.
    pub theirs: Option<Wish>,
    pub threshold: usize,
    pub always: bool,
    pub release_timeout: Option<Duration>,
}

/// The largest window, of which nothing has to be said.
const MOST: u8 = 15;

impl Wish {
    fn new(rng: &mut StdRng) -> Self {
        let mut bits = || *[9, 11, MOST, MOST, MOST].choose(rng).unwrap_or(&MOST);
        let (server_bits, client_bits) = (bits(), bits());
        Self {
            server_alone: rng.random_bool(0.25),
            client_alone: rng.random_bool(0.25),
            server_bits,
            client_bits,
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            server_alone: self.server_alone || other.server_alone,
            client_alone: self.client_alone || other.client_alone,
            server_bits: self.server_bits.min(other.server_bits),
            client_bits: self.client_bits.min(other.client_bits),
        }
    }

    /// The value of Sec-WebSocket-Extensions: a client's offer, or a server's answer.
    pub fn header(self, offer: bool) -> String {
        let mut text = "permessage-deflate".to_owned();
        let mut add = |there: bool, what: &str| {
            if there {
                text.push_str("; ");
                text.push_str(what);
            }
        };
        let server = format!("server_max_window_bits={}", self.server_bits);
        let client = format!("client_max_window_bits={}", self.client_bits);
        add(self.server_alone, "server_no_context_takeover");
        add(self.client_alone, "client_no_context_takeover");
        add(self.server_bits < MOST, &server);
        add(self.client_bits < MOST, &client);
        add(offer && self.client_bits == MOST, "client_max_window_bits");
        text
    }

    /// Whether that is what the library says it is.
    pub fn is(self, params: &DeflateParams) -> bool {
        self == Self {
            server_alone: params.server_no_context_takeover,
            client_alone: params.client_no_context_takeover,
            server_bits: params.server_max_window_bits,
            client_bits: params.client_max_window_bits,
        }
    }
}

impl DeflatePlan {
    pub fn new(rng: &mut StdRng) -> Self {
        let milliseconds = rng.random_range(1..100);
        Self {
            ours: Wish::new(rng),
            theirs: rng.random_bool(0.85).then(|| Wish::new(rng)),
            threshold: *[0, 20, 1_000].choose(rng).unwrap_or(&0),
            always: rng.random_bool(0.2),
            release_timeout: rng
                .random_bool(0.3)
                .then(|| Duration::from_millis(milliseconds)),
        }
    }

    /// What both agree on.
    pub fn agreed(&self) -> Option<Wish> {
        Some(self.ours.with(self.theirs?))
    }

    /// # Errors
    ///
    /// Never: the windows are of those that there are.
    pub fn options(&self) -> Result<DeflateOptions, WindowBitsError> {
        let options = DeflateOptions::new()
            .server_no_context_takeover(self.ours.server_alone)
            .client_no_context_takeover(self.ours.client_alone)
            .server_max_window_bits(self.ours.server_bits)?
            .client_max_window_bits(self.ours.client_bits)?
            .threshold(self.threshold)
            .always(self.always)
            .release_timeout(self.release_timeout);
        Ok(options)
    }
}

/// Makes a message longer: with bytes that compress to nothing, with those of every message like it,
/// which compress where there is a context, or with bytes that no compression helps.
pub fn fill(data: &mut Vec<u8>, size: usize, number: u64, text: bool) {
    let more = size.saturating_sub(data.len());
    match number % 4 {
        0 => data.resize(data.len() + more, b'x'),
        1 => noise(data, more, number, text),
        _ => noise(data, more, 1, true),
    }
}

fn noise(data: &mut Vec<u8>, more: usize, seed: u64, text: bool) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..more {
        // xorshift64, by George Marsaglia.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let byte = (state >> 32) as u8;
        data.push(if text { b'a' + byte % 16 } else { byte });
    }
}
