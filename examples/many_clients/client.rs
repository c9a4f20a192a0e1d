//! A client: a window of messages in flight, and a send queue that may be full.

use crate::Args;
use hvloop::{ClientOptions, EventLoop, Message, SendError, WebSocketClient};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the clients tell the main thread.
pub enum Told {
    Open,
    /// A client has had all of its echoes.
    Done,
    Failed(String),
}

/// What all clients have done together.
#[derive(Default)]
pub struct Totals {
    pub echoes: AtomicUsize,
    /// How often a message had to wait for room in the send queue.
    pub waits: AtomicUsize,
    pub closed_cleanly: AtomicUsize,
}

/// What each client has to do.
pub struct Load {
    messages: usize,
    size: usize,
    window: usize,
    send_limit: usize,
}

/// Bytes that tell a message from the others: the client's number and the message's.
const NAME: usize = 16;
/// Bytes of the longest header of a frame (RFC 6455 section 5.2).
const HEADER: usize = 14;

impl Load {
    pub fn new(args: &Args) -> Result<Self, String> {
        if args.size < NAME {
            return Err(format!("a message has at least {NAME} bytes"));
        }
        if args.send_limit < args.size + HEADER {
            return Err("a message is longer than the send queue".to_owned());
        }
        if args.window == 0 {
            return Err("a window has at least one message".to_owned());
        }
        Ok(Self {
            messages: args.messages,
            size: args.size,
            window: args.window,
            send_limit: args.send_limit,
        })
    }

    /// The message with a number.
    fn write_message(&self, client: u64, n: usize, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(&client.to_be_bytes());
        buffer.extend_from_slice(&(n as u64).to_be_bytes());
        buffer.resize(self.size, n as u8);
    }
}

/// How far a client is. Its callbacks share it; they all run on its loop's thread.
struct Flow {
    client: u64,
    load: Arc<Load>,
    totals: Arc<Totals>,
    sent: usize,
    back: usize,
    buffer: Vec<u8>,
}

impl Flow {
    /// Sends what the window and the send queue have room for. An echo, or `on_drain`, goes on.
    fn pump(&mut self, ws: &WebSocketClient) -> Result<(), SendError> {
        while self.sent < self.load.messages && self.sent - self.back < self.load.window {
            self.load
                .write_message(self.client, self.sent, &mut self.buffer);
            match ws.send_binary(&self.buffer) {
                Ok(()) => self.sent += 1,
                Err(SendError::QueueFull { .. }) => {
                    self.totals.waits.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Takes an echo; `true`: it was the last one.
    fn take(&mut self, ws: &WebSocketClient, message: Message<'_>) -> Result<bool, String> {
        self.load
            .write_message(self.client, self.back, &mut self.buffer);
        if message != Message::Binary(&self.buffer) {
            let (client, n) = (self.client, self.back);
            return Err(format!("client {client}: echo {n} is not what was sent"));
        }
        self.back += 1;
        self.totals.echoes.fetch_add(1, Ordering::Relaxed);
        self.pump(ws).map_err(|e| e.to_string())?;
        Ok(self.back == self.load.messages)
    }
}

fn lock(flow: &Mutex<Flow>) -> MutexGuard<'_, Flow> {
    flow.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client that does its part once it is opened.
pub fn new(
    event_loop: &EventLoop,
    n: u64,
    load: &Arc<Load>,
    totals: &Arc<Totals>,
    tell: &Sender<Told>,
) -> WebSocketClient {
    let options = ClientOptions::new()
        .open_timeout(Duration::from_secs(60))
        .send_limit(load.send_limit);
    let client = WebSocketClient::with_options(event_loop, options);
    let flow = Arc::new(Mutex::new(Flow {
        client: n,
        load: load.clone(),
        totals: totals.clone(),
        sent: 0,
        back: 0,
        buffer: Vec::new(),
    }));
    let (on_open, on_message, on_drain, on_close) =
        (flow.clone(), flow.clone(), flow.clone(), flow);
    let teller = Teller(tell.clone());
    let tell = teller.clone();
    client.on_open(move |ws, _| {
        tell.say(Told::Open);
        let mut flow = lock(&on_open);
        match flow.pump(ws) {
            Ok(()) if flow.load.messages == 0 => tell.say(Told::Done),
            Ok(()) => {}
            Err(e) => tell.say(Told::Failed(e.to_string())),
        }
    });
    let tell = teller.clone();
    client.on_message(
        move |ws, message| match lock(&on_message).take(ws, message) {
            Ok(false) => {}
            Ok(true) => tell.say(Told::Done),
            Err(why) => tell.say(Told::Failed(why)),
        },
    );
    let tell = teller.clone();
    client.on_drain(move |ws| {
        if let Err(e) = lock(&on_drain).pump(ws) {
            tell.say(Told::Failed(e.to_string()));
        }
    });
    client.on_close(move |_, event| {
        let flow = lock(&on_close);
        if flow.back < flow.load.messages || !event.was_open {
            let (client, back) = (flow.client, flow.back);
            let why = format!("client {client} was closed after {back} echoes: {event}");
            teller.say(Told::Failed(why));
        } else if event.clean {
            flow.totals.closed_cleanly.fetch_add(1, Ordering::Relaxed);
        }
    });
    client
}

/// The way to the main thread.
#[derive(Clone)]
struct Teller(Sender<Told>);

impl Teller {
    fn say(&self, what: Told) {
        // When the main thread has given up, nobody listens any more.
        self.0.send(what).unwrap_or_default();
    }
}
