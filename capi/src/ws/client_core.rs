//! What is called of a client, and an open that waits for an end.

use super::callbacks::WsCallbacks;
use super::client_settings::Settings;
use crate::ffi::gate::Gate;
use crate::ffi::handle;
use crate::ffi::text::to_millis;
use crate::http_response;
use crate::io::{Io, IoBody, What, lock};
use hvloop::event::{Attachment, LocalLoop};
use hvloop::ws::ClientState;
use hvloop::{CloseEvent, EventLoop, Message, OpenError, OpenEvent, WebSocketClient};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// See the module. The client's callbacks have it: so it has no handle of the client.
pub(super) struct ClientCore {
    pub(super) gate: Arc<Gate>,
    /// What each callback needs.
    live: Mutex<Live>,
    pub(super) settings: Mutex<Settings>,
    pending: Mutex<Pending>,
    retries: AtomicU32,
    next_delay_ms: AtomicI64,
}

#[derive(Default)]
struct Live {
    callbacks: Option<Arc<WsCallbacks>>,
    /// The connection, while it is open.
    io: Option<Arc<Io>>,
    /// They were set after the client's own loop was told to stop, for the next one.
    fresh: bool,
}

#[derive(Default)]
struct Pending {
    /// Where to, when what there is now has ended.
    url: Option<String>,
    /// The client's own loop, of which the end is told.
    watched: Option<u64>,
}

