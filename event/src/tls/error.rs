//! What can go wrong with TLS: on a connection ([`TlsError`]), in a configuration
//! ([`TlsConfigError`]).

use std::error::Error;
use std::fmt;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::key_length::KeyLength;
use super::verify::PinRefused;
use super::words;

/// Why a TLS connection failed. Terminal: a connection that failed once never recovers.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TlsError {
    /// The host is neither a DNS name nor an IP address, so that no certificate could match it.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    InvalidServerName(String),
    /// The peer's certificate was refused.
    #[error("the peer's certificate was refused: {0}")]
    Certificate(#[source] CertificateProblem),
    /// Both sides speak TLS, but share no protocol version, cipher suite, group or application
    /// protocol.
    #[error("the peer speaks another TLS: {}", in_words(.0))]
    Incompatible(#[source] rustls::Error),
    /// The peer broke the TLS protocol, or does not speak TLS at all.
    #[error("the peer broke the TLS protocol: {}", in_words(.0))]
    Protocol(#[source] rustls::Error),
    /// The peer ended the connection with this fatal alert (RFC 8446, section 6.2).
    #[error("the peer ended TLS with {}", words::alert(*.0))]
    AlertReceived(AlertDescription),
    /// The transport ended without the peer's `close_notify` (RFC 8446, section 6.1): what was
    /// received may have been cut short by someone on the way.
    #[error("the connection ended without a TLS close_notify")]
    Truncated,
    /// Any other error of rustls, for instance no randomness from the system.
    #[error("TLS failed: {}", in_words(.0))]
    Rustls(#[source] rustls::Error),
}

/// What is wrong with the peer's certificate.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq)]
pub enum CertificateProblem {
    /// No trusted root issued it; a self-signed certificate is the usual case.
    UnknownIssuer,
    /// It was issued for other names than the one that was dialled.
    NotValidForName {
        /// The name that was looked for, where the verifier tells it.
        expected: Option<String>,
        /// The names in the certificate, where the verifier tells them.
        presented: Vec<String>,
    },
    /// Its time of validity is over.
    Expired {
        /// Since when, where the verifier tells it.
        since: Option<UnixTime>,
    },
    /// Its time of validity has not begun (or the local clock is behind).
    NotYetValid {
        /// Until when, where the verifier tells it.
        until: Option<UnixTime>,
    },
    /// It is that of an authority (`CA:TRUE`), as `openssl req -x509` makes it: such a one is trusted only
    /// if it is itself among the own roots.
    IsAuthority,
    /// Its issuer revoked it.
    Revoked,
    /// A signature in the chain or of the handshake does not fit the key it claims.
    BadSignature,
    /// It, or one of its chain, has an RSA key that is shorter than 2,048 bits or longer than 8,192.
    KeyLength {
        /// How many bits it has.
        bits: usize,
    },
    /// It, or one of its chain, is signed in a way that anyone could forge.
    WeakSignature {
        /// Which, for instance `RSA with SHA-1`.
        algorithm: String,
    },
    /// It, or one of its chain, is signed in a way that the crypto provider does not know.
    UnsupportedSignature {
        /// Which: its name, or its object identifier.
        algorithm: String,
    },
    /// It is not well-formed X.509.
    BadEncoding,
    /// It was issued for another purpose than authenticating a server, or a client.
    WrongPurpose,
    /// It passed normal verification, and then the pinning hook refused it for this reason.
    PinRefused(String),
    /// The peer presented none.
    NotPresented,
    /// Anything else, in rustls' words.
    Other(CertificateError),
}

impl From<CertificateError> for CertificateProblem {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::NotValidForName => Self::NotValidForName {
                expected: None,
                presented: Vec::new(),
            },
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Self::NotValidForName {
                expected: Some(expected.to_str().into_owned()),
                presented: presented.into_iter().map(words::name).collect(),
            },
            CertificateError::Expired => Self::Expired { since: None },
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired {
                since: Some(not_after),
            },
            CertificateError::NotValidYet => Self::NotYetValid { until: None },
            CertificateError::NotValidYetContext { not_before, .. } => Self::NotYetValid {
                until: Some(not_before),
            },
            CertificateError::Revoked => Self::Revoked,
            CertificateError::BadSignature => Self::BadSignature,
            CertificateError::BadEncoding => Self::BadEncoding,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::WrongPurpose
            }
            CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id,
                ..
            }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id,
                ..
            } => match words::signature_algorithm(&signature_algorithm_id) {
                (algorithm, true) => Self::WeakSignature { algorithm },
                (algorithm, false) => Self::UnsupportedSignature { algorithm },
            },
            CertificateError::Other(other) => {
                let inside = &*other.0;
                if let Some(PinRefused(reason)) = inside.downcast_ref() {
                    Self::PinRefused(reason.clone())
                } else if let Some(KeyLength(bits)) = inside.downcast_ref() {
                    Self::KeyLength { bits: *bits }
                } else {
                    match inside.downcast_ref() {
                        Some(webpki::Error::CaUsedAsEndEntity) => Self::IsAuthority,
                        Some(webpki::Error::EmptyEkuExtension) => Self::WrongPurpose,
                        _ => Self::Other(CertificateError::Other(other)),
                    }
                }
            }
            other => Self::Other(other),
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        use rustls::Error as E;
        match error {
            E::InvalidCertificate(problem) => Self::Certificate(problem.into()),
            E::NoCertificatesPresented => Self::Certificate(CertificateProblem::NotPresented),
            E::AlertReceived(alert) => Self::AlertReceived(alert),
            E::PeerIncompatible(_) | E::NoApplicationProtocol => Self::Incompatible(error),
            E::InappropriateMessage { .. }
            | E::InappropriateHandshakeMessage { .. }
            | E::InvalidMessage(_)
            | E::PeerMisbehaved(_)
            | E::PeerSentOversizedRecord
            | E::DecryptError => Self::Protocol(error),
            other => Self::Rustls(other),
        }
    }
}

