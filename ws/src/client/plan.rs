//! All that one `open()` was asked for.

use super::error::OpenError;
use super::options::ClientOptions;
use crate::handshake::UpgradeRequest;
use crate::url::WsUrl;
#[cfg(feature = "tls")]
use hvloop_event::lock;
#[cfg(feature = "tls")]
use hvloop_event::tls::{TlsClientConfig, TlsConfigError};
use hvloop_event::{Backoff, ProxyTargetError};
use std::sync::Arc;
#[cfg(feature = "tls")]
use std::sync::Mutex;
use std::time::Instant;

/// See the module.
pub(super) struct Plan {
    /// Which `open()` it was.
    pub(super) number: u64,
    pub(super) url: WsUrl,
    pub(super) request: UpgradeRequest,
    pub(super) options: Arc<ClientOptions>,
    /// `None`: it is not needed, wherever redirects lead.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Result<TlsClientConfig, Arc<TlsConfigError>>>,
}

impl Plan {
    /// Checks what can be checked before anything is begun.
    pub(super) fn new(url: &str, options: Arc<ClientOptions>) -> Result<Self, OpenError> {
        let url: WsUrl = url.parse()?;
        let request = options
            .head
            .request(&url, options.connection.deflate, |_| true);
        let request = request.map_err(OpenError::Request)?;
        if let Some(policy) = &options.reconnect.policy {
            policy.validate()?;
        }
        if let Some(proxy) = &options.transport.proxy {
            let host = url.host().ok_or(ProxyTargetError::UnixSocket);
            host.and_then(|host| proxy.check_target(host))?;
        }
        #[cfg(not(feature = "tls"))]
        if url.is_tls() {
            return Err(OpenError::TlsNotBuiltIn);
        }
        Ok(Self {
            number: 0,
            request,
            #[cfg(feature = "tls")]
            tls: match url.is_tls() {
                true => Some(Ok(tls_config(&options)?)),
                // A redirect or the hook may lead to wss: then the loop's thread need not read the roots.
                false if options.redirects > 0 || options.before_connect.is_some() => {
                    Some(tls_config(&options).map_err(Arc::new))
                }
                false => None,
            },
            url,
            options,
        })
    }
}

/// A back-off that an `open()` in on_close goes on with.
pub(super) struct Carried {
    pub(super) backoff: Backoff,
    /// When the next attempt is due.
    pub(super) until: Instant,
    /// Where the last one went.
    pub(super) url: WsUrl,
    /// That one had not waited either, and failed.
    pub(super) at_once: bool,
}

/// The TLS configuration for `wss`.
#[cfg(feature = "tls")]
fn tls_config(options: &ClientOptions) -> Result<TlsClientConfig, TlsConfigError> {
    /// Reading the platform's roots takes milliseconds: once for all clients.
    static DEFAULT: Mutex<Option<TlsClientConfig>> = Mutex::new(None);
    if let Some(config) = &options.tls {
        return Ok(config.clone());
    }
    let mut default = lock(&DEFAULT);
    match &*default {
        Some(config) => Ok(config.clone()),
        None => {
            let config = TlsClientConfig::builder().alpn(["http/1.1"]).build()?;
            Ok(default.insert(config).clone())
        }
    }
}
