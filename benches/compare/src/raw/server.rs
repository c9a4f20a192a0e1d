//! The floor's echo server.

use super::peer::{Come, Peer, Script};
use super::wire::{Buffers, Wire};
use crate::args::ServerArgs;
use crate::control::{self, count, say};
use crate::frames::{SERVER_CLOSE, response};
use crate::{Error, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::{Connection, ServerConfig, ServerConnection};
use std::io::{self, ErrorKind};
use std::sync::Arc;

const LISTENER: Token = Token(usize::MAX);
/// As in all servers that are compared.
const BACKLOG: i32 = 8192;

/// A listener on a free port of 127.0.0.1, with room for all connections at once.
pub fn listener() -> Result<std::net::TcpListener> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Serves for as long as the process lives.
pub fn server(args: &ServerArgs) -> Result<()> {
    let tls = args.tls.server()?;
    let listener = listener()?;
    let port = listener.local_addr()?.port();
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    control::listen(|| {});
    say(format_args!("ready port={port}"));

    let mut events = Events::with_capacity(1024);
    let mut buffers = Buffers::new(tls.is_some());
    let script = Script::new(args.bytes, false, args.deflate)?;
    let mut peers: Vec<Option<Peer>> = Vec::new();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &tls, &mut peers)?;
                continue;
            }
            let Some(place) = peers.get_mut(event.token().0) else {
                continue;
            };
            let Some(peer) = place else { continue };
            match serve(peer, &mut buffers, &script) {
                Ok(true) => {}
                Ok(false) => *place = None,
                Err(e) if is_gone(&e) => *place = None,
                Err(e) => return Err(e),
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    tls: &Option<Arc<ServerConfig>>,
    peers: &mut Vec<Option<Peer>>,
) -> Result<()> {
    loop {
        let mut tcp: TcpStream = match listener.accept() {
            Ok((tcp, _)) => tcp,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        tcp.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut tcp, Token(peers.len()), interest)?;
        let tls = match tls {
            Some(config) => Some(Connection::Server(ServerConnection::new(config.clone())?)),
            None => None,
        };
        peers.push(Some(Peer::new(Wire::new(tcp, tls))));
    }
}

/// Does what there is to do; `false`: it is closed.
fn serve(peer: &mut Peer, buffers: &mut Buffers, script: &Script) -> Result<bool> {
    match peer.read(buffers, script)? {
        Come::Head(request) => {
            let response = response(&request, script.deflate)?;
            peer.wire.write(&response)?;
        }
        Come::Messages(n) => {
            count(n as u64);
            peer.send(n, script)?;
        }
        Come::Nothing => peer.send(0, script)?,
        Come::Close => {
            // Nobody may be there any more.
            peer.wire.write(&SERVER_CLOSE).unwrap_or_default();
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the other process has ended.
fn is_gone(error: &Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(
        kind,
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
    )
}
