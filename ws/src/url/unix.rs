//! `ws+unix` and `wss+unix` URLs, in the form of Node's `ws`. On Linux and Android an abstract name may
//! stand in the place of the path: `ws+unix:@name:/resource`.

use super::{UrlError, WsTarget, WsUrl, resource};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use url::Url;

/// Parses what stands behind the scheme's colon: the path of the socket, then maybe a colon and the
/// resource.
pub(super) fn parse(tls: bool, rest: &str) -> Result<WsUrl, UrlError> {
    let rest = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err(UrlError::SocketHost),
        None => rest,
    };
    if rest.contains('#') {
        return Err(UrlError::Fragment);
    }
    let (encoded, behind) = rest.split_once(':').unwrap_or((rest, "/"));
    let abstracts = cfg!(any(target_os = "linux", target_os = "android"));
    let begins = encoded.starts_with('/') || (abstracts && encoded.starts_with('@'));
    if encoded.len() < 2 || !begins || encoded.contains('?') {
        return Err(UrlError::SocketPath);
    }
    let path = decode(encoded);
    if path.contains(&0) {
        return Err(UrlError::SocketPath);
    }
    // What a URL's parser makes of the resource, whatever the host.
    let slash = if behind.starts_with('/') { "" } else { "/" };
    let url = Url::parse(&format!("ws://localhost{slash}{behind}")).map_err(UrlError::Syntax)?;
    let resource = resource(&url)?;
    let scheme = if tls { "wss+unix" } else { "ws+unix" };
    // Two slashes at the beginning would be taken for those before a host.
    let slashes = if encoded.starts_with("//") { "//" } else { "" };
    Ok(WsUrl {
        text: format!("{scheme}:{slashes}{encoded}:{resource}"),
        tls,
        target: WsTarget::Unix(PathBuf::from(OsString::from_vec(path))),
        resource,
        host_header: "localhost".to_owned(),
    })
}

/// Undoes percent-encoding (RFC 3986 section 2.1); a `%` that begins none stands for itself.
fn decode(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let (bytes, mut out) = (text.as_bytes(), Vec::with_capacity(text.len()));
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (Some(high), Some(low)) if byte == b'%' => {
                out.push((high * 16 + low) as u8); // below 256
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}
