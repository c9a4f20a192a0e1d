//! Where a server listens.

use super::TcpServerBody;
use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::address::Place;
use crate::io::callbacks::Streams;
use crate::io::lock;
use hvloop::tls::TlsServerConfig;
use hvloop::{
    Address, EventLoop, EventLoopThreadPool, Listen, Listening, LoadBalance, TcpServer, Unpack,
};
use socket2::SockRef;
use std::ffi::c_int;
use std::mem;
use std::net::{Ipv4Addr, Shutdown};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// Where a server listens, or will, and what is set about it.
pub(super) struct Listeners {
    server: Arc<TcpServer>,
    /// Something has been accepted at since the last stop.
    started: bool,
    /// Opened, and not started.
    waiting: Vec<Listening>,
    /// Those of `waiting` and later that were opened here, and have a port, once more: to end them at once, and not
    /// when their loop gets to it.
    ports: Vec<OwnedFd>,
    pub(super) port: Option<c_int>,
    pub(super) tls: Option<TlsServerConfig>,
    balance: Option<LoadBalance>,
    max: Option<usize>,
    unpack: Option<Unpack>,
}

impl Listeners {
    pub(super) fn new(event_loop: &EventLoop, streams: &Arc<Streams>) -> Self {
        Self {
            server: with_callbacks(TcpServer::new(event_loop), streams),
            started: false,
            waiting: Vec::new(),
            ports: Vec::new(),
            port: None,
            tls: None,
            balance: None,
            max: None,
            unpack: None,
        }
    }

    pub(super) fn server(&self) -> Arc<TcpServer> {
        self.server.clone()
    }

    pub(super) fn set_balance(&mut self, balance: LoadBalance) {
        self.balance = Some(balance);
        self.server.set_load_balance(balance);
    }

    pub(super) fn set_max(&mut self, connections: usize) {
        self.max = Some(connections);
        self.server.set_max_connections(connections);
    }

    pub(super) fn set_unpack(&mut self, unpack: Option<Unpack>) {
        self.unpack.clone_from(&unpack);
        self.server.set_unpack(unpack);
    }

    /// Another server is to take what is set.
    fn replace(&mut self, server: Arc<TcpServer>) -> Arc<TcpServer> {
        if let Some(balance) = self.balance {
            server.set_load_balance(balance);
        }
        if let Some(max) = self.max {
            server.set_max_connections(max);
        }
        server.set_unpack(self.unpack.clone());
        mem::replace(&mut self.server, server)
    }

    fn add(&mut self, listening: Listening) -> c_int {
        let number = listening.as_fd().as_raw_fd();
        self.port = Some(listening.address().inet().map_or(0, |a| a.port().into()));
        self.waiting.push(listening);
        number
    }

    /// How what is accepted is treated. The address does not count.
    fn options(&self) -> Listen {
        let options = Listen::tcp((Ipv4Addr::LOCALHOST, 0));
        match &self.tls {
            Some(tls) => options.with_tls(tls.clone()),
            None => options,
        }
    }
}

/// A server whose connections are those of C.
fn with_callbacks(server: TcpServer, streams: &Arc<Streams>) -> Arc<TcpServer> {
    let all = streams.clone();
    server.on_connection(move |channel| all.on_open(channel));
    let all = streams.clone();
    server.on_message(move |channel, data| all.on_message(channel, data));
    let all = streams.clone();
    server.on_write_complete(move |channel, size| all.on_write_complete(channel, size));
    let all = streams.clone();
    server.on_close(move |channel, reason| all.on_close(Some(channel), reason));
    Arc::new(server)
}

/// Takes a descriptor from C.
///
/// # Safety
///
/// It is open, and nobody else closes it.
pub(super) unsafe fn take(fd: c_int) -> OwnedFd {
    // SAFETY: the caller's word.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

impl TcpServerBody {
    pub(super) fn set_workers(&self, workers: Option<&EventLoopThreadPool>) -> Outcome {
        let server = match workers {
            Some(pool) => TcpServer::with_workers(&self.event_loop, pool),
            None => TcpServer::new(&self.event_loop),
        };
        let server = with_callbacks(server, &self.streams);
        let mut listeners = lock(&self.listeners);
        if listeners.started {
            let text = "the server is started: hvloop_tcp_server_stop comes first";
            return Err(Failure::new(hvloop_error::State, text));
        }
        let before = listeners.replace(server);
        drop(listeners);
        // Its drop calls into loops: with nothing locked.
        drop(before);
        Ok(())
    }

    pub(super) fn open_listener(&self, host: &str, port: c_int, backlog: c_int) -> Outcome<c_int> {
        let backlog = match u32::try_from(backlog) {
            Ok(0) => Listen::DEFAULT_BACKLOG,
            Ok(backlog) => backlog,
            Err(_) => return Err(Failure::argument(format!("{backlog} is no backlog"))),
        };
        // With nothing locked: a name may take a while.
        let listen = match Place::new(host, port)?.resolve()? {
            Address::Inet(address) => Listen::tcp(address),
            Address::Unix(path) => Listen::unix(path.unwrap_or_default()),
            _ => return Err(Failure::argument("nobody can listen there")),
        };
        let listening = listen.backlog(backlog).bind()?;
        let has_port = listening.address().inet().is_some();
        let once_more = match has_port {
            true => Some(listening.as_fd().try_clone_to_owned()?),
            false => None,
        };
        let mut listeners = lock(&self.listeners);
        listeners.ports.extend(once_more);
        Ok(listeners.add(listening))
    }

    pub(super) fn take_listener(&self, fd: OwnedFd) -> Outcome<c_int> {
        let options = lock(&self.listeners).options();
        let listening = Listening::from_listener(fd, options)?;
        Ok(lock(&self.listeners).add(listening))
    }

    pub(super) fn start(&self) -> Outcome {
        let (server, waiting) = {
            let mut listeners = lock(&self.listeners);
            let options = listeners.options();
            let waiting = mem::take(&mut listeners.waiting);
            if waiting.is_empty() {
                let text = "there is no listener: hvloop_tcp_server_socket opens one";
                return Err(Failure::new(hvloop_error::State, text));
            }
            listeners.started = true;
            let set_up = |listening: Listening| listening.with(options.clone());
            let waiting: Vec<_> = waiting.into_iter().map(set_up).collect();
            (listeners.server(), waiting)
        };
        for listening in waiting {
            server.listen_on(listening)?;
        }
        Ok(())
    }

    pub(super) fn close_listeners(&self) {
        let (server, waiting, ports) = {
            let mut listeners = lock(&self.listeners);
            (
                listeners.server(),
                mem::take(&mut listeners.waiting),
                mem::take(&mut listeners.ports),
            )
        };
        drop(waiting);
        for listener in ports {
            // So that its address is free at once; where a system does not do that, when its loop gets to it. (A
            // listener that was made elsewhere may be that of other processes, too.)
            let _ = SockRef::from(&listener).shutdown(Shutdown::Both);
        }
        server.close_listeners();
    }

    pub(super) fn stop(&self) {
        self.close_listeners();
        let server = {
            let mut listeners = lock(&self.listeners);
            listeners.started = false;
            listeners.server()
        };
        server.stop();
    }
}
