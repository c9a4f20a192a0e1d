//! The server behind [`EchoServer`](crate::EchoServer) and the program `hvloop-peer`: any number of
//! connections on the calling thread.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use crate::raw;
use crate::server::Mode;
use crate::stats::Stats;
use crate::wait::Monitor;

/// Connections that may wait for being accepted; ten thousand clients connect at once.
const BACKLOG: i32 = 4096;
/// Largest message and frame, in bytes.
const MESSAGE_LIMIT: usize = 64 << 20;
/// How long a connection may take to end after its Close frames, and a server to stop.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What the server's owner wants of all connections. Each new value is an order, given once.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// Nothing: the value before the first order.
    Go,
    /// Send a Close frame on every connection that is open now; go on accepting.
    Close { code: u16, reason: String },
    /// Drop every connection that is open now without a word; go on accepting.
    Abort,
    /// Accept no more, close every connection with 1001, wait for the peers, return.
    Stop,
    /// Accept no more, drop everything, return.
    Kill,
}

/// What one connection needs to know.
struct Shared {
    tls: Option<TlsAcceptor>,
    mode: Mode,
    stats: Monitor<Stats>,
}

/// A listener on 127.0.0.1 with a long backlog; port 0 means any.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until an order to stop comes or the sender of orders is gone. Blocks the calling thread.
pub(crate) fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    mode: Mode,
    stats: Monitor<Stats>,
    orders: watch::Receiver<Order>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let shared = Arc::new(Shared {
        tls: tls.map(TlsAcceptor::from),
        mode,
        stats,
    });
    runtime.block_on(accept_loop(listener, shared, orders))
}

async fn accept_loop(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut orders: watch::Receiver<Order>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        // Orders first, so that a connection accepted after an order does not get it.
        tokio::select! {
            biased;
            changed = orders.changed() => {
                let order = orders.borrow_and_update().clone();
                match order {
                    _ if changed.is_err() => return Ok(()),
                    Order::Kill => return Ok(()),
                    Order::Stop => break,
                    Order::Go | Order::Close { .. } | Order::Abort => {}
                }
            }
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(connection(tcp, Arc::clone(&shared), orders.clone()));
                }
                // Out of descriptors, or the client is gone again: go on in a moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        ended = tokio::time::timeout(END_LIMIT, all_ended) => {
            ended.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "clients did not go away"))
        }
        _ = orders.wait_for(|order| matches!(order, Order::Kill)) => Ok(()),
    }
}

/// Counts a connection as open for as long as it lives.
struct OpenGuard(Monitor<Stats>);

impl OpenGuard {
    fn new(stats: &Monitor<Stats>) -> Self {
        stats.update(|stats| {
            stats.accepted += 1;
            stats.open += 1;
            stats.peak = stats.peak.max(stats.open);
        });
        Self(stats.clone())
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.update(|stats| stats.open -= 1);
    }
}

async fn connection(tcp: TcpStream, shared: Arc<Shared>, mut orders: watch::Receiver<Order>) {
    let _open = OpenGuard::new(&shared.stats);
    // Best effort: only latency depends on it.
    let _ = tcp.set_nodelay(true);
    if shared.mode == Mode::Mute {
        raw::mute(tcp, orders).await;
        return;
    }
    let Some(acceptor) = &shared.tls else {
        session(tcp, &shared, orders).await;
        return;
    };
    let handshake = tokio::select! {
        done = acceptor.accept(tcp) => done.ok(),
        _ = orders.changed() => None,
    };
    match handshake {
        Some(stream) => session(stream, &shared, orders).await,
        None => shared.stats.update(|stats| stats.handshakes_failed += 1),
    }
}

async fn session<S>(stream: S, shared: &Shared, orders: watch::Receiver<Order>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match shared.mode {
        Mode::Echo | Mode::Mute => echo(stream, &shared.stats, orders).await,
        Mode::NeverClose => raw::never_close(stream, &shared.stats, orders).await,
        Mode::Flood => raw::flood(stream, &shared.stats, orders).await,
    }
}

