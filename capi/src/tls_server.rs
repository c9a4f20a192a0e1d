//! How servers do TLS.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::text;
use crate::tls_client::names;
use hvloop::tls::{TlsIdentities, TlsServerConfig};
use std::ffi::{c_char, c_int};
use std::fs;
use std::sync::{Mutex, PoisonError};

/// How servers do TLS: what they show of themselves, and whom they let in. Counted: `hvloop_tls_server_retain` and
/// `hvloop_tls_server_release`; shared by any number of servers. Any thread.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_tls_server {
    _private: (),
}

/// See [`hvloop_tls_server`].
pub(crate) struct TlsServerBody {
    chain: String,
    key: String,
    state: Mutex<State>,
}

struct State {
    settings: Settings,
    /// Once it is in use.
    config: Option<TlsServerConfig>,
}

/// What can be set.
#[derive(Clone, Default)]
struct Settings {
    client_roots: Vec<Vec<u8>>,
    client_optional: bool,
    alpn: Vec<String>,
}

impl Opaque for hvloop_tls_server {
    type Body = TlsServerBody;
    const KIND: usize = 41;
}

impl TlsServerBody {
    fn identities(&self) -> TlsIdentities {
        TlsIdentities::new().pem_files(&self.chain, &self.key)
    }

    fn build(&self, settings: &Settings) -> Outcome<TlsServerConfig> {
        let mut builder = TlsServerConfig::builder(self.identities());
        for roots in &settings.client_roots {
            builder = builder.client_roots_pem(roots);
        }
        if settings.client_optional {
            builder = builder.client_auth_optional();
        }
        if !settings.alpn.is_empty() {
            builder = builder.alpn(&settings.alpn);
        }
        Ok(builder.build()?)
    }
}

/// The configuration, of which only the certificate changes from now on.
///
/// # Safety
///
/// As [`handle::get`].
pub(crate) unsafe fn tls_server(tls: *const hvloop_tls_server) -> Outcome<TlsServerConfig> {
    // SAFETY: the caller's word.
    let body = unsafe { &handle::get(tls)?.body };
    let mut state = body.state.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(config) = &state.config {
        return Ok(config.clone());
    }
    let config = body.build(&state.settings)?;
    Ok(state.config.insert(config).clone())
}

/// Changes what is not in use yet.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn change(tls: *const hvloop_tls_server, f: impl FnOnce(&mut Settings)) -> Outcome {
    // SAFETY: the caller's word.
    let body = unsafe { &handle::get(tls)?.body };
    let mut state = body.state.lock().unwrap_or_else(PoisonError::into_inner);
    if state.config.is_some() {
        let text = "the configuration is in use: make a new one";
        return Err(Failure::new(hvloop_error::State, text));
    }
    let mut settings = state.settings.clone();
    f(&mut settings);
    body.build(&settings)?;
    state.settings = settings;
    Ok(())
}

/// One that shows this certificate: files of PEM, a chain (its own certificate first) and the private key, which is
/// not encrypted; they may be one and the same. Clients need none. NULL if it fails: a file cannot be read, or
/// they do not belong together.
///
/// # Safety
///
/// Texts that end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_server_new(
    cert_path: *const c_char,
    key_path: *const c_char,
) -> *mut hvloop_tls_server {
    boundary(|| {
        let settings = Settings::default();
        let body = TlsServerBody {
            // SAFETY: the caller's word.
            chain: unsafe { text(cert_path)? }.to_owned(),
            // SAFETY: the caller's word.
            key: unsafe { text(key_path)? }.to_owned(),
            state: Mutex::new(State {
                settings: settings.clone(),
                config: None,
            }),
        };
        body.build(&settings)?;
        Ok(handle::give(Object::new(body)))
    })
}

/// One more count, which is returned. NULL if it is none.
///
/// # Safety
///
/// A TLS configuration of servers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_server_retain(
    tls: *mut hvloop_tls_server,
) -> *mut hvloop_tls_server {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::share(tls).map(handle::give) })
}

/// Gives a count back. NULL is allowed. Servers that use it have counts of their own.
///
/// # Safety
///
/// NULL, or a TLS configuration of servers; the count is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_server_release(tls: *mut hvloop_tls_server) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(tls).map(drop) })
}

/// Lets in clients with a certificate that one of those in a file of PEM has issued; if `required` is 0, those
/// without one, too. 0 or a negative `hvloop_error`: then nothing was changed; or a server has it already.
///
/// # Safety
///
/// A TLS configuration of servers, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_server_client_roots(
    tls: *const hvloop_tls_server,
    path: *const c_char,
    required: c_int,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let path = unsafe { text(path)? };
        let cannot = |e| Failure::new(hvloop_error::Io, format!("cannot read {path}: {e}"));
        let roots = fs::read(path).map_err(cannot)?;
        // SAFETY: the caller's word.
        unsafe {
            change(tls, |settings| {
                settings.client_roots.push(roots);
                settings.client_optional = required == 0;
            })
        }
    })
}

/// Accepts these application protocols (ALPN), the preferred one first: a list such as "h2, http/1.1". By default
/// clients may offer what they like. 0 or a negative `hvloop_error`: a server has it already.
///
/// # Safety
///
/// A TLS configuration of servers, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_server_alpn(
    tls: *const hvloop_tls_server,
    list: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let list = names(unsafe { text(list)? });
        // SAFETY: the caller's word.
        unsafe {
            change(tls, |settings| {
                settings.alpn = list.into_iter().map(str::to_owned).collect();
            })
        }
    })
}

/// Reads the certificate and the key again, for handshakes that begin after this call. 0 or a negative
/// `hvloop_error`: then they stay as they were.
///
/// # Safety
///
/// A TLS configuration of servers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_server_reload(tls: *const hvloop_tls_server) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let config = unsafe { tls_server(tls)? };
        // SAFETY: the caller's word.
        let body = unsafe { &handle::get(tls)?.body };
        Ok(config.reload(body.identities())?)
    })
}
