//! The names of Unix sockets: files, and on Linux abstract ones.

use super::super::{Address, abstract_name};
use super::thread;
use crate::log;
use rustix::fs::{FlockOperation, flock};
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and how long each time, to wait for others who take over a file of the same directory.
const LOCK_TRIES: (u32, Duration) = (100, Duration::from_millis(1));

/// The file of a listening Unix socket, removed with it: before the socket is closed, so that nobody who
/// finds the file finds it abandoned.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: another file may have come in its place.
    identity: Option<(u64, u64)>,
    /// A child by fork has a copy of this, and must not take the file from its parent.
    process: u32,
}

impl SocketFile {
    fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            identity: identity(path),
            process: thread::process(),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let mine = self.process == thread::process();
        let same = self.identity.is_some() && identity(&self.path) == self.identity;
        if mine
            && same
            && let Err(e) = std::fs::remove_file(&self.path)
        {
            log::debug!("hvloop: cannot remove {}: {e}", self.path.display());
        }
    }
}

/// The socket keeps the inode: while it is open, no other file has the same number.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// A listener with that name; takes over a socket file that nobody has any more. Of several at once one
/// gets the name. Never waits for whoever has it. An abstract name has no file.
pub(super) fn bind(
    path: &Path,
    backlog: u32,
) -> io::Result<(Option<SocketFile>, mio::net::UnixListener)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let address = name(path)?;
    let is_file = abstract_name(path).is_none();
    match socket.bind(&address) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse && is_file => {
            take_over(&socket, path, &address, e)?;
        }
        bound => bound?,
    }
    let file = is_file.then(|| SocketFile::of(path));
    socket.listen(backlog.min(i32::MAX as u32) as i32)?;
    Ok((file, mio::net::UnixListener::from_std(socket.into())))
}

/// Binds to the name of a file that is there, if nobody has it.
fn take_over(
    socket: &Socket,
    path: &Path,
    address: &SockAddr,
    in_use: io::Error,
) -> io::Result<()> {
    if !is_abandoned(path, address) {
        return Err(in_use);
    }
    // Another one may have found the same, and have put its own socket there by now.
    let _lock = lock_directory(path)?;
    if is_abandoned(path, address) {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    socket.bind(address)
}

/// Whether there is a socket file, and nobody has the socket. A stream would have to wait in a backlog
/// to find out, and whoever listens would see it; a socket of another type is told that it is of the
/// wrong one, or that nobody is there.
fn is_abandoned(path: &Path, address: &SockAddr) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    let refused = || {
        let probe = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
        probe.connect(address)
    };
    is_socket && matches!(refused(), Err(e) if e.kind() == io::ErrorKind::ConnectionRefused)
}

/// Keeps others from taking over a file of that directory, until it is dropped. It is held for moments
/// alone: who finds it held for longer finds another use of the lock, and gives up.
#[allow(
    clippy::disallowed_methods,
    reason = "a bounded wait, for others who make four system calls, where a file was left behind"
)]
fn lock_directory(path: &Path) -> io::Result<File> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let directory = File::open(directory)?;
    let (tries, pause) = LOCK_TRIES;
    for _ in 0..tries {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(directory),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(pause),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let text =
        "a socket file without an owner is there, and the lock on its directory is held by others";
    Err(io::Error::new(io::ErrorKind::AddrInUse, text))
}

/// In the form of socket2, where a NUL stands before an abstract name.
pub(super) fn name(path: &Path) -> io::Result<SockAddr> {
    match abstract_name(path) {
        Some(name) => {
            let name = [&[0], name].concat();
            SockAddr::unix(PathBuf::from(OsString::from_vec(name)))
        }
        None => SockAddr::unix(path),
    }
}

/// Where to connect to.
pub(super) fn to_connect(path: &Path) -> io::Result<SocketAddr> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    match abstract_name(path) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(name) => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(path),
    }
}

/// An abstract name stands behind an `@`.
pub(super) fn address(address: &SocketAddr) -> Address {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.as_abstract_name() {
        let name = [b"@", name].concat();
        return Address::Unix(Some(PathBuf::from(OsString::from_vec(name))));
    }
    Address::Unix(address.as_pathname().map(Into::into))
}
