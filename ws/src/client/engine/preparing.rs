//! Before an attempt: the user's hook is asked what it is to be, and may take its time.

use super::legs::Leg;
use super::{Engine, link};
use crate::client::redirect::Route;
use crate::client::request::{BeforeConnect, ConnectRequest, PrepareError, Prepared, Reply};
use crate::client::shared::ClientState;
use crate::event::{ConnectionError, Initiator};
use crate::mutant::mutant;
use hvloop_event::conn::{Conn, Handler};
use hvloop_event::{CloseReason, LocalLoop};
use std::rc::Rc;

impl Engine {
    /// Has the hook called, from the loop's own frame, and waits for its answer within the time to open.
    pub(super) fn prepare(self: &Rc<Self>, local: &LocalLoop, hook: BeforeConnect) {
        *self.link.borrow_mut() = link(&self.inner, &self.plan);
        self.inner.set_state(ClientState::Connecting);
        let session = self.session.get();
        let limit = self.plan.options.open_deadline;
        let (engine, at) = (Rc::downgrade(self), local.clone());
        let timer = local.set_timeout(limit, move |_| {
            if let Some(engine) = engine.upgrade() {
                engine.prepared(&at, session, Err(PrepareError::TimedOut(limit)));
            }
        });
        self.preparing.set(Some(timer));
        let (engine, at) = (Rc::downgrade(self), local.clone());
        local.queue_in_loop(move || {
            let engine = engine.upgrade().filter(|engine| engine.awaits(session));
            if let Some(engine) = engine {
                engine.call_hook(&at, &hook);
            }
        });
    }

    fn call_hook(self: &Rc<Self>, local: &LocalLoop, hook: &BeforeConnect) {
        let session = self.session.get();
        let prepared = Prepared {
            url: self.plan.url.clone(),
            head: self.plan.options.head.clone(),
        };
        let last = self.last_close.borrow().as_deref().cloned();
        let reply = Reply::new(local.event_loop(), &self.inner, session);
        let request = ConnectRequest::new(prepared, self.attempt.get(), last, reply);
        if local
            .call_user("before_connect", || hook(request))
            .is_none()
        {
            self.prepared(local, session, Err(PrepareError::Panicked));
        }
    }

    /// Whether that attempt is still waiting for its hook.
    fn awaits(&self, session: u64) -> bool {
        let timer = self.preparing.take();
        self.preparing.set(timer);
        timer.is_some() && self.is_session(session)
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
        if let Some(timer) = self.preparing.take() {
            local.kill_timer(timer);
        }
        match answer.and_then(|prepared| self.take_prepared(prepared)) {
            Ok(()) => self.connect_leg(local),
            Err(e) => {
                let error = ConnectionError::Prepare(e);
                self.link().blame(Initiator::Local, Some(error));
                self.end_unconnected(local, CloseReason::Local);
            }
        }
    }

    fn take_prepared(&self, prepared: Prepared) -> Result<(), PrepareError> {
        let Prepared { url, head } = prepared;
        let request = head.request(&url, self.plan.options.deflate, |_| true);
        let request = request.map_err(PrepareError::Head)?;
        #[cfg(feature = "tls")]
        let tls = self.tls_for(&url).map_err(|e| match e {
            Some(e) => PrepareError::Tls(e),
            None => PrepareError::TlsNotBuiltIn,
        })?;
        #[cfg(not(feature = "tls"))]
        if url.is_tls() {
            return Err(PrepareError::TlsNotBuiltIn);
        }
        if !mutant!("prepared_head_forgotten") {
            *self.head.borrow_mut() = head;
        }
        *self.route.borrow_mut() = Route::new(url, self.plan.options.redirects);
        *self.leg.borrow_mut() = Leg {
            request,
            #[cfg(feature = "tls")]
            tls,
        };
        Ok(())
    }

    /// Ends an attempt that waits for its hook; `false`: none does.
    pub(super) fn give_up_preparing(
        self: &Rc<Self>,
        local: &LocalLoop,
        initiator: Initiator,
        why: CloseReason,
    ) -> bool {
        let Some(timer) = self.preparing.take() else {
            return false;
        };
        local.kill_timer(timer);
        self.link().blame(initiator, None);
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

    fn on_end(&mut self, _conn: &Conn<'_>) {}

    fn on_stop(&mut self, _conn: &Conn<'_>) {}

    fn on_close(self: Box<Self>, conn: &Conn<'_>, _reason: CloseReason) {
        self.engine.session_ended(conn, false, self.why);
    }
}
