//! Messages in fragments, and reading that is paused.

use super::WebSocketClient;
use crate::events::Message;
use crate::websocket::{Outgoing, WebSocket};
use hvloop_event::{LocalLoop, SendError};
use std::rc::Rc;

impl WebSocketClient {
    /// Sends a message as frames of at most `fragment_bytes` bytes of payload (RFC 6455 section 5.4),
    /// for peers that have a limit for a frame; 0: as one frame. All of them are queued, or none; no
    /// other message comes between them. With permessage-deflate the compressed message is cut. Any
    /// thread.
    ///
    /// # Errors
    ///
    /// As [`send`](WebSocketClient::send).
    ///
    /// libhv: `send(buf, len, fragment, opcode)`.
    pub fn send_fragmented(
        &self,
        message: Message<'_>,
        fragment_bytes: usize,
    ) -> Result<(), SendError> {
        self.send_outgoing(Outgoing::fragmented(message, fragment_bytes))
    }

    /// Reads no further for now, so that a peer that sends faster than its messages are dealt with is
    /// held back by TCP. Called in a callback, no message follows that one; from another thread, those
    /// that are under way still come. Nothing is lost, unless the connection breaks meanwhile. It holds
    /// for the present session alone, and means nothing if the client is not open. Any thread.
    ///
    /// While it is paused, the end of the connection may go unnoticed, no Ping is answered, and the
    /// client's own heartbeat is suspended. A close, by whichever side of this program, reads on: what
    /// comes before the peer's Close is discarded then, as always.
    pub fn pause_reading(&self) {
        self.on_session(|websocket, local| websocket.pause_reading(local));
    }

    /// Reads again. Any thread.
    pub fn resume_reading(&self) {
        self.on_session(|websocket, local| websocket.resume_reading(local));
    }

    /// Runs `f` on the connection of the session that there is now.
    fn on_session(&self, f: impl FnOnce(&Rc<WebSocket>, &LocalLoop) + Send + 'static) {
        let session = self.client.session();
        self.on_loop(move |engine, local| {
            if engine.is_session(session) {
                f(&engine.websocket(), local);
            }
        });
    }
}
