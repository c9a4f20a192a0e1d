//! Addresses, as the system and C have them.

use crate::error::{Failure, Outcome, hvloop_error};
use hvloop::Address;
use socket2::{SockAddr, SockAddrStorage};
use std::ffi::{OsString, c_char, c_int, c_void};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// An address as the system has it.
fn to_system(address: &Address) -> Outcome<SockAddr> {
    match address {
        Address::Inet(address) => Ok(SockAddr::from(*address)),
        Address::Unix(path) => Ok(unix(path.as_deref().unwrap_or(Path::new("")))?),
        _ => Err(Failure::new(
            hvloop_error::Unsupported,
            "an address of this kind has no form in C",
        )),
    }
}

/// That of a Unix socket; an abstract name begins with `@` here, and with a NUL in the system.
pub(crate) fn unix(path: &Path) -> std::io::Result<SockAddr> {
    let known = cfg!(any(target_os = "linux", target_os = "android"));
    match path.as_os_str().as_bytes() {
        [b'@', name @ ..] if known => {
            let name = OsString::from_vec([&[0], name].concat());
            SockAddr::unix(PathBuf::from(name))
        }
        _ => SockAddr::unix(path),
    }
}

/// Writes an address to a `sockaddr_storage` of C's, and how long it is to `length`, where the room is said before.
///
/// # Errors
///
/// A place is NULL, or the address is longer than the room.
///
/// # Safety
///
/// NULL, or `*length` bytes, and NULL, or their number.
pub(crate) unsafe fn put_address(
    address: &Address,
    place: *mut c_void,
    length: *mut u32,
) -> Outcome {
    if place.is_null() || length.is_null() {
        return Err(Failure::new(
            hvloop_error::Null,
            "the place of the address is NULL",
        ));
    }
    let address = to_system(address)?;
    // SAFETY: not NULL, and the caller's word.
    let room = unsafe { length.read() };
    if address.len() > room {
        let text = format!(
            "the address has {} bytes, there is room for {room}",
            address.len()
        );
        return Err(Failure::argument(text));
    }
    let size = address.len() as usize;
    // SAFETY: so many bytes are of the address, and there is room for them.
    unsafe { std::ptr::copy_nonoverlapping(address.as_ptr().cast(), place.cast::<u8>(), size) };
    // SAFETY: not NULL, and the caller's word.
    unsafe { length.write(address.len()) };
    Ok(())
}

/// An IP address and port as the system has it, for the time of a callback.
pub(crate) fn system_address(address: SocketAddr) -> SockAddr {
    SockAddr::from(address)
}

/// An IP address and port of C's.
///
/// # Errors
///
/// It is NULL, or none.
///
/// # Safety
///
/// NULL, or so many bytes of a `sockaddr`.
pub(crate) unsafe fn inet_address(address: *const c_void, length: u32) -> Outcome<SocketAddr> {
    if address.is_null() {
        return Err(Failure::new(hvloop_error::Null, "the address is NULL"));
    }
    let mut storage = SockAddrStorage::zeroed();
    if length > storage.size_of() {
        return Err(Failure::argument("no address is that long"));
    }
    let place = (&raw mut storage).cast::<u8>();
    // SAFETY: so many bytes are there, by the caller's word, and fit.
    unsafe { std::ptr::copy_nonoverlapping(address.cast(), place, length as usize) };
    // SAFETY: what is not of the address is zero.
    let address = unsafe { SockAddr::new(storage, length) };
    let (v4, v6) = (SockAddr::from(V4), SockAddr::from(V6));
    let whole = (address.is_ipv4() && address.len() >= v4.len())
        || (address.is_ipv6() && address.len() >= v6.len());
    address
        .as_socket()
        .filter(|_| whole)
        .ok_or_else(|| Failure::argument("it is no address of IPv4 or IPv6"))
}

const V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
const V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), 0);

/// Writes text to a buffer of C's, cut to its size, with a NUL behind it; how long all of it is.
///
/// # Errors
///
/// The buffer is NULL, but for a size of 0.
///
/// # Safety
///
/// NULL, or so many bytes.
pub(crate) unsafe fn put_text(text: &[u8], buffer: *mut c_char, size: usize) -> Outcome<c_int> {
    if size > 0 {
        if buffer.is_null() {
            return Err(Failure::new(hvloop_error::Null, "the buffer is NULL"));
        }
        let length = text.len().min(size - 1);
        // SAFETY: there is room for one more.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), length) };
        // SAFETY: within the buffer.
        let end = unsafe { buffer.add(length) };
        // SAFETY: as above.
        unsafe { end.write(0) };
    }
    Ok(c_int::try_from(text.len()).unwrap_or(c_int::MAX))
}

