//! One socket after the other, and what is called of them.

use super::{UdpBody, hvloop_udp_callbacks};
use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::address::{Place, system_address};
use crate::ffi::callback::Data;
use crate::ffi::gate::Gate;
use crate::ffi::handle;
use crate::io::datagram::Datagram;
use crate::io::end::{c_text, errno, of_io};
use crate::io::{Io, IoBody, What, hvloop_io, lock};
use hvloop::{Address, CloseReason, UdpClient, UdpOptions, UdpServer};
use socket2::{Domain, SockRef, Socket, Type};
use std::ffi::c_int;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};

/// The socket that was made last, and the one that is open.
#[derive(Default)]
pub(super) struct Sockets {
    /// Made, and not started.
    made: Option<Made>,
    open: Option<Started>,
    pub(super) port: Option<c_int>,
    pub(super) broadcast: bool,
}

struct Made {
    socket: OwnedFd,
    peer: Option<SocketAddr>,
}

/// A socket on the loop. Dropping it closes it.
struct Started {
    io: Arc<Io>,
    #[allow(dead_code, reason = "dropped")]
    rust: Rust,
}

#[allow(dead_code, reason = "dropped")]
enum Rust {
    Server(UdpServer),
    Client(UdpClient),
}

/// What C gave to be called.
pub(super) struct Given {
    functions: hvloop_udp_callbacks,
    data: Data,
}

// SAFETY: the pointer in `functions` is not used, but that of `data`, which has the same rule.
unsafe impl Send for Given {}
// SAFETY: as above; functions may be called on any thread.
unsafe impl Sync for Given {}

/// What is called of all sockets of one handle, and the gate that ends it.
pub(super) struct UdpCallbacks {
    gate: Arc<Gate>,
    given: Mutex<Option<Arc<Given>>>,
}

impl UdpCallbacks {
    pub(super) fn new(gate: Gate) -> Self {
        Self {
            gate: Arc::new(gate),
            given: Mutex::default(),
        }
    }

    pub(super) fn take(functions: hvloop_udp_callbacks) -> Arc<Given> {
        let data = Data::new(functions.data, functions.drop);
        Arc::new(Given { functions, data })
    }

    pub(super) fn set(&self, given: Arc<Given>) {
        let before = lock(&self.given).replace(given);
        // With nothing locked.
        drop(before);
    }

    /// Nothing is called any more.
    pub(super) fn shut(&self) {
        self.gate.shut();
    }

    /// After [`shut`](Self::shut): waits for a call that runs, unless this is one.
    pub(super) fn wait(&self) {
        self.gate.wait();
        self.give_up();
    }

    /// Gives up what C gave to be called.
    pub(super) fn give_up(&self) {
        let given = lock(&self.given).take();
        drop(given);
    }

    fn call(&self, io: &Arc<Io>, f: impl FnOnce(&Given, *mut hvloop_io)) {
        self.gate.enter(|| {
            let given = lock(&self.given).clone();
            if let Some(given) = given {
                f(&given, handle::lend(io));
            }
        });
    }

    fn on_message(&self, io: &Arc<Io>, bytes: &[u8], from: SocketAddr) {
        self.call(io, |given, io| {
            if let Some(f) = given.functions.on_message {
                let (bytes, size) = (bytes.as_ptr().cast(), bytes.len());
                let from = system_address(from);
                let (address, length) = (from.as_ptr().cast(), from.len());
                // SAFETY: what is called, and with what, is C's own; on the loop's thread. The bytes are there.
                unsafe { f(given.data.as_ptr(), io, bytes, size, address, length) }
            }
        });
    }

    fn on_write_complete(&self, io: &Arc<Io>, size: usize) {
        self.call(io, |given, io| {
            if let Some(f) = given.functions.on_write_complete {
                // SAFETY: as above.
                unsafe { f(given.data.as_ptr(), io, size) }
            }
        });
    }

    fn on_error(&self, io: &Arc<Io>, e: &io::Error) {
        let reason = c_text(&e.to_string());
        self.call(io, |given, io| {
            if let Some(f) = given.functions.on_error {
                // SAFETY: as above.
                unsafe { f(given.data.as_ptr(), io, of_io(e), reason.as_ptr()) }
            }
        });
    }

    fn on_close(&self, io: &Arc<Io>, reason: &CloseReason) {
        let error = errno(reason);
        io.body.failed(error);
        let reason = c_text(&reason.to_string());
        self.call(io, |given, io| {
            if let Some(f) = given.functions.on_close {
                // SAFETY: as above.
                unsafe { f(given.data.as_ptr(), io, error, reason.as_ptr()) }
            }
        });
        io.body.ended();
    }
}

