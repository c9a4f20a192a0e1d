//! Misbehaving peers that many tests need.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::frame::{encode_frame, opcode};
use crate::script::ScriptServer;
use crate::server::Tls;

impl ScriptServer {
    /// Accepts TCP connections and never says a word. Its URL is `ws`.
    pub fn mute_tcp() -> Self {
        Self::start(Tls::Off, |conn| {
            conn.wait_for_release();
            Ok(())
        })
    }

    /// Accepts TCP connections and never begins TLS. Take its [`ScriptServer::url_as`]`("wss")`.
    pub fn mute_tls() -> Self {
        Self::mute_tcp()
    }

    /// Reads the request (after TLS, if that is on) and never answers it.
    pub fn mute_upgrade(tls: Tls<'_>) -> Self {
        Self::start(tls, |conn| {
            conn.read_request_head()?;
            conn.wait_for_release();
            Ok(())
        })
    }

    /// Answers the request with a byte every 50 ms, without an end: the status line, then headers for ever.
    pub fn dribble(tls: Tls<'_>) -> Self {
        Self::start(tls, |conn| {
            conn.read_request_head()?;
            let start = b"HTTP/1.1 101 Switching Protocols\r\n".iter();
            let endless = b"X-More: to come\r\n".iter().cycle();
            for byte in start.chain(endless) {
                conn.send(std::slice::from_ref(byte))?;
                if conn.released_within(Duration::from_millis(50)) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Opens, echoes, and takes no notice of a Close frame nor of the end of the client's side.
    pub fn never_close(tls: Tls<'_>) -> Self {
        Self::start(tls, |conn| {
            conn.accept_upgrade()?;
            while let Some(frame) = conn.read_frame()? {
                match frame.opcode {
                    opcode::CLOSE | opcode::PONG => {}
                    opcode::PING => conn.send_frame(opcode::PONG, true, &frame.payload)?,
                    other => conn.send_frame(other, frame.fin, &frame.payload)?,
                }
            }
            conn.wait_for_release();
            Ok(())
        })
    }

    /// Opens, then sends binary frames of 16 KiB without an end and reads nothing.
    pub fn flood(tls: Tls<'_>) -> Self {
        let frame = encode_frame(opcode::BINARY, true, &[0xA5; 16 * 1024]);
        Self::start(tls, move |conn| {
            conn.accept_upgrade()?;
            loop {
                conn.send(&frame)?;
            }
        })
    }

    /// Opens and at once closes with `code` and `reason`, then ends orderly after the client's answer.
    pub fn close_first(tls: Tls<'_>, code: u16, reason: &str) -> Self {
        let reason = reason.to_owned();
        Self::start(tls, move |conn| {
            conn.accept_upgrade()?;
            conn.send_close(code, &reason)?;
            conn.read_close()?;
            conn.finish()
        })
    }

    /// Accepts TCP connections and closes them at once.
    pub fn accept_then_drop() -> Self {
        Self::start(Tls::Off, |_| Ok(()))
    }

    /// Accepts the WebSocket and closes the stream at once, without a Close frame.
    pub fn open_then_drop(tls: Tls<'_>) -> Self {
        Self::start(tls, |conn| {
            conn.accept_upgrade()?;
            conn.close_without_notify();
            Ok(())
        })
    }

    /// Answers every request with `status` (such as `401 Unauthorized`), header lines and a body.
    pub fn http_status(tls: Tls<'_>, status: &str, headers: &[&str], body: &str) -> Self {
        let mut response = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
        for line in headers {
            response.push_str(line);
            response.push_str("\r\n");
        }
        response.push_str("\r\n");
        response.push_str(body);
        Self::start(tls, move |conn| {
            conn.read_request_head()?;
            conn.send(response.as_bytes())?;
            conn.finish()
        })
    }
}

/// An address on 127.0.0.1 where nobody listens, so that a connect is refused: the port of a service
/// (tcpmux) that nobody runs. One that was free a moment ago could be anybody's the next.
pub fn refuse_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

/// A port of 127.0.0.1 at which nobody listens, and which nobody gets by chance: a test may let its own server
/// listen there, or bind its own client to it, while this is kept. One that was merely free a moment ago could
/// be anybody's the next.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _held: Socket,
}

impl ReservedPort {
    /// Takes one that is free.
    pub fn new() -> Self {
        Self::on(Ipv4Addr::LOCALHOST.into()).expect("a port of 127.0.0.1")
    }

    /// One of that address.
    ///
    /// # Errors
    /// When the machine does not have it.
    pub fn on(ip: IpAddr) -> io::Result<Self> {
        let at = SocketAddr::new(ip, 0);
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
        // With it others may bind the same port as long as nobody listens; the system gives it to nobody who
        // asks for any.
        socket.set_reuse_address(true)?;
        socket.bind(&at.into())?;
        let address = socket.local_addr()?.as_socket();
        let address = address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            address,
            _held: socket,
        })
    }

    /// The address with the port.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

impl Default for ReservedPort {
    fn default() -> Self {
        Self::new()
    }
}

/// An address of this host that no other test has: on Linux all of 127/8 is its own. A port of it that was free
/// a moment ago still is.
pub fn own_ip() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST;
    }
    let ([.., high, low], n) = (
        std::process::id().to_be_bytes(),
        NEXT.fetch_add(1, Ordering::Relaxed),
    );
    Ipv4Addr::new(127, high.max(1), low, (n % 254) as u8 + 1)
}

/// An address where a connect neither succeeds nor fails: a listener whose queue is full. Linux drops the
/// SYN then, as a firewall would.
#[derive(Debug)]
pub struct Blackhole {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Blackhole {
    /// Fills a queue.
    ///
    /// # Errors
    /// When sockets cannot be had, or the system goes on accepting.
    pub fn new() -> io::Result<Self> {
        /// The queue takes backlog + 1; more than this means that the system does not drop.
        const TRIES: usize = 16;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(0)?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        let mut queued = Vec::new();
        for _ in 0..TRIES {
            match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
                Ok(stream) => queued.push(stream),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Ok(Self {
                        address,
                        _listener: listener,
                        _queued: queued,
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the queue of the listener never fills"))
    }

    /// Where connects hang.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}
