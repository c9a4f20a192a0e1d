//! [`TlsSession`]: one connection's TLS, sans-IO: bytes in, bytes out, no socket.
//!
//! The four byte streams move independently of each other, as readiness allows. Nothing here waits
//! for the other direction, so that two peers that both write much cannot block each other:
//!
//! ```text
//! socket --receive()--> [rustls] --read_plain()--> application
//! socket <-take_cipher()- [rustls] <-write_plain()- application
//! ```
//!
//! Both buffers are bounded: plaintext not yet read makes [`TlsSession::receive`] stop consuming,
//! ciphertext not yet taken makes [`TlsSession::write_plain`] stop accepting.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustls::pki_types::CertificateDer;
use rustls::{ClientConnection, Connection, InvalidMessage, IoState};

use super::config::{TlsClientConfig, TlsVersion};
use super::error::TlsError;

/// How many bytes of ciphertext, and apart from that of plaintext before the handshake is over, wait
/// at most in the session. One record may exceed it by its overhead.
const OUT_LIMIT: usize = 64 * 1024;

/// From how many bytes of unread plaintext on no more ciphertext is consumed. rustls refuses
/// ciphertext, by an error, when more than this is unread; stopping in time never provokes it.
const PLAIN_HIGH_WATER: usize = 16 * 1024;

/// The TLS state of one connection. Belongs to the thread of its loop.
pub(crate) struct TlsSession {
    conn: Connection,
    /// Decrypted bytes that wait in rustls for `read_plain`.
    unread_plain: usize,
    /// The peer's close_notify was received.
    peer_closed: bool,
    /// The error that ended the session.
    failure: Option<TlsError>,
    close: Close,
    /// Plaintext was accepted before the handshake was over.
    wrote_early: bool,
}

/// Where our own close_notify is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    /// Not asked for.
    Open,
    /// Asked for, but plaintext accepted earlier waits for the end of the handshake and goes first.
    AfterHandshake,
    /// Handed to rustls.
    Sent,
}

impl TlsSession {
    /// The client's side of a connection to `host` (DNS name, IPv4 or IPv6 address, the last one in
    /// brackets or not). An IP address must be a SAN of the certificate (RFC 9110, section 4.3.5).
    /// The first flight is ready for [`take_cipher`](Self::take_cipher) at once.
    ///
    /// # Errors
    /// [`TlsError::InvalidServerName`]; [`TlsError::Rustls`] if the configuration or the system's
    /// randomness fails.
    pub(crate) fn client(config: &TlsClientConfig, host: &str) -> Result<Self, TlsError> {
        let name = config
            .server_name_for(host)
            .ok_or_else(|| TlsError::InvalidServerName(host.to_owned()))?;
        let conn = ClientConnection::new(config.as_rustls().clone(), name)?;
        Ok(Self::over(conn.into()))
    }

    /// The server's side of a connection.
    ///
    /// # Errors
    /// [`TlsError::Rustls`] if the configuration or the system's randomness fails.
    pub(crate) fn server(config: std::sync::Arc<rustls::ServerConfig>) -> Result<Self, TlsError> {
        Ok(Self::over(rustls::ServerConnection::new(config)?.into()))
    }

    fn over(mut conn: Connection) -> Self {
        conn.set_buffer_limit(Some(OUT_LIMIT));
        Self {
            conn,
            unread_plain: 0,
            peer_closed: false,
            failure: None,
            close: Close::Open,
            wrote_early: false,
        }
    }

    /// Whether plaintext waits to be read: nothing will tell of it again.
    #[cfg(hvloop_sim)]
    pub(crate) fn has_unread(&self) -> bool {
        self.unread_plain > 0
    }

    /// The handshake is not over yet. When this turns false the last flight of the handshake may
    /// still wait for [`take_cipher`](Self::take_cipher).
    pub(crate) fn is_handshaking(&self) -> bool {
        self.conn.is_handshaking()
    }

