//! A UDP socket with one peer.

use super::{UdpCallbacks, UdpChannel, UdpHandler, UdpOptions, callback_setters};
use crate::core::LocalLoop;
use crate::core::calls::Deferred;
use crate::core::lookup::DnsQuery;
use crate::error::{CloseReason, DatagramError};
use crate::event_loop::EventLoop;
use crate::log;
use crate::sessions::Sessions;
use crate::sync::{change, lock};
use crate::sys::{Datagrams, OwnedSocket, same_endpoint};
use crate::tcp::ConnectError;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

/// A UDP client: one socket that sends to one peer and hears it alone, its callbacks on the loop's
/// thread.
///
/// Callbacks are set before [`open`](UdpClient::open), belong to that one socket and are dropped on
/// the loop's thread right after its `on_close`.
///
/// libhv: `hv::UdpClient`.
pub struct UdpClient {
    event_loop: EventLoop,
    callbacks: Mutex<UdpCallbacks>,
    current: Arc<Mutex<Current>>,
}

/// What handles on other threads mean.
#[derive(Default)]
struct Current {
    sessions: Sessions,
    /// Under way, and given up by `close()`.
    lookup: Option<DnsQuery>,
    /// A socket on its way to the loop, which may never run: closing it must not wait for that.
    on_its_way: Option<Datagrams>,
    channel: Option<UdpChannel>,
}

impl UdpClient {
    /// A client on that loop, which need not run yet. The client never starts, runs or stops the
    /// loop.
    #[must_use]
    pub fn new(event_loop: &EventLoop) -> Self {
        Self {
            event_loop: event_loop.clone(),
            callbacks: Mutex::default(),
            current: Arc::default(),
        }
    }

    /// Called when the host is looked up and the socket is there.
    pub fn on_open(&self, f: impl FnMut(&UdpChannel) + Send + 'static) {
        change(&self.callbacks, |callbacks| {
            callbacks.open.replace(Box::new(f))
        });
    }

    callback_setters!();

    /// Looks `host` up (a name or an IP address, of IPv6 maybe with a zone: `fe80::1%eth0`), takes its
    /// first address and opens a socket to it. Any thread; may be called again after `on_close`.
    ///
    /// # Errors
    ///
    /// The client is open already, or the loop is closed. What else goes wrong is told by
    /// `on_close`.
    ///
    /// libhv: `UdpClient::createsocket` and `start`.
    pub fn open(&self, host: &str, port: u16, options: UdpOptions) -> Result<(), ConnectError> {
        let host = host.to_owned();
        self.begin(options, None, move |local, opening| {
            opening.begin(local, &host, port);
        })
    }

    /// As [`open`](UdpClient::open), with a UDP socket that was made elsewhere and is connected: to its peer,
    /// whom alone it hears. Of the options those count that need not be set before a bind: whether it may
    /// broadcast, if that is set, and the limits of buffers. From now on it is non-blocking, for whoever else
    /// has it, too, and close-on-exec. What is sent from now on, on whatever thread, waits for the loop.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(unix)] {
    /// use hvloop_event::{EventLoop, UdpClient, UdpOptions};
    ///
    /// let event_loop = EventLoop::new()?;
    /// let client = UdpClient::new(&event_loop);
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// socket.connect("127.0.0.1:7")?;
    /// client.open_socket(socket, UdpOptions::new())?;
    /// # } Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As `open`, or it is no UDP socket, or not connected
    /// ([`ConnectError::Socket`]); it is closed then.
    ///
    /// libhv: `UdpClient::createsocket` and, later, `start`.
    pub fn open_socket(
        &self,
        socket: impl Into<OwnedSocket>,
        options: UdpOptions,
    ) -> Result<(), ConnectError> {
        let taken = Datagrams::made(socket.into(), &options.socket);
        let taken = taken.and_then(|socket| Ok((socket.local()?, socket.peer()?, socket)));
        let (local_addr, peer, socket) = taken.map_err(|e| ConnectError::Socket(e.kind()))?;
        let limit = options.send_limit;
        let home = self.event_loop.clone();
        let channel = UdpChannel::new(home, &socket, local_addr, Some(peer), limit);
        self.begin(
            options,
            Some((socket, channel.clone())),
            move |local, opening| {
                let socket = lock(&opening.current).on_its_way.take();
                if let Some(socket) = socket.filter(|_| !local.is_stopping()) {
                    return opening.opened(local, socket, channel);
                }
                let reason = match local.is_stopping() {
                    true => CloseReason::Stopped,
                    false => CloseReason::Local,
                };
                opening.refuse(local, reason);
            },
        )
    }

