//! Proxies that do what a test says.

use super::ws_client::Transport;
use hvloop::Proxy;
use hvloop_test_support::{ScriptConn, ScriptServer, Tls};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// A proxy of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Http,
    HttpWithLogin,
    Socks,
    SocksWithLogin,
}

pub const KINDS: [Kind; 4] = [
    Kind::Http,
    Kind::HttpWithLogin,
    Kind::Socks,
    Kind::SocksWithLogin,
];

impl Kind {
    /// What the client is to be told.
    pub fn at(self, address: SocketAddr) -> Proxy {
        let (host, port) = (address.ip().to_string(), address.port());
        let proxy = match self {
            Self::Http | Self::HttpWithLogin => Proxy::http(host, port),
            Self::Socks | Self::SocksWithLogin => Proxy::socks5(host, port),
        };
        match self {
            Self::Http | Self::Socks => proxy,
            Self::HttpWithLogin | Self::SocksWithLogin => proxy.credentials("me", "it's").unwrap(),
        }
    }
}

/// A proxy that insists on being asked for `host` at the target's port, answers byte by byte, and
/// leads to the target.
pub fn leading(kind: Kind, host: &'static str, target: SocketAddr) -> ScriptServer {
    ScriptServer::start(Tls::Off, move |conn| {
        ask(conn, kind, host, target.port())?;
        answer(conn, kind)?;
        relay(conn, target)
    })
}

/// Reads what the client asks, up to where the last answer is due.
pub fn ask(conn: &mut ScriptConn, kind: Kind, host: &str, port: u16) -> io::Result<()> {
    match kind {
        Kind::Http | Kind::HttpWithLogin => {
            let head = conn.read_request_head()?;
            let authority = format!("{host}:{port}");
            assert_eq!(
                head.request_line,
                format!("CONNECT {authority} HTTP/1.1"),
                "{head:?}"
            );
            assert_eq!(head.header("Host"), Some(&*authority));
            // me:it's
            let login = (kind == Kind::HttpWithLogin).then_some("Basic bWU6aXQncw==");
            assert_eq!(head.header("Proxy-Authorization"), login);
            Ok(())
        }
        Kind::Socks => {
            assert_eq!(bytes(conn, 3)?, [5, 1, 0]);
            conn.send_byte_by_byte(&[5, 0])?;
            ask_socks(conn, host, port)
        }
        Kind::SocksWithLogin => {
            assert_eq!(bytes(conn, 4)?, [5, 2, 0, 2]);
            conn.send_byte_by_byte(&[5, 2])?;
            assert_eq!(bytes(conn, 9)?, *b"\x01\x02me\x04it's");
            conn.send_byte_by_byte(&[1, 0])?;
            ask_socks(conn, host, port)
        }
    }
}

fn ask_socks(conn: &mut ScriptConn, host: &str, port: u16) -> io::Result<()> {
    let mut expected = vec![5, 1, 0, 3, host.len() as u8];
    expected.extend_from_slice(host.as_bytes());
    expected.extend_from_slice(&port.to_be_bytes());
    assert_eq!(bytes(conn, expected.len())?, expected);
    Ok(())
}

/// Where nobody is, for proxies that lead nowhere.
pub fn url(transport: Transport) -> &'static str {
    match transport {
        Transport::Ws => "ws://localhost:81/",
        Transport::Wss => "wss://localhost:81/",
    }
}

/// What says that the tunnel is there.
pub fn granted(kind: Kind) -> Vec<u8> {
    match kind {
        Kind::Http | Kind::HttpWithLogin => {
            b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 200 Connection established\r\nVia: us\r\n\r\n"
                .to_vec()
        }
        Kind::Socks => vec![5, 0, 0, 1, 127, 0, 0, 1, 0, 80],
        Kind::SocksWithLogin => b"\x05\x00\x00\x03\x05proxy\x00\x50".to_vec(),
    }
}

pub fn answer(conn: &mut ScriptConn, kind: Kind) -> io::Result<()> {
    conn.send_byte_by_byte(&granted(kind))
}

/// So many bytes.
pub fn bytes(conn: &mut ScriptConn, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    conn.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Passes bytes on between both, until both have ended.
pub fn relay(conn: &ScriptConn, target: SocketAddr) -> io::Result<()> {
    let (front, back) = (conn.tcp().try_clone()?, TcpStream::connect(target)?);
    let (from, to) = (front.try_clone()?, back.try_clone()?);
    let up = std::thread::spawn(move || pass(from, to));
    pass(back, front);
    up.join().expect("the other way");
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // The other side may be gone.
    let _ = to.shutdown(Shutdown::Write);
}
