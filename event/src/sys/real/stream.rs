//! Non-blocking streams: TCP and Unix sockets.

use super::super::{Address, Got, Poller, SocketOptions};
use super::made::{self, OwnedSocket};
use super::options::{open, set_buffers};
#[cfg(unix)]
use super::unix_name;
use crate::log;
use crate::sys::Key;
use socket2::{SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

/// Whether a short read tells that nothing is left, unless something else tells of the exceptions:
/// urgent data, at which a read stops (`EPOLLPRI`, which [`Stream::register`] asks for), and
/// descriptors that came along on a Unix socket (`MSG_CTRUNC`). So on Linux; elsewhere nothing tells,
/// and mio arms the socket again only on `WouldBlock`.
///
/// Of writes it is not asked: they are short only when there is no room, which is rare enough to ask
/// the system again.
const SHORT_READ_MEANS_DRAINED: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Bytes that the system may hold and not have sent: a slow peer's progress is seen, and what is behind
/// them (a Ping, a Close) is not far behind. No slower on loopback than without.
const UNSENT_LIMIT: u32 = 64 * 1024;

/// A non-blocking stream, close-on-exec.
///
/// No write may raise SIGPIPE in a host that kept its default disposition. Of std's calls that holds
/// for `write` of a TCP stream: `write_vectored` does not say `MSG_NOSIGNAL`, and for a Unix stream
/// no call does in the oldest version of Rust that is supported: those are sent with the flag here.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP.
    Tcp(mio::net::TcpStream),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
}

/// Calls the same method of whichever it is.
macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Self::Tcp($inner) => $call,
            #[cfg(unix)]
            Self::Unix($inner) => $call,
        }
    };
}

