//! How clients do TLS.

use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::boundary::{boundary, status};
use crate::ffi::handle::{self, Object, Opaque};
use crate::ffi::text::text;
use hvloop::tls::{TlsClientConfig, TlsClientConfigBuilder, TlsConfigError};
use std::ffi::{c_char, c_int};
use std::fs;
use std::mem;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// How clients do TLS: whom they trust, and what they show of themselves. Counted: `hvloop_tls_client_retain` and
/// `hvloop_tls_client_release`; shared by any number of clients. Any thread.
#[allow(non_camel_case_types, reason = "named as C has it")]
pub struct hvloop_tls_client {
    _private: (),
}

/// See [`hvloop_tls_client`].
pub(crate) enum TlsClientBody {
    /// It may be changed.
    Building(TlsClientConfigBuilder),
    /// It is in use.
    Built(TlsClientConfig),
    /// It cannot be used.
    Failed(hvloop_error, String),
}

impl Opaque for hvloop_tls_client {
    type Body = Mutex<TlsClientBody>;
    const KIND: usize = 40;
}

impl From<TlsConfigError> for Failure {
    fn from(error: TlsConfigError) -> Self {
        let code = match &error {
            TlsConfigError::Io(..) => hvloop_error::Io,
            TlsConfigError::BadAlpn { .. } | TlsConfigError::InvalidServerName(_) => {
                hvloop_error::Argument
            }
            _ => hvloop_error::Tls,
        };
        Self::new(code, error.to_string())
    }
}

/// The configuration, which holds from now on as it is.
///
/// # Safety
///
/// As [`handle::get`].
pub(crate) unsafe fn tls_client(tls: *const hvloop_tls_client) -> Outcome<TlsClientConfig> {
    // SAFETY: the caller's word.
    let object = unsafe { handle::get(tls)? };
    let mut body = object.body.lock().unwrap_or_else(PoisonError::into_inner);
    if let TlsClientBody::Building(builder) = &mut *body {
        *body = match mem::take(builder).build() {
            Ok(config) => TlsClientBody::Built(config),
            Err(e) => {
                let Failure { code, text } = e.into();
                TlsClientBody::Failed(code, text)
            }
        };
    }
    match &*body {
        TlsClientBody::Built(config) => Ok(config.clone()),
        TlsClientBody::Failed(code, text) => Err(Failure::new(*code, text)),
        TlsClientBody::Building(_) => Err(Failure::new(hvloop_error::State, "it was not built")),
    }
}

/// The configuration for a client, with the name to verify servers for, if it is not NULL.
///
/// # Safety
///
/// As [`handle::get`]; NULL, or a text that ends with a NUL.
pub(crate) unsafe fn tls_client_for(
    tls: *const hvloop_tls_client,
    server_name: *const c_char,
) -> Outcome<TlsClientConfig> {
    // SAFETY: the caller's word.
    let config = unsafe { tls_client(tls)? };
    // SAFETY: the caller's word.
    unsafe { named(config, server_name) }
}

/// The configuration with the name to verify servers for, if it is not NULL.
///
/// # Safety
///
/// NULL, or a text that ends with a NUL.
pub(crate) unsafe fn named(
    config: TlsClientConfig,
    server_name: *const c_char,
) -> Outcome<TlsClientConfig> {
    if server_name.is_null() {
        return Ok(config);
    }
    // SAFETY: the caller's word.
    Ok(config.with_server_name(unsafe { text(server_name)? })?)
}

/// The names of a list that commas separate, such as "h2, http/1.1".
pub(crate) fn names(list: &str) -> Vec<&str> {
    let names = list.split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).collect()
}

/// Changes what is not built yet, by what is good by itself.
///
/// # Safety
///
/// As [`handle::get`].
unsafe fn change(
    tls: *const hvloop_tls_client,
    f: impl Fn(TlsClientConfigBuilder) -> TlsClientConfigBuilder,
) -> Outcome {
    // A builder tells of the first mistake at its end, and then is of no use.
    let alone = TlsClientConfig::builder();
    f(alone.dangerous().accept_any_certificate()).build()?;
    // SAFETY: the caller's word.
    let object = unsafe { handle::get(tls)? };
    let mut body = object.body.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *body {
        TlsClientBody::Building(builder) => {
            *builder = f(mem::take(builder));
            Ok(())
        }
        _ => Err(Failure::new(
            hvloop_error::State,
            "the configuration is in use: make a new one",
        )),
    }
}

/// One that verifies servers by the platform's roots, unless others are added, shows no certificate and offers no
/// protocol. NULL if it fails.
#[unsafe(no_mangle)]
pub extern "C" fn hvloop_tls_client_new() -> *mut hvloop_tls_client {
    boundary(|| {
        let body = TlsClientBody::Building(TlsClientConfig::builder());
        Ok(handle::give(Object::new(Mutex::new(body))))
    })
}

