//! What can be wrong with a proxy: with its settings, with a target, or with what it answers.

use super::answer::ProxyAnswer;
use crate::http::is_permanent_status;
use std::sync::Arc;

/// Why a [`Proxy`](super::Proxy) cannot be made of what the user gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyConfigError {
    /// It is no URL at all, or its port or host is malformed.
    #[error("not a URL: {0}")]
    Syntax(#[source] url::ParseError),
    /// The scheme is none of `http`, `socks5` and `socks5h`.
    #[error("the scheme {0:?} is none of http, socks5 and socks5h")]
    UnsupportedScheme(String),
    /// There is no host, or what is there cannot be one.
    #[error("the proxy has no host, or not a possible one")]
    Host,
    /// There is a path, a query or a fragment: a proxy has none.
    #[error("a proxy has no path, query or fragment")]
    Superfluous,
    /// HTTP: the user name has a colon or a control character (RFC 7617 section 2). SOCKS5: it is
    /// not of 1 to 255 bytes (RFC 1929 section 2).
    #[error("the user name cannot be sent")]
    UserName,
    /// HTTP: the password has a control character. SOCKS5: it is longer than 255 bytes.
    #[error("the password cannot be sent")]
    Password,
    /// The name is not a token (RFC 9110 section 5.1).
    #[error("{0:?} is not the name of a header")]
    HeaderName(String),
    /// The value has a line end, a NUL or another control character (RFC 9110 section 5.5).
    #[error("the value of header {name} contains a control character")]
    HeaderValue {
        /// Whose value it is.
        name: String,
    },
    /// The header is the request's own, or would announce a body that it does not have.
    #[error("header {0} is the request's own and cannot be set")]
    ReservedHeader(String),
    /// SOCKS has no headers.
    #[error("SOCKS has no headers")]
    HeaderForSocks,
}

/// Why a target cannot be asked of a proxy. Found before anything is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyTargetError {
    /// It is a Unix socket: that is on this host, and no proxy leads there.
    #[error("no proxy leads to a Unix socket")]
    UnixSocket,
    /// The host's name is longer than 255 bytes, what SOCKS5 can say and DNS allows.
    #[error("a host name of {0} bytes is over the limit of 255")]
    NameTooLong(usize),
    /// The host's name is empty, or has what no name has in ASCII form.
    #[error("the host's name is none that a proxy could be told")]
    BadName,
}

/// Why a proxy did not lead to the target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It cannot be asked for that target; nothing was sent.
    #[error("{0}")]
    Target(#[from] ProxyTargetError),
    /// The HTTP proxy answered with this status instead of 2xx. 407: it wants credentials, or others.
    #[error("{}", refusal(*.status))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What else it said.
        answer: Arc<ProxyAnswer>,
    },
    /// The answer is not of the protocol; the text says how.
    #[error("its answer is malformed: {0}")]
    Malformed(&'static str),
    /// The head of the HTTP proxy's answer is longer than this many bytes.
    #[error("the head of its answer is over the limit of {limit} bytes")]
    HeadTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The HTTP proxy's answer has more headers than this.
    #[error("its answer has more headers than the limit of {limit}")]
    TooManyHeaders {
        /// The limit, in lines.
        limit: usize,
    },
    /// The SOCKS5 proxy takes none of the ways to log in that were offered: it wants credentials if
    /// none were given (RFC 1928 section 3, X'FF').
    #[error("it takes none of the ways to log in offered")]
    NoAcceptableMethod,
    /// The SOCKS5 proxy refused the user name and password (RFC 1929 section 2).
    #[error("it refused the user name and password")]
    LoginFailed,
    /// The SOCKS5 proxy's reply (RFC 1928 section 6).
    #[error("{0}")]
    Socks(SocksReply),
    /// The proxy ended the connection before it had answered.
    #[error("it ended the connection before it had answered")]
    Ended,
}

fn refusal(status: u16) -> String {
    match status {
        407 => "it wants to know who asks (HTTP status 407)".to_owned(),
        _ => format!("it refused with HTTP status {status}"),
    }
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

/// A SOCKS5 proxy's reply that is not success (RFC 1928 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocksReply {
    /// X'01'.
    #[error("general SOCKS server failure")]
    GeneralFailure,
    /// X'02': not allowed by its rules.
    #[error("connection not allowed by its rules")]
    NotAllowed,
    /// X'03'.
    #[error("network unreachable")]
    NetworkUnreachable,
    /// X'04'; also what many proxies say of a name that does not resolve.
    #[error("host unreachable")]
    HostUnreachable,
    /// X'05'.
    #[error("connection refused")]
    ConnectionRefused,
    /// X'06'.
    #[error("TTL expired")]
    TtlExpired,
    /// X'07'.
    #[error("command not supported")]
    CommandNotSupported,
    /// X'08'.
    #[error("address type not supported")]
    AddressTypeNotSupported,
    /// Another one, which RFC 1928 does not assign.
    #[error("SOCKS reply {0}")]
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
