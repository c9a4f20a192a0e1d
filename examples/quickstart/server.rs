//! A plain echo server: tungstenite, a thread per connection.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tungstenite::Message;

/// See the module.
pub struct EchoServer {
    address: SocketAddr,
    certificate: Option<String>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl EchoServer {
    pub fn start(tls: bool) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (config, certificate) = if tls {
            let (config, pem) = self_signed()?;
            (Some(config), Some(pem))
        } else {
            (None, None)
        };
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = stopping.clone();
        let thread = std::thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    break;
                }
                let config = config.clone();
                let serve = move |stream| serve(stream, config);
                match stream {
                    Ok(stream) => connections.push(std::thread::spawn(move || serve(stream))),
                    Err(e) => eprintln!("accept: {e}"),
                }
            }
            for connection in connections {
                if let Err(e) = connection.join() {
                    eprintln!("a connection's thread panicked: {e:?}");
                }
            }
        });
        Ok(Self {
            address,
            certificate,
            stopping,
            thread,
        })
    }

    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "wss"
        } else {
            "ws"
        };
        format!("{scheme}://{}/", self.address)
    }

    /// The certificate to trust, in PEM.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Ends the server once its connections have ended.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address)); // wakes the accept
        if self.thread.join().is_err() {
            eprintln!("the server panicked");
        }
    }
}

fn serve(stream: TcpStream, config: Option<Arc<ServerConfig>>) {
    if let Err(e) = stream.set_nodelay(true) {
        eprintln!("TCP_NODELAY: {e}");
    }
    let result = match config {
        None => echo(stream).map(drop),
        Some(config) => ServerConnection::new(config)
            .map_err(|e| tungstenite::Error::Io(std::io::Error::other(e)))
            .and_then(|tls| echo(StreamOwned::new(tls, stream)))
            .and_then(|mut stream| {
                stream.conn.send_close_notify();
                stream.flush()?;
                stream.sock.shutdown(Shutdown::Write)?;
                Ok(())
            }),
    };
    if let Err(e) = result {
        eprintln!("server: {e}");
    }
}

/// Echoes until both sides have sent Close.
fn echo<S: Read + Write>(stream: S) -> Result<S, tungstenite::Error> {
    let mut ws = tungstenite::accept(stream)
        .map_err(|e| tungstenite::Error::Io(std::io::Error::other(e.to_string())))?;
    loop {
        match ws.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => ws.send(message)?,
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(ws.into_inner()),
            Err(e) => return Err(e),
        }
    }
}

fn self_signed() -> Result<(Arc<ServerConfig>, String), Box<dyn Error>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    Ok((Arc::new(config), cert.pem()))
}
