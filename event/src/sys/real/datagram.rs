//! UDP sockets.

use super::super::{DatagramSettings, Interface, MulticastOut, Poller};
use crate::log;
use crate::sys::Key;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A non-blocking UDP socket, close-on-exec.
#[derive(Debug)]
pub(crate) struct Datagrams(mio::net::UdpSocket);

impl Datagrams {
    /// Opens a socket at that address.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(crate) fn bind(address: SocketAddr, settings: &DatagramSettings) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(settings.reuse_address)?;
        if settings.reuse_port {
            super::listener::reuse_port(&socket)?;
        }
        socket.set_broadcast(settings.broadcast)?;
        if let (Some(only), SocketAddr::V6(_)) = (settings.ipv6_only, address) {
            socket.set_only_v6(only)?;
        }
        socket.bind(&address.into())?;
        Ok(Self(mio::net::UdpSocket::from_std(socket.into())))
    }

    /// Registers with the poller for reading and writing, once.
    pub(crate) fn register(&mut self, poller: &Poller, key: Key) -> io::Result<()> {
        let token = mio::Token(key.to_token());
        let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
        poller.registry().register(&mut self.0, token, interest)
    }

    /// Takes the socket off the poller; dropping it then closes it.
    pub(crate) fn deregister(&mut self, poller: &Poller) {
        if let Err(e) = poller.registry().deregister(&mut self.0) {
            log::debug!("hvloop: deregister: {e}");
        }
    }

    /// The address of this side.
    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Sends to and hears from that address alone, from now on.
    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<()> {
        self.0.connect(to)
    }

    /// The next datagram that waits, cut to the buffer.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buf)
    }

    /// Sends one datagram; `None`: to the address of [`Datagrams::connect`].
    pub(crate) fn send(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        match to {
            Some(to) => self.0.send_to(data, to),
            None => self.0.send(data),
        }
    }

    /// Joins or leaves a multicast group on one interface: its address for IPv4 groups, its index
    /// for IPv6 ones.
    pub(crate) fn set_member(&self, group: IpAddr, on: Interface, member: bool) -> io::Result<()> {
        let address = match on {
            Interface::Address(address) => address,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let index = match on {
            Interface::Index(index) => index,
            _ => 0,
        };
        match (group, member) {
            (IpAddr::V4(group), true) => self.0.join_multicast_v4(&group, &address),
            (IpAddr::V4(group), false) => self.0.leave_multicast_v4(&group, &address),
            (IpAddr::V6(group), true) => self.0.join_multicast_v6(&group, index),
            (IpAddr::V6(group), false) => self.0.leave_multicast_v6(&group, index),
        }
    }

    /// Whether this machine hears what it sends to a group, how many hops that goes, and from which
    /// interface; what is `None` stays.
    pub(crate) fn set_multicast(&self, out: &MulticastOut) -> io::Result<()> {
        let socket = SockRef::from(&self.0);
        let v6 = self.local()?.is_ipv6();
        match out.loopback {
            Some(on) if v6 => socket.set_multicast_loop_v6(on)?,
            Some(on) => socket.set_multicast_loop_v4(on)?,
            None => {}
        }
        match out.ttl {
            Some(ttl) if v6 => socket.set_multicast_hops_v6(ttl)?,
            Some(ttl) => socket.set_multicast_ttl_v4(ttl)?,
            None => {}
        }
        match out.interface {
            Some(Interface::Index(index)) if v6 => socket.set_multicast_if_v6(index)?,
            Some(Interface::Address(address)) if !v6 => socket.set_multicast_if_v4(&address)?,
            Some(Interface::Any) | None => {}
            Some(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
        Ok(())
    }
}
