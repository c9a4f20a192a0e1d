//! The hops of an attempt: the connection to the URL that was opened, and one more for each redirect.

use super::Engine;
use super::opening::Trip;
use super::session::Session;
use crate::client::answer::Answer;
use crate::client::shared::ClientState;
use crate::events::{ConnectionError, Initiator, RedirectError};
use crate::handshake::{ClientHandshake, HandshakeError, UpgradeRequest, UpgradeResponse};
use crate::url::WsTarget;
use http::HeaderMap;
use hvloop_event::conn::Conn;
use hvloop_event::log;
use hvloop_event::{CloseReason, Connect, LocalLoop, LoopClosed};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

impl Engine {
    /// The handshake with where the attempt is, and what it begins with; `None`: it has ended.
    pub(super) fn start_handshake(&self) -> Option<(ClientHandshake, Vec<u8>)> {
        let limits = self.options.all.handshake;
        let start = |request: &UpgradeRequest| ClientHandshake::start(request, limits);
        self.attempt
            .with_opening(|opening| opening.request().map(start))
            .flatten()
    }

    /// Begins a hop, to where the route leads, within that time.
    pub(super) fn connect_hop(self: &Rc<Self>, local: &LocalLoop, limit: Duration) {
        let websocket = self.attempt.renew_websocket(&self.client, &self.options);
        self.client.set_state(ClientState::Connecting);
        let connect = self
            .attempt
            .with_opening(|opening| Some(self.connect_to(opening.trip.as_ref()?, limit)));
        let Some(connect) = connect.flatten() else {
            log::error!("hvloop: an attempt that goes nowhere");
            return self.end_unconnected(local, CloseReason::Local);
        };
        let session = Box::new(Session::new(self.clone(), websocket.clone()));
        match local.connect(connect, session) {
            Ok(id) => websocket.set_conn(id),
            Err(LoopClosed(session)) => local.refuse(session),
        }
    }

    fn connect_to(&self, trip: &Trip, limit: Duration) -> Connect {
        let options = &self.options.all;
        let connect = options.connect().budget(self.client.budget.clone());
        let connect = match trip.route.url().target() {
            WsTarget::Host { host, port, .. } => connect.with_host(host.as_str(), *port),
            #[cfg(unix)]
            WsTarget::Unix(path) => connect.with_unix(path),
        };
        // With the whole time it is set as all others are.
        let connect = match limit == options.open_timeout {
            true => connect,
            false => connect.open_timeout(limit),
        };
        #[cfg(feature = "tls")]
        if let Some(tls) = &trip.tls {
            return connect.with_tls(tls.clone());
        }
        connect
    }

    /// What is left of the one time-out over all hops.
    pub(super) fn time_left(&self, local: &LocalLoop) -> Duration {
        let limit = self.options.all.open_timeout;
        let began = self.attempt.with_opening(|opening| opening.began);
        began.map_or(limit, |began| {
            limit.saturating_sub(local.clock_now().saturating_duration_since(began))
        })
    }

    /// The head of an answer that makes no WebSocket of the connection is there. `true`: it leads
    /// elsewhere. This connection ends, and the next hop begins when it has.
    pub(in crate::client) fn follow_redirect(
        &self,
        conn: &Conn<'_>,
        status: u16,
        headers: &HeaderMap,
    ) -> bool {
        let Some(Ok(())) = self.follow(status, headers) else {
            return false; // its body says more
        };
        self.note_answer(refusal(status, headers, &[]));
        self.attempt.hopping.set(true);
        conn.close_now(CloseReason::Local);
        true
    }

    /// The server's answer, whole or as much of it as came, made no WebSocket of the connection.
    pub(in crate::client) fn upgrade_refused(&self, conn: &Conn<'_>, answer: HandshakeError) {
        if let HandshakeError::Status {
            status, headers, ..
        } = &answer
            && self.follow_redirect(conn, *status, headers)
        {
            return;
        }
        let (initiator, error) = self.judge_refusal(answer);
        self.websocket().fail(conn.local(), 1002, initiator, error);
    }

    /// The connection ended, for whatever reason, while the body of a refusal was coming: what went
    /// wrong is the refusal, unless this side ended it before.
    pub(in crate::client) fn refusal_cut_short(&self, answer: HandshakeError) {
        let (initiator, error) = self.judge_refusal(answer);
        self.websocket().blame(initiator, Some(error));
    }

    fn judge_refusal(&self, answer: HandshakeError) -> (Initiator, ConnectionError) {
        let HandshakeError::Status {
            status,
            headers,
            body_prefix,
        } = &answer
        else {
            // What it said was found wrong here.
            return (
                Initiator::Local,
                ConnectionError::Handshake(Arc::new(answer)),
            );
        };
        self.note_answer(refusal(*status, headers, body_prefix));
        match self.follow(*status, headers) {
            Some(Err(e)) => (Initiator::Local, ConnectionError::Redirect(e)),
            _ => (
                Initiator::Remote,
                ConnectionError::Handshake(Arc::new(answer)),
            ),
        }
    }

    /// What follows from an answer: see [`Opening::follow`].
    fn follow(&self, status: u16, headers: &HeaderMap) -> Option<Result<(), Arc<RedirectError>>> {
        let led = self
            .attempt
            .with_opening(|opening| opening.follow(status, headers));
        led.flatten()
    }

    /// A hop has ended. `None`: the next one has begun; else why the attempt has ended.
    pub(super) fn hop_ended(
        self: &Rc<Self>,
        local: &LocalLoop,
        why: CloseReason,
    ) -> Option<CloseReason> {
        let hopping = self.attempt.hopping.replace(false);
        let stopping = local.is_stopping();
        if hopping && !self.is_ended() && !stopping {
            self.websocket().ended(local);
            self.connect_hop(local, self.time_left(local));
            return None;
        }
        Some(match why {
            _ if hopping && stopping => CloseReason::Stopped,
            CloseReason::OpenTimedOut { phase, .. } => CloseReason::OpenTimedOut {
                phase,
                limit: self.options.all.open_timeout,
            },
            why => why,
        })
    }
}

/// What is kept of an answer that made no WebSocket of the connection.
fn refusal(status: u16, headers: &HeaderMap, body_prefix: &[u8]) -> Answer {
    Answer::Whole(Arc::new(UpgradeResponse {
        status,
        headers: headers.clone(),
        body_prefix: body_prefix.to_vec(),
        subprotocol: None,
        deflate: None,
    }))
}
