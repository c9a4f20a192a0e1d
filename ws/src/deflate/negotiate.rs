//! Offers of permessage-deflate, their acceptance, and what comes of it (RFC 7692 section 7.1).

use super::extensions::{Extension, parse};
use super::options::{DeflateOptions, MAX_BITS, MIN_BITS};
use std::fmt::Write;
use tungstenite::http::HeaderMap;

const NAME: &str = "permessage-deflate";

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

/// The parameters of one offer or answer.
#[derive(Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// In an offer the value may be missing.
    client_max_window_bits: Option<Option<u8>>,
}

/// The client's offer.
pub(crate) fn offer(options: &DeflateOptions) -> String {
    let mut text = NAME.to_owned();
    if options.server_no_context_takeover {
        text.push_str("; server_no_context_takeover");
    }
    if options.client_no_context_takeover {
        text.push_str("; client_no_context_takeover");
    }
    bits(
        &mut text,
        "server_max_window_bits",
        options.server_max_window_bits,
    );
    // Without a value, too: the server may ask for less.
    match options.client_max_window_bits {
        MAX_BITS => text.push_str("; client_max_window_bits"),
        less => bits(&mut text, "client_max_window_bits", less),
    }
    text
}

/// Appends a window that is not the largest.
fn bits(text: &mut String, name: &str, bits: u8) {
    if bits < MAX_BITS {
        let written = write!(text, "; {name}={bits}");
        debug_assert!(written.is_ok(), "a String takes every byte");
    }
}

/// The first offer that a server with these options can accept, and the answer to it.
pub(crate) fn accept(
    headers: &HeaderMap,
    options: &DeflateOptions,
) -> Option<(DeflateParams, String)> {
    let offers = parse(headers)?;
    let mut ours = offers.iter().filter(|offer| offer.name == NAME);
    ours.find_map(|offer| accept_one(&params(offer, true)?, options))
}

fn accept_one(offer: &Params, options: &DeflateOptions) -> Option<(DeflateParams, String)> {
    let most = offer.server_max_window_bits.unwrap_or(MAX_BITS);
    if most < MIN_BITS {
        return None; // more than zlib can do
    }
    let server_bits = most.min(options.server_max_window_bits);
    // Asked for only of a client that says that it can.
    let client_bits = match offer.client_max_window_bits {
        Some(most) => most.unwrap_or(MAX_BITS).min(options.client_max_window_bits),
        None => MAX_BITS,
    };
    let agreed = DeflateParams {
        server_no_context_takeover: offer.server_no_context_takeover
            || options.server_no_context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover
            || options.client_no_context_takeover,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits,
    };
    let mut answer = NAME.to_owned();
    if agreed.server_no_context_takeover {
        answer.push_str("; server_no_context_takeover");
    }
    if agreed.client_no_context_takeover {
        answer.push_str("; client_no_context_takeover");
    }
    bits(&mut answer, "server_max_window_bits", server_bits);
    bits(&mut answer, "client_max_window_bits", client_bits);
    Some((agreed, answer))
}

/// What a server's answer to our offer says: nothing, if it chose no extension.
///
/// # Errors
///
/// The answer names what was not offered, or what is no answer to the offer.
pub(crate) fn check_answer(
    headers: &HeaderMap,
    offered: Option<&DeflateOptions>,
) -> Result<Option<DeflateParams>, String> {
    let said = || {
        let lines = headers.get_all(tungstenite::http::header::SEC_WEBSOCKET_EXTENSIONS);
        let lines: Vec<_> = lines
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
            .collect();
        lines.join(", ")
    };
    let answers = parse(headers).ok_or_else(said)?;
    let (answer, options) = match (&answers[..], offered) {
        ([], _) => return Ok(None),
        ([answer], Some(options)) if answer.name == NAME => (answer, options),
        _ => return Err(said()),
    };
    let answer = params(answer, false).ok_or_else(said)?;
    let server_bits = answer.server_max_window_bits.unwrap_or(MAX_BITS);
    let client_bits = answer.client_max_window_bits.flatten().unwrap_or(MAX_BITS);
    let more_than_asked = server_bits > options.server_max_window_bits
        || (options.server_no_context_takeover && !answer.server_no_context_takeover);
    if more_than_asked {
        return Err(said());
    }
    Ok(Some(DeflateParams {
        server_no_context_takeover: answer.server_no_context_takeover,
        client_no_context_takeover: answer.client_no_context_takeover
            || options.client_no_context_takeover,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits.min(options.client_max_window_bits),
    }))
}

/// The parameters; `None`: one is unknown, there twice, or has a value that it cannot have.
fn params(extension: &Extension, in_offer: bool) -> Option<Params> {
    let mut params = Params::default();
    for (name, value) in &extension.params {
        let value = value.as_deref();
        match (name.as_str(), value) {
            ("server_no_context_takeover", None) if !params.server_no_context_takeover => {
                params.server_no_context_takeover = true;
            }
            ("client_no_context_takeover", None) if !params.client_no_context_takeover => {
                params.client_no_context_takeover = true;
            }
            ("server_max_window_bits", Some(bits)) if params.server_max_window_bits.is_none() => {
                params.server_max_window_bits = Some(window(bits)?);
            }
            ("client_max_window_bits", bits) if params.client_max_window_bits.is_none() => {
                let bits = match bits {
                    Some(bits) => Some(window(bits)?),
                    None if in_offer => None,
                    None => return None,
                };
                params.client_max_window_bits = Some(bits);
            }
            _ => return None,
        }
    }
    Some(params)
}

/// 8 to 15, in decimal without leading zeros.
fn window(text: &str) -> Option<u8> {
    let bits = text
        .parse()
        .ok()
        .filter(|bits| (8..=MAX_BITS).contains(bits))?;
    (!text.starts_with(['0', '+'])).then_some(bits)
}

#[cfg(test)]
mod tests;
