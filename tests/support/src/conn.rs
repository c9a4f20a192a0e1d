//! One connection of a scripted server: what a script can say, read and break.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

use crate::frame::{Frame, FrameReader, encode_frame, opcode};
use crate::http::{HEAD_LIMIT, RequestHead, head_end, upgrade_response};
use crate::wait::Event;

/// Longest wait for the client's next byte; a script that waits longer has failed.
pub(crate) const READ_LIMIT: Duration = Duration::from_secs(60);

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// One connection of a [`ScriptServer`](crate::ScriptServer). It also is a [`Read`] and a [`Write`], under TLS of the
/// plaintext; the TLS handshake happens at the first use.
///
/// When the script ends, close_notify is sent (under TLS) and the socket closed. Bytes of the client that
/// nobody read make the kernel send a reset then; [`ScriptConn::finish`] avoids that.
pub struct ScriptConn {
    stream: Stream,
    frames: FrameReader,
    request: RequestHead,
    number: usize,
    release: Event,
    notify_at_end: bool,
}

impl ScriptConn {
    /// A connection that was just accepted; under TLS if there is a configuration.
    pub(crate) fn new(
        tcp: TcpStream,
        config: Option<Arc<ServerConfig>>,
        number: usize,
        release: Event,
    ) -> Self {
        let stream = match config {
            None => Stream::Plain(tcp),
            Some(config) => {
                let session = ServerConnection::new(config).expect("a valid config");
                Stream::Tls(Box::new(StreamOwned::new(session, tcp)))
            }
        };
        Self {
            stream,
            frames: FrameReader::default(),
            request: RequestHead::default(),
            number,
            release,
            notify_at_end: true,
        }
    }

    /// What happens when the script has ended: close_notify, unless the script chose another end.
    pub(crate) fn say_goodbye(&mut self) {
        if self.notify_at_end {
            self.send_close_notify();
        }
    }

    /// Which connection of its server this is, counted from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The TCP socket underneath.
    pub fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => &tls.sock,
        }
    }

    /// Reads the request up to the empty line. What follows it is kept for [`ScriptConn::read_frame`].
    ///
    /// # Errors
    /// When the stream ends or breaks before.
    pub fn read_request_head(&mut self) -> io::Result<RequestHead> {
        let mut head = Vec::new();
        let end = loop {
            if let Some(end) = head_end(&head) {
                break end;
            }
            let mut buffer = [0; 4096];
            let count = self.read(&mut buffer)?;
            if count == 0 || head.len() > HEAD_LIMIT {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no request"));
            }
            head.extend_from_slice(&buffer[..count]);
        };
        self.frames.push(&head[end..]);
        self.request = RequestHead::parse(&String::from_utf8_lossy(&head[..end]));
        Ok(self.request.clone())
    }

    /// Reads the request and accepts the WebSocket.
    ///
    /// # Errors
    /// When the stream ends or breaks before.
    pub fn accept_upgrade(&mut self) -> io::Result<RequestHead> {
        self.accept_upgrade_with(&[])
    }

    /// Like [`ScriptConn::accept_upgrade`] with extra header lines (`Name: value`).
    ///
    /// # Errors
    /// When the stream ends or breaks before.
    pub fn accept_upgrade_with(&mut self, extra: &[&str]) -> io::Result<RequestHead> {
        let request = self.read_request_head()?;
        let response = self.upgrade_response(extra);
        self.send(response.as_bytes())?;
        Ok(request)
    }

    /// The text of the answer that accepts the request read last, to be sent in portions or changed.
    pub fn upgrade_response(&self, extra: &[&str]) -> String {
        upgrade_response(&self.request, extra)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.flush()
    }

    /// Sends bytes one at a time, each in a segment of its own.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn send_byte_by_byte(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.chunks(1).try_for_each(|byte| self.send(byte))
    }

    /// Sends an unmasked frame; nothing about it is checked.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn send_frame(&mut self, opcode: u8, fin: bool, payload: &[u8]) -> io::Result<()> {
        self.send(&encode_frame(opcode, fin, payload))
    }

    /// Sends a Close frame.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn send_close(&mut self, code: u16, reason: &str) -> io::Result<()> {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        self.send_frame(opcode::CLOSE, true, &payload)
    }

    /// The next frame of the client, unmasked; `None` at an orderly end of the stream.
    ///
    /// # Errors
    /// When the stream breaks or ends inside a frame; under TLS also when it ends without close_notify.
    pub fn read_frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.frames.next_frame() {
                return Ok(Some(frame));
            }
            let mut buffer = [0; 16 * 1024];
            match self.read(&mut buffer)? {
                0 if self.frames.is_mid_frame() => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the stream ended inside a frame",
                    ));
                }
                0 => return Ok(None),
                count => self.frames.push(&buffer[..count]),
            }
        }
    }

    /// Reads on to the client's Close frame and returns it; other frames are dropped. Nothing is sent.
    ///
    /// # Errors
    /// When the stream ends or breaks before.
    pub fn read_close(&mut self) -> io::Result<Frame> {
        loop {
            match self.read_frame()? {
                Some(frame) if frame.opcode == opcode::CLOSE => return Ok(frame),
                Some(_) => {}
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no Close")),
            }
        }
    }

    /// Ends the server's side of TCP, without close_notify; reading goes on.
    ///
    /// # Errors
    /// When the socket is not connected any more.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        self.notify_at_end = false;
        self.tcp().shutdown(Shutdown::Write)
    }

    /// Ends the server's side in order, with close_notify under TLS; reading goes on.
    ///
    /// # Errors
    /// When the socket is not connected any more.
    pub fn end_write(&mut self) -> io::Result<()> {
        self.send_close_notify();
        self.shutdown_write()
    }

    /// Makes the end of the script reset the connection.
    ///
    /// # Errors
    /// When the system refuses the option.
    pub fn reset(&mut self) -> io::Result<()> {
        self.notify_at_end = false;
        SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO))
    }

    /// Makes the end of the script close the socket without close_notify.
    pub fn close_without_notify(&mut self) {
        self.notify_at_end = false;
    }

    /// The orderly end: close_notify (under TLS), end of the server's side, then reads until the client
    /// has ended its side too.
    ///
    /// # Errors
    /// When the stream breaks; under TLS also when the client ends it without close_notify.
    pub fn finish(&mut self) -> io::Result<()> {
        self.end_write()?;
        let mut buffer = [0; 16 * 1024];
        while self.read(&mut buffer)? > 0 {}
        Ok(())
    }

    /// Blocks until the test calls [`ScriptServer::release`](crate::ScriptServer::release) or drops the server.
    pub fn wait_for_release(&self) {
        while !self.release.wait(READ_LIMIT) {}
    }

    /// Blocks for `limit`, or shorter if the server is released. Answers whether it is.
    #[must_use]
    pub fn released_within(&self, limit: Duration) -> bool {
        self.release.wait(limit)
    }

    fn send_close_notify(&mut self) {
        if let Stream::Tls(tls) = &mut self.stream {
            tls.conn.send_close_notify();
            // The client may be gone.
            let _ = tls.conn.write_tls(&mut tls.sock);
        }
    }
}

impl Read for ScriptConn {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for ScriptConn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write(bytes),
            Stream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}