async fn echo<S>(stream: S, stats: &Monitor<Stats>, mut orders: watch::Receiver<Order>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A small read buffer: the default takes 128 KiB a connection, too much for ten thousand.
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT));
    let upgrade =
        tokio_tungstenite::accept_hdr_async_with_config(stream, choose_subprotocol, Some(config));
    let upgraded = tokio::select! {
        done = upgrade => done.ok(),
        _ = orders.changed() => None,
    };
    let Some(mut ws) = upgraded else {
        stats.update(|stats| stats.handshakes_failed += 1);
        return;
    };
    stats.update(|stats| stats.upgraded += 1);

    let mut got_close = false;
    loop {
        let event = tokio::select! {
            biased;
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
                let order = orders.borrow_and_update().clone();
                match close_of(order) {
                    Some(frame) => ws.close(Some(frame)).await.err().map(Err),
                    None => return,
                }
            }
            event = ws.next() => match event {
                None => break,
                event => event,
            },
        };
        let result = match event {
            None => Ok(()),
            Some(Ok(message)) => answer(&mut ws, message, stats, &mut got_close).await,
            Some(Err(error)) => Err(error),
        };
        if let Err(error) = result {
            record_failure(stats, &error, got_close);
            return;
        }
    }
    if !got_close {
        stats.update(|stats| stats.abrupt += 1);
        return;
    }
    end(ws.into_inner(), stats).await;
}

/// Counts a message and sends it back.
async fn answer<S>(
    ws: &mut WebSocketStream<S>,
    message: Message,
    stats: &Monitor<Stats>,
    got_close: &mut bool,
) -> Result<(), tungstenite::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match message {
        Message::Text(_) | Message::Binary(_) => {
            stats.update(|stats| {
                stats.messages += 1;
                stats.bytes += message.len() as u64;
            });
            ws.send(message).await
        }
        // The protocol queued the Pong; it goes out with the flush.
        Message::Ping(_) => {
            stats.update(|stats| stats.pings += 1);
            ws.flush().await
        }
        Message::Pong(_) => {
            stats.update(|stats| stats.pongs += 1);
            Ok(())
        }
        Message::Close(frame) => {
            *got_close = true;
            let code = frame.map_or(1005, |frame| frame.code.into());
            stats.update(|stats| *stats.closes.entry(code).or_insert(0) += 1);
            Ok(())
        }
        Message::Frame(_) => Ok(()),
    }
}

/// Picks the first subprotocol that was offered, if any.
#[expect(
    clippy::result_large_err,
    reason = "the signature is the callback's of tungstenite"
)]
fn choose_subprotocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, ErrorResponse> {
    let offered = request
        .headers()
        .get("Sec-WebSocket-Protocol")
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.split(',').next())
        .and_then(|first| first.trim().parse().ok());
    if let Some(first) = offered {
        response
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", first);
    }
    Ok(response)
}

/// The Close frame that `order` asks for; `None` when it asks for the connection to be dropped.
fn close_of(order: Order) -> Option<CloseFrame> {
    match order {
        Order::Close { code, reason } => Some(CloseFrame {
            code: code.into(),
            reason: reason.into(),
        }),
        Order::Stop => Some(CloseFrame {
            code: 1001.into(),
            reason: "".into(),
        }),
        Order::Go | Order::Abort | Order::Kill => None,
    }
}

/// The orderly end after both Close frames: the server ends the stream first (RFC 6455, section 7.1.1),
/// then looks how the client ends its side.
async fn end<S>(mut stream: S, stats: &Monitor<Stats>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The client may be gone already; what counts is what it did, which the reads below tell.
    let _ = stream.shutdown().await;
    let mut rest = [0; 1024];
    let drained = tokio::time::timeout(END_LIMIT, async {
        loop {
            match stream.read(&mut rest).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    });
    match drained.await {
        Ok(Ok(())) => stats.update(|stats| stats.clean += 1),
        Ok(Err(error)) => record_io_failure(stats, &error),
        Err(_) => stats.update(|stats| stats.abrupt += 1),
    }
}

fn record_failure(stats: &Monitor<Stats>, error: &tungstenite::Error, got_close: bool) {
    match error {
        tungstenite::Error::Io(error) => {
            record_io_failure(stats, error);
        }
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {}
        tungstenite::Error::Protocol(_)
        | tungstenite::Error::Capacity(_)
        | tungstenite::Error::Utf8(_) => {
            stats.update(|stats| stats.protocol_errors += 1);
            return;
        }
        _ => {}
    }
    if !got_close {
        stats.update(|stats| stats.abrupt += 1);
    }
}

/// Counts how a stream broke: without close_notify, or by a reset.
pub(crate) fn record_io_failure(stats: &Monitor<Stats>, error: &io::Error) {
    stats.update(|stats| match error.kind() {
        io::ErrorKind::UnexpectedEof => stats.truncated += 1,
        _ => stats.resets += 1,
    });
}
