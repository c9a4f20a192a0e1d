//! Our server, as README.md says, and what it saw.

use crate::common::loops::started;
use crate::common::net::{Net, Transport};
use hvloop::{
    ChannelId, CloseEvent, DeflateOptions, EventLoopThread, Message, ServiceOptions,
    WebSocketServer, WebSocketService,
};
use hvloop_test_support::{ClientReport, DEADLINE, Monitor};

/// The last message of a connection that waits for the server's stop.
pub const STAYING: &str = "staying";

/// A message, kept.
#[derive(PartialEq, Eq)]
pub enum Kept {
    Text(String),
    Binary(Vec<u8>),
}

/// One connection.
pub struct Conn {
    id: ChannelId,
    pub path: String,
    /// Whether the client offered permessage-deflate, and whether that was agreed on.
    pub offer: bool,
    pub deflate: bool,
    pub messages: Vec<Kept>,
    pub closed: Option<CloseEvent>,
}

/// What the server saw, and then its client.
#[derive(Default)]
pub struct Seen {
    /// In the order in which they were opened.
    pub connections: Vec<Conn>,
    pub failed: Vec<String>,
    pub report: Option<ClientReport>,
}

impl Seen {
    fn conn(&mut self, id: ChannelId) -> &mut Conn {
        let found = self.connections.iter_mut().find(|conn| conn.id == id);
        found.expect("a connection that was opened")
    }

    /// Whether so many connections are open, and each of them waits for the stop.
    pub fn only_staying(&self, count: usize) -> bool {
        let stays = Kept::Text(STAYING.to_owned());
        let open = self.connections.iter().filter(|conn| conn.closed.is_none());
        let last: Vec<_> = open.map(|conn| conn.messages.last()).collect();
        last.len() == count && last.iter().all(|message| *message == Some(&stays))
    }
}

/// `ws` or `http`, with an `s` behind it over TLS.
pub fn scheme(plain: &str, net: &Net) -> String {
    match net.transport {
        Transport::Tcp => plain.to_owned(),
        Transport::Tls => format!("{plain}s"),
    }
}

/// A server on a loop of its own.
pub struct OurServer {
    pub thread: EventLoopThread,
    pub url: String,
    pub seen: Monitor<Seen>,
    _server: WebSocketServer,
}

impl OurServer {
    pub fn start(net: &Net) -> Self {
        let thread = started();
        let server = WebSocketServer::new(thread.event_loop());
        let seen = Monitor::new(Seen::default());
        for (path, deflate) in [("/plain", None), ("/deflate", Some(DeflateOptions::new()))] {
            let options = ServiceOptions::new()
                .deflate(deflate)
                .close_timeout(DEADLINE)
                .ping_interval(None);
            let echo = recorded(&seen, |channel, message| channel.send(message).unwrap());
            server.route(format!("{path}/echo"), echo.options(options.clone()));
            let close = recorded(&seen, |channel, message| {
                let Message::Text(text) = message else {
                    panic!("a code and a reason expected");
                };
                let (code, reason) = text.split_once(' ').unwrap();
                channel.close(code.parse().unwrap(), reason).unwrap();
            });
            server.route(format!("{path}/close"), close.options(options));
        }
        let failed = seen.clone();
        server.on_failed(move |_, error| {
            failed.update(|seen| seen.failed.push(error.to_string()));
        });
        let address = server.listen(net.listen()).unwrap();
        Self {
            url: format!("{}://{address}", scheme("ws", net)),
            thread,
            seen,
            _server: server,
        }
    }
}

/// Records, and does with each message what it is told.
fn recorded(
    seen: &Monitor<Seen>,
    answer: impl Fn(&hvloop::WebSocketChannel, Message<'_>) + Send + Sync + 'static,
) -> WebSocketService {
    let (open, message, close) = (seen.clone(), seen.clone(), seen.clone());
    WebSocketService::new()
        .on_open(move |channel, request| {
            let offer = request.header("Sec-WebSocket-Extensions");
            let conn = Conn {
                id: channel.id(),
                path: request.path.clone(),
                offer: offer.is_some_and(|offer| offer.contains("permessage-deflate")),
                deflate: channel.deflate().is_some(),
                messages: Vec::new(),
                closed: None,
            };
            open.update(|seen| seen.connections.push(conn));
        })
        .on_message(move |channel, data| {
            let kept = match data {
                Message::Text(text) => Kept::Text(text.to_owned()),
                Message::Binary(bytes) => Kept::Binary(bytes.to_vec()),
            };
            answer(channel, data);
            message.update(|seen| seen.conn(channel.id()).messages.push(kept));
        })
        .on_close(move |channel, event| {
            close.update(|seen| seen.conn(channel.id()).closed = Some(event.clone()));
        })
}
