//! The attempt under way: what it asks for, and its connection.

use super::hops::Hop;
use crate::client::plan::Plan;
use crate::client::redirect::Route;
use crate::client::request::RequestHead;
use crate::client::shared::{ClientShared, ClientState};
use crate::protocol::Role;
use crate::websocket::WebSocket;
use hvloop_event::TimerId;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// See the module. An attempt that became a session is that until its end.
pub(super) struct Attempt {
    /// Counted from 1 since `open()`.
    pub(super) number: Cell<u32>,
    /// Its number among all of the client's.
    pub(super) session: Cell<u64>,
    pub(super) began: Cell<Option<Instant>>,
    /// The time for the hook that it waits for.
    pub(super) preparing: Cell<Option<TimerId>>,
    /// What it sends, on each hop.
    pub(super) head: RefCell<Arc<RequestHead>>,
    /// Its way over redirects, and what its present hop is made of.
    pub(super) route: RefCell<Route>,
    pub(super) hop: RefCell<Hop>,
    /// The hop ends because it led to the next one.
    pub(super) hopping: Cell<bool>,
    pub(super) websocket: RefCell<Rc<WebSocket>>,
}

impl Attempt {
    /// Before the first.
    pub(super) fn new(client: &Arc<ClientShared>, plan: &Plan) -> Self {
        Self {
            number: Cell::new(0),
            session: Cell::new(0),
            began: Cell::new(None),
            preparing: Cell::new(None),
            head: RefCell::new(plan.options.head.clone()),
            route: RefCell::new(Route::new(plan.url.clone(), plan.options.redirects)),
            hop: RefCell::new(Hop::first(plan)),
            hopping: Cell::new(false),
            websocket: RefCell::new(new_websocket(client, plan)),
        }
    }

    /// The next one.
    pub(super) fn begin(&self, session: u64, now: Instant) {
        self.number.set(self.number.get().saturating_add(1));
        self.session.set(session);
        self.began.set(Some(now));
    }

    /// Asks for what `open()` did.
    pub(super) fn start_over(&self, plan: &Plan) {
        *self.route.borrow_mut() = Route::new(plan.url.clone(), plan.options.redirects);
        *self.hop.borrow_mut() = Hop::first(plan);
        *self.head.borrow_mut() = plan.options.head.clone();
    }

    /// Has a connection of its own, which there is none of yet.
    pub(super) fn renew_websocket(&self, client: &Arc<ClientShared>, plan: &Plan) -> Rc<WebSocket> {
        let websocket = new_websocket(client, plan);
        *self.websocket.borrow_mut() = websocket.clone();
        websocket
    }
}

fn new_websocket(client: &Arc<ClientShared>, plan: &Plan) -> Rc<WebSocket> {
    let client = client.clone();
    let on_closing = move || client.set_state(ClientState::Closing);
    let options = plan.options.connection.clone();
    WebSocket::new(Role::Client, options, Box::new(on_closing))
}