impl TlsError {
    /// See [`CloseReason::is_permanent`](crate::CloseReason::is_permanent).
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Certificate(CertificateProblem::NotYetValid { .. }) => false,
            Self::Certificate(_) | Self::InvalidServerName(_) | Self::Incompatible(_) => true,
            Self::AlertReceived(alert) => matches!(
                alert,
                AlertDescription::BadCertificate
                    | AlertDescription::UnsupportedCertificate
                    | AlertDescription::CertificateRevoked
                    | AlertDescription::CertificateExpired
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::CertificateRequired
                    | AlertDescription::UnknownCA
                    | AlertDescription::AccessDenied
                    | AlertDescription::ProtocolVersion
                    | AlertDescription::UnrecognisedName
                    | AlertDescription::NoApplicationProtocol
            ),
            _ => false,
        }
    }
}

/// What rustls says, without a name of an enum.
pub(super) fn in_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(problem) => {
            CertificateProblem::from(problem.clone()).to_string()
        }
        other => words::of(other),
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => {
                write!(f, "it was not issued by a trusted root (unknown issuer)")
            }
            Self::NotValidForName {
                expected,
                presented,
            } => {
                write!(f, "it is not valid for ")?;
                match expected {
                    Some(name) => write!(f, "{name}")?,
                    None => write!(f, "the name of the server")?,
                }
                if !presented.is_empty() {
                    write!(f, ", only for {}", presented.join(", "))?;
                }
                Ok(())
            }
            Self::Expired { since: None } => write!(f, "it has expired"),
            Self::Expired { since: Some(time) } => {
                write!(f, "it has expired, at {}", words::date(*time))
            }
            Self::NotYetValid { until: None } => write!(f, "it is not valid yet"),
            Self::NotYetValid { until: Some(time) } => {
                write!(f, "it is not valid before {}", words::date(*time))
            }
            Self::IsAuthority => write!(
                f,
                "it is that of an authority (CA:TRUE), which is trusted only if it is itself a root here"
            ),
            Self::Revoked => write!(f, "it was revoked"),
            Self::BadSignature => write!(f, "a signature does not match"),
            Self::KeyLength { bits } => write!(f, "{}", KeyLength(*bits)),
            Self::WeakSignature { algorithm } => {
                write!(f, "the signature algorithm is too weak: {algorithm}")
            }
            Self::UnsupportedSignature { algorithm } => {
                write!(f, "the signature algorithm is not supported: {algorithm}")
            }
            Self::BadEncoding => write!(f, "it is malformed"),
            Self::WrongPurpose => write!(f, "it was not issued for this purpose"),
            Self::PinRefused(reason) => write!(f, "the pinning hook refused it: {reason}"),
            Self::NotPresented => write!(f, "none was presented"),
            Self::Other(other) => f.write_str(&words::certificate(other)),
        }
    }
}

impl Error for CertificateProblem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Other(CertificateError::Other(inside)) => Some(&*inside.0),
            _ => None,
        }
    }
}
