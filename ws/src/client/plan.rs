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
use std::cell::Cell;
#[cfg(feature = "tls")]
use std::sync::Mutex;
use std::sync::{Arc, Weak};
use std::time::Instant;

thread_local! {
    /// What was opened last on this thread, while that is still needed.
    static LAST: Cell<Weak<Plan>> = const { Cell::new(Weak::new()) };
}

/// See the module. Shared by clients that are opened to the same place one after the other with the same options.
pub(super) struct Plan {
    /// The URL as it was given.
    text: Box<str>,
    pub(super) url: WsUrl,
    /// What is sent there.
    pub(super) request: UpgradeRequest,
    pub(super) options: ClientOptions,
    /// `None`: it is not needed, wherever redirects lead.
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Result<TlsClientConfig, Arc<TlsConfigError>>>,
}

impl Plan {
    /// Checks what can be checked before anything is begun.
    pub(super) fn new(url: &str, options: ClientOptions) -> Result<Arc<Self>, OpenError> {
        // Not borrowed: what is dropped meanwhile may be a user's.
        let last = LAST.try_with(Cell::take).unwrap_or_default().upgrade();
        let plan = match last.filter(|plan| plan.is_for(url, &options)) {
            Some(plan) => plan,
            None => Arc::new(Self::check(url, options)?),
        };
        // Unless the thread ends.
        let _ = LAST.try_with(|last| last.set(Arc::downgrade(&plan)));
        Ok(plan)
    }

    /// Whether it is what these would make. A failure may have passed.
    fn is_for(&self, url: &str, options: &ClientOptions) -> bool {
        #[cfg(feature = "tls")]
        if matches!(self.tls, Some(Err(_))) {
            return false;
        }
        *self.text == *url && self.options.is_clone_of(options)
    }

    fn check(text: &str, all: ClientOptions) -> Result<Self, OpenError> {
        let url: WsUrl = text.parse()?;
        let options = &all.all;
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
            text: text.into(),
            request,
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