impl Stream {
    /// Starts a connect, from the address `bind` if there is one. The outcome is read with
    /// [`Stream::connected`] once the stream is writable.
    pub(crate) fn connect(address: &Address, bind: Option<SocketAddr>) -> io::Result<Self> {
        match (address, bind) {
            (Address::Inet(address), None) => mio::net::TcpStream::connect(*address).map(Self::Tcp),
            (Address::Inet(address), Some(bind)) => connect_from(bind, *address).map(Self::Tcp),
            #[cfg(unix)]
            (Address::Unix(Some(path)), _) => {
                let stream = mio::net::UnixStream::connect_addr(&unix_name::to_connect(path)?)?;
                no_sigpipe(&stream)?;
                Ok(Self::Unix(stream))
            }
            #[cfg(unix)]
            (Address::Unix(None), _) => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// As [`connect`](Self::connect), with a socket that was made elsewhere; one that is connected already is
    /// taken as it is. It comes back where it can be tried again.
    pub(crate) fn connect_made(
        made: OwnedSocket,
        address: &Address,
    ) -> Result<Self, (io::Error, Option<OwnedSocket>)> {
        let fatal = |e| (e, None);
        let socket = made::take(made, Type::STREAM).map_err(fatal)?;
        if socket.peer_addr().is_err() {
            let to = match address {
                Address::Inet(address) => Ok((*address).into()),
                #[cfg(unix)]
                Address::Unix(Some(path)) => unix_name::name(path),
                #[cfg(unix)]
                Address::Unix(None) => Err(io::ErrorKind::AddrNotAvailable.into()),
            };
            match socket.connect(&to.map_err(fatal)?) {
                Err(e) if address.inet().is_none() && e.kind() == io::ErrorKind::WouldBlock => {
                    return Err((e, Some(socket.into())));
                }
                Err(e) if !is_in_progress(&e) => return Err(fatal(e)),
                _ => {}
            }
        }
        Self::of_socket(socket).map_err(fatal)
    }

    /// The stream that a socket is.
    fn of_socket(socket: Socket) -> io::Result<Self> {
        let own = socket.local_addr()?;
        if own.as_socket().is_some() {
            return Ok(Self::Tcp(mio::net::TcpStream::from_std(socket.into())));
        }
        #[cfg(unix)]
        if own.is_unix() {
            let stream = mio::net::UnixStream::from_std(socket.into());
            no_sigpipe(&stream)?;
            return Ok(Self::Unix(stream));
        }
        Err(made::unfit("the socket is neither of TCP nor of Unix"))
    }

    /// Registers with the poller for reading and writing, once for its time on that poller.
    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        let token = mio::Token(key.to_token());
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = interest | mio::Interest::PRIORITY;
        either!(self, s => poller.registry().register(s, token, interest))
    }

    /// Takes the stream off the poller; dropping it then closes it.
    pub(crate) fn deregister(&mut self, poller: &Poller) {
        if let Err(e) = either!(self, s => poller.registry().deregister(s)) {
            log::debug!("hvloop: deregister: {e}");
        }
    }

    /// The peer's address once connected, `None` while the connect goes on, else why it failed.
    pub(crate) fn connected(&self) -> io::Result<Option<Address>> {
        // The system has a peer of TCP for as long as the connection is whole. A Unix socket keeps its peer.
        let whole = match self {
            Self::Tcp(_) => self.peer().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        };
        if whole.is_some() {
            return Ok(whole);
        }
        if let Some(e) = either!(self, s => s.take_error())? {
            return Err(e);
        }
        match self.peer() {
            Ok(peer) => Ok(Some(peer)),
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(None),
            // Some systems say EINVAL of a socket that is not connected yet.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether it is connected to itself: a connect from the very port that it goes to succeeds when
    /// nobody listens there (simultaneous open, RFC 9293 section 3.5).
    pub(crate) fn is_to_itself(&self) -> bool {
        match (self.local(), self.peer()) {
            (Ok(local), Ok(peer)) => local.is_same_endpoint(&peer),
            _ => false,
        }
    }

    /// Lets the drop reset the connection, so that the system keeps nothing of it; TCP alone.
    pub(crate) fn reset_on_drop(&self) {
        if let Self::Tcp(stream) = self
            && let Err(e) = SockRef::from(stream).set_linger(Some(Duration::ZERO))
        {
            log::debug!("hvloop: SO_LINGER: {e}");
        }
    }

    /// Sets its options; none of them is worth a connection.
    pub(crate) fn set_up(&self, options: &SocketOptions) {
        if let Self::Tcp(stream) = self {
            if let Err(e) = stream.set_nodelay(options.nodelay) {
                log::debug!("hvloop: TCP_NODELAY: {e}");
            }
            let socket = SockRef::from(stream);
            if let Err(e) = limit_unsent(&socket) {
                log::debug!("hvloop: TCP_NOTSENT_LOWAT: {e}");
            }
            let keepalive = options.keepalive.map(|after| {
                let keepalive = TcpKeepalive::new().with_time(after).with_interval(after);
                socket.set_tcp_keepalive(&keepalive)
            });
            if let Some(Err(e)) = keepalive {
                log::warn!("hvloop: SO_KEEPALIVE: {e}");
            }
            let user_timeout = options.user_timeout.map(|t| set_user_timeout(&socket, t));
            if let Some(Err(e)) = user_timeout {
                log::warn!("hvloop: TCP_USER_TIMEOUT: {e}");
            }
        }
        either!(self, s => set_buffers(&SockRef::from(s), options));
    }

    /// The address of the other side.
    pub(crate) fn peer(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().map(Address::Inet),
            #[cfg(unix)]
            Self::Unix(stream) => stream.peer_addr().map(|a| unix_name::address(&a)),
        }
    }

    /// The address of this side.
    pub(crate) fn local(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(stream) => stream.local_addr().map(Address::Inet),
            #[cfg(unix)]
            Self::Unix(stream) => stream.local_addr().map(|a| unix_name::address(&a)),
        }
    }

    /// The number of its descriptor.
    #[cfg(unix)]
    pub(crate) fn fd(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsRawFd;
        either!(self, s => s.as_raw_fd())
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<Got> {
        let asked = buf.len();
        let (bytes, cut) = match self {
            Self::Tcp(stream) => (stream.read(buf)?, false),
            #[cfg(unix)]
            Self::Unix(stream) => read_unix(stream, buf)?,
        };
        let more = bytes == asked || cut || !SHORT_READ_MEANS_DRAINED;
        Ok(Got { bytes, more })
    }

    /// Writes what fits; never raises SIGPIPE.
    pub(crate) fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buf),
            #[cfg(unix)]
            Self::Unix(stream) => {
                // Through mio, which on some systems has to know of a WouldBlock.
                stream.try_io(|| SockRef::from(&*stream).send_with_flags(buf, NO_SIGNAL))
            }
        }
    }

    /// Writes what fits of both, one behind the other; never raises SIGPIPE.
    pub(crate) fn write_parts(&mut self, head: &[u8], body: &[u8]) -> io::Result<usize> {
        let parts = [io::IoSlice::new(head), io::IoSlice::new(body)];
        let send = |socket: SockRef<'_>| socket.send_vectored_with_flags(&parts, NO_SIGNAL);
        either!(self, s => s.try_io(|| send(SockRef::from(&*s))))
    }

    /// Bytes that came in and were not read; where the system does not say, as many as it may hold.
    pub(crate) fn unread(&self) -> usize {
        #[cfg(unix)]
        let held = either!(self, s => rustix::io::ioctl_fionread(s)).ok();
        #[cfg(not(unix))]
        let held = either!(self, s => SockRef::from(s).recv_buffer_size()).ok();
        held.and_then(|held| usize::try_from(held).ok())
            .unwrap_or(0)
    }

    /// The size of the system's buffer for what is sent.
    pub(crate) fn send_buffer(&self) -> usize {
        either!(self, s => SockRef::from(s).send_buffer_size()).unwrap_or(0)
    }

    /// Ends the writing side (FIN after what was written).
    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        either!(self, s => s.shutdown(Shutdown::Write))
    }
}

