//! Before an attempt: the user's hook is asked what it is to be, and may take its time.

use super::Engine;
use super::opening::Opening;
use crate::client::request::{BeforeConnect, ConnectRequest, Prepared, Reply};
use crate::client::shared::ClientState;
use crate::events::{ConnectionError, Initiator, PrepareError};
use hvloop_event::conn::{Conn, Handler};
use hvloop_event::log;
use hvloop_event::{CloseReason, LocalLoop, TimerId};
use std::rc::Rc;
use std::sync::Arc;

impl Engine {
    /// Has the hook called, from the loop's own frame, and waits for its answer within the time to open.
    pub(super) fn prepare(self: &Rc<Self>, local: &LocalLoop, hook: BeforeConnect) {
        self.attempt.renew_websocket(&self.client, &self.options);
        self.client.set_state(ClientState::Connecting);
        let session = self.attempt.session.get();
        let limit = self.options.all.open_timeout;
        let (engine, at) = (Rc::downgrade(self), local.clone());
        let timer = local.set_timeout(limit, move |_| {
            if let Some(engine) = engine.upgrade() {
                engine.prepared(&at, session, Err(PrepareError::TimedOut(limit)));
            }
        });
        self.attempt
            .with_opening(|opening| opening.preparing = Some(timer));
        let (engine, at) = (Rc::downgrade(self), local.clone());
        local.queue_in_loop(move || {
            let engine = engine.upgrade().filter(|engine| engine.awaits(session));
            if let Some(engine) = engine {
                engine.call_hook(&at, &hook);
            }
        });
    }

    fn call_hook(self: &Rc<Self>, local: &LocalLoop, hook: &BeforeConnect) {
        let session = self.attempt.session.get();
        let prepared = self.attempt.with_opening(|opening| Prepared {
            url: opening.plan.url.clone(),
            head: opening.plan.options.all.head.clone(),
        });
        let Some(prepared) = prepared else {
            return; // it has ended meanwhile
        };
        let last = self.last_close.borrow().as_deref().cloned();
        let (event_loop, client) = (local.event_loop(), Arc::downgrade(&self.client));
        let reply = Reply::new(move |answer| {
            let posted = event_loop.post_event(move |local: &LocalLoop| {
                // Not what keeps a client alive.
                let client = client.upgrade();
                let engine = client.and_then(|client| Engine::find(local, &client));
                if let Some(engine) = engine {
                    engine.prepared(local, session, answer);
                }
            });
            if posted.is_err() {
                log::debug!("hvloop: the loop had closed everything already");
            }
        });
        let request = ConnectRequest::new(prepared, self.attempt.number.get(), last, reply);
        if local
            .call_user("before_connect", || hook(request))
            .is_none()
        {
            self.prepared(local, session, Err(PrepareError::Panicked));
        }
    }

    /// Whether that attempt is still waiting for its hook.
    fn awaits(&self, session: u64) -> bool {
        self.is_session(session)
            && self
                .attempt
                .with_opening(|opening| opening.preparing.is_some())
                == Some(true)
    }

    /// The time for the hook, which has ended.
    fn take_preparing(&self) -> Option<TimerId> {
        let taken = self
            .attempt
            .with_opening(|opening| opening.preparing.take());
        taken.flatten()
    }

    /// The hook has answered, or not; maybe too late.
    pub(in crate::client) fn prepared(
        self: &Rc<Self>,
        local: &LocalLoop,
        session: u64,
        answer: Result<Prepared, PrepareError>,
    ) {
        if !self.awaits(session) {
            return;
        }
        if self.is_ended() {
            // By another thread, whose close is on its way.
            self.give_up_preparing(local, Initiator::Local, CloseReason::Local);
            return;
        }
        if let Some(timer) = self.take_preparing() {
            local.kill_timer(timer);
        }
        let set_out = |Prepared { url, head }| {
            let set_out = |opening: &mut Opening| opening.set_out_to(url, head);
            self.attempt.with_opening(set_out).unwrap_or(Ok(()))
        };
        match answer.and_then(set_out) {
            Ok(()) => self.connect_hop(local, self.time_left(local)),
            Err(e) => self.fail_to_prepare(local, e),
        }
    }

    /// The attempt ends before it had a connection, as it cannot be made.
    pub(super) fn fail_to_prepare(self: &Rc<Self>, local: &LocalLoop, e: PrepareError) {
        let error = ConnectionError::Prepare(e);
        self.websocket().blame(Initiator::Local, Some(error));
        self.end_unconnected(local, CloseReason::Local);
    }

    /// Ends an attempt that waits for its hook; `false`: none does.
    pub(super) fn give_up_preparing(
        self: &Rc<Self>,
        local: &LocalLoop,
        initiator: Initiator,
        why: CloseReason,
    ) -> bool {
        let Some(timer) = self.take_preparing() else {
            return false;
        };
        local.kill_timer(timer);
        self.websocket().blame(initiator, None);
        self.end_unconnected(local, why);
        true
    }

    /// The attempt ends before it had a connection: its `on_close` comes from the loop's own frame.
    pub(super) fn end_unconnected(self: &Rc<Self>, local: &LocalLoop, why: CloseReason) {
        let engine = self.clone();
        local.refuse(Box::new(Unconnected { engine, why }));
    }
}

/// Stands where the connection would.
struct Unconnected {
    engine: Rc<Engine>,
    why: CloseReason,
}

impl Handler for Unconnected {
    fn on_up(&mut self, _conn: &Conn<'_>) {}

    fn on_data(&mut self, _conn: &Conn<'_>, _data: &mut [u8]) {}

    fn on_close(self: Box<Self>, conn: &Conn<'_>, _reason: CloseReason) {
        self.engine.session_ended(conn, false, self.why);
    }
}
