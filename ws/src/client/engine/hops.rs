//! The hops of an attempt: the connection to the URL that was opened, and one more for each redirect.

use super::Engine;
use super::session::Session;
use crate::client::plan::Plan;
use crate::client::shared::ClientState;
use crate::events::{ConnectionError, Initiator, RedirectError, RedirectProblem};
use crate::handshake::{HandshakeError, UpgradeRequest, UpgradeResponse};
use crate::url::WsTarget;
#[cfg(feature = "tls")]
use crate::url::WsUrl;
use http::HeaderMap;
use hvloop_event::conn::Conn;
use hvloop_event::log;
#[cfg(feature = "tls")]
use hvloop_event::tls::{TlsClientConfig, TlsConfigError};
use hvloop_event::{CloseReason, Connect, LocalLoop, LoopClosed};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What differs from hop to hop.
pub(super) struct Hop {
    pub(super) request: UpgradeRequest,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<TlsClientConfig>,
}

impl Hop {
    /// The first one, as `open()` has checked it.
    pub(super) fn first(plan: &Plan) -> Self {
        Self {
            request: plan.request.clone(),
            #[cfg(feature = "tls")]
            tls: match &plan.tls {
                Some(Ok(tls)) if plan.url.is_tls() => Some(tls.clone()),
                _ => None,
            },
        }
    }
}

impl Engine {
    pub(in crate::client) fn request(&self) -> UpgradeRequest {
        self.attempt.hop.borrow().request.clone()
    }

    /// Begins a hop, to where the route leads.
    pub(super) fn connect_hop(self: &Rc<Self>, local: &LocalLoop) {
        let websocket = self.attempt.renew_websocket(&self.client, &self.plan);
        self.client.set_state(ClientState::Connecting);
        let options = &self.plan.options;
        let connect = {
            let route = self.attempt.route.borrow();
            match route.url().target() {
                WsTarget::Host { host, port, .. } => Connect::to(host.as_str(), *port),
                #[cfg(unix)]
                WsTarget::Unix(path) => Connect::unix(path),
            }
        };
        let connect = options
            .transport
            .apply(connect)
            .open_timeout(self.time_left(local))
            .budget(self.client.budget.clone())
            .close_timeout(options.connection.close_timeout);
        #[cfg(feature = "tls")]
        let connect = match &self.attempt.hop.borrow().tls {
            Some(tls) => connect.with_tls(tls.clone()),
            None => connect,
        };
        let session = Box::new(Session::new(self.clone(), websocket.clone()));
        match local.connect(connect, session) {
            Ok(id) => websocket.set_conn(id),
            Err(LoopClosed(session)) => local.refuse(session),
        }
    }

    /// What is left of the one time-out over all hops.
    fn time_left(&self, local: &LocalLoop) -> Duration {
        let limit = self.plan.options.open_timeout;
        match self.attempt.began.get() {
            Some(began) => limit.saturating_sub(local.clock_now().saturating_duration_since(began)),
            None => limit,
        }
    }

    /// The head of an answer that makes no WebSocket of the connection is there. `true`: it leads
    /// elsewhere. This connection ends, and the next hop begins when it has.
    pub(in crate::client) fn follow_redirect(
        &self,
        conn: &Conn<'_>,
        status: u16,
        headers: &HeaderMap,
    ) -> bool {
        let led = self.attempt.route.borrow_mut().follow(status, headers);
        if !led.is_some_and(|led| led.is_ok() && self.prepare_hop(status).is_ok()) {
            return false; // its body says more
        }
        self.note_answer(Arc::new(UpgradeResponse {
            status,
            headers: headers.clone(),
            body_prefix: Vec::new(),
            subprotocol: None,
            deflate: None,
        }));
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
        self.note_answer(Arc::new(UpgradeResponse {
            status: *status,
            headers: HeaderMap::clone(headers),
            body_prefix: body_prefix.clone(),
            subprotocol: None,
            deflate: None,
        }));
        let led = self.attempt.route.borrow_mut().follow(*status, headers);
        match led.map(|led| led.and_then(|()| self.prepare_hop(*status))) {
            Some(Err(e)) => (Initiator::Local, ConnectionError::Redirect(e)),
            _ => (
                Initiator::Remote,
                ConnectionError::Handshake(Arc::new(answer)),
            ),
        }
    }

    /// Makes what the hop to where the route leads now needs.
    fn prepare_hop(&self, status: u16) -> Result<(), Arc<RedirectError>> {
        let mut route = self.attempt.route.borrow_mut();
        #[cfg(feature = "tls")]
        let tls = match self.tls_for(route.url()) {
            Ok(tls) => tls,
            Err(e) => {
                let problem = e.map_or(RedirectProblem::TlsNotBuiltIn, RedirectProblem::Tls);
                return Err(route.take_back(status, problem));
            }
        };
        #[cfg(not(feature = "tls"))]
        if route.url().is_tls() {
            return Err(route.take_back(status, RedirectProblem::TlsNotBuiltIn));
        }
        let carried = |name: &str| route.carries(name);
        let deflate = self.plan.options.connection.deflate;
        match self
            .attempt
            .head
            .borrow()
            .request(route.url(), deflate, carried)
        {
            Ok(request) => {
                *self.attempt.hop.borrow_mut() = Hop {
                    request,
                    #[cfg(feature = "tls")]
                    tls,
                };
                Ok(())
            }
            // Of the same headers open() made one.
            Err(e) => {
                log::error!("hvloop: a request that was good is not: {e}");
                Err(route.take_back(status, RedirectProblem::BadLocation))
            }
        }
    }

    /// How to speak TLS there, if it is to be spoken; or why it cannot be, where there is an error.
    #[cfg(feature = "tls")]
    pub(super) fn tls_for(
        &self,
        url: &WsUrl,
    ) -> Result<Option<TlsClientConfig>, Option<Arc<TlsConfigError>>> {
        match (&self.plan.tls, url.is_tls()) {
            (_, false) => Ok(None),
            (Some(Ok(tls)), true) => Ok(Some(tls.clone())),
            (Some(Err(e)), true) => Err(Some(e.clone())),
            (None, true) => Err(None),
        }
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
            self.connect_hop(local);
            return None;
        }
        Some(match why {
            _ if hopping && stopping => CloseReason::Stopped,
            CloseReason::OpenTimedOut { phase, .. } => CloseReason::OpenTimedOut {
                phase,
                limit: self.plan.options.open_timeout,
            },
            why => why,
        })
    }
}
