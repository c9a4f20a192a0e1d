//! Why a TLS configuration could not be made.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use rustls::pki_types::pem;

use super::error::in_words;

/// Why a TLS configuration could not be made.
#[non_exhaustive]
#[derive(Debug)]
pub enum TlsConfigError {
    /// The PEM text of `what` is damaged.
    BadPem {
        /// Which input: its role, and its path if it is a file.
        what: String,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// `0` names an input in which a certificate was looked for in vain.
    NoCertificateIn(String),
    /// `0` names an input that has no private key in a supported form: PKCS#8, PKCS#1 or SEC1,
    /// unencrypted.
    NoPrivateKey(String),
    /// A file could not be read.
    Io(PathBuf, io::Error),
    /// A root certificate is not one that can be trusted, for instance malformed.
    BadRootCertificate(rustls::Error),
    /// The client certificate is malformed, or the private key does not belong to it.
    BadClientCertificate(rustls::Error),
    /// The server's certificate or key is malformed, or they do not belong together.
    BadServerCertificate(rustls::Error),
    /// A server has no certificate to show; or the certificates to reload are not hvloop's, but
    /// inside a configuration made with rustls itself.
    NoIdentity,
    /// The platform's roots were switched off, and no own root was given: nothing could be trusted.
    NoRoots,
    /// An ALPN protocol name must have 1 to 255 bytes (RFC 7301, section 3.1).
    BadAlpn {
        /// How many bytes it has.
        len: usize,
    },
    /// The overriding server name is neither a DNS name nor an IP address.
    InvalidServerName(String),
    /// Neither the feature `ring` nor `aws-lc-rs` is enabled, and no provider was passed.
    NoCryptoProvider,
    /// The platform's trust store cannot be used, for instance because it is empty.
    Verifier(rustls::Error),
    /// Any other error of rustls, for instance a provider without a cipher suite for the protocol
    /// versions asked for.
    Rustls(rustls::Error),
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadPem { what, source } => write!(f, "damaged PEM in the {what}: {source}"),
            Self::NoCertificateIn(what) => write!(f, "no certificate in the {what}"),
            Self::NoPrivateKey(what) => write!(f, "no usable private key in the {what}"),
            Self::Io(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::BadRootCertificate(error) => {
                write!(f, "unusable root certificate: {}", in_words(error))
            }
            Self::BadClientCertificate(error) => {
                write!(f, "unusable client certificate or key: {}", in_words(error))
            }
            Self::BadServerCertificate(error) => {
                write!(f, "unusable server certificate or key: {}", in_words(error))
            }
            Self::NoIdentity => write!(f, "no server certificate to show"),
            Self::NoRoots => write!(f, "no root certificates to trust"),
            Self::BadAlpn { len } => {
                write!(
                    f,
                    "an ALPN protocol name of {len} bytes (1 to 255 are allowed)"
                )
            }
            Self::InvalidServerName(name) => {
                write!(f, "{name:?} is neither a DNS name nor an IP address")
            }
            Self::NoCryptoProvider => write!(
                f,
                "no crypto provider: enable the feature `ring` or `aws-lc-rs`, or pass a provider"
            ),
            Self::Verifier(error) => {
                let why = in_words(error);
                write!(f, "the platform's trust store cannot be used: {why}")
            }
            Self::Rustls(error) => f.write_str(&in_words(error)),
        }
    }
}

impl Error for TlsConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::BadPem { source, .. } => Some(source),
            Self::Io(_, error) => Some(error),
            Self::BadRootCertificate(error)
            | Self::BadClientCertificate(error)
            | Self::BadServerCertificate(error)
            | Self::Verifier(error)
            | Self::Rustls(error) => Some(error),
            Self::NoCertificateIn(_)
            | Self::NoPrivateKey(_)
            | Self::NoIdentity
            | Self::NoRoots
            | Self::BadAlpn { .. }
            | Self::InvalidServerName(_)
            | Self::NoCryptoProvider => None,
        }
    }
}
