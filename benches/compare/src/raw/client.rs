//! The floor's echo client.

use super::peer::{Come, Peer, Script};
use super::wire::{Buffers, Wire};
use crate::Result;
use crate::args::ClientArgs;
use crate::control::{self, Connections, count};
use crate::frames::{CLIENT_CLOSE, check_response, request};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection};
use std::io::ErrorKind;
use std::sync::Arc;

const STOP: Token = Token(usize::MAX);

struct Client {
    poll: Poll,
    /// A connection, and whether its request is on its way.
    peers: Vec<Option<(Peer, bool)>>,
    script: Script,
    in_flight: usize,
    connections: Arc<Connections>,
}

/// Runs until it is told to stop.
pub fn client(args: &ClientArgs) -> Result<()> {
    let tls = args.tls.client()?;
    let connections = Arc::new(Connections::new(args.connections));
    let mut client = Client {
        poll: Poll::new()?,
        peers: Vec::with_capacity(args.connections),
        script: Script::new(args.bytes, true, args.deflate)?,
        in_flight: args.in_flight,
        connections: connections.clone(),
    };
    let waker = Arc::new(Waker::new(client.poll.registry(), STOP)?);
    let teller = waker.clone();
    control::listen(move || {
        connections.stop();
        if let Err(e) = teller.wake() {
            control::fail(&e);
        }
    });
    for n in 0..args.connections {
        client.connect(n, args, &tls)?;
    }
    client.run(tls.is_some())?;
    client.connections.stopped();
    // One that is dropped wakes nobody.
    drop(waker);
    Ok(())
}

impl Client {
    fn connect(
        &mut self,
        n: usize,
        args: &ClientArgs,
        tls: &Option<Arc<ClientConfig>>,
    ) -> Result<()> {
        let mut tcp = TcpStream::connect(args.server())?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut tcp, Token(n), interest)?;
        let tls = match tls {
            Some(config) => {
                let name = ServerName::IpAddress(args.server().ip().into());
                let connection = ClientConnection::new(config.clone(), name)?;
                Some(Connection::Client(connection))
            }
            None => None,
        };
        self.peers
            .push(Some((Peer::new(Wire::new(tcp, tls)), false)));
        Ok(())
    }

    fn run(&mut self, tls: bool) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffers = Buffers::new(tls);
        loop {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                if event.token() == STOP {
                    for (peer, _) in self.peers.iter_mut().flatten() {
                        peer.wire.write(&CLIENT_CLOSE)?;
                    }
                    continue;
                }
                let n = event.token().0;
                if self.turn(n, &mut buffers)? {
                    continue;
                }
                self.peers[n] = None;
                if self.connections.closed() {
                    return Ok(());
                }
            }
        }
    }

    /// Does what there is to do for a connection; `false`: it is closed.
    fn turn(&mut self, n: usize, buffers: &mut Buffers) -> Result<bool> {
        let Some((peer, asked)) = &mut self.peers[n] else {
            return Ok(true);
        };
        if !*asked {
            if let Some(e) = peer.wire.tcp().take_error()? {
                return Err(e.into());
            }
            match peer.wire.tcp().peer_addr() {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::NotConnected => return Ok(true),
                Err(e) => return Err(e.into()),
            }
            peer.wire.tcp().set_nodelay(true)?;
            *asked = true;
            peer.wire.write(&request(self.script.deflate))?;
            return Ok(true);
        }
        match peer.read(buffers, &self.script)? {
            Come::Head(head) => {
                check_response(&head, self.script.deflate)?;
                peer.send(self.in_flight, &self.script)?;
                self.connections.opened();
            }
            Come::Messages(messages) => {
                count(messages as u64);
                peer.send(messages, &self.script)?;
            }
            Come::Nothing => peer.send(0, &self.script)?,
            Come::Close => return Ok(false),
        }
        Ok(true)
    }
}
