//! What an attempt asks for, and the hook that may change it before each one.

use super::engine::Engine;
use super::shared::Inner;
use crate::deflate::DeflateOptions;
use crate::event::CloseEvent;
use crate::handshake::{HeadError, UpgradeRequest, credentials};
use crate::url::{UrlError, WsUrl};
use hvloop_event::log;
use hvloop_event::{EventLoop, LocalLoop};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a client is called unless the user says otherwise.
const USER_AGENT: &str = concat!("hvloop/", env!("CARGO_PKG_VERSION"));

/// The hook of [`ClientOptions::before_connect`](super::ClientOptions::before_connect).
pub(super) type BeforeConnect = Arc<dyn Fn(ConnectRequest) + Send + Sync>;

/// What is sent with an upgrade, beside what the handshake needs.
#[derive(Clone)]
pub(super) struct RequestHead {
    pub(super) headers: Vec<(String, String)>,
    /// The first thing that cannot be sent.
    pub(super) bad: Option<HeadError>,
    pub(super) subprotocols: Vec<String>,
    pub(super) origin: Option<String>,
    pub(super) user_agent: Option<Cow<'static, str>>,
}

impl RequestHead {
    pub(super) fn new() -> Self {
        Self {
            headers: Vec::new(),
            bad: None,
            subprotocols: Vec::new(),
            origin: None,
            user_agent: Some(Cow::Borrowed(USER_AGENT)),
        }
    }

    pub(super) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.headers.push((name.into(), value.into()));
    }

    /// Puts a header in the place of all of that name; or nothing.
    pub(super) fn set(&mut self, name: &str, value: Option<String>) {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if name.eq_ignore_ascii_case("user-agent") {
            self.user_agent = None;
        }
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// The request for that URL, with those of the headers that are to be carried there.
    pub(super) fn request(
        &self,
        url: &WsUrl,
        deflate: Option<DeflateOptions>,
        carried: impl Fn(&str) -> bool,
    ) -> Result<UpgradeRequest, HeadError> {
        if let Some(e) = &self.bad {
            return Err(e.clone());
        }
        let mut request = UpgradeRequest::new(url).deflate(deflate);
        let named = |(name, _): &(String, String)| name.eq_ignore_ascii_case("user-agent");
        if let Some(agent) = &self.user_agent
            && !self.headers.iter().any(named)
        {
            request = request.header("User-Agent", agent)?;
        }
        for (name, value) in self.headers.iter().filter(|(name, _)| carried(name)) {
            request = request.header(name, value)?;
        }
        for name in &self.subprotocols {
            request = request.subprotocol(name)?;
        }
        match &self.origin {
            Some(origin) => request.origin(origin),
            None => Ok(request),
        }
    }
}

/// An attempt that is about to begin: what it will ask for, which may be changed, and the say to begin.
/// Given to the hook of [`ClientOptions::before_connect`](super::ClientOptions::before_connect); may be
/// sent to another thread, and be answered later.
///
/// It begins as the options and the `open()` say; changes hold for this attempt, its redirects included.
/// One that is dropped unanswered ends the attempt ([`PrepareError::Dropped`]).
#[must_use = "an attempt whose request is dropped fails"]
pub struct ConnectRequest {
    url: WsUrl,
    head: Arc<RequestHead>,
    attempt: u32,
    last_close: Option<CloseEvent>,
    reply: Reply,
}

/// What comes of a request.
pub(super) struct Prepared {
    pub(super) url: WsUrl,
    pub(super) head: Arc<RequestHead>,
}

impl ConnectRequest {
    pub(super) fn new(
        prepared: Prepared,
        attempt: u32,
        last_close: Option<CloseEvent>,
        reply: Reply,
    ) -> Self {
        Self {
            url: prepared.url,
            head: prepared.head,
            attempt,
            last_close,
            reply,
        }
    }

    /// Where it goes.
    pub fn url(&self) -> &WsUrl {
        &self.url
    }

    /// Which attempt since `open()` it is, counted from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How the last attempt of this `open()`, or the session that it became, has ended; `None`: this is
    /// the first one.
    pub fn last_close(&self) -> Option<&CloseEvent> {
        self.last_close.as_ref()
    }

    /// Goes elsewhere.
    ///
    /// # Errors
    ///
    /// It is not the URL of a WebSocket; nothing was changed then.
    pub fn set_url(&mut self, url: &str) -> Result<(), UrlError> {
        self.url = url.parse()?;
        Ok(())
    }

