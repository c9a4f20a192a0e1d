//! Offers of permessage-deflate, their acceptance, and what comes of it (RFC 7692 section 7.1).

use super::extensions::{Extension, parse};
use super::options::DeflateOptions;
use super::params::{DeflateParams, MAX_BITS, MIN_BITS};
use http::HeaderMap;
use std::fmt::Write;

const NAME: &str = "permessage-deflate";

/// The parameters of one offer or answer.
#[derive(Default)]
struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// In an offer the value may be missing.
    client_max_window_bits: Option<Option<u8>>,
}

/// One of the client's offers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: u8,
    /// Without one, the server cannot ask for less.
    client_max_window_bits: Option<u8>,
}

impl Offer {
    fn write(self, text: &mut String) {
        text.push_str(NAME);
        if self.server_no_context_takeover {
            text.push_str("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            text.push_str("; client_no_context_takeover");
        }
        bits(text, "server_max_window_bits", self.server_max_window_bits);
        match self.client_max_window_bits {
            None => {}
            // Without a value, too: the server may ask for less.
            Some(MAX_BITS) => text.push_str("; client_max_window_bits"),
            Some(less) => bits(text, "client_max_window_bits", less),
        }
    }

    /// Whether the server's answer is one to this offer (RFC 7692 section 7.1).
    fn is_answered_by(self, answer: &Params) -> bool {
        let server_bits = answer.server_max_window_bits.unwrap_or(MAX_BITS);
        server_bits <= self.server_max_window_bits
            && (answer.server_no_context_takeover || !self.server_no_context_takeover)
            && (answer.client_max_window_bits.is_none() || self.client_max_window_bits.is_some())
    }
}

/// The client's offers, the one liked best first.
fn offers(options: &DeflateOptions) -> Vec<Offer> {
    let whole = Offer {
        server_no_context_takeover: options.wanted.server_no_context_takeover,
        client_no_context_takeover: options.wanted.client_no_context_takeover,
        server_max_window_bits: options.wanted.server_max_window_bits,
        client_max_window_bits: Some(options.wanted.client_max_window_bits),
    };
    let mut offers = vec![whole];
    if options.fallback {
        // For servers that cannot do what is wanted of them, and for those that know no parameters.
        let nothing_wanted = Offer {
            server_no_context_takeover: false,
            server_max_window_bits: MAX_BITS,
            ..whole
        };
        let bare = Offer {
            client_no_context_takeover: false,
            client_max_window_bits: None,
            ..nothing_wanted
        };
        offers.extend([nothing_wanted, bare]);
        offers.dedup();
    }
    offers
}

/// The client's offers, as a value for the header.
pub(crate) fn offer(options: &DeflateOptions) -> String {
    let mut text = String::new();
    for offer in offers(options) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        offer.write(&mut text);
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
    let server_bits = most.min(options.wanted.server_max_window_bits);
    // Asked for only of a client that says that it can.
    let client_bits = match offer.client_max_window_bits {
        Some(most) => most
            .unwrap_or(MAX_BITS)
            .min(options.wanted.client_max_window_bits),
        None => MAX_BITS,
    };
    let agreed = DeflateParams {
        server_no_context_takeover: offer.server_no_context_takeover
            || options.wanted.server_no_context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover
            || options.wanted.client_no_context_takeover,
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

/// What a server's answer to our offers says: nothing, if it chose no extension.
///
/// # Errors
///
/// The answer names what was not offered, or what is no answer to one of the offers.
pub(crate) fn check_answer(
    headers: &HeaderMap,
    offered: Option<&DeflateOptions>,
) -> Result<Option<DeflateParams>, String> {
    let said = || {
        let lines = headers.get_all(http::header::SEC_WEBSOCKET_EXTENSIONS);
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
    if !offers(options)
        .iter()
        .any(|offer| offer.is_answered_by(&answer))
    {
        return Err(said());
    }
    let server_bits = answer.server_max_window_bits.unwrap_or(MAX_BITS);
    let client_bits = answer.client_max_window_bits.flatten().unwrap_or(MAX_BITS);
    Ok(Some(DeflateParams {
        server_no_context_takeover: answer.server_no_context_takeover,
        client_no_context_takeover: answer.client_no_context_takeover
            || options.wanted.client_no_context_takeover,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits.min(options.wanted.client_max_window_bits),
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
