//! Certificates and private keys out of PEM text (RFC 7468), from memory or from files.
//!
//! `what` says in each error which input is meant: its role, to which the path comes if it is a file.

use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config_error::TlsConfigError;

/// Where PEM text is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pem<'a> {
    Text(&'a [u8]),
    File(&'a Path),
}

impl Pem<'_> {
    /// Every certificate in it, in order; sections of other kinds are passed over.
    ///
    /// # Errors
    /// Damaged PEM, no certificate at all, or a file that cannot be read.
    pub(super) fn certificates(
        self,
        what: &str,
    ) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
        let found: Result<Vec<_>, _> = match self {
            Self::Text(text) => CertificateDer::pem_slice_iter(text).collect(),
            Self::File(path) => CertificateDer::pem_file_iter(path).and_then(|all| all.collect()),
        };
        match found.map_err(|error| self.bad(error, what))? {
            found if found.is_empty() => Err(TlsConfigError::NoCertificateIn(self.name(what))),
            found => Ok(found),
        }
    }

    /// The first private key in it: PKCS#8, PKCS#1 or SEC1, unencrypted.
    ///
    /// # Errors
    /// Damaged PEM, no such key, or a file that cannot be read.
    pub(super) fn private_key(self, what: &str) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
        let found = match self {
            Self::Text(text) => PrivateKeyDer::from_pem_slice(text),
            Self::File(path) => PrivateKeyDer::from_pem_file(path),
        };
        found.map_err(|error| match error {
            pem::Error::NoItemsFound => TlsConfigError::NoPrivateKey(self.name(what)),
            other => self.bad(other, what),
        })
    }

    fn name(self, what: &str) -> String {
        match self {
            Self::Text(_) => what.to_owned(),
            Self::File(path) => format!("{what} ({})", path.display()),
        }
    }

    fn bad(self, error: pem::Error, what: &str) -> TlsConfigError {
        let what = self.name(what);
        match (error, self) {
            (pem::Error::Io(error), Self::File(path)) => TlsConfigError::Io(path.to_owned(), error),
            (source, _) => TlsConfigError::BadPem { what, source },
        }
    }
}