impl ClientCore {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            gate: Arc::default(),
            live: Mutex::default(),
            settings: Mutex::default(),
            pending: Mutex::default(),
            retries: AtomicU32::new(0),
            next_delay_ms: AtomicI64::new(-1),
        })
    }

    /// Has everything that happens to the client told here.
    pub(super) fn listen(self: &Arc<Self>, client: &WebSocketClient) {
        let core = self.clone();
        client.on_open(move |_, event| core.opened(event));
        let core = self.clone();
        client.on_message(move |_, message| core.message(message));
        let core = self.clone();
        client.on_drain(move |_| core.drained());
        let core = self.clone();
        client.on_close(move |client, event| core.closed(client, event));
    }

    /// From now on these are called; what was there before is given up when its last call has returned. `fresh`: the
    /// client's own loop stops.
    pub(super) fn set_callbacks(&self, callbacks: Arc<WsCallbacks>, fresh: bool) {
        let before = {
            let mut live = lock(&self.live);
            live.fresh = fresh;
            live.callbacks.replace(callbacks)
        };
        // With nothing locked.
        drop(before);
    }

    /// After the gate was shut: gives up what C gave to be called.
    pub(super) fn give_up(&self) {
        lock(&self.pending).url = None;
        let callbacks = lock(&self.live).callbacks.take();
        drop(callbacks);
    }

    pub(super) fn io(&self) -> Option<Arc<Io>> {
        lock(&self.live).io.clone()
    }

    /// How many attempts have followed the first one without a session.
    pub(super) fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// How long the client waits for the next attempt, as told last; -1: there is none.
    pub(super) fn next_delay_ms(&self) -> i64 {
        self.next_delay_ms.load(Ordering::Relaxed)
    }

    fn opened(&self, event: &OpenEvent) {
        let connection = &event.connection;
        let what = What::WebSocketClient(connection.clone());
        let io = IoBody::create(
            what,
            connection.id().raw(),
            connection.fd(),
            Some(&self.gate),
        );
        let callbacks = {
            let mut live = lock(&self.live);
            live.io = Some(io.clone());
            live.callbacks.clone()
        };
        self.next_delay_ms.store(-1, Ordering::Relaxed);
        let Some(callbacks) = callbacks else { return };
        self.gate.enter(|| {
            let response = http_response::show(&event.response);
            callbacks.on_open(&io, ptr::null(), handle::lend(&response));
        });
        self.retries.store(0, Ordering::Relaxed);
    }

    /// Calls something of C's with the open connection.
    fn call(&self, f: impl FnOnce(&WsCallbacks, &Arc<Io>)) {
        let (callbacks, io) = {
            let live = lock(&self.live);
            (live.callbacks.clone(), live.io.clone())
        };
        if let (Some(callbacks), Some(io)) = (callbacks, io) {
            self.gate.enter(|| f(&callbacks, &io));
        }
    }

    fn message(&self, message: Message<'_>) {
        self.call(|callbacks, io| callbacks.on_message(io, message));
    }

    fn drained(&self) {
        self.call(|callbacks, io| callbacks.on_drain(io));
    }

    fn closed(&self, client: &WebSocketClient, event: &CloseEvent) {
        let (callbacks, io) = {
            let mut live = lock(&self.live);
            (live.callbacks.clone(), live.io.take())
        };
        let again = event.reconnect_in.filter(|_| self.reconnects());
        self.next_delay_ms
            .store(again.map_or(-1, to_millis), Ordering::Relaxed);
        match again {
            Some(_) => _ = self.retries.fetch_add(1, Ordering::Relaxed),
            None => self.retries.store(0, Ordering::Relaxed),
        }
        if let Some(callbacks) = callbacks {
            self.gate.enter(|| callbacks.on_close(io.as_ref(), event));
        }
        if let Some(io) = io {
            io.body.ended();
        }
        self.open_pending(client);
    }

    fn reconnects(&self) -> bool {
        lock(&self.settings).policy.is_some()
    }

    /// Begins to connect with the present settings, where nothing is there.
    pub(super) fn open(
        self: &Arc<Self>,
        client: &WebSocketClient,
        url: &str,
    ) -> Result<(), OpenError> {
        self.begin(client, url)?;
        let mut pending = lock(&self.pending);
        pending.url = None;
        drop(pending);
        self.watch(client);
        Ok(())
    }

    fn begin(&self, client: &WebSocketClient, url: &str) -> Result<(), OpenError> {
        let (options, policy) = {
            let settings = lock(&self.settings);
            (settings.client_options(), settings.policy)
        };
        client.set_options(options);
        client.open(url)?;
        if policy.is_none() {
            // It was opened with one in any case, so that one may be set later.
            let ended = client.set_reconnect(None);
            debug_assert!(ended.is_ok(), "nothing to be checked: {ended:?}");
        }
        Ok(())
    }

    /// Opens that when what is there now has ended.
    pub(super) fn open_later(&self, url: &str) {
        lock(&self.pending).url = Some(url.to_owned());
    }

    /// Forgets an open that waits.
    pub(super) fn open_no_more(&self) {
        lock(&self.pending).url = None;
    }

    /// Begins an open that waits, if nothing is there any more.
    pub(super) fn open_pending(&self, client: &WebSocketClient) {
        if client.state() != ClientState::Closed {
            return;
        }
        let Some(url) = lock(&self.pending).url.take() else {
            return;
        };
        let Err(error) = self.begin(client, &url) else {
            return;
        };
        // Nobody waits for what it returns.
        if matches!(error, OpenError::AlreadyOpen) {
            return;
        }
        let callbacks = lock(&self.live).callbacks.clone();
        if let Some(callbacks) = callbacks {
            let text = error.to_string();
            self.gate
                .enter(|| callbacks.on_end(None, 1006, "", libc::ECANCELED, &text));
        }
    }

    /// Has the end of the loop told here that the client has brought.
    fn watch(self: &Arc<Self>, client: &WebSocketClient) {
        let is_own = lock(&self.settings).is_own_loop;
        let Some(event_loop) = client.event_loop().filter(|_| is_own) else {
            return;
        };
        {
            let number = event_loop.id().raw();
            if lock(&self.pending).watched.replace(number) == Some(number) {
                return;
            }
        }
        lock(&self.live).fresh = false;
        let core = self.clone();
        let posted = event_loop.post_event(move |local: &LocalLoop| {
            // Refused by a loop that ends.
            if local.attach(Rc::new(LoopEnd(core.clone()))).is_err() {
                core.loop_ended();
            }
        });
        if posted.is_err() {
            self.loop_ended();
        }
    }

    /// The client's own loop has ended: what C gave to be called may hold the client itself.
    fn loop_ended(&self) {
        let callbacks = {
            let mut live = lock(&self.live);
            match live.fresh {
                true => None,
                false => live.callbacks.take(),
            }
        };
        drop(callbacks);
    }
}

/// On the loop that a client has brought.
struct LoopEnd(Arc<ClientCore>);

impl Attachment for LoopEnd {
    fn on_stop(&self, _local: &LocalLoop) {}

    fn on_loop_end(&self, _local: &LocalLoop) {
        self.0.loop_ended();
    }
}

/// Whether a client's own loop has been told to stop.
pub(super) fn is_stopping(event_loop: Option<&EventLoop>) -> bool {
    event_loop.is_some_and(EventLoop::is_stopping)
}