    /// Begins a session on the loop's thread, with a socket or without.
    fn begin(
        &self,
        options: UdpOptions,
        socket: Option<(Datagrams, UdpChannel)>,
        f: impl FnOnce(&LocalLoop, Opening) + Send + 'static,
    ) -> Result<(), ConnectError> {
        // At once, and not by an `on_close`, which may call this again, and so on.
        if self.event_loop.is_stopping() {
            return Err(ConnectError::LoopClosed);
        }
        let number = {
            let mut current = lock(&self.current);
            let number = current.sessions.begin().ok_or(ConnectError::AlreadyOpen)?;
            (current.on_its_way, current.channel) = socket.unzip();
            number
        };
        let opening = Opening {
            callbacks: std::mem::take(&mut *lock(&self.callbacks)),
            current: self.current.clone(),
            number,
            options,
        };
        let posted = self.event_loop.with_local(move |local| f(local, opening));
        posted.map_err(|_| {
            end(&self.current, number);
            ConnectError::LoopClosed
        })
    }

    /// The socket, once it is there.
    pub fn channel(&self) -> Option<UdpChannel> {
        lock(&self.current).channel.clone()
    }

    /// Sends one datagram to the peer. See [`UdpChannel::send`].
    ///
    /// # Errors
    ///
    /// As `UdpChannel::send`; [`DatagramError::NotOpen`] before the socket is there.
    ///
    /// libhv: `UdpClient::sendto`.
    pub fn send(&self, data: &[u8]) -> Result<(), DatagramError> {
        self.channel().ok_or(DatagramError::NotOpen)?.send(data)
    }

    /// Closes the socket when all that was accepted is sent, or gives the lookup up: then `on_close` does
    /// not wait for its answer. Any thread.
    ///
    /// libhv: `UdpClient::closesocket`, `stop`.
    pub fn close(&self) {
        let current = self.current.clone();
        let (number, on_its_way) = {
            let mut current = lock(&current);
            (current.sessions.give_up(), current.on_its_way.take())
        };
        drop(on_its_way);
        let closed = self.event_loop.with_local(move |local| {
            let (channel, lookup) = {
                let mut current = lock(&current);
                if !current.sessions.is(number) {
                    return;
                }
                (current.channel.clone(), current.lookup.take())
            };
            if let Some(lookup) = lookup {
                // With its callback the open is dropped, and refused.
                local.cancel_dns(lookup);
            }
            if let Some(channel) = channel {
                channel.close();
            }
        });
        if closed.is_err() {
            log::debug!("hvloop: close() after the loop had closed everything");
        }
    }

    /// The loop that the client is on.
    ///
    /// libhv: `UdpClient::loop`.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }
}

/// An open that looks for its peer.
struct Opening {
    callbacks: UdpCallbacks,
    current: Arc<Mutex<Current>>,
    number: u64,
    options: UdpOptions,
}

impl Opening {
    fn begin(self, local: &LocalLoop, host: &str, port: u16) {
        if local.is_stopping() {
            return self.refuse(local, CloseReason::Stopped);
        }
        let (current, number) = (self.current.clone(), self.number);
        if lock(&current).sessions.is_given_up() {
            return self.refuse(local, CloseReason::Local);
        }
        // In a cell of its own: a lookup that the loop gives up drops its callback uncalled.
        let mut waiting = LookupWait(Some((self, port)));
        let here = local.clone();
        let asked = local.resolve_scoped(host, move |answer| waiting.answered(&here, answer));
        match asked {
            Ok(query) => {
                let mut current = lock(&current);
                if current.sessions.is(number) {
                    current.lookup = Some(query);
                }
            }
            // The callback was dropped, and told of a stop; this is the better word.
            Err(e) => log::warn!("hvloop: cannot look {host} up: {e}"),
        }
    }

    fn connect(self, local: &LocalLoop, mut to: SocketAddr, port: u16) {
        to.set_port(port);
        match self.socket(to) {
            Ok((socket, from)) => {
                let (home, limit) = (local.event_loop(), self.options.send_limit);
                let channel = UdpChannel::new(home, &socket, from, Some(to), limit);
                lock(&self.current).channel = Some(channel.clone());
                self.opened(local, socket, channel);
            }
            Err(e) => {
                let reason = CloseReason::Connect(Some(to), Arc::new(e));
                self.refuse(local, reason);
            }
        }
    }

