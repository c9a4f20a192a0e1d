//! UDP sockets.

use super::super::{DatagramSettings, Interface, MulticastOut, Poller};
use super::made::{self, OwnedSocket};
use super::options;
use crate::log;
use crate::sys::Key;
use socket2::{SockRef, Type};
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
        let socket = options::open(address, Type::DGRAM)?;
        socket.set_reuse_address(settings.reuse_address)?;
        socket.set_broadcast(settings.broadcast)?;
        options::before_bind(&socket, address, &settings.options)?;
        options::set_buffers(&socket, &settings.options);
        socket.bind(&address.into())?;
        Ok(Self(mio::net::UdpSocket::from_std(socket.into())))
    }

    /// A socket that was made elsewhere; of the settings those hold that need not be set before it has its
    /// address.
    ///
    /// # Errors
    ///
    /// It is no UDP socket.
    pub(crate) fn made(socket: OwnedSocket, settings: &DatagramSettings) -> io::Result<Self> {
        let socket = made::take(socket, Type::DGRAM)?;
        if socket.local_addr()?.as_socket().is_none() {
            return Err(made::unfit("the socket is not of UDP"));
        }
        if settings.broadcast {
            socket.set_broadcast(true)?;
        }
        options::set_buffers(&socket, &settings.options);
        Ok(Self(mio::net::UdpSocket::from_std(socket.into())))
    }

    /// The one that it sends to and hears, if there is one.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn peer(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
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

    /// The number of its descriptor.
    #[cfg(unix)]
    pub(crate) fn fd(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsRawFd;
        self.0.as_raw_fd()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

    use super::*;
    use crate::sys::SocketOptions;
    use std::net::Ipv6Addr;

    /// What is set is what the system says.
    #[test]
    fn options_are_set() {
        let settings = DatagramSettings {
            reuse_address: true,
            broadcast: true,
            options: SocketOptions::new()
                .ipv6_only(true)
                .send_buffer(20_000)
                .recv_buffer(24_000),
        };
        let v4 = Datagrams::bind(([127, 0, 0, 1], 0).into(), &settings).unwrap();
        let plain = Datagrams::bind(([127, 0, 0, 1], 0).into(), &DatagramSettings::default());
        let (v4, plain) = (&v4.0, &plain.unwrap().0);
        let (set, default) = (SockRef::from(v4), SockRef::from(plain));
        // Linux doubles them, for its own use (socket(7)).
        let factor = if cfg!(target_os = "linux") { 2 } else { 1 };
        assert_eq!(set.send_buffer_size().unwrap(), 20_000 * factor);
        assert_eq!(set.recv_buffer_size().unwrap(), 24_000 * factor);
        assert!(set.broadcast().unwrap() && set.reuse_address().unwrap());
        assert!(default.send_buffer_size().unwrap() != 20_000 * factor);
        assert!(default.recv_buffer_size().unwrap() != 24_000 * factor);
        assert!(!default.broadcast().unwrap() && !default.reuse_address().unwrap());
        // Where there is IPv6.
        if let Ok(v6) = Datagrams::bind((Ipv6Addr::LOCALHOST, 0).into(), &settings) {
            assert!(SockRef::from(&v6.0).only_v6().unwrap());
        }
    }
}
