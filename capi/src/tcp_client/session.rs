//! One session of a client after the other: what a connect begins, up to the last `on_close`.

use super::{TcpClientBody, hvloop_tcp_client};
use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::address::Place;
use crate::ffi::handle::Object;
use crate::io::{IoBody, lock};
use hvloop::tls::TlsClientConfig;
use hvloop::{Address, Connect, ConnectError, Proxy, SocketOptions};
use socket2::{Domain, SockRef, Socket, Type};
use std::ffi::c_int;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// Where the next connect goes, and how.
#[derive(Default)]
pub(super) struct Target {
    place: Option<Place>,
    /// Made for the next connect.
    socket: Option<OwnedFd>,
    /// Has the socket of a connect that came too early.
    refused: Option<Connect>,
    bind: Option<SocketAddr>,
    proxy: Option<Proxy>,
    pub(super) tls: Option<TlsClientConfig>,
    pub(super) timeout: Option<Duration>,
    /// The session was closed by the user, and maybe is not over.
    closing: bool,
    /// Another one is to follow it.
    again: bool,
}

impl Target {
    /// Makes a socket for that place, in the place of one that was made before.
    pub(super) fn make_socket(target: &Mutex<Self>, place: Place) -> Outcome<c_int> {
        let (proxy, bind) = {
            let target = lock(target);
            (target.proxy.clone(), target.bind)
        };
        let first_stop = match &proxy {
            Some(proxy) => Place::Host(proxy.host().to_owned(), proxy.port()),
            None => place.clone(),
        };
        // With nothing locked: a name may take a while.
        let address = first_stop.resolve()?;
        let domain = match &address {
            Address::Inet(address) => Domain::for_address(*address),
            _ => Domain::UNIX,
        };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        if let (Some(bind), Address::Inet(_)) = (bind, &address) {
            socket.bind(&bind.into())?;
        }
        let socket = OwnedFd::from(socket);
        let number = socket.as_raw_fd();
        let mut target = lock(target);
        target.place = Some(place);
        target.refused = None;
        let before = target.socket.replace(socket);
        drop(target);
        drop(before);
        Ok(number)
    }

    /// Gives this side an address, now and later.
    pub(super) fn bind(&mut self, address: SocketAddr) -> Outcome {
        if let Some(socket) = &self.socket {
            SockRef::from(socket).bind(&address.into())?;
        }
        self.bind = Some(address);
        Ok(())
    }

    /// A socket that was made before may not fit.
    pub(super) fn set_proxy(&mut self, proxy: Option<Proxy>) {
        self.proxy = proxy;
        self.socket = None;
        self.refused = None;
    }

    /// Where the next connect goes. The socket goes with it.
    fn destination(&mut self) -> Outcome<Connect> {
        let place = self.place.as_ref().ok_or_else(|| {
            let text = "there is no place to connect to: hvloop_tcp_client_socket says it";
            Failure::new(hvloop_error::State, text)
        })?;
        let connect = match (self.refused.take(), place) {
            (Some(refused), _) => refused,
            (None, Place::Host(host, port)) => Connect::to(host.clone(), *port),
            (None, Place::Path(path)) => Connect::unix(path),
        };
        Ok(match self.socket.take() {
            Some(socket) => connect.with_socket(socket),
            None => connect,
        })
    }

    /// How it connects.
    fn set_up(&self, connect: Connect) -> Connect {
        let mut connect = connect
            .socket(SocketOptions::new().bind(self.bind))
            .proxy(self.proxy.clone());
        if let Some(timeout) = self.timeout {
            connect = connect.open_timeout(timeout);
        }
        if let Some(tls) = &self.tls {
            connect = connect.with_tls(tls.clone());
        }
        connect
    }
}

impl TcpClientBody {
    /// See `hvloop_tcp_client_close`.
    pub(super) fn close(&self) {
        {
            let mut target = lock(&self.target);
            target.closing = true;
            target.again = false;
        }
        // None at all is in range.
        let _ = self.client.set_reconnect(None);
        self.client.close();
    }

