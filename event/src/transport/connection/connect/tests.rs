//! What is set about a socket, read back from it.

#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use crate::conn::{Acceptor, Conn, Connect, Handler, Listen, Transport};
use crate::error::CloseReason;
use crate::sys::Stream;
use crate::{EventLoop, LocalLoop, SocketOptions};
use socket2::SockRef;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

const S: Duration = Duration::from_secs(1);

/// What the system says of a socket.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    nodelay: bool,
    keepalive: Option<Duration>,
    user_timeout: Option<Duration>,
    buffers: (usize, usize),
}

/// Tells of its socket once it is up, and stops the loop.
struct Teller(Sender<Told>);

impl Handler for Teller {
    fn on_up(&mut self, conn: &Conn<'_>) {
        conn.opened();
        let state = conn.state();
        let Some(Stream::Tcp(stream)) = &state.socket.stream else {
            panic!("no TCP");
        };
        let socket = SockRef::from(stream);
        let keepalive = socket.keepalive().unwrap();
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let user_timeout = socket.tcp_user_timeout().unwrap();
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let user_timeout = Some(3 * S);
        let told = Told {
            nodelay: stream.nodelay().unwrap(),
            keepalive: keepalive.then(|| socket.tcp_keepalive_time().unwrap()),
            user_timeout,
            buffers: (
                socket.send_buffer_size().unwrap(),
                socket.recv_buffer_size().unwrap(),
            ),
        };
        self.0.send(told).unwrap();
    }

    fn on_data(&mut self, _conn: &Conn<'_>, _data: &mut [u8]) {}

    fn on_close(self: Box<Self>, _conn: &Conn<'_>, _reason: CloseReason) {}
}

/// Takes what comes.
struct Accept(Sender<Told>);

impl Acceptor for Accept {
    fn on_accept(&mut self, local: &LocalLoop, transport: Transport) {
        let handler = Box::new(Teller(self.0.clone()));
        assert!(local.adopt(transport, handler).is_ok());
    }

    fn on_close(self: Box<Self>, _local: &LocalLoop, _reason: CloseReason) {}
}

/// What a client's and a server's sockets with those options say.
fn both(listen: Listen, connect: impl FnOnce(u16) -> Connect) -> (Told, Told) {
    let event_loop = EventLoop::new().unwrap();
    let listening = listen.bind().unwrap();
    let port = listening.address().inet().unwrap().port();
    let connect = connect(port);
    let (tell_client, client) = channel();
    let (tell_server, server) = channel();
    event_loop
        .post_event(move |local: &LocalLoop| {
            let accept = Box::new(Accept(tell_server));
            assert!(local.listen(listening, accept).is_ok());
            let handler = Box::new(Teller(tell_client));
            assert!(local.connect(connect, handler).is_ok());
        })
        .unwrap();
    let mut told = (None, None);
    while told.0.is_none() || told.1.is_none() {
        let _ = event_loop.run_once(Some(S)).unwrap();
        told.0 = told.0.or_else(|| client.try_recv().ok());
        told.1 = told.1.or_else(|| server.try_recv().ok());
    }
    (told.0.unwrap(), told.1.unwrap())
}

/// Either side has what its options say, and else what the system has.
#[test]
fn socket_options_are_set() {
    let at = || Listen::tcp(([127, 0, 0, 1], 0));
    let (client, server) = both(at(), |port| Connect::to("127.0.0.1", port));
    for told in [&client, &server] {
        assert!(told.nodelay);
        assert_eq!(told.keepalive, None);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(told.user_timeout, None);
        assert!(told.buffers != (20_000, 24_000) && told.buffers != (40_000, 48_000));
    }
    let options = SocketOptions::new()
        .nodelay(false)
        .keepalive(40 * S)
        .user_timeout(3 * S)
        .send_buffer(20_000)
        .recv_buffer(24_000);
    let (client, server) = both(at().socket(options.clone()), |port| {
        Connect::to("127.0.0.1", port).socket(options)
    });
    // Linux doubles them, for its own use (socket(7)).
    let factor = if cfg!(target_os = "linux") { 2 } else { 1 };
    let expected = Told {
        nodelay: false,
        keepalive: Some(40 * S),
        user_timeout: Some(3 * S),
        buffers: (20_000 * factor, 24_000 * factor),
    };
    assert_eq!((&client, &server), (&expected, &expected));
}
