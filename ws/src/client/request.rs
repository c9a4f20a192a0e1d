//! What an attempt asks for, and the hook that may change it before each one.

use crate::deflate::DeflateOptions;
use crate::events::{CloseEvent, PrepareError};
use crate::handshake::{HeadError, UpgradeRequest, credentials};
use crate::url::{UrlError, WsUrl};
use std::borrow::Cow;
use std::sync::Arc;

/// What a client is called unless the user says otherwise.
const USER_AGENT: &str = concat!("hvloop/", env!("CARGO_PKG_VERSION"));

/// The hook of [`ClientOptions::before_connect`](super::ClientOptions::before_connect).
pub(super) type BeforeConnect = Arc<dyn Fn(ConnectRequest) + Send + Sync>;

/// What is sent with an upgrade, beside what the handshake needs.
#[derive(Clone, PartialEq)]
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

// Leaves out the headers' values: one may be a secret.
hvloop_event::debug_fields!(ConnectRequest, this: "url" = this.url, "attempt" = this.attempt);

/// The way back to the engine, once.
pub(super) struct Reply(Option<SendReply>);

type SendReply = Box<dyn FnOnce(Result<Prepared, PrepareError>) + Send>;

impl Reply {
    pub(super) fn new(send: impl FnOnce(Result<Prepared, PrepareError>) + Send + 'static) -> Self {
        Self(Some(Box::new(send)))
    }

    fn answer(mut self, answer: Result<Prepared, PrepareError>) {
        if let Some(send) = self.0.take() {
            send(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(send) = self.0.take() {
            send(Err(PrepareError::Dropped));
        }
    }
}
