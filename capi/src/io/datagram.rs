//! Datagram sockets.

use super::{Connection, hvloop_io, hvloop_io_kind, io, lock};
use crate::error::{Failure, Outcome, hvloop_error};
use crate::ffi::address::inet_address;
use crate::ffi::boundary::boundary;
use crate::ffi::text::bytes;
use hvloop::{Address, EventLoop, UdpChannel};
use std::ffi::c_void;
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock};

/// A UDP socket. It has its handle before the loop has the socket.
pub(crate) struct Datagram {
    event_loop: EventLoop,
    local: SocketAddr,
    peer: Option<SocketAddr>,
    /// Once it is on its way to the loop.
    channel: OnceLock<UdpChannel>,
    /// Who spoke last.
    last: Mutex<Option<SocketAddr>>,
}

impl Datagram {
    pub(crate) fn new(event_loop: EventLoop, local: SocketAddr, peer: Option<SocketAddr>) -> Self {
        Self {
            event_loop,
            local,
            peer,
            channel: OnceLock::new(),
            last: Mutex::default(),
        }
    }

    /// The socket is on its way to the loop, or is there.
    pub(crate) fn started(&self, channel: &UdpChannel) {
        self.channel.get_or_init(|| channel.clone());
    }

    /// The socket.
    pub(crate) fn channel(&self) -> Outcome<&UdpChannel> {
        let closed = || Failure::new(hvloop_error::NotOpen, "the socket is not open");
        self.channel.get().ok_or_else(closed)
    }

    /// A datagram came from there to that socket.
    pub(crate) fn hears(&self, channel: &UdpChannel, from: SocketAddr) {
        self.started(channel);
        *lock(&self.last) = Some(from);
    }

    /// Sends to the peer, or to who spoke last.
    pub(crate) fn send(&self, data: &[u8]) -> Outcome {
        let channel = self.channel()?;
        if self.peer.is_some() {
            return Ok(channel.send(data)?);
        }
        let last = *lock(&self.last);
        let nobody = || Failure::new(hvloop_error::NotFound, "nobody has spoken yet");
        Ok(channel.send_to(data, last.ok_or_else(nobody)?)?)
    }
}

impl Connection for Datagram {
    fn kind(&self) -> hvloop_io_kind {
        hvloop_io_kind::Datagram
    }

    fn event_loop(&self) -> Option<EventLoop> {
        Some(self.event_loop.clone())
    }

    fn is_open(&self) -> bool {
        self.channel.get().is_some_and(UdpChannel::is_open)
    }

    fn peer(&self) -> Option<Address> {
        let last = || *lock(&self.last);
        self.peer.or_else(last).map(Address::Inet)
    }

    fn local(&self) -> Option<Address> {
        Some(Address::Inet(self.local))
    }

    fn buffered(&self) -> usize {
        self.channel.get().map_or(0, UdpChannel::buffered_amount)
    }

    fn close(&self) {
        if let Some(channel) = self.channel.get() {
            channel.close();
        }
    }

    /// What waits is sent all the same: it is for the system to take, not for a peer.
    fn close_now(&self) {
        self.close();
    }
}

/// Sends one datagram to that address; NULL: to the peer, or, without one, to who spoke last. On the loop's thread
/// it is sent at once. How many bytes it has, or a negative `hvloop_error`: the socket is closed, nobody has
/// spoken yet (`HVLOOP_ERROR_NOT_FOUND`), the queue has no room, or what the system said.
///
/// # Safety
///
/// A handle; so many bytes; NULL, or so many bytes of an address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hvloop_io_send_to(
    io: *const hvloop_io,
    data: *const c_void,
    size: usize,
    address: *const c_void,
    length: u32,
) -> i64 {
    boundary(|| {
        // SAFETY: the caller's word.
        let datagram = unsafe { self::io(io)? }.datagram()?;
        // SAFETY: the caller's word.
        let data = unsafe { bytes(data, size)? };
        match address.is_null() {
            true => datagram.send(data)?,
            false => {
                // SAFETY: the caller's word.
                let to = unsafe { inet_address(address, length)? };
                datagram.channel()?.send_to(data, to)?;
            }
        }
        Ok(i64::try_from(size).unwrap_or(i64::MAX))
    })
}