/// An address as text; nothing of a Unix socket without a name.
pub(crate) fn address_text(address: &Address) -> Vec<u8> {
    match address {
        Address::Unix(path) => path
            .as_ref()
            .map_or_else(Vec::new, |path| path.as_os_str().as_bytes().to_vec()),
        other => other.to_string().into_bytes(),
    }
}

/// Where C wants to go, or to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or an IP address, and a port.
    Host(String, u16),
    /// The path of a Unix socket.
    Path(PathBuf),
}

impl Place {
    /// From a text and a port; a negative one: the text is a path.
    ///
    /// # Errors
    ///
    /// There is no such port, or no text.
    pub(crate) fn new(host: &str, port: c_int) -> Outcome<Self> {
        if host.is_empty() {
            return Err(Failure::argument("the host, or path, is empty"));
        }
        if port < 0 {
            return Ok(Self::Path(host.into()));
        }
        match u16::try_from(port) {
            // In brackets, as in a URL.
            Ok(port) => {
                let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
                Ok(Self::Host(inner.unwrap_or(host).to_owned(), port))
            }
            Err(_) => Err(Failure::argument(format!("{port} is no port"))),
        }
    }

    /// Its address now: a name is looked up, of several addresses one of IPv4 is taken.
    ///
    /// # Errors
    ///
    /// The name is not known.
    pub(crate) fn resolve(&self) -> Outcome<Address> {
        match self {
            Self::Path(path) => Ok(Address::Unix(Some(path.clone()))),
            Self::Host(host, port) => {
                let found: Vec<_> = (host.as_str(), *port).to_socket_addrs()?.collect();
                let first = found.iter().find(|address| address.is_ipv4());
                let first = first.or(found.first());
                first.copied().map(Address::Inet).ok_or_else(|| {
                    Failure::new(hvloop_error::NotFound, format!("{host} has no address"))
                })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::multiple_unsafe_ops_per_block, reason = "one promise for all")]
mod tests {
    use super::*;

    #[test]
    fn addresses_there_and_back() {
        for text in ["127.0.0.1:80", "[::1]:443", "[fe80::1%3]:1"] {
            let address: SocketAddr = text.parse().expect("an address");
            let mut storage = [0_u64; 16];
            let mut length = 128;
            let place = (&raw mut storage).cast::<c_void>();
            // SAFETY: room for 128 bytes.
            unsafe {
                put_address(&address.into(), place, &raw mut length).expect("room");
                assert_eq!(inet_address(place, length).expect("an address"), address);
                assert!(inet_address(place, length - 1).is_err(), "cut off");
                let mut short = length - 1;
                assert!(put_address(&address.into(), place, &raw mut short).is_err());
            }
            assert_eq!(address_text(&address.into()), text.as_bytes());
        }
    }

    #[test]
    fn what_is_no_ip_address() {
        let path = Address::Unix(Some("@abstract".into()));
        let mut storage = [0_u64; 16];
        let mut length = 128;
        let place = (&raw mut storage).cast::<c_void>();
        // SAFETY: room for 128 bytes.
        unsafe {
            put_address(&path, place, &raw mut length).expect("room");
            assert!(inet_address(place, length).is_err());
            assert!(inet_address(std::ptr::null(), 16).is_err());
            assert!(inet_address(place, 4096).is_err());
        }
        assert_eq!(address_text(&path), b"@abstract");
        assert_eq!(address_text(&Address::Unix(None)), b"");
    }

    #[test]
    fn text_is_cut() {
        let mut buffer = [1 as c_char; 4];
        // SAFETY: four bytes, or none.
        unsafe {
            assert_eq!(put_text(b"abcdef", buffer.as_mut_ptr(), 4).expect("put"), 6);
            assert_eq!(buffer.map(|c| c as u8), *b"abc\0");
            assert_eq!(put_text(b"abc", std::ptr::null_mut(), 0).expect("asked"), 3);
            assert!(put_text(b"abc", std::ptr::null_mut(), 1).is_err());
        }
    }

    #[test]
    fn places() {
        assert!(Place::new("", 1).is_err());
        assert!(Place::new("a", 65536).is_err());
        let host = |host: &str, port| Ok::<_, ()>(Place::Host(host.to_owned(), port));
        assert_eq!(Place::new("[::1]", 1).map_err(drop), host("::1", 1));
        assert_eq!(Place::new("h", 0).map_err(drop), host("h", 0));
        let path = Place::new("/tmp/s", -1).expect("a path");
        assert_eq!(path, Place::Path("/tmp/s".into()));
        let local = Place::new("127.0.0.1", 7).expect("a place").resolve();
        assert_eq!(local.expect("numeric").to_string(), "127.0.0.1:7");
    }
}
