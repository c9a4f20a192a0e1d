//! A client whose events are recorded, and servers over ws and wss.

use hvloop::event::tls::TlsClientConfig;
use hvloop::{ClientOptions, CloseEvent, EventLoop, WebSocketClient};
use hvloop_test_support::{
    DEADLINE, EchoServer, Event, Mode, Monitor, ScriptServer, TestCa, ThreadLog, Tls,
};

/// ws or wss.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Ws,
    Wss,
}

impl Transport {
    /// That of its URLs.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

/// Runs a scenario over ws and over wss, as `name::ws` and `name::wss`.
#[macro_export]
macro_rules! over_both {
    ($($(#[$doc:meta])* $name:ident => $scenario:ident;)*) => { $(
        $(#[$doc])*
        mod $name {
            #[test]
            fn ws() { super::$scenario($crate::common::ws_client::Transport::Ws) }
            #[test]
            fn wss() { super::$scenario($crate::common::ws_client::Transport::Wss) }
        }
    )* };
}

/// What a client's callbacks saw.
#[derive(Default)]
pub struct Seen {
    pub opened: usize,
    pub messages: Vec<Vec<u8>>,
    pub closed: Vec<CloseEvent>,
}

/// A transport's certificates and options.
pub struct Net {
    pub transport: Transport,
    ca: TestCa,
}

impl Net {
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            ca: TestCa::new(),
        }
    }

    pub fn tls(&self) -> Tls<'_> {
        match self.transport {
            Transport::Ws => Tls::Off,
            Transport::Wss => Tls::On(&self.ca),
        }
    }

    pub fn ca_pem(&self) -> String {
        self.ca.ca_pem().to_owned()
    }

    pub fn server(&self, mode: Mode) -> EchoServer {
        EchoServer::start_with(self.tls(), mode, 0)
    }

    pub fn options(&self) -> ClientOptions {
        let tls = TlsClientConfig::builder().root_pem(self.ca.ca_pem().as_bytes());
        ClientOptions::new().tls(tls.build().unwrap())
    }
}

/// A client that records what it sees, and on which threads.
pub struct Recorded {
    pub client: WebSocketClient,
    pub seen: Monitor<Seen>,
    pub threads: ThreadLog,
}

impl Recorded {
    pub fn new(event_loop: &EventLoop, options: ClientOptions) -> Self {
        Self::of(WebSocketClient::with_options(event_loop, options))
    }

    pub fn of(client: WebSocketClient) -> Self {
        let seen = Monitor::new(Seen::default());
        let threads = ThreadLog::new();
        let (s, t) = (seen.clone(), threads.clone());
        client.on_open(move |_, _| {
            t.record();
            s.update(|seen| seen.opened += 1);
        });
        let (s, t) = (seen.clone(), threads.clone());
        client.on_message(move |_, message| {
            t.record();
            s.update(|seen| seen.messages.push(message.as_bytes().to_vec()));
        });
        let (s, t) = (seen.clone(), threads.clone());
        client.on_close(move |_, event| {
            t.record();
            s.update(|seen| seen.closed.push(event.clone()));
        });
        Self {
            client,
            seen,
            threads,
        }
    }

    #[track_caller]
    pub fn wait(&self, what: &str, until: impl Fn(&Seen) -> bool) {
        assert!(self.seen.wait(DEADLINE, until), "never: {what}");
    }

    #[track_caller]
    pub fn wait_open(&self) {
        self.wait("open", |seen| seen.opened > 0);
    }

    /// The one close of a client that was opened once.
    #[track_caller]
    pub fn only_close(&self) -> CloseEvent {
        self.wait("close", |seen| !seen.closed.is_empty());
        self.seen.read(|seen| {
            assert_eq!(seen.closed.len(), 1, "{:?}", seen.closed);
            seen.closed[0].clone()
        })
    }
}

/// A proxy that is asked, and says nothing.
pub fn asked_proxy() -> (ScriptServer, Event) {
    let asked = Event::new();
    let a = asked.clone();
    let proxy = ScriptServer::start(Tls::Off, move |conn| {
        conn.read_request_head()?;
        a.set();
        conn.wait_for_release();
        Ok(())
    });
    (proxy, asked)
}