    /// Takes ciphertext from the front of `cipher`, as much as there is room for, and decrypts it.
    ///
    /// If something is left in `cipher`, unread plaintext is in the way: drain
    /// [`read_plain`](Self::read_plain) and call again with the rest. Nothing that was consumed
    /// waits for a further call: all whole records in it are decrypted on return. Afterwards there
    /// may be something to send, also within the handshake: ask [`wants_write`](Self::wants_write).
    ///
    /// After the peer's close_notify everything is consumed and ignored (RFC 8446, section 6.1).
    ///
    /// # Errors
    /// Terminal: every later call returns the same error. What was decrypted before it can still be
    /// read, and [`take_cipher`](Self::take_cipher) has the alert that tells the peer.
    pub(crate) fn receive(&mut self, cipher: &mut &[u8]) -> Result<(), TlsError> {
        while !cipher.is_empty() {
            if self.peer_closed || self.failure.is_some() {
                *cipher = &[];
                break;
            }
            if self.unread_plain >= PLAIN_HIGH_WATER {
                break;
            }
            if let Err(error) = self.receive_some(cipher) {
                *cipher = &[];
                self.failure = Some(error);
            }
        }
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// One step of [`receive`](Self::receive): consumes at least one byte or fails.
    fn receive_some(&mut self, cipher: &mut &[u8]) -> Result<(), TlsError> {
        match self.conn.read_tls(cipher) {
            Ok(0) => {
                // rustls takes nothing after a close_notify, which `receive` sorted out. Should it
                // ever do so otherwise, an error is better than a loop without progress.
                return Err(no_progress("rustls takes no ciphertext"));
            }
            Ok(_) => {}
            // A slice yields no error of its own. rustls yields this one when a handshake message
            // outgrows what it is willing to hold ...
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let cause = InvalidMessage::HandshakePayloadTooLarge;
                return Err(TlsError::Protocol(rustls::Error::InvalidMessage(cause)));
            }
            // ... and another when plaintext is unread, which `receive` sorted out as well.
            Err(error) => return Err(no_progress(&error.to_string())),
        }
        let state = self.process()?;
        self.unread_plain = state.plaintext_bytes_to_read();
        self.peer_closed = state.peer_has_closed();
        if self.close == Close::AfterHandshake && !self.conn.is_handshaking() {
            self.close_now();
        }
        Ok(())
    }

    /// Decrypts what `read_tls` took in.
    fn process(&mut self) -> Result<IoState, rustls::Error> {
        if self.close != Close::Sent {
            return self.conn.process_new_packets();
        }
        // rustls counts our close_notify as the one alert that it may send, and asserts (in builds
        // with debug assertions) that it sends no other. So a peer that breaks the protocol after
        // our close_notify would panic us; it shall only fail this session.
        catch_unwind(AssertUnwindSafe(|| self.conn.process_new_packets())).unwrap_or_else(|_| {
            Err(rustls::Error::General(
                "the peer broke the protocol after our close_notify".into(),
            ))
        })
    }

    /// Moves decrypted bytes into `out` and says how many; 0 means that there are none now (or that
    /// `out` is empty).
    pub(crate) fn read_plain(&mut self, out: &mut [u8]) -> usize {
        // The errors are rustls' ways to say "none now" and "none ever again".
        let read = self.conn.reader().read(out).unwrap_or(0);
        self.unread_plain = self.unread_plain.saturating_sub(read);
        read
    }

    /// Encrypts a prefix of `data` and says how long it was; 0 means blocked until ciphertext was
    /// taken. Before the handshake is over up to 64 KiB are accepted and encrypted when it is; a 0
    /// then means blocked until the handshake is over.
    ///
    /// After [`send_close_notify`](Self::send_close_notify) or an error nothing is accepted.
    pub(crate) fn write_plain(&mut self, data: &[u8]) -> usize {
        if self.close != Close::Open || self.failure.is_some() {
            return 0;
        }
        // The only error is that of a session that failed, which was sorted out above.
        let written = self.conn.writer().write(data).unwrap_or(0);
        self.wrote_early |= written > 0 && self.conn.is_handshaking();
        written
    }

    /// Appends all ciphertext that waits to be sent to `out`: handshake, records and alerts.
    pub(crate) fn take_cipher(&mut self, out: &mut Vec<u8>) {
        while self.conn.wants_write() {
            // Writing to a `Vec` cannot fail, nor write nothing of something.
            if !matches!(self.conn.write_tls(out), Ok(n) if n > 0) {
                break;
            }
        }
    }

    /// There is ciphertext for [`take_cipher`](Self::take_cipher).
    pub(crate) fn wants_write(&self) -> bool {
        self.conn.wants_write()
    }

    /// Queues our close_notify behind everything that was written. Receiving goes on until the
    /// peer's. Does nothing the second time, nor after an error (its alert has said more).
    pub(crate) fn send_close_notify(&mut self) {
        if self.close != Close::Open || self.failure.is_some() {
            return;
        }
        if self.wrote_early && self.conn.is_handshaking() {
            self.close = Close::AfterHandshake;
        } else {
            self.close_now();
        }
    }

    fn close_now(&mut self) {
        self.conn.send_close_notify();
        self.close = Close::Sent;
    }

    /// The peer sent its close_notify: after the plaintext that is still unread there is no more.
    pub(crate) fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// The name that a client asked for (RFC 6066 section 3), once its hello has come.
    pub(crate) fn client_asked_for(&self) -> Option<&str> {
        match &self.conn {
            Connection::Server(server) => server.server_name(),
            Connection::Client(_) => None,
        }
    }

    /// The application protocol agreed on (RFC 7301); `None` before that or if there is none.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.conn.alpn_protocol()
    }

    /// The protocol version agreed on; `None` before that.
    pub(crate) fn protocol_version(&self) -> Option<TlsVersion> {
        self.conn
            .protocol_version()
            .and_then(TlsVersion::from_rustls)
    }

    /// The peer's certificate chain, its own first, once it was verified; of a client `None` unless
    /// one was asked for.
    pub(crate) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.conn.peer_certificates()
    }
}

fn no_progress(why: &str) -> TlsError {
    TlsError::Rustls(rustls::Error::General(why.to_owned()))
}

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests;