    /// There is a socket: it goes on the loop.
    fn opened(self, local: &LocalLoop, socket: Datagrams, channel: UdpChannel) {
        let (current, number) = (self.current, self.number);
        let handler = UdpHandler {
            callbacks: self.callbacks,
            channel,
            ended: Box::new(move || end(&current, number)),
        };
        handler.begin(local, socket);
    }

    fn socket(&self, to: SocketAddr) -> io::Result<(Datagrams, SocketAddr)> {
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let settings = &self.options.socket;
        let from = settings.options.bind.unwrap_or(SocketAddr::new(any, 0));
        let bind = || Datagrams::bind(from, settings);
        let socket = connected(to, bind)?;
        let from = socket.local()?;
        Ok((socket, from))
    }

    /// The one `on_close` of an open that came to nothing, from the loop's own frame.
    fn refuse(mut self, local: &LocalLoop, reason: CloseReason) {
        let call = move |local: &LocalLoop| {
            end(&self.current, self.number);
            if let Some(mut f) = self.callbacks.close.take() {
                f(&reason);
            }
            local.drop_user(self.callbacks);
        };
        local.core().defer(Deferred::Call(Box::new(call)));
    }
}

/// A socket with that one peer, and not with itself: the port that the system chooses may be the very
/// one that it is to send to, if nobody has that. The next one is chosen while this one is kept.
fn connected(
    to: SocketAddr,
    mut bind: impl FnMut() -> io::Result<Datagrams>,
) -> io::Result<Datagrams> {
    let first = bind()?;
    first.connect(to)?;
    if !same_endpoint(first.local()?, to) {
        return Ok(first);
    }
    let second = bind()?;
    second.connect(to)?;
    Ok(second)
}

/// The open of that number is over.
fn end(current: &Mutex<Current>, number: u64) {
    let mut current = lock(current);
    if current.sessions.is(number) {
        current.sessions.end(number);
        current.lookup = None;
        current.on_its_way = None;
        // One that the loop never had.
        if let Some(channel) = current.channel.take() {
            channel.mark_closed();
        }
    }
}

/// An open whose lookup is under way; dropped with it, it still gets its `on_close`.
struct LookupWait(Option<(Opening, u16)>);

impl LookupWait {
    fn answered(&mut self, local: &LocalLoop, answer: io::Result<Vec<SocketAddr>>) {
        let Some((opening, port)) = self.0.take() else {
            return;
        };
        let given_up = {
            let mut current = lock(&opening.current);
            current.lookup = None;
            current.sessions.is_given_up()
        };
        let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        match answer.and_then(|found| found.first().copied().ok_or_else(none)) {
            _ if given_up => opening.refuse(local, CloseReason::Local),
            Ok(address) => opening.connect(local, address, port),
            Err(e) => opening.refuse(local, CloseReason::Dns(Arc::new(e))),
        }
    }
}

impl Drop for LookupWait {
    fn drop(&mut self) {
        if let (Some((opening, _)), Some(local)) = (self.0.take(), EventLoop::current()) {
            let given_up = lock(&opening.current).sessions.is_given_up();
            let reason = match given_up {
                true => CloseReason::Local,
                false => CloseReason::Stopped,
            };
            opening.refuse(&local, reason);
        }
    }
}

impl Drop for UdpClient {
    /// Closes the socket; its callbacks still run on the loop's thread.
    fn drop(&mut self) {
        if lock(&self.current).sessions.is_live() {
            self.close();
        }
    }
}

debug_fields!(UdpClient, this: "channel" = this.channel());

#[cfg(all(test, not(hvloop_sim)))]
mod tests {
    use super::*;
    use crate::sys::DatagramSettings;

    /// The system's first choice is the port to send to: another one is taken.
    #[test]
    fn not_its_own_peer() {
        let settings = DatagramSettings::default();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = Datagrams::bind(any, &settings).expect("a socket");
        let to = first.local().expect("an address");
        let mut first = Some(first);
        let socket = connected(to, || match first.take() {
            Some(first) => Ok(first),
            None => Datagrams::bind(any, &settings),
        });
        let local = socket.expect("another").local().expect("an address");
        assert_ne!(local, to);
    }
}
