//! What happens to a client, for code that blocks.

use super::WebSocketClient;
use super::callbacks::OpenEvent;
use crate::events::{CloseEvent, Message};
use crossbeam_channel::{Receiver, Sender};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvError, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// What happened to a client: see [`WebSocketClient::receiver`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The connection is open.
    Open(OpenEvent),
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// An attempt or a session has ended; with a reconnect, another one may follow.
    Close(CloseEvent),
}

/// What happens to a client, in its order, for threads that wait for it. A clone takes from the same
/// events: each goes to one of the threads that wait.
///
/// Made by [`WebSocketClient::receiver`].
#[derive(Clone)]
pub struct ClientReceiver {
    receiver: Arc<ReceiverShared>,
}

struct ReceiverShared {
    events: Receiver<ClientEvent>,
    backlog: Arc<Backlog>,
    /// Not a user's: the receiver keeps no client open.
    client: WebSocketClient,
}

/// What the callbacks and the receivers share.
struct Backlog {
    capacity: usize,
    /// Reading is paused, for a receiver to resume.
    full: AtomicBool,
    /// No receiver is left.
    gone: AtomicBool,
}

impl Backlog {
    /// How many events may wait for reading to go on.
    fn low(&self) -> usize {
        self.capacity / 2
    }

    /// Takes it on to resume reading, where `waiting` events are few enough for that. `false`: they are not, or
    /// another caller does.
    fn claim_resume(&self, waiting: usize) -> bool {
        self.full.load(Ordering::SeqCst)
            && waiting <= self.low()
            && self.full.swap(false, Ordering::SeqCst)
    }
}

/// The callbacks' end.
#[derive(Clone)]
struct Teller {
    events: Sender<ClientEvent>,
    backlog: Arc<Backlog>,
}

impl Teller {
    /// Never blocks: over the capacity, the client reads no further.
    fn tell(&self, ws: &WebSocketClient, event: ClientEvent) {
        // Fails when nobody receives any more: then it is discarded.
        let taken = self.events.send(event).is_ok();
        let backlog = &self.backlog;
        if !taken || self.events.len() < backlog.capacity || backlog.gone.load(Ordering::SeqCst) {
            return;
        }
        ws.pause_reading();
        backlog.full.store(true, Ordering::SeqCst);
        // A receiver that took them all before that did not see it.
        if backlog.claim_resume(self.events.len()) {
            ws.resume_reading();
        }
    }
}

impl WebSocketClient {
    /// The client's events for code that blocks, in the place of callbacks: sets `on_open`, `on_message`
    /// and `on_close`. Call it before [`open`](WebSocketClient::open), and receive on another thread than
    /// the loop's, which it would stop.
    ///
    /// So many events may wait (at least one); then the client
    /// [reads no further](WebSocketClient::pause_reading) until half of them are taken, and TCP holds the
    /// server back: the loop does not block, nothing is lost unless the connection breaks, and memory is bounded by `capacity`
    /// messages and one read. [`ClientEvent::Open`] and [`ClientEvent::Close`] come in any case, `Close` as
    /// the last event of its attempt. A close by this side ends the delivery of messages, as always.
    ///
    /// When all receivers are dropped, the connection goes on and messages are discarded: a receiver is
    /// a view, and to close is the client's own ([`close`](WebSocketClient::close), or dropping its last
    /// handle).
    ///
    /// ```no_run
    /// use hvloop_ws::{ClientEvent, WebSocketClient};
    ///
    /// let client = WebSocketClient::owned();
    /// let events = client.receiver(100);
    /// client.open("ws://127.0.0.1:9001/")?;
    /// for event in &events {
    ///     match event {
    ///         ClientEvent::Open(_) => client.send_text("hello")?,
    ///         ClientEvent::Text(text) => {
    ///             println!("{text}");
    ///             client.close(1000, "bye")?;
    ///         }
    ///         ClientEvent::Close(event) => println!("closed: {event}"),
    ///         _ => {}
    ///     }
    /// } // ends behind the last Close
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receiver(&self, capacity: usize) -> ClientReceiver {
        let (sender, events) = crossbeam_channel::unbounded();
        let backlog = Arc::new(Backlog {
            capacity: capacity.max(1),
            full: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        });
        let teller = Teller {
            events: sender,
            backlog: backlog.clone(),
        };
        let (open, message, close) = (teller.clone(), teller.clone(), teller);
        self.on_open(move |ws, event| open.tell(ws, ClientEvent::Open(event.clone())));
        self.on_message(move |ws, data| {
            let event = match data {
                Message::Text(text) => ClientEvent::Text(text.to_owned()),
                Message::Binary(bytes) => ClientEvent::Binary(bytes.to_vec()),
            };
            message.tell(ws, event);
        });
        self.on_close(move |ws, event| close.tell(ws, ClientEvent::Close(event.clone())));
        ClientReceiver {
            receiver: Arc::new(ReceiverShared {
                events,
                backlog,
                client: Self::uncounted(self.client.clone()),
            }),
        }
    }
}

impl ClientReceiver {
    /// Waits for the next event.
    ///
    /// # Errors
    ///
    /// None is left and none can follow: the client's callbacks were dropped after the last `Close` (see
    /// [`ClientOptions::keep_callbacks`](super::ClientOptions::keep_callbacks)), or replaced.
    pub fn recv(&self) -> Result<ClientEvent, RecvError> {
        let event = self.receiver.events.recv().map_err(|_| RecvError)?;
        self.taken();
        Ok(event)
    }

    /// Waits for the next event, but no longer than that.
    ///
    /// # Errors
    ///
    /// None came in time; or as [`recv`](Self::recv).
    pub fn recv_timeout(&self, limit: Duration) -> Result<ClientEvent, RecvTimeoutError> {
        let event = self.receiver.events.recv_timeout(limit);
        let event = event.map_err(|e| match e.is_timeout() {
            true => RecvTimeoutError::Timeout,
            false => RecvTimeoutError::Disconnected,
        })?;
        self.taken();
        Ok(event)
    }

    /// The next event, if there is one now.
    ///
    /// # Errors
    ///
    /// There is none; or as [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<ClientEvent, TryRecvError> {
        let event = self.receiver.events.try_recv();
        let event = event.map_err(|e| match e.is_empty() {
            true => TryRecvError::Empty,
            false => TryRecvError::Disconnected,
        })?;
        self.taken();
        Ok(event)
    }

    /// Waits for each event in its turn; ends where [`recv`](Self::recv) has an error.
    pub fn iter(&self) -> impl Iterator<Item = ClientEvent> {
        std::iter::from_fn(|| self.recv().ok())
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.receiver.events.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.receiver.events.is_empty()
    }

    /// One was taken: reads on if that makes room.
    fn taken(&self) {
        let ReceiverShared {
            events,
            backlog,
            client,
        } = &*self.receiver;
        if backlog.claim_resume(events.len()) {
            client.resume_reading();
        }
    }
}

impl<'a> IntoIterator for &'a ClientReceiver {
    type Item = ClientEvent;
    type IntoIter = Box<dyn Iterator<Item = ClientEvent> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl Drop for ReceiverShared {
    /// The connection goes on: it must not stay paused with nobody to resume it.
    fn drop(&mut self) {
        self.backlog.gone.store(true, Ordering::SeqCst);
        self.client.resume_reading();
    }
}

hvloop_event::debug_fields!(ClientReceiver, this:
    "capacity" = this.receiver.backlog.capacity,
    "waiting" = this.len(),
);
