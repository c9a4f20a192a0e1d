//! Certificates and private keys out of PEM text (RFC 7468), from memory or from files.
//!
//! `what` says in each error which input is meant: its role, and its path if it is a file.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config_error::TlsConfigError;

/// Every certificate in `text`, in order; sections of other kinds are passed over.
///
/// # Errors
/// Damaged PEM, or no certificate at all.
pub(super) fn certificates(
    text: &[u8],
    what: &str,
) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    collect(CertificateDer::pem_slice_iter(text), what, None)
}

/// As [`certificates`], from the file at `path`.
///
/// # Errors
/// As [`certificates`], or the file cannot be read.
pub(super) fn certificates_in_file(
    path: &Path,
    what: &str,
) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let what = in_file(what, path);
    let sections =
        CertificateDer::pem_file_iter(path).map_err(|e| bad_pem(e, &what, Some(path)))?;
    collect(sections, &what, Some(path))
}

/// The first private key in `text`: PKCS#8, PKCS#1 or SEC1, unencrypted.
///
/// # Errors
/// Damaged PEM, or no such key.
pub(super) fn private_key(
    text: &[u8],
    what: &str,
) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|e| no_key_or(e, what, None))
}

/// As [`private_key`], from the file at `path`.
///
/// # Errors
/// As [`private_key`], or the file cannot be read.
pub(super) fn private_key_in_file(
    path: &Path,
    what: &str,
) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| no_key_or(e, &in_file(what, path), Some(path)))
}

fn in_file(what: &str, path: &Path) -> String {
    format!("{what} ({})", path.display())
}

fn collect(
    sections: impl Iterator<Item = Result<CertificateDer<'static>, pem::Error>>,
    what: &str,
    path: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let found = sections
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad_pem(error, what, path))?;
    if found.is_empty() {
        return Err(TlsConfigError::NoCertificateIn(what.to_owned()));
    }
    Ok(found)
}

fn no_key_or(error: pem::Error, what: &str, path: Option<&Path>) -> TlsConfigError {
    match error {
        pem::Error::NoItemsFound => TlsConfigError::NoPrivateKey(what.to_owned()),
        other => bad_pem(other, what, path),
    }
}

fn bad_pem(error: pem::Error, what: &str, path: Option<&Path>) -> TlsConfigError {
    match (error, path) {
        (pem::Error::Io(error), Some(path)) => TlsConfigError::Io(path.to_owned(), error),
        (source, _) => TlsConfigError::BadPem {
            what: what.to_owned(),
            source,
        },
    }
}
