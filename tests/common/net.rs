//! TCP and TLS: certificates, and peers that are blocking sockets.

use hvloop::Listen;
use hvloop::event::tls::{TlsIdentities, TlsServerConfig};
use hvloop_test_support::{DEADLINE, TestCa};
use rustls::pki_types::ServerName;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// Plain or with TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Tls,
}

/// Runs a scenario over TCP and over TLS, as `name::tcp` and `name::tls`.
#[macro_export]
macro_rules! over_tcp_and_tls {
    ($($(#[$doc:meta])* $name:ident => $scenario:ident;)*) => { $(
        $(#[$doc])*
        mod $name {
            #[test]
            fn tcp() { super::$scenario($crate::common::net::Transport::Tcp) }
            #[test]
            fn tls() { super::$scenario($crate::common::net::Transport::Tls) }
        }
    )* };
}

/// A transport and its certificates.
pub struct Net {
    pub transport: Transport,
    pub ca: TestCa,
}

impl Net {
    pub fn new(transport: Transport) -> Self {
        let ca = TestCa::new();
        Self { transport, ca }
    }

    /// At a free port.
    pub fn listen(&self) -> Listen {
        self.at(([127, 0, 0, 1], 0).into())
    }

    pub fn at(&self, address: SocketAddr) -> Listen {
        let listen = Listen::tcp(address);
        match self.transport {
            Transport::Tcp => listen,
            Transport::Tls => listen.with_tls(self.server_config()),
        }
    }

    pub fn server_config(&self) -> TlsServerConfig {
        let (chain, key) = self.ca.server_pem(&["localhost", "127.0.0.1"]);
        TlsServerConfig::new(TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes())).unwrap()
    }

    /// A connected peer; with TLS, after the handshake.
    #[track_caller]
    pub fn connect(&self, to: SocketAddr) -> Peer {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let mut tls = match self.transport {
            Transport::Tcp => None,
            Transport::Tls => Some(self.client_tls("localhost")),
        };
        let mut stream = stream;
        if let Some(tls) = &mut tls {
            while tls.is_handshaking() {
                tls.complete_io(&mut stream).unwrap();
            }
        }
        Peer { stream, tls }
    }

    pub fn client_tls(&self, name: &'static str) -> Box<rustls::ClientConnection> {
        let name = ServerName::try_from(name).unwrap();
        Box::new(rustls::ClientConnection::new(self.ca.client_config(), name).unwrap())
    }
}

/// How a stream ended, as its peer saw it.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// In order: FIN, and with TLS `close_notify` before it.
    Clean,
    /// FIN without `close_notify`.
    Truncated,
    Reset,
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Peer::read(self, buffer)
    }
}

/// A blocking peer.
pub struct Peer {
    pub stream: TcpStream,
    tls: Option<Box<rustls::ClientConnection>>,
}

impl Peer {
    /// From now on the system keeps little of what this peer has not read. Else its buffer grows to megabytes
    /// where the machine lets it, as soon as some reads come fast.
    #[allow(dead_code, reason = "not every test program needs it")]
    pub fn keep_little(&self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_recv_buffer_size(64 * 1024).unwrap();
    }

    #[track_caller]
    pub fn send(&mut self, data: &[u8]) {
        self.try_send(data).unwrap();
    }

    /// Sends this and ends, in one write: both are read together.
    #[track_caller]
    pub fn send_last(&mut self, data: &[u8]) {
        match &mut self.tls {
            Some(tls) => {
                tls.writer().write_all(data).unwrap();
                tls.send_close_notify();
                while tls.wants_write() {
                    tls.write_tls(&mut self.stream).unwrap();
                }
            }
            None => self.stream.write_all(data).unwrap(),
        }
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends for as long as the other side is there.
    pub fn flood(&mut self) {
        let data = [0; 16 * 1024];
        let until = std::time::Instant::now() + DEADLINE;
        while std::time::Instant::now() < until {
            if self.try_send(&data).is_err() {
                break;
            }
        }
    }

    /// Sends to one who may have closed.
    pub fn try_send(&mut self, data: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut self.stream);
                stream.write_all(data).and_then(|()| stream.flush())
            }
            None => self.stream.write_all(data),
        }
    }

    /// One read; `Ok(0)` is the end.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(buffer),
            None => self.stream.read(buffer),
        }
    }

    /// So many bytes.
    #[track_caller]
    pub fn expect(&mut self, count: usize) -> Vec<u8> {
        let mut got = vec![0; count];
        let mut have = 0;
        while have < count {
            let n = self.read(&mut got[have..]).unwrap();
            assert!(n > 0, "the stream ended after {have} of {count} bytes");
            have += n;
        }
        got
    }

    /// Ends this side, in order.
    pub fn end(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = tls.write_tls(&mut self.stream);
        }
        // Fails if the other side has closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// All that comes until the end, and how that was. Ends this side then.
    pub fn rest(&mut self) -> (Vec<u8>, End) {
        let (mut got, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        let end = loop {
            match self.read(&mut buffer) {
                Ok(0) => break End::Clean,
                Ok(n) => got.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break End::Truncated,
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => break End::Reset,
                Err(e) => panic!("after {} bytes: {e}", got.len()),
            }
        };
        self.end();
        (got, end)
    }
}
