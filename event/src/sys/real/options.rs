//! Options that sockets of several kinds have.

use crate::log;
use crate::sys::SocketOptions;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;

/// Opens a socket for such addresses, non-blocking and close-on-exec.
pub(super) fn open(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sets what must be known before the socket has its address.
pub(super) fn before_bind(
    socket: &Socket,
    address: SocketAddr,
    options: &SocketOptions,
) -> io::Result<()> {
    if options.reuse_port {
        reuse_port(socket)?;
    }
    match (options.ipv6_only, address) {
        (Some(only), SocketAddr::V6(_)) => socket.set_only_v6(only),
        _ => Ok(()),
    }
}

/// Sets the sizes of the system's buffers, which are not worth a socket.
pub(super) fn set_buffers(socket: &Socket, options: &SocketOptions) {
    let send = options.send_buffer.map(|n| socket.set_send_buffer_size(n));
    if let Some(Err(e)) = send {
        log::warn!("hvloop: SO_SNDBUF: {e}");
    }
    let recv = options.recv_buffer.map(|n| socket.set_recv_buffer_size(n));
    if let Some(Err(e)) = recv {
        log::warn!("hvloop: SO_RCVBUF: {e}");
    }
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
fn reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
fn reuse_port(_socket: &Socket) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "SO_REUSEPORT is not known here",
    ))
}
