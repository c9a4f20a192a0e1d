//! Why a TLS configuration could not be made.

use std::io;
use std::path::PathBuf;

use rustls::pki_types::pem;

use super::error::in_words;

/// Why a TLS configuration could not be made.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TlsConfigError {
    /// The PEM text of `what` is damaged.
    #[error("damaged PEM in the {what}: {source}")]
    BadPem {
        /// Which input: its role, and its path if it is a file.
        what: String,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// `0` names an input in which a certificate was looked for in vain.
    #[error("no certificate in the {0}")]
    NoCertificateIn(String),
    /// `0` names an input that has no private key in a supported form: PKCS#8, PKCS#1 or SEC1,
    /// unencrypted.
    #[error("no usable private key in the {0}")]
    NoPrivateKey(String),
    /// A file could not be read.
    #[error("cannot read {}: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    /// A root certificate is not one that can be trusted, for instance malformed.
    #[error("unusable root certificate: {}", in_words(.0))]
    BadRootCertificate(#[source] rustls::Error),
    /// The client certificate is malformed, or the private key does not belong to it.
    #[error("unusable client certificate or key: {}", in_words(.0))]
    BadClientCertificate(#[source] rustls::Error),
    /// The server's certificate or key is malformed, or they do not belong together.
    #[error("unusable server certificate or key: {}", in_words(.0))]
    BadServerCertificate(#[source] rustls::Error),
    /// A server has no certificate to show; or the certificates to reload are not hvloop's, but
    /// inside a configuration made with rustls itself.
    #[error("no server certificate to show")]
    NoIdentity,
    /// The platform's roots were switched off, and no own root was given: nothing could be trusted.
    #[error("no root certificates to trust")]
    NoRoots,
    /// An ALPN protocol name must have 1 to 255 bytes (RFC 7301, section 3.1).
    #[error("an ALPN protocol name of {len} bytes (1 to 255 are allowed)")]
    BadAlpn {
        /// How many bytes it has.
        len: usize,
    },
    /// The overriding server name is neither a DNS name nor an IP address.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    InvalidServerName(String),
    /// Neither the feature `ring` nor `aws-lc-rs` is enabled, and no provider was passed.
    #[error("no crypto provider: enable the feature `ring` or `aws-lc-rs`, or pass a provider")]
    NoCryptoProvider,
    /// The platform's trust store cannot be used, for instance because it is empty.
    #[error("the platform's trust store cannot be used: {}", in_words(.0))]
    Verifier(#[source] rustls::Error),
    /// Any other error of rustls, for instance a provider without a cipher suite for the protocol
    /// versions asked for.
    #[error("{}", in_words(.0))]
    Rustls(#[source] rustls::Error),
}
