//! Whether an end would come again.

use super::{CloseEvent, ConnectionError};
use crate::handshake::HandshakeError;
use hvloop_event::http::is_permanent_status;

impl CloseEvent {
    /// Whether the same attempt would most likely fail in the same way, so that a client does not make it
    /// by default:
    ///
    /// - the server, or an HTTP proxy, refused with 301, 308, 4xx (but for 408, 421, 423, 425 and 429,
    ///   which pass), 501 or 505; a SOCKS proxy refused the login, or by its rules;
    /// - the server's certificate was refused (but for one that is not valid yet: the clock of this
    ///   host may be wrong), or the server refused this side's;
    /// - the two share no version of TLS, or of HTTP (ALPN).
    pub fn is_permanent(&self) -> bool {
        match &self.error {
            Some(ConnectionError::Handshake(e)) => match **e {
                HandshakeError::Status { status, .. } => is_permanent_status(status),
                _ => false,
            },
            Some(ConnectionError::Redirect(e)) => is_permanent_status(e.status),
            Some(ConnectionError::WrongAlpn(_)) => true,
            Some(ConnectionError::Transport(reason)) => reason.is_permanent(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::testkit::{event, refused};
    use hvloop_event::{CloseReason, ProxyError, SocksReply};
    #[cfg(feature = "tls")]
    use hvloop_event::{
        rustls::AlertDescription,
        tls::{CertificateProblem, TlsError},
    };

    #[test]
    fn what_is_permanent() {
        for status in [
            301, 308, 400, 401, 403, 404, 405, 407, 410, 426, 431, 451, 501, 505,
        ] {
            assert!(refused(status, &[]).is_permanent(), "{status}");
        }
        for status in [
            200, 302, 303, 307, 408, 421, 423, 425, 429, 500, 502, 503, 504, 599,
        ] {
            assert!(!refused(status, &[]).is_permanent(), "{status}");
        }
        let transport = |reason| event(ConnectionError::Transport(reason)).is_permanent();
        assert!(transport(CloseReason::Proxy(ProxyError::LoginFailed)));
        assert!(transport(CloseReason::Proxy(ProxyError::Socks(
            SocksReply::NotAllowed
        ))));
        assert!(!transport(CloseReason::Proxy(ProxyError::Socks(
            SocksReply::HostUnreachable
        ))));
        assert!(!transport(CloseReason::Peer));
        assert!(!event(ConnectionError::UpgradeInterrupted).is_permanent());
        #[cfg(feature = "tls")]
        {
            let certificate = |problem| transport(CloseReason::Tls(TlsError::Certificate(problem)));
            assert!(certificate(CertificateProblem::UnknownIssuer));
            assert!(certificate(CertificateProblem::Expired { since: None }));
            assert!(!certificate(CertificateProblem::NotYetValid {
                until: None
            }));
            let alert = |alert| transport(CloseReason::Tls(TlsError::AlertReceived(alert)));
            assert!(alert(AlertDescription::CertificateRequired));
            assert!(!alert(AlertDescription::InternalError));
        }
    }
}
