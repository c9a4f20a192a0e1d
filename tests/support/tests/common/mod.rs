//! Blocking WebSocket clients to try the servers with.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use hvloop_test_support::TestCa;
use rustls::{ClientConnection, StreamOwned};
use tungstenite::WebSocket;

/// A stream that a client may have.
pub trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}

/// A client over either kind of stream.
pub type Client = WebSocket<Box<dyn Duplex>>;

/// A TCP connection to `port` whose reads cannot wait for ever.
pub fn tcp(port: u16) -> TcpStream {
    let tcp = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    tcp.set_read_timeout(Some(Duration::from_secs(30)))
        .expect("not zero");
    tcp
}

/// A TLS stream to `port`.
pub fn tls(port: u16, ca: &TestCa) -> StreamOwned<ClientConnection, TcpStream> {
    let name = "127.0.0.1".try_into().expect("a name");
    let session = ClientConnection::new(ca.client_config(), name).expect("a session");
    StreamOwned::new(session, tcp(port))
}

/// An open client; over TLS if there is an authority.
pub fn connect(port: u16, ca: Option<&Arc<TestCa>>) -> Client {
    try_connect(port, ca).expect("open")
}

/// Tries to open a client.
pub fn try_connect(
    port: u16,
    ca: Option<&Arc<TestCa>>,
) -> Result<Client, Box<dyn std::error::Error>> {
    let (scheme, stream): (_, Box<dyn Duplex>) = match ca {
        None => ("ws", Box::new(tcp(port))),
        Some(ca) => ("wss", Box::new(tls(port, ca))),
    };
    let url = format!("{scheme}://127.0.0.1:{port}/");
    match tungstenite::client(url, stream) {
        Ok((client, _)) => Ok(client),
        Err(error) => Err(error.to_string().into()),
    }
}
