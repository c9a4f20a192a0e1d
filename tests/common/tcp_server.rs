//! A server whose events are recorded.

use hvloop::{Address, CloseReason, EventLoopThread, Listen, TcpServer};
use hvloop_test_support::{DEADLINE, Monitor};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::ThreadId;

/// What a server's callbacks saw.
#[derive(Default)]
pub struct Seen {
    pub opened: usize,
    pub messages: Vec<Vec<u8>>,
    pub closed: Vec<CloseReason>,
    pub failed: Vec<CloseReason>,
    /// Of every callback.
    pub threads: Vec<ThreadId>,
}

/// An echo server that records what it sees.
pub struct Recorded {
    pub server: Arc<TcpServer>,
    pub seen: Monitor<Seen>,
}

impl Recorded {
    pub fn new(server: TcpServer) -> Self {
        let seen = Monitor::new(Seen::default());
        let s = seen.clone();
        server.on_connection(move |_| s.update(|seen| note(seen, |seen| seen.opened += 1)));
        let s = seen.clone();
        server.on_message(move |channel, data| {
            s.update(|seen| note(seen, |seen| seen.messages.push(data.to_vec())));
            // Refused: the end is under way.
            let _ = channel.send(data);
        });
        let s = seen.clone();
        server.on_close(move |_, reason| {
            s.update(|seen| note(seen, |seen| seen.closed.push(reason.clone())));
        });
        let s = seen.clone();
        server.on_failed(move |_, reason| {
            s.update(|seen| note(seen, |seen| seen.failed.push(reason.clone())));
        });
        Self {
            server: Arc::new(server),
            seen,
        }
    }

    pub fn on(thread: &EventLoopThread) -> Self {
        Self::new(TcpServer::new(thread.event_loop()))
    }

    pub fn listen(&self, listen: Listen) -> SocketAddr {
        inet(self.server.listen(listen).unwrap())
    }

    #[track_caller]
    pub fn wait(&self, what: &str, done: impl FnMut(&Seen) -> bool) {
        assert!(self.seen.wait(DEADLINE, done), "waited for {what}");
    }
}

fn note(seen: &mut Seen, f: impl FnOnce(&mut Seen)) {
    seen.threads.push(std::thread::current().id());
    f(seen);
}

pub fn inet(address: Address) -> SocketAddr {
    address.inet().unwrap()
}
