//! All that one `open()` was asked for.

use super::error::OpenError;
use super::options::ClientOptions;
#[cfg(feature = "tls")]
use super::options::Values;
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
    /// What the first attempt sends, made when this was checked.
    pub(super) first: Option<UpgradeRequest>,
    pub(super) options: ClientOptions,
    /// `None`: it is not needed, wherever redirects lead.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Result<TlsClientConfig, Arc<TlsConfigError>>>,
}

impl Plan {
    /// Checks what can be checked before anything is begun.
    pub(super) fn new(url: &str, all: ClientOptions) -> Result<Self, OpenError> {
        let url: WsUrl = url.parse()?;
        let options = &all.all;
        let first = options
            .head
            .request(&url, options.connection.deflate, |_| true);
        let first = first.map_err(OpenError::Request)?;
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
            first: Some(first),
            #[cfg(feature = "tls")]
            tls: match url.is_tls() {
                true => Some(Ok(tls_config(options)?)),
                // A redirect or the hook may lead to wss: then the loop's thread need not read the roots.
                false if options.redirects > 0 || options.before_connect.is_some() => {
                    Some(tls_config(options).map_err(Arc::new))
                }
                false => None,
            },
            url,
            options: all,
        })
    }

    /// How to speak TLS there, if it is to be spoken; or why it cannot be, where there is an error.
    #[cfg(feature = "tls")]
    pub(super) fn tls_for(
        &self,
        url: &WsUrl,
    ) -> Result<Option<TlsClientConfig>, Option<Arc<TlsConfigError>>> {
        match (&self.tls, url.is_tls()) {
            (_, false) => Ok(None),
            (Some(Ok(tls)), true) => Ok(Some(tls.clone())),
            (Some(Err(e)), true) => Err(Some(e.clone())),
            (None, true) => Err(None),
        }
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
fn tls_config(options: &Values) -> Result<TlsClientConfig, TlsConfigError> {
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