/// Keeps what the system holds and has not sent below about [`UNSENT_LIMIT`], so that its readiness follows
/// the peer's reading: Linux tells of room only when a third of its buffer is free, which is up to 4 MiB
/// (TCP_NOTSENT_LOWAT). On Linux and Android; elsewhere nothing is done.
fn limit_unsent(socket: &Socket) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return socket.set_tcp_notsent_lowat(UNSENT_LIMIT);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (socket, UNSENT_LIMIT);
        Ok(())
    }
}

/// Zero is the system's own limit; less than a millisecond is not.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(timeout.max(Duration::from_millis(1))))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_socket: &Socket, _timeout: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A TCP connect from an address of the caller's.
fn connect_from(bind: SocketAddr, to: SocketAddr) -> io::Result<mio::net::TcpStream> {
    let socket = open(to, Type::STREAM)?;
    socket.set_reuse_address(true)?;
    socket.bind(&bind.into())?;
    match socket.connect(&to.into()) {
        Err(e) if !is_in_progress(&e) => Err(e),
        _ => Ok(mio::net::TcpStream::from_std(socket.into())),
    }
}

#[cfg(unix)]
fn is_in_progress(e: &io::Error) -> bool {
    // A connect that was begun elsewhere goes on, too.
    let goes_on = [libc::EINPROGRESS, libc::EALREADY, libc::EISCONN];
    let known = e.raw_os_error().is_some_and(|code| goes_on.contains(&code));
    known || e.kind() == io::ErrorKind::WouldBlock
}

#[cfg(not(unix))]
fn is_in_progress(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::WouldBlock
}

/// Reads from a Unix socket. Descriptors that came along are dropped by the system, since there is no
/// room for them; `true`: there were some, and the read ended with the bytes that they came with.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn read_unix(stream: &mio::net::UnixStream, buf: &mut [u8]) -> io::Result<(usize, bool)> {
    use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};
    let mut bytes = [io::IoSliceMut::new(buf)];
    let mut nothing = RecvAncillaryBuffer::default();
    let got = recvmsg(stream, &mut bytes, &mut nothing, RecvFlags::empty())?;
    Ok((got.bytes, got.flags.contains(ReturnFlags::CTRUNC)))
}

/// Reads from a Unix socket. Nothing tells of descriptors that came along.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn read_unix(stream: &mut mio::net::UnixStream, buf: &mut [u8]) -> io::Result<(usize, bool)> {
    Ok((stream.read(buf)?, false))
}

/// The flag by which one call to `send` raises no SIGPIPE.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
/// Windows has no such signal. Apple's systems know no such flag: there [`no_sigpipe`] says it of the socket,
/// as std does of TCP sockets.
#[cfg(any(not(unix), target_vendor = "apple"))]
const NO_SIGNAL: i32 = 0;

/// Keeps writes to a Unix socket from raising SIGPIPE where [`NO_SIGNAL`] cannot.
#[cfg(unix)]
pub(super) fn no_sigpipe(stream: &mio::net::UnixStream) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    SockRef::from(stream).set_nosigpipe(true)?;
    let _ = stream;
    Ok(())
}
