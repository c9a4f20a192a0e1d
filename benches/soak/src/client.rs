//! A client: bursts of messages, waits for their echoes, and now and then reads slowly or leaves and
//! comes back.

use crate::CHURN;
use crate::tally::Tally;
use crate::words::{Words, size};
use hvloop::event::tls::TlsClientConfig;
use hvloop::{
    ClientOptions, CloseEvent, DeflateOptions, EventLoop, Message, ReconnectPolicy, WebSocketClient,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What all clients share.
pub struct Common {
    pub tally: Tally,
    pub words: Words,
    /// The mean pause between an echo and the next burst.
    pub think: Duration,
    /// No client leaves by itself now.
    pub stay: AtomicBool,
    pub open: AtomicU64,
    pub opened: AtomicU64,
    pub echoes: AtomicU64,
    pub bytes: AtomicU64,
    /// Clients that have begun to leave, and have not come back.
    pub away: AtomicU64,
}

struct State {
    common: Arc<Common>,
    event_loop: EventLoop,
    rng: StdRng,
    url: String,
    client: u64,
    session: u64,
    sent: u64,
    received: u64,
    text: bool,
    buffer: String,
}

/// What a client does once it has all its echoes.
enum Next {
    Burst,
    ReadSlowly,
    Leave,
}

impl State {
    fn name(&self) -> u64 {
        (self.client << 32) | self.session
    }

    fn pause(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(self.rng.random_range(0.0..2.0))
    }

    /// Sends a few messages; all must be accepted.
    fn burst(&mut self, ws: &WebSocketClient) {
        for _ in 0..self.rng.random_range(1..=4) {
            let size = size(&mut self.rng);
            let (name, number) = (self.name(), self.sent);
            self.common
                .words
                .write(name, number, size, &mut self.buffer);
            let accepted = match self.text {
                true => ws.send_text(&self.buffer),
                false => ws.send_binary(self.buffer.as_bytes()),
            };
            match accepted {
                Ok(()) => self.sent += 1,
                // The server's Close has come, and on_close will.
                Err(hvloop::SendError::NotOpen) => return,
                Err(e) => return self.common.tally.violation(&format!("client: {e}")),
            }
        }
        if self.buffer.capacity() > 64 * 1024 {
            self.buffer = String::new();
        }
    }

    /// Takes an echo. What to do next, if it was the last one that is owed.
    fn take(&mut self, message: Message<'_>) -> Option<Next> {
        let read = self.common.words.read(message.as_bytes());
        if read != Some((self.name(), self.received)) {
            let (name, expected) = (self.name(), self.received);
            let what = format!("client {name:x}: {read:x?} came for {expected}");
            self.common.tally.violation(&what);
        }
        self.received += 1;
        self.common.echoes.fetch_add(1, Ordering::Relaxed);
        let bytes = message.as_bytes().len() as u64;
        self.common.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.received < self.sent {
            return None;
        }
        Some(match self.rng.random_range(0..200) {
            0 if !self.common.stay.load(Ordering::Relaxed) => Next::Leave,
            1..5 => Next::ReadSlowly,
            _ => Next::Burst,
        })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` on the loop's thread after a while, unless the client is gone or in another session then.
fn later(
    state: &Arc<Mutex<State>>,
    ws: &WebSocketClient,
    delay: Duration,
    mut f: impl FnMut(&mut State, &WebSocketClient) + Send + 'static,
) {
    let (event_loop, session) = {
        let state = lock(state);
        (state.event_loop.clone(), state.session)
    };
    let (state, ws) = (state.clone(), ws.clone());
    let armed = event_loop.set_timeout(delay, move |_| {
        let mut state = lock(&state);
        if state.session == session {
            f(&mut state, &ws);
        }
    });
    // The loop has stopped, and with it the client.
    armed.map(|_| ()).unwrap_or_default();
}

/// Every third one offers permessage-deflate, every second one of all speaks wss.
pub fn new(
    event_loop: &EventLoop,
    client: u64,
    urls: &[String; 2],
    tls: &TlsClientConfig,
    common: &Arc<Common>,
) -> (WebSocketClient, String) {
    let policy = ReconnectPolicy::exponential(Duration::from_millis(100), Duration::from_secs(5));
    let mut options = ClientOptions::new()
        .open_timeout(Duration::from_secs(60))
        .close_timeout(Duration::from_secs(60))
        .reconnect(Some(policy.with_stable_after(Duration::ZERO)))
        .keep_callbacks(true)
        .tls(tls.clone());
    if client.is_multiple_of(3) {
        let deflate = DeflateOptions::new().release_timeout(Some(Duration::from_secs(1)));
        options = options.deflate(Some(deflate));
    }
    let url = urls[client as usize % 2].clone();
    let ws = WebSocketClient::with_options(event_loop, options);
    let state = Arc::new(Mutex::new(State {
        common: common.clone(),
        event_loop: event_loop.clone(),
        rng: StdRng::seed_from_u64(client),
        url: url.clone(),
        client,
        session: 0,
        sent: 0,
        received: 0,
        text: client % 4 < 2,
        buffer: String::new(),
    }));
    let at_open = state.clone();
    ws.on_open(move |ws, _| {
        let pause = {
            let mut state = lock(&at_open);
            (state.sent, state.received) = (0, 0);
            state.session += 1;
            state.common.open.fetch_add(1, Ordering::Relaxed);
            state.common.opened.fetch_add(1, Ordering::Relaxed);
            let think = state.common.think;
            state.pause(think)
        };
        later(&at_open, ws, pause, State::burst);
    });
    let at_message = state.clone();
    ws.on_message(move |ws, message| {
        let next = lock(&at_message).take(message);
        if let Some(next) = next {
            go_on(&at_message, ws, &next);
        }
    });
    ws.on_close(move |ws, event| closed(&state, ws, event));
    (ws, url)
}

fn go_on(state: &Arc<Mutex<State>>, ws: &WebSocketClient, next: &Next) {
    let pause = {
        let mut state = lock(state);
        let think = state.common.think;
        state.pause(think)
    };
    match next {
        Next::Burst => later(state, ws, pause, State::burst),
        Next::ReadSlowly => {
            ws.pause_reading();
            lock(state).burst(ws);
            later(state, ws, Duration::from_secs(2), |_, ws| {
                ws.resume_reading()
            });
        }
        Next::Leave => {
            let mut state = lock(state);
            state.common.away.fetch_add(1, Ordering::Relaxed);
            state.burst(ws);
            // Refused: the loop stops, or the server has closed; on_close tells.
            ws.close(CHURN, "").unwrap_or_default();
        }
    }
}

fn closed(state: &Arc<Mutex<State>>, ws: &WebSocketClient, event: &CloseEvent) {
    let mut locked = lock(state);
    let common = locked.common.clone();
    if !event.was_open {
        return common
            .tally
            .violation(&format!("client: no session: {event}"));
    }
    common.open.fetch_sub(1, Ordering::Relaxed);
    common
        .tally
        .ended(event, locked.received, locked.sent, "client");
    if event.code == CHURN {
        let pause = locked.pause(Duration::from_millis(500));
        let url = locked.url.clone();
        drop(locked);
        later(state, ws, pause, move |state, ws| {
            state.common.away.fetch_sub(1, Ordering::Relaxed);
            // Refused only when the loop has stopped.
            ws.open(&url).unwrap_or_default();
        });
    }
}
