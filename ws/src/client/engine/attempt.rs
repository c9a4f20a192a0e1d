//! The attempt under way, and its connection.

use super::opening::Opening;
use crate::client::options::ClientOptions;
use crate::client::shared::ClientShared;
use crate::protocol::Role;
use crate::websocket::WebSocket;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// See the module. An attempt that became a session is that until its end.
pub(super) struct Attempt {
    /// Counted from 1 since `open()`.
    pub(super) number: Cell<u32>,
    /// Its number among all of the client's.
    pub(super) session: Cell<u64>,
    /// What it needs until it is open, and a session does not.
    pub(super) opening: RefCell<Option<Box<Opening>>>,
    /// The hop ends because it led to the next one.
    pub(super) hopping: Cell<bool>,
    pub(super) websocket: RefCell<Rc<WebSocket>>,
}

impl Attempt {
    /// Before the first.
    pub(super) fn new(client: &Arc<ClientShared>, options: &ClientOptions) -> Self {
        Self {
            number: Cell::new(0),
            session: Cell::new(0),
            opening: RefCell::new(None),
            hopping: Cell::new(false),
            websocket: RefCell::new(new_websocket(client, options)),
        }
    }

    /// The next one.
    pub(super) fn begin(&self, session: u64) {
        self.number.set(self.number.get().saturating_add(1));
        self.session.set(session);
    }

    /// Runs `f` on what an attempt that is not open yet needs; `None`: there is none.
    pub(super) fn with_opening<R>(&self, f: impl FnOnce(&mut Opening) -> R) -> Option<R> {
        self.opening.borrow_mut().as_deref_mut().map(f)
    }

    /// Has a connection of its own, which there is none of yet.
    pub(super) fn renew_websocket(
        &self,
        client: &Arc<ClientShared>,
        options: &ClientOptions,
    ) -> Rc<WebSocket> {
        let unused = self.websocket.borrow().is_unused();
        if !unused {
            *self.websocket.borrow_mut() = new_websocket(client, options);
        }
        self.websocket.borrow().clone()
    }
}

fn new_websocket(client: &Arc<ClientShared>, options: &ClientOptions) -> Rc<WebSocket> {
    let options = options.all.connection.clone();
    let websocket = WebSocket::new(Role::Client, options);
    websocket.set_owner(client.clone());
    websocket
}