/// Sets what Rust calls of a socket, whose handle that is.
macro_rules! set_callbacks {
    ($rust:expr, $callbacks:expr, $io:expr) => {
        let (all, io) = ($callbacks.clone(), $io.clone());
        $rust.on_message(move |channel, bytes, from| {
            if let Ok(datagram) = io.body.datagram() {
                datagram.hears(channel, from);
            }
            all.on_message(&io, bytes, from);
        });
        let (all, io) = ($callbacks.clone(), $io.clone());
        $rust.on_write_complete(move |_, size| all.on_write_complete(&io, size));
        let (all, io) = ($callbacks.clone(), $io.clone());
        $rust.on_error(move |_, e, _| all.on_error(&io, e));
        let (all, io) = ($callbacks.clone(), $io.clone());
        $rust.on_close(move |reason| all.on_close(&io, reason));
    };
}

impl UdpBody {
    pub(super) fn bind(&self, host: &str, port: c_int) -> Outcome<c_int> {
        let address = address(host, port)?;
        let socket = self.open(address)?;
        socket.bind(&address.into())?;
        self.made(socket, None)
    }

    pub(super) fn connect(&self, host: &str, port: c_int) -> Outcome<c_int> {
        let peer = address(host, port)?;
        let bound = lock(&self.sockets).made.take();
        let socket = match bound {
            Some(made) if made.peer.is_none() => Socket::from(made.socket),
            _ => self.open(peer)?,
        };
        socket.connect(&peer.into())?;
        if socket.local_addr()?.as_socket() == Some(peer) {
            // The system's first choice was the very port that it is to send to.
            let other = self.open(peer)?;
            other.connect(&peer.into())?;
            return self.made(other, Some(peer));
        }
        self.made(socket, Some(peer))
    }

    fn open(&self, address: SocketAddr) -> Outcome<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if lock(&self.sockets).broadcast {
            socket.set_broadcast(true)?;
        }
        Ok(socket)
    }

    /// Keeps a socket for `start`.
    fn made(&self, socket: Socket, peer: Option<SocketAddr>) -> Outcome<c_int> {
        let local = SockRef::from(&socket).local_addr()?.as_socket();
        let socket = OwnedFd::from(socket);
        let number = socket.as_raw_fd();
        let mut sockets = lock(&self.sockets);
        sockets.port = local.map(|local| local.port().into());
        let before = sockets.made.replace(Made { socket, peer });
        drop(sockets);
        drop(before);
        Ok(number)
    }

    pub(super) fn start(&self) -> Outcome {
        let made = lock(&self.sockets).made.take();
        let Made { socket, peer } = made.ok_or_else(|| {
            let text = "no socket was made: hvloop_udp_bind or hvloop_udp_connect makes one";
            Failure::new(hvloop_error::State, text)
        })?;
        let number = socket.as_raw_fd();
        let local = SockRef::from(&socket).local_addr()?.as_socket();
        let local = local.ok_or_else(|| Failure::argument("the socket has no IP address"))?;
        let datagram = Datagram::new(self.event_loop.clone(), local, peer);
        let what = What::Datagram(datagram);
        let io = IoBody::create(what, 0, Some(number), Some(&self.callbacks.gate));
        let options = UdpOptions::new();
        let (rust, channel) = match peer {
            None => {
                let server = UdpServer::new(&self.event_loop);
                set_callbacks!(server, self.callbacks, io);
                server.open(socket, options)?;
                let channel = server.channel();
                (Rust::Server(server), channel)
            }
            Some(_) => {
                let client = UdpClient::new(&self.event_loop);
                set_callbacks!(client, self.callbacks, io);
                client.open_socket(socket, options)?;
                let channel = client.channel();
                (Rust::Client(client), channel)
            }
        };
        // None: it has ended already.
        if let Some(channel) = channel {
            io.body.datagram()?.started(&channel);
        }
        let before = lock(&self.sockets).open.replace(Started { rust, io });
        // Its drop closes it: with nothing locked.
        drop(before);
        Ok(())
    }

    pub(super) fn close(&self) {
        let (made, open) = {
            let mut sockets = lock(&self.sockets);
            (sockets.made.take(), sockets.open.take())
        };
        // A drop of Rust's handle closes the socket in order.
        drop((made, open));
    }

    pub(super) fn io(&self) -> Option<Arc<Io>> {
        let sockets = lock(&self.sockets);
        let open = sockets.open.as_ref()?;
        let is_open = open.io.body.what().connection().is_open();
        is_open.then(|| open.io.clone())
    }
}

/// One address.
fn address(host: &str, port: c_int) -> Outcome<SocketAddr> {
    if port < 0 {
        return Err(Failure::argument(format!("{port} is no port")));
    }
    match Place::new(host, port)?.resolve()? {
        Address::Inet(address) => Ok(address),
        _ => Err(Failure::argument("UDP has IP addresses alone")),
    }
}