/// One more count, which is returned. NULL if it is none.
///
/// # Safety
///
/// A TLS configuration of clients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_retain(
    tls: *mut hvloop_tls_client,
) -> *mut hvloop_tls_client {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::share(tls).map(handle::give) })
}

/// Gives a count back. NULL is allowed. Clients that use it have counts of their own.
///
/// # Safety
///
/// NULL, or a TLS configuration of clients; the count is the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_release(tls: *mut hvloop_tls_client) {
    // SAFETY: the caller's word.
    boundary(|| unsafe { handle::take(tls).map(drop) })
}

/// Trusts every certificate in a file of PEM, and what these have issued. Such roots take the place of the
/// platform's, unless `hvloop_tls_client_platform_roots` asks for these, too. 0 or a negative `hvloop_error`; then
/// nothing was added.
///
/// # Safety
///
/// A TLS configuration of clients, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_add_root_file(
    tls: *const hvloop_tls_client,
    path: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let path = unsafe { text(path)? };
        // SAFETY: the caller's word.
        unsafe { change(tls, |builder| builder.root_pem_file(path)) }
    })
}

/// As `hvloop_tls_client_add_root_file`, of every file in a directory that holds certificates in PEM: one at
/// least.
///
/// # Safety
///
/// As `hvloop_tls_client_add_root_file`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_add_root_dir(
    tls: *const hvloop_tls_client,
    path: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let path = unsafe { text(path)? };
        let roots = roots_in(path)?;
        // SAFETY: the caller's word.
        unsafe {
            change(tls, |builder| {
                roots
                    .iter()
                    .fold(builder, TlsClientConfigBuilder::root_pem_file)
            })
        }
    })
}

/// The files in a directory that hold certificates in PEM.
fn roots_in(path: &str) -> Outcome<Vec<PathBuf>> {
    const HEAD: &[u8] = b"-----BEGIN CERTIFICATE-----";
    let cannot = |e| Failure::new(hvloop_error::Io, format!("cannot read {path}: {e}"));
    let mut roots = Vec::new();
    for entry in fs::read_dir(path).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        // What is no file, or not for this user, may be beside them.
        let bytes = fs::read(&file).unwrap_or_default();
        if bytes.windows(HEAD.len()).any(|window| window == HEAD) {
            roots.push(file);
        }
    }
    match roots.is_empty() {
        true => Err(Failure::new(
            hvloop_error::Tls,
            format!("no certificate in {path}"),
        )),
        false => Ok(roots),
    }
}

/// Trusts the platform's roots beside those that were added. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A TLS configuration of clients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_platform_roots(tls: *const hvloop_tls_client) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { change(tls, |builder| builder.platform_roots(true)) })
}

/// Shows this certificate to servers that ask for one: files of PEM, a chain (its own certificate first) and the
/// private key, which is not encrypted; they may be one and the same. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A TLS configuration of clients, and texts that end with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_client_certificate(
    tls: *const hvloop_tls_client,
    cert_path: *const c_char,
    key_path: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let chain = unsafe { text(cert_path)? };
        // SAFETY: the caller's word.
        let key = unsafe { text(key_path)? };
        // SAFETY: the caller's word.
        unsafe { change(tls, |builder| builder.client_auth_pem_files(chain, key)) }
    })
}

/// Offers these application protocols (ALPN), the preferred one first: a list such as "h2, http/1.1". 0 or a
/// negative `hvloop_error`.
///
/// # Safety
///
/// A TLS configuration of clients, and a text that ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_alpn(
    tls: *const hvloop_tls_client,
    list: *const c_char,
) -> c_int {
    status(|| {
        // SAFETY: the caller's word.
        let list = unsafe { text(list)? };
        // SAFETY: the caller's word.
        unsafe { change(tls, |builder| builder.alpn(names(list))) }
    })
}

/// Accepts every certificate, whoever issued it, for whatever name and time: anyone on the way can pose as the
/// server. 0 or a negative `hvloop_error`.
///
/// # Safety
///
/// A TLS configuration of clients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_dangerous_accept_any(
    tls: *const hvloop_tls_client,
) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { change(tls, |builder| builder.dangerous().accept_any_certificate()) })
}

/// Makes the configuration, which cannot be changed any more; else that is done when a client gets it. 0 or a
/// negative `hvloop_error`: there are no roots to trust, or the platform's cannot be used.
///
/// # Safety
///
/// A TLS configuration of clients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_tls_client_build(tls: *const hvloop_tls_client) -> c_int {
    // SAFETY: the caller's word.
    status(|| unsafe { tls_client(tls).map(drop) })
}