    /// Sends a header, in the place of all of that name.
    ///
    /// # Errors
    ///
    /// It cannot be sent; nothing was changed then.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), HeadError> {
        let checked = UpgradeRequest::new(&self.url).header(name, value);
        checked.map(drop)?;
        self.edit().set(name, Some(value.to_owned()));
        Ok(())
    }

    /// Sends no header of that name; the User-Agent, too, can be left out so. What the handshake needs
    /// stays.
    pub fn remove_header(&mut self, name: &str) {
        self.edit().set(name, None);
    }

    /// Sends a token (Bearer, RFC 6750), in the place of an Authorization header.
    ///
    /// # Errors
    ///
    /// It cannot be sent; nothing was changed then.
    pub fn set_bearer_auth(&mut self, token: &str) -> Result<(), HeadError> {
        let value = credentials::bearer(token)?;
        self.edit().set("Authorization", Some(value));
        Ok(())
    }

    /// Sends a user name and a password (Basic, RFC 7617), in the place of an Authorization header.
    ///
    /// # Errors
    ///
    /// They cannot be sent; nothing was changed then.
    pub fn set_basic_auth(&mut self, user: &str, password: &str) -> Result<(), HeadError> {
        let value = credentials::basic(user, password)?;
        self.edit().set("Authorization", Some(value));
        Ok(())
    }

    /// Offers these subprotocols, the one liked best first, in the place of those before.
    ///
    /// # Errors
    ///
    /// One is no token, or there twice; nothing was changed then.
    pub fn set_subprotocols<S: Into<String>>(
        &mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<(), HeadError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let mut request = UpgradeRequest::new(&self.url);
        for name in &names {
            request = request.subprotocol(name)?;
        }
        self.edit().subprotocols = names;
        Ok(())
    }

    /// What is sent in this attempt, and no other.
    fn edit(&mut self) -> &mut RequestHead {
        Arc::make_mut(&mut self.head)
    }

    /// Begins the attempt. If the client was closed meanwhile, or the time to open is over, nothing
    /// happens. Any thread.
    pub fn proceed(self) {
        let Self {
            url, head, reply, ..
        } = self;
        reply.answer(Ok(Prepared { url, head }));
    }

    /// Ends the attempt: its `on_close` has this reason, and the reconnect policy goes on. Any thread.
    pub fn fail(self, why: impl Into<String>) {
        self.reply.answer(Err(PrepareError::Failed(why.into())));
    }
}

impl fmt::Debug for ConnectRequest {
    /// Leaves out the headers' values: one may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("url", &self.url)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// The way back to the engine, once.
pub(super) struct Reply {
    event_loop: EventLoop,
    /// Not what keeps a client alive.
    inner: Weak<Inner>,
    /// Which attempt is meant.
    session: u64,
    answered: bool,
}

impl Reply {
    pub(super) fn new(event_loop: EventLoop, inner: &Arc<Inner>, session: u64) -> Self {
        Self {
            event_loop,
            inner: Arc::downgrade(inner),
            session,
            answered: false,
        }
    }

    fn answer(mut self, answer: Result<Prepared, PrepareError>) {
        self.post(answer);
    }

    fn post(&mut self, answer: Result<Prepared, PrepareError>) {
        self.answered = true;
        let (inner, session) = (self.inner.clone(), self.session);
        let posted = self.event_loop.post_event(move |local: &LocalLoop| {
            let engine = inner
                .upgrade()
                .and_then(|inner| Engine::find(local, &inner));
            if let Some(engine) = engine {
                engine.prepared(local, session, answer);
            }
        });
        if posted.is_err() {
            log::debug!("hvloop: the loop had closed everything already");
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            self.post(Err(PrepareError::Dropped));
        }
    }
}

/// Why an attempt was not begun, where there is a hook
/// ([`ClientOptions::before_connect`](super::ClientOptions::before_connect)).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PrepareError {
    /// The hook did not answer within the time to open.
    TimedOut(Duration),
    /// The hook dropped the request.
    Dropped,
    /// The hook ended the attempt, with this reason.
    Failed(String),
    /// The hook panicked.
    Panicked,
    /// What it asked for cannot be sent.
    Head(HeadError),
    /// It leads to `wss`, which cannot be spoken with these options.
    #[cfg(feature = "tls")]
    Tls(Arc<hvloop_event::tls::TlsConfigError>),
    /// It leads to `wss`, which needs the feature `tls`.
    TlsNotBuiltIn,
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(limit) => write!(f, "before_connect did not answer within {limit:?}"),
            Self::Dropped => f.write_str("before_connect dropped the request"),
            Self::Failed(why) => write!(f, "before_connect: {why}"),
            Self::Panicked => f.write_str("before_connect panicked"),
            Self::Head(e) => write!(f, "{e}"),
            #[cfg(feature = "tls")]
            Self::Tls(e) => write!(f, "TLS cannot be set up: {e}"),
            Self::TlsNotBuiltIn => f.write_str("wss needs the feature `tls`"),
        }
    }
}

impl Error for PrepareError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Head(e) => Some(e),
            #[cfg(feature = "tls")]
            Self::Tls(e) => Some(&**e),
            _ => None,
        }
    }
}

const _: () = {
    const fn send<T: Send>() {}
    send::<ConnectRequest>();
};
