//! A UDP socket at an address of its own.

use super::{UdpCallbacks, UdpChannel, UdpHandler, UdpOptions, callback_setters, refuse};
use crate::conn::{ListenError, ListenErrorKind};
use crate::error::{CloseReason, DatagramError};
use crate::event_loop::EventLoop;
use crate::sync::{change, lock};
use crate::sys::{Datagrams, OwnedSocket};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

/// A UDP server: one socket, its callbacks on the loop's thread.
///
/// Callbacks are set before [`bind`](UdpServer::bind), belong to that one socket and are dropped on
/// the loop's thread right after its `on_close`.
///
/// ```no_run
/// use hvloop_event::{EventLoopThread, UdpOptions, UdpServer};
///
/// let thread = EventLoopThread::new()?;
/// thread.start()?;
/// let server = UdpServer::new(thread.event_loop());
/// server.on_message(|socket, data, from| {
///     socket.send_to(data, from).unwrap_or_else(|e| eprintln!("{e}"));
/// });
/// let address = server.bind("127.0.0.1:0".parse()?, UdpOptions::new())?;
/// println!("echoing at {address}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// libhv: `hv::UdpServer`.
pub struct UdpServer {
    event_loop: EventLoop,
    callbacks: Mutex<UdpCallbacks>,
    channel: Arc<Mutex<Option<UdpChannel>>>,
    /// On its way to the loop, which may never run: closing it must not wait for that.
    on_its_way: Arc<Mutex<Option<Datagrams>>>,
}

impl UdpServer {
    /// A server on that loop, which need not run yet. The server never starts, runs or stops the
    /// loop.
    #[must_use]
    pub fn new(event_loop: &EventLoop) -> Self {
        Self {
            event_loop: event_loop.clone(),
            callbacks: Mutex::default(),
            channel: Arc::default(),
            on_its_way: Arc::default(),
        }
    }

    callback_setters!();

    /// Opens the socket; port 0: any that is free. The address that it got is returned. Any thread;
    /// may be called again after `on_close`.
    ///
    /// # Errors
    ///
    /// What the system said; the server is open already; the loop takes nothing any more.
    ///
    /// libhv: `UdpServer::createsocket` and `start`.
    pub fn bind(
        &self,
        address: SocketAddr,
        options: UdpOptions,
    ) -> Result<SocketAddr, ListenError> {
        let socket = || Datagrams::bind(address, &options.socket);
        self.begin(address, options.send_limit, socket)
    }

    /// As [`bind`](UdpServer::bind), with a UDP socket that was made elsewhere and has its address: what waits in
    /// it is received. Of the options those count that need not be set before a bind: whether it may broadcast,
    /// if that is set, and the limits of buffers. From now on it is non-blocking, for whoever else has it, too,
    /// and close-on-exec.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # #[cfg(unix)] {
    /// use hvloop_event::{EventLoop, UdpOptions, UdpServer};
    ///
    /// let event_loop = EventLoop::new()?;
    /// let server = UdpServer::new(&event_loop);
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// println!("at {}", server.open(socket, UdpOptions::new())?);
    /// # } Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As `bind`, or it is no UDP socket; it is closed then.
    ///
    /// libhv: `hrecvfrom` with a descriptor; `UdpServer::createsocket` and, later, `start`.
    pub fn open(
        &self,
        socket: impl Into<OwnedSocket>,
        options: UdpOptions,
    ) -> Result<SocketAddr, ListenError> {
        let unknown = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        let taken = Datagrams::made(socket.into(), &options.socket);
        let taken = taken.and_then(|socket| Ok((socket.local()?, socket)));
        let (address, socket) = taken.map_err(|e| ListenError::io(e, unknown.into()))?;
        self.begin(address, options.send_limit, || Ok(socket))
    }

    fn begin(
        &self,
        address: SocketAddr,
        send_limit: usize,
        socket: impl FnOnce() -> io::Result<Datagrams>,
    ) -> Result<SocketAddr, ListenError> {
        let refused = |kind| ListenError::new(kind, address.into());
        let mut current = lock(&self.channel);
        if current.as_ref().is_some_and(UdpChannel::is_open) {
            return Err(refused(ListenErrorKind::AlreadyOpen));
        }
        if self.event_loop.is_stopping() {
            return Err(refused(ListenErrorKind::LoopClosed));
        }
        let opened = socket().and_then(|socket| Ok((socket.local()?, socket)));
        let (local, socket) = opened.map_err(|e| ListenError::io(e, address.into()))?;
        let channel = UdpChannel::new(self.event_loop.clone(), &socket, local, None, send_limit);
        *current = Some(channel.clone());
        drop(current);
        let handler = UdpHandler {
            callbacks: std::mem::take(&mut *lock(&self.callbacks)),
            channel: channel.clone(),
            ended: Box::new(|| {}),
        };
        *lock(&self.on_its_way) = Some(socket);
        let on_its_way = self.on_its_way.clone();
        let posted = self.event_loop.with_local(move |local| {
            let socket = lock(&on_its_way).take();
            match socket {
                Some(socket) => handler.begin(local, socket),
                None => refuse(local, Box::new(handler), CloseReason::Local),
            }
        });
        posted.map_err(|_| {
            channel.mark_closed();
            refused(ListenErrorKind::LoopClosed)
        })?;
        Ok(local)
    }

    /// The socket, from [`bind`](UdpServer::bind) or [`open`](UdpServer::open) until it is closed.
    pub fn channel(&self) -> Option<UdpChannel> {
        lock(&self.channel).clone().filter(UdpChannel::is_open)
    }

    /// Sends one datagram. See [`UdpChannel::send_to`].
    ///
    /// # Errors
    ///
    /// As `UdpChannel::send_to`.
    ///
    /// libhv: `UdpServer::sendto`.
    pub fn send_to(&self, data: &[u8], to: SocketAddr) -> Result<(), DatagramError> {
        let channel = self.channel().ok_or(DatagramError::NotOpen)?;
        channel.send_to(data, to)
    }

    /// Closes the socket when all that was accepted is sent. Any thread.
    ///
    /// libhv: `UdpServer::closesocket`, `stop`.
    pub fn close(&self) {
        if let Some(channel) = self.channel() {
            let socket = lock(&self.on_its_way).take();
            drop(socket);
            channel.close();
        }
    }

    /// The loop that the server is on.
    ///
    /// libhv: `UdpServer::loop`.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }
}

impl Drop for UdpServer {
    /// Closes the socket; its callbacks still run on the loop's thread.
    fn drop(&mut self) {
        self.close();
    }
}

debug_fields!(UdpServer, this: "channel" = this.channel());
