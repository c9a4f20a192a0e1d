//! Sockets that were made elsewhere.

use crate::sys::Address;
use socket2::{SockRef, Socket, Type};
use std::io;

#[cfg(unix)]
pub use std::os::fd::OwnedFd as OwnedSocket;
#[cfg(windows)]
pub use std::os::windows::io::OwnedSocket;

/// Takes a socket of that type; from now on it is non-blocking, and closed on exec.
pub(super) fn take(socket: OwnedSocket, kind: Type) -> io::Result<Socket> {
    let socket = Socket::from(socket);
    if socket.r#type()? != kind {
        return Err(unfit("the socket is of another type"));
    }
    socket.set_nonblocking(true)?;
    #[cfg(unix)]
    socket.set_cloexec(true)?;
    Ok(socket)
}

/// Whether it can be connected to that address, or needs not be. What is no socket is refused when it is
/// connected.
pub(crate) fn fits(socket: &OwnedSocket, address: &Address) -> bool {
    let socket = SockRef::from(socket);
    let Ok(own) = socket.local_addr() else {
        return true;
    };
    let same = match address {
        Address::Inet(address) => own.is_ipv4() == address.is_ipv4(),
        #[cfg(unix)]
        Address::Unix(_) => own.is_unix(),
    };
    same || socket.peer_addr().is_ok()
}

/// The socket cannot be what it is to be.
pub(super) fn unfit(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn made_sockets_do_not_block() {
        let (one, _other) = UnixStream::pair().expect("a pair");
        let taken = take(one.into(), Type::STREAM).expect("a socket");
        assert!(taken.nonblocking().expect("its flags"));
    }
}
