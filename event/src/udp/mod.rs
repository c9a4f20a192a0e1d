//! Datagrams over UDP.

mod channel;
mod client;
mod options;
mod server;

pub use self::channel::UdpChannel;
pub use self::client::UdpClient;
pub use self::options::UdpOptions;
pub use self::server::UdpServer;

use crate::core::LocalLoop;
use crate::core::calls::Deferred;
use crate::error::CloseReason;
use crate::log;
use crate::sys::Datagrams;
use crate::transport::datagram::{self, DatagramHandler};
use std::io;
use std::net::SocketAddr;

/// Called with a datagram and where it came from.
type OnDatagram = Box<dyn FnMut(&UdpChannel, &mut [u8], SocketAddr) + Send>;
/// Called with an error and whom it was about.
type OnError = Box<dyn FnMut(&UdpChannel, &io::Error, Option<SocketAddr>) + Send>;
type OnChannel = Box<dyn FnMut(&UdpChannel) + Send>;
type OnWritten = Box<dyn FnMut(&UdpChannel, usize) + Send>;
type OnClose = Box<dyn FnMut(&CloseReason) + Send>;

/// What both sides have.
#[derive(Default)]
struct UdpCallbacks {
    open: Option<OnChannel>,
    message: Option<OnDatagram>,
    write_complete: Option<OnWritten>,
    error: Option<OnError>,
    close: Option<OnClose>,
}

/// The setters of [`UdpCallbacks`] that both sides have, whose field `callbacks` holds them.
macro_rules! callback_setters {
    () => {
        /// Called with each datagram, of a client those of its peer alone, and where it came from; in the
        /// loop's own buffer.
        ///
        /// libhv: `onMessage`.
        pub fn on_message(
            &self,
            f: impl FnMut(&UdpChannel, &mut [u8], SocketAddr) + Send + 'static,
        ) {
            change(&self.callbacks, |all| all.message.replace(Box::new(f)));
        }

        /// Called when all that had to wait has been sent, with how many bytes that were since the last time.
        ///
        /// libhv: `onWriteComplete`.
        pub fn on_write_complete(&self, f: impl FnMut(&UdpChannel, usize) + Send + 'static) {
            change(&self.callbacks, |all| {
                all.write_complete.replace(Box::new(f))
            });
        }

        /// Called with what the system said against a datagram, and its address where it is known, such as
        /// that nobody listens at the peer's port ([`io::ErrorKind::ConnectionRefused`]), or against hearing
        /// or joining; the socket goes on.
        pub fn on_error(
            &self,
            f: impl FnMut(&UdpChannel, &io::Error, Option<SocketAddr>) + Send + 'static,
        ) {
            change(&self.callbacks, |all| all.error.replace(Box::new(f)));
        }

        /// Called exactly once for each `open` or `bind` that was accepted, as the last of its callbacks.
        pub fn on_close(&self, f: impl FnMut(&CloseReason) + Send + 'static) {
            change(&self.callbacks, |all| all.close.replace(Box::new(f)));
        }
    };
}
use callback_setters;

/// One socket's callbacks, on the loop.
struct UdpHandler {
    callbacks: UdpCallbacks,
    channel: UdpChannel,
    /// Told when the socket has closed, before the user.
    ended: Box<dyn FnMut() + Send>,
}

impl UdpHandler {
    /// Puts an open socket on the loop. What is refused is told by `on_close`.
    fn begin(self, local: &LocalLoop, socket: Datagrams) {
        let channel = self.channel.clone();
        let budget = channel.budget().clone();
        let name = format!("UDP socket {}", channel.local_addr());
        match datagram::add(local, name, socket, budget, Box::new(self)) {
            Ok(key) => {
                channel.opened(key);
                datagram::tell_later(local.core(), key, |handler, local| {
                    local.call_user("open", || handler.on_open(local));
                });
                if channel.was_closed() {
                    channel.close(); // before the loop knew of it
                }
            }
            Err((reason, handler)) => refuse(local, handler, reason),
        }
    }
}

/// Its one `on_close`, from the loop's own frame.
fn refuse(local: &LocalLoop, handler: Box<dyn DatagramHandler>, reason: CloseReason) {
    let call = move |local: &LocalLoop| handler.on_close(local, reason);
    local.core().defer(Deferred::Call(Box::new(call)));
}

impl DatagramHandler for UdpHandler {
    fn on_open(&mut self, _local: &LocalLoop) {
        if let Some(f) = &mut self.callbacks.open {
            f(&self.channel);
        }
    }

    fn on_datagram(&mut self, _local: &LocalLoop, data: &mut [u8], from: SocketAddr) {
        if let Some(f) = &mut self.callbacks.message {
            f(&self.channel, data, from);
        }
    }

    fn on_error(&mut self, _local: &LocalLoop, e: &io::Error, to: Option<SocketAddr>) {
        match &mut self.callbacks.error {
            Some(f) => f(&self.channel, e, to),
            None => log::debug!("hvloop: UDP {}: {e}", self.channel.local_addr()),
        }
    }

    fn on_drained(&mut self, _local: &LocalLoop, bytes: usize) {
        if let Some(f) = &mut self.callbacks.write_complete {
            f(&self.channel, bytes);
        }
    }

    fn on_close(mut self: Box<Self>, _local: &LocalLoop, reason: CloseReason) {
        self.channel.mark_closed();
        (self.ended)();
        if let Some(f) = &mut self.callbacks.close {
            f(&reason);
        }
    }
}
