//! A server that does what a test's closure says, byte by byte, with a thread for each connection.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::ServerConfig;

use crate::conn::{READ_LIMIT, ScriptConn};
use crate::server::Tls;
use crate::wait::{Event, Monitor};

/// A server on 127.0.0.1 that runs a closure for each connection, on a thread of its own.
///
/// An error that the closure returns is normal (the client went away) and only recorded; a panic, such
/// as of an assertion, is passed on when the server is dropped.
#[derive(Debug)]
pub struct ScriptServer {
    address: SocketAddr,
    scheme: &'static str,
    state: Monitor<State>,
    release: Event,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    accepted: usize,
    finished: usize,
    panics: Vec<String>,
    errors: Vec<String>,
    /// Duplicates of the sockets whose scripts run, by connection number, to wake blocked reads at the end.
    running: Vec<(usize, TcpStream)>,
    stopping: bool,
}

impl ScriptServer {
    /// Starts a server on a free port. `script` runs once for each connection.
    pub fn start<F>(tls: Tls<'_>, script: F) -> Self
    where
        F: Fn(&mut ScriptConn) -> io::Result<()> + Send + Sync + 'static,
    {
        Self::start_on(0, tls, script)
    }

    /// Like [`ScriptServer::start`] on a given port.
    pub fn start_on<F>(port: u16, tls: Tls<'_>, script: F) -> Self
    where
        F: Fn(&mut ScriptConn) -> io::Result<()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind the script's port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let state = Monitor::<State>::default();
        let release = Event::new();
        let acceptor = Acceptor {
            state: state.clone(),
            release: release.clone(),
            config: tls.config(),
            script: Arc::new(script),
        };
        let thread = std::thread::Builder::new()
            .name(format!("script-{}", address.port()))
            .spawn(move || acceptor.run(&listener))
            .expect("spawn the script server's thread");
        Self {
            address,
            scheme: tls.scheme(),
            state,
            release,
            acceptor: Some(thread),
        }
    }

    /// `ws://127.0.0.1:port/`, or `wss` under TLS.
    pub fn url(&self) -> String {
        self.url_as(self.scheme)
    }

    /// The URL with another scheme, such as `wss` for a server that has no TLS.
    pub fn url_as(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/", self.address.port())
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> usize {
        self.state.read(|state| state.accepted)
    }

    /// How many scripts came to their end so far.
    pub fn finished(&self) -> usize {
        self.state.read(|state| state.finished)
    }

    /// The errors that scripts returned so far.
    pub fn errors(&self) -> Vec<String> {
        self.state.read(|state| state.errors.clone())
    }

    /// Waits until `count` connections were accepted; panics after [`crate::DEADLINE`].
    #[track_caller]
    pub fn wait_accepted(&self, count: usize) {
        let reached = self
            .state
            .wait(crate::DEADLINE, |state| state.accepted >= count);
        assert!(reached, "accepted {} of {count}", self.accepted());
    }

    /// Waits until `count` scripts ended; panics after [`crate::DEADLINE`].
    #[track_caller]
    pub fn wait_finished(&self, count: usize) {
        let reached = self
            .state
            .wait(crate::DEADLINE, |state| state.finished >= count);
        assert!(
            reached,
            "{} of {count} scripts ended; errors: {:?}",
            self.finished(),
            self.errors()
        );
    }

    /// Lets every script go on that waits in [`ScriptConn::wait_for_release`], now and later.
    pub fn release(&self) {
        self.release.set();
    }
}

impl Drop for ScriptServer {
    fn drop(&mut self) {
        self.release.set();
        self.state.update(|state| {
            state.stopping = true;
            for (_, socket) in &state.running {
                // Wakes a script that is blocked in a read; it may have ended meanwhile.
                let _ = socket.shutdown(Shutdown::Both);
            }
        });
        // Wakes the accept call; if this fails the listener is gone already.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let panics = self.state.read(|state| state.panics.clone());
        if !std::thread::panicking() {
            assert!(panics.is_empty(), "a script panicked: {panics:?}");
        }
    }
}

type Script = dyn Fn(&mut ScriptConn) -> io::Result<()> + Send + Sync;

struct Acceptor {
    state: Monitor<State>,
    release: Event,
    config: Option<Arc<ServerConfig>>,
    script: Arc<Script>,
}

impl Acceptor {
    /// Accepts until the server is dropped, then waits for the scripts.
    fn run(self, listener: &TcpListener) {
        let mut threads = Vec::new();
        while let Ok((tcp, _)) = listener.accept() {
            let Some(conn) = self.register(tcp) else {
                break;
            };
            let (state, script) = (self.state.clone(), Arc::clone(&self.script));
            threads.push(std::thread::spawn(move || {
                run_script(conn, &*script, &state)
            }));
        }
        for thread in threads {
            // A panic of the script was caught and recorded.
            let _ = thread.join();
        }
    }

    /// Makes a connection known; `None` when the server is being dropped.
    fn register(&self, tcp: TcpStream) -> Option<ScriptConn> {
        let duplicate = tcp.try_clone().expect("duplicate a socket");
        let number = self.state.update(|state| {
            if state.stopping {
                return None;
            }
            state.accepted += 1;
            state.running.push((state.accepted, duplicate));
            Some(state.accepted)
        })?;
        tcp.set_read_timeout(Some(READ_LIMIT))
            .expect("the limit is not zero");
        let _ = tcp.set_nodelay(true);
        let config = self.config.clone();
        Some(ScriptConn::new(tcp, config, number, self.release.clone()))
    }
}

fn run_script(mut conn: ScriptConn, script: &Script, state: &Monitor<State>) {
    let number = conn.number();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| script(&mut conn)));
    conn.say_goodbye();
    // The socket goes first, so that whoever waits for the end finds it closed.
    drop(conn);
    state.update(|state| {
        state.running.retain(|(other, _)| *other != number);
        state.finished += 1;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => state.errors.push(error.to_string()),
            Err(panic) => state.panics.push(panic_text(&*panic)),
        }
    });
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "panic without a text".to_owned())
}
