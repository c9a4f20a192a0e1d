//! A `WebSocketServer` whose events are recorded, and what our client needs to reach it.

use super::net::{Net, Transport};
use hvloop::event::tls::TlsClientConfig;
use hvloop::ws::ConnectionError;
use hvloop::{
    ClientOptions, CloseEvent, EventLoopThread, Message, ServiceOptions, WebSocketServer,
    WebSocketService,
};
use hvloop_test_support::{DEADLINE, Monitor};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::ThreadId;

/// What the callbacks saw.
#[derive(Default)]
pub struct Seen {
    pub opened: usize,
    pub messages: Vec<Vec<u8>>,
    pub closed: Vec<CloseEvent>,
    pub failed: Vec<ConnectionError>,
    /// Of every callback.
    pub threads: Vec<ThreadId>,
}

/// A server with an echo at every path, which records what it sees.
pub struct Recorded {
    pub server: Arc<WebSocketServer>,
    pub seen: Monitor<Seen>,
}

/// Echoes, and records in `seen`. A text "panic" panics.
pub fn echo(seen: &Monitor<Seen>) -> WebSocketService {
    fn note(seen: &Monitor<Seen>, f: impl FnOnce(&mut Seen)) {
        seen.update(|seen| {
            seen.threads.push(std::thread::current().id());
            f(seen);
        });
    }
    let (open, message, close) = (seen.clone(), seen.clone(), seen.clone());
    WebSocketService::new()
        .on_open(move |channel, _| {
            assert!(channel.is_connected());
            note(&open, |seen| seen.opened += 1);
        })
        .on_message(move |channel, data| {
            assert!(data != Message::Text("panic"), "on purpose");
            note(&message, |seen| {
                seen.messages.push(data.as_bytes().to_vec())
            });
            // Refused if the channel is closing.
            let _ = channel.send(data);
        })
        .on_close(move |channel, event| {
            assert!(!channel.is_connected());
            note(&close, |seen| seen.closed.push(event.clone()));
        })
}

impl Recorded {
    pub fn on(thread: &EventLoopThread) -> Self {
        Self::with(
            WebSocketServer::new(thread.event_loop()),
            ServiceOptions::new(),
        )
    }

    pub fn with(server: WebSocketServer, options: ServiceOptions) -> Self {
        let seen = Monitor::new(Seen::default());
        server.route("/*", echo(&seen).options(options));
        let failed = seen.clone();
        server.on_failed(move |_, error| failed.update(|seen| seen.failed.push(error.clone())));
        Self {
            server: Arc::new(server),
            seen,
        }
    }

    #[track_caller]
    pub fn listen(&self, net: &Net) -> SocketAddr {
        self.server.listen(net.listen()).unwrap().inet().unwrap()
    }

    #[track_caller]
    pub fn wait(&self, what: &str, f: impl FnMut(&Seen) -> bool) {
        assert!(self.seen.wait(DEADLINE, f), "{what}");
    }
}

/// A client's options for that net.
pub fn client_options(net: &Net) -> ClientOptions {
    let options = ClientOptions::new();
    match net.transport {
        Transport::Tcp => options,
        Transport::Tls => {
            let tls = TlsClientConfig::builder().root_pem(net.ca.ca_pem().as_bytes());
            options.tls(tls.build().unwrap())
        }
    }
}

pub fn scheme(net: &Net) -> &'static str {
    match net.transport {
        Transport::Tcp => "ws",
        Transport::Tls => "wss",
    }
}
