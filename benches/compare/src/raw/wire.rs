//! A socket, with TLS or without.

use mio::net::TcpStream;
use rustls::Connection;
use std::io::{self, ErrorKind, Read, Write};

/// Bytes that a read takes at most.
pub const READ: usize = 256 * 1024;
/// The same with TLS: what becomes of it, and of a record that was begun, fits into [`READ`].
const READ_TLS: usize = READ - 32 * 1024;

/// Memory for reading, of all connections together.
pub struct Buffers {
    pub plain: Vec<u8>,
    cipher: Vec<u8>,
}

impl Buffers {
    pub fn new(tls: bool) -> Self {
        Self {
            plain: vec![0; READ],
            cipher: vec![0; if tls { READ_TLS } else { 0 }],
        }
    }
}

/// See the module.
pub struct Wire {
    tcp: TcpStream,
    tls: Option<Box<Connection>>,
}

impl Wire {
    pub fn new(tcp: TcpStream, tls: Option<Connection>) -> Self {
        let mut tls = tls.map(Box::new);
        if let Some(tls) = &mut tls {
            tls.set_buffer_limit(Some(READ));
        }
        Self { tcp, tls }
    }

    pub fn tcp(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Reads what has come into the plain buffer: how much, 0 for the end; and whether there may be more.
    pub fn read(&mut self, buffers: &mut Buffers) -> io::Result<(usize, bool)> {
        let Buffers { plain, cipher } = buffers;
        let Some(tls) = &mut self.tls else {
            // Less than was asked for: the socket is empty, and epoll tells of more.
            let n = self.tcp.read(plain)?;
            return Ok((n, n == plain.len()));
        };
        loop {
            let n = self.tcp.read(cipher)?;
            if n == 0 {
                return Ok((0, false));
            }
            let (mut come, mut filled) = (&cipher[..n], 0);
            while !come.is_empty() {
                tls.read_tls(&mut come)?;
                tls.process_new_packets().map_err(io::Error::other)?;
                filled += drain(tls, &mut plain[filled..])?;
            }
            not_blocked(flush(tls, &mut self.tcp))?;
            match (filled, n == cipher.len()) {
                (0, true) => {}
                (0, false) => return Err(ErrorKind::WouldBlock.into()),
                (filled, more) => return Ok((filled, more)),
            }
        }
    }

    /// Writes what there is room for.
    pub fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.tcp.write(data);
        };
        let n = tls.writer().write(data)?;
        not_blocked(flush(tls, &mut self.tcp))?;
        match n {
            0 if !data.is_empty() => Err(ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }

    /// Writes what TLS holds; as much as there is room for.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => not_blocked(flush(tls, &mut self.tcp)),
            None => Ok(()),
        }
    }
}

fn drain(tls: &mut Connection, mut plain: &mut [u8]) -> io::Result<usize> {
    let room = plain.len();
    loop {
        match tls.reader().read(plain) {
            Ok(0) => break,
            Ok(n) => plain = &mut plain[n..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    Ok(room - plain.len())
}

fn flush(tls: &mut Connection, tcp: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(tcp)?;
    }
    Ok(())
}

/// That there is no room now is no failure.
pub fn not_blocked(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(()),
        other => other,
    }
}