    /// The client goes: nothing is called any more.
    pub(super) fn end(&self) {
        self.streams.shut();
        lock(&self.target).again = false;
        self.client.close();
    }

    /// Whether the session there is will end soon, since the user closed it.
    fn is_closing(&self) -> bool {
        let closing = lock(&self.target).closing;
        closing || {
            let channel = self.client.channel();
            let io = channel.as_ref().and_then(IoBody::of_stream);
            io.is_some_and(|io| io.body.is_closing())
        }
    }
}

/// See `hvloop_tcp_client_connect`.
pub(super) fn connect(client: &Arc<Object<hvloop_tcp_client>>) -> Outcome {
    let body = &client.body;
    let closing = body.is_closing();
    // Before the try: the session may end between that and whatever follows it.
    lock(&body.target).again = closing;
    match begin(client) {
        Err(Refused::Session(ConnectError::AlreadyOpen)) if closing => Ok(()),
        Err(Refused::Session(e)) => {
            lock(&body.target).again = false;
            Err(e.into())
        }
        Err(Refused::Nowhere(failure)) => {
            lock(&body.target).again = false;
            Err(failure)
        }
        Ok(()) => Ok(()),
    }
}

/// Why no session was begun.
enum Refused {
    Nowhere(Failure),
    Session(ConnectError),
}

/// Begins a session, if there is none.
fn begin(client: &Arc<Object<hvloop_tcp_client>>) -> Result<(), Refused> {
    let body = &client.body;
    let (destination, options) = {
        let mut target = lock(&body.target);
        let destination = target.destination().map_err(Refused::Nowhere)?;
        let options = target.set_up(destination.clone());
        (destination, options)
    };
    let session = Arc::new(Session {
        client: Arc::downgrade(client),
        begun: AtomicBool::new(false),
    });
    set_callbacks(body, &session);
    let begun = body.client.connect(options);
    let mut target = lock(&body.target);
    match begun {
        Ok(()) => {
            target.closing = false;
            target.again = false;
            drop(target);
            session.begun.store(true, Ordering::Release);
            Ok(())
        }
        Err(e) => {
            if let ConnectError::AlreadyOpen = e {
                target.refused = Some(destination);
            }
            Err(Refused::Session(e))
        }
    }
}

/// What the next session of Rust's calls.
fn set_callbacks(body: &TcpClientBody, session: &Arc<Session>) {
    let client = &body.client;
    let streams = body.streams.clone();
    client.on_connect(move |channel| streams.on_open(channel));
    let streams = body.streams.clone();
    client.on_message(move |channel, data| streams.on_message(channel, data));
    let streams = body.streams.clone();
    client.on_write_complete(move |channel, size| streams.on_write_complete(channel, size));
    let (streams, session) = (body.streams.clone(), session.clone());
    client.on_close(move |channel, reason| {
        let _ends = &session;
        streams.on_close(channel, reason);
    });
}

/// Goes with the last callback of a session: then the next one may begin.
struct Session {
    client: Weak<Object<hvloop_tcp_client>>,
    /// It is that of a connect that was accepted. Whoever sets this has a count of the session meanwhile.
    begun: AtomicBool,
}

impl Drop for Session {
    fn drop(&mut self) {
        let begun = *self.begun.get_mut();
        let Some(client) = self.client.upgrade().filter(|_| begun) else {
            return;
        };
        let again = mem::take(&mut lock(&client.body.target).again);
        if !again {
            return;
        }
        match begin(&client) {
            // Somebody else was faster, and has what was asked for.
            Ok(()) | Err(Refused::Session(ConnectError::AlreadyOpen)) => {}
            Err(Refused::Session(e)) => {
                let streams = &client.body.streams;
                streams.tell_close(None, libc::ECANCELED, &e.to_string());
            }
            Err(Refused::Nowhere(failure)) => {
                let streams = &client.body.streams;
                streams.tell_close(None, libc::ECANCELED, &failure.text);
            }
        }
    }
}
