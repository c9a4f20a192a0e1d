//! `ws+unix` and `wss+unix` URLs, in the form of Node's `ws`. On Linux and Android an abstract name may
//! stand in the place of the path: `ws+unix:@name:/resource`.

use super::{Parsed, UrlError, WsTarget, WsUrl, resource};
use percent_encoding::percent_decode_str;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;
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
    // A `%` that begins no byte stands for itself.
    let path: Vec<u8> = percent_decode_str(encoded).collect();
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
    Ok(WsUrl(Arc::new(Parsed {
        text: format!("{scheme}:{slashes}{encoded}:{resource}"),
        tls,
        target: WsTarget::Unix(PathBuf::from(OsString::from_vec(path))),
        resource,
        host_header: "localhost".to_owned(),
    })))
}
