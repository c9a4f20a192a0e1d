//! What can be wrong with a proxy: with its settings, with a target, or with what it answers.

use super::answer::ProxyAnswer;
use crate::http::is_permanent_status;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a [`Proxy`](super::Proxy) cannot be made of what the user gave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyConfigError {
    /// It is no URL at all, or its port or host is malformed.
    Syntax(url::ParseError),
    /// The scheme is none of `http`, `socks5` and `socks5h`.
    UnsupportedScheme(String),
    /// There is no host, or what is there cannot be one.
    Host,
    /// There is a path, a query or a fragment: a proxy has none.
    Superfluous,
    /// HTTP: the user name has a colon or a control character (RFC 7617 section 2). SOCKS5: it is
    /// not of 1 to 255 bytes (RFC 1929 section 2).
    UserName,
    /// HTTP: the password has a control character. SOCKS5: it is longer than 255 bytes.
    Password,
    /// The name is not a token (RFC 9110 section 5.1).
    HeaderName(String),
    /// The value has a line end, a NUL or another control character (RFC 9110 section 5.5).
    HeaderValue {
        /// Whose value it is.
        name: String,
    },
    /// The header is the request's own, or would announce a body that it does not have.
    ReservedHeader(String),
    /// SOCKS has no headers.
    HeaderForSocks,
}

impl fmt::Display for ProxyConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(e) => write!(f, "not a URL: {e}"),
            Self::UnsupportedScheme(scheme) => {
                write!(
                    f,
                    "the scheme {scheme:?} is none of http, socks5 and socks5h"
                )
            }
            Self::Host => f.write_str("the proxy has no host, or not a possible one"),
            Self::Superfluous => f.write_str("a proxy has no path, query or fragment"),
            Self::UserName => f.write_str("the user name cannot be sent"),
            Self::Password => f.write_str("the password cannot be sent"),
            Self::HeaderName(name) => write!(f, "{name:?} is not the name of a header"),
            Self::HeaderValue { name } => {
                write!(f, "the value of header {name} contains a control character")
            }
            Self::ReservedHeader(name) => {
                write!(f, "header {name} is the request's own and cannot be set")
            }
            Self::HeaderForSocks => f.write_str("SOCKS has no headers"),
        }
    }
}

impl Error for ProxyConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Syntax(e) => Some(e),
            _ => None,
        }
    }
}

/// Why a target cannot be asked of a proxy. Found before anything is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyTargetError {
    /// It is a Unix socket: that is on this host, and no proxy leads there.
    UnixSocket,
    /// The host's name is longer than 255 bytes, what SOCKS5 can say and DNS allows.
    NameTooLong(usize),
    /// The host's name is empty, or has what no name has in ASCII form.
    BadName,
}

impl fmt::Display for ProxyTargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnixSocket => f.write_str("no proxy leads to a Unix socket"),
            Self::NameTooLong(size) => {
                write!(f, "a host name of {size} bytes is over the limit of 255")
            }
            Self::BadName => f.write_str("the host's name is none that a proxy could be told"),
        }
    }
}

impl Error for ProxyTargetError {}

/// Why a proxy did not lead to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// It cannot be asked for that target; nothing was sent.
    Target(ProxyTargetError),
    /// The HTTP proxy answered with this status instead of 2xx. 407: it wants credentials, or others.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What else it said.
        answer: Arc<ProxyAnswer>,
    },
    /// The answer is not of the protocol; the text says how.
    Malformed(&'static str),
    /// The head of the HTTP proxy's answer is longer than this many bytes.
    HeadTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The HTTP proxy's answer has more headers than this.
    TooManyHeaders {
        /// The limit, in lines.
        limit: usize,
    },
    /// The SOCKS5 proxy takes none of the ways to log in that were offered: it wants credentials if
    /// none were given (RFC 1928 section 3, X'FF').
    NoAcceptableMethod,
    /// The SOCKS5 proxy refused the user name and password (RFC 1929 section 2).
    LoginFailed,
    /// The SOCKS5 proxy's reply (RFC 1928 section 6).
    Socks(SocksReply),
    /// The proxy ended the connection before it had answered.
    Ended,
}

impl ProxyError {
    /// See [`CloseReason::is_permanent`](crate::CloseReason::is_permanent).
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Refused { status, .. } => is_permanent_status(*status),
            Self::Target(_) | Self::NoAcceptableMethod | Self::LoginFailed => true,
            Self::Socks(reply) => matches!(
                reply,
                SocksReply::NotAllowed
                    | SocksReply::CommandNotSupported
                    | SocksReply::AddressTypeNotSupported
            ),
            _ => false,
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(e) => write!(f, "{e}"),
            Self::Refused { status: 407, .. } => {
                f.write_str("it wants to know who asks (HTTP status 407)")
            }
            Self::Refused { status, .. } => write!(f, "it refused with HTTP status {status}"),
            Self::Malformed(how) => write!(f, "its answer is malformed: {how}"),
            Self::HeadTooLarge { limit } => {
                write!(
                    f,
                    "the head of its answer is over the limit of {limit} bytes"
                )
            }
            Self::TooManyHeaders { limit } => {
                write!(f, "its answer has more headers than the limit of {limit}")
            }
            Self::NoAcceptableMethod => f.write_str("it takes none of the ways to log in offered"),
            Self::LoginFailed => f.write_str("it refused the user name and password"),
            Self::Socks(reply) => write!(f, "{reply}"),
            Self::Ended => f.write_str("it ended the connection before it had answered"),
        }
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Target(e) => Some(e),
            _ => None,
        }
    }
}

impl From<ProxyTargetError> for ProxyError {
    fn from(e: ProxyTargetError) -> Self {
        Self::Target(e)
    }
}

/// A SOCKS5 proxy's reply that is not success (RFC 1928 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocksReply {
    /// X'01'.
    GeneralFailure,
    /// X'02': not allowed by its rules.
    NotAllowed,
    /// X'03'.
    NetworkUnreachable,
    /// X'04'; also what many proxies say of a name that does not resolve.
    HostUnreachable,
    /// X'05'.
    ConnectionRefused,
    /// X'06'.
    TtlExpired,
    /// X'07'.
    CommandNotSupported,
    /// X'08'.
    AddressTypeNotSupported,
    /// Another one, which RFC 1928 does not assign.
    Unassigned(u8),
}

impl SocksReply {
    /// The reply of that number, which is not 0.
    pub(super) fn of(number: u8) -> Self {
        match number {
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            other => Self::Unassigned(other),
        }
    }
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GeneralFailure => f.write_str("general SOCKS server failure"),
            Self::NotAllowed => f.write_str("connection not allowed by its rules"),
            Self::NetworkUnreachable => f.write_str("network unreachable"),
            Self::HostUnreachable => f.write_str("host unreachable"),
            Self::ConnectionRefused => f.write_str("connection refused"),
            Self::TtlExpired => f.write_str("TTL expired"),
            Self::CommandNotSupported => f.write_str("command not supported"),
            Self::AddressTypeNotSupported => f.write_str("address type not supported"),
            Self::Unassigned(number) => write!(f, "SOCKS reply {number}"),
        }
    }
}
