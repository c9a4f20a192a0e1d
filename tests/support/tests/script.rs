//! The scripted server and the ready-made misbehaviour.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use common::{connect, tcp, try_connect};
use hvloop_test_support::{Blackhole, ScriptServer, TestCa, Tls, opcode, refuse_port};
use tungstenite::Message;

/// Runs `test` without and with TLS.
fn both(test: impl Fn(Tls<'_>, Option<&Arc<TestCa>>)) {
    test(Tls::Off, None);
    let ca = Arc::new(TestCa::new());
    test(Tls::On(&ca), Some(&ca));
}

#[test]
fn speaks_frames_both_ways() {
    both(|tls, ca| {
        let server = ScriptServer::start(tls, |conn| {
            let request = conn.accept_upgrade_with(&["X-Extra: yes"])?;
            assert_eq!(request.target(), "/");
            assert_eq!(request.header("upgrade"), Some("websocket"));
            conn.send_frame(opcode::TEXT, false, b"hel")?;
            conn.send_frame(opcode::PING, true, b"!")?;
            conn.send_frame(opcode::CONTINUATION, true, b"lo")?;
            let pong = conn.read_frame()?.expect("a frame");
            assert_eq!(
                (pong.opcode, pong.payload.as_slice()),
                (opcode::PONG, &b"!"[..])
            );
            for length in [125, 126, 65_535, 65_536] {
                let frame = conn.read_frame()?.expect("a frame");
                assert!(frame.mask.is_some());
                assert_eq!(frame.payload, vec![3; length]);
                conn.send_frame(opcode::BINARY, true, &frame.payload)?;
            }
            conn.send_close(1000, "enough")?;
            let close = conn.read_close()?;
            assert_eq!(close.close_code(), Some(1000));
            conn.finish()
        });
        let mut client = connect(server.addr().port(), ca);
        assert_eq!(client.read().expect("read"), Message::Ping("!".into()));
        assert_eq!(client.read().expect("read"), Message::text("hello"));
        // The Pong goes out with the next flush.
        client.flush().expect("flush");
        for length in [125, 126, 65_535, 65_536] {
            let message = Message::binary(vec![3; length]);
            client.send(message.clone()).expect("send");
            assert_eq!(client.read().expect("read"), message);
        }
        while client.read().is_ok() {}
        drop(client);
        server.wait_finished(1);
    });
}

#[test]
#[should_panic(expected = "a script panicked")]
fn a_failed_assertion_in_a_script_fails_the_test() {
    let server = ScriptServer::start(Tls::Off, |_| panic!("no"));
    drop(tcp(server.addr().port()));
    server.wait_finished(1);
}

#[test]
fn mute_servers_hold_the_line() {
    let server = ScriptServer::mute_tcp();
    let mut client = tcp(server.addr().port());
    server.wait_accepted(1);
    client
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("not zero");
    let waiting = client.read(&mut [0]).expect_err("nothing to read");
    assert!(matches!(
        waiting.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    server.release();
    server.wait_finished(1);
    client
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("not zero");
    assert_eq!(client.read(&mut [0]).expect("end of file"), 0);
    both(|tls, ca| {
        let server = ScriptServer::mute_upgrade(tls);
        let port = server.addr().port();
        let ca = ca.cloned();
        let client = std::thread::spawn(move || try_connect(port, ca.as_ref()).is_err());
        server.wait_accepted(1);
        drop(server);
        assert!(client.join().expect("join"));
    });
}

#[test]
fn dribble_never_ends() {
    let server = ScriptServer::dribble(Tls::Off);
    let mut client = tcp(server.addr().port());
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("write");
    let mut start = [0; 12];
    client.read_exact(&mut start).expect("read");
    assert_eq!(&start, b"HTTP/1.1 101");
    assert_eq!(server.finished(), 0);
}

#[test]
fn closes_and_refusals() {
    both(|tls, ca| {
        let server = ScriptServer::close_first(tls.clone(), 4001, "first");
        let mut client = connect(server.addr().port(), ca);
        let Message::Close(Some(frame)) = client.read().expect("read") else {
            panic!("not a Close frame");
        };
        assert_eq!(u16::from(frame.code), 4001);
        while client.read().is_ok() {}
        drop(client);
        server.wait_finished(1);

        let server = ScriptServer::open_then_drop(tls.clone());
        let mut client = connect(server.addr().port(), ca);
        assert!(client.read().is_err());

        let server = ScriptServer::never_close(tls.clone());
        let mut client = connect(server.addr().port(), ca);
        client.send(Message::text("x")).expect("send");
        assert_eq!(client.read().expect("read"), Message::text("x"));
        client.close(None).expect("close");
        assert_eq!(server.finished(), 0);

        let server = ScriptServer::flood(tls.clone());
        let mut client = connect(server.addr().port(), ca);
        for _ in 0..50 {
            assert_eq!(client.read().expect("read").len(), 16 * 1024);
        }
        drop(client);
        server.wait_finished(1);

        let server = ScriptServer::http_status(tls, "401 Unauthorized", &["X-A: b"], "no");
        let refused = try_connect(server.addr().port(), ca).map(|_| ());
        assert!(refused.expect_err("refused").to_string().contains("401"));
    });
    let server = ScriptServer::accept_then_drop();
    assert!(try_connect(server.addr().port(), None).is_err());
}

#[test]
fn resets() {
    let server = ScriptServer::start(Tls::Off, |conn| {
        conn.accept_upgrade()?;
        conn.reset()
    });
    let mut client = tcp(server.addr().port());
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("write");
    let mut answer = Vec::new();
    let error = client.read_to_end(&mut answer).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn addresses_without_an_answer() {
    let refused = TcpStream::connect(refuse_port()).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let hole = Blackhole::new().expect("fill a queue");
    let stuck = TcpStream::connect_timeout(&hole.addr(), Duration::from_millis(200));
    assert_eq!(stuck.expect_err("no answer").kind(), ErrorKind::TimedOut);
}
