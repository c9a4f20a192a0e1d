//! Reading that is paused and resumed.

use crate::common::loops::{patient, settle};
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::ConnectionError;
use hvloop::{ClientOptions, CloseEvent, WebSocketClient};
use hvloop_test_support::{Event, Monitor, ScriptServer, encode_frame, opcode};
use std::time::Duration;

over_both! {
    /// Paused in each callback: exactly one message follows each resume, in order, whole.
    one_message_a_resume => one_by_one;
    /// A Close, and the end of the stream, come behind what is held back.
    pause_holds_back_the_end => end_is_held;
    /// Without a Close, too.
    pause_holds_back_an_end_without_close => bare_end_is_held;
    /// This side's close and the loop's stop read on, to the peer's Close.
    close_while_paused => closes;
    stop_while_paused => stops;
    /// Nobody is called dead whose Pong nobody reads; afterwards the heart beats again.
    heartbeat_is_suspended_while_paused => heart;
}

/// Lets messages through one at a time.
struct Valve {
    client: Recorded,
    allowed: Monitor<usize>,
}

impl Valve {
    fn new(event_loop: &hvloop::EventLoop, options: ClientOptions) -> Self {
        let client = Recorded::new(event_loop, options);
        let allowed = Monitor::new(0);
        let (a, seen) = (allowed.clone(), client.seen.clone());
        client.client.on_open(move |ws, _| {
            ws.pause_reading();
            seen.update(|seen| seen.opened += 1);
        });
        let seen = client.seen.clone();
        client.client.on_message(move |ws, data| {
            a.update(|allowed| {
                assert!(*allowed > 0, "a message while paused");
                *allowed -= 1;
            });
            ws.pause_reading();
            seen.update(|seen| seen.messages.push(data.as_bytes().to_vec()));
        });
        Self { client, allowed }
    }

    /// The next message.
    #[track_caller]
    fn next(&self) -> Vec<u8> {
        let before = self.client.seen.read(|seen| seen.messages.len());
        self.allowed.update(|allowed| *allowed += 1);
        self.client.client.resume_reading();
        self.client
            .wait("one more", |seen| seen.messages.len() > before);
        self.client.seen.read(|seen| {
            assert_eq!(seen.messages.len(), before + 1);
            seen.messages[before].clone()
        })
    }
}

/// Messages of many sizes, some in fragments.
fn sent() -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut all, mut wire) = (Vec::new(), Vec::new());
    for n in 0..40usize {
        let size = [0, 1, 130, 3_000, 70_000, 200_000][n % 6];
        let message = vec![n as u8; size];
        if n % 4 == 3 {
            let (head, tail) = message.split_at(size / 3);
            wire.extend(encode_frame(opcode::BINARY, false, head));
            wire.extend(encode_frame(opcode::PING, true, b"between"));
            wire.extend(encode_frame(opcode::CONTINUATION, true, tail));
        } else {
            wire.extend(encode_frame(opcode::BINARY, true, &message));
        }
        all.push(message);
    }
    (all, wire)
}

fn one_by_one(transport: Transport) {
    let net = Net::new(transport);
    let (all, wire) = sent();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        conn.send(&wire)?;
        conn.send_close(1000, "")?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let valve = Valve::new(thread.event_loop(), net.options());
    valve.client.client.open(&server.url()).unwrap();
    valve.client.wait_open();
    for message in all {
        assert!(valve.next() == message);
    }
    valve.client.client.resume_reading();
    assert!(valve.client.only_close().clean);
}

/// Three messages and what follows, in one write.
fn then(net: &Net, end: Option<u16>) -> ScriptServer {
    ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        let mut wire = Vec::new();
        for n in [1, 2, 3] {
            wire.extend(encode_frame(opcode::BINARY, true, &[n; 10]));
        }
        if let Some(code) = end {
            wire.extend(encode_frame(opcode::CLOSE, true, &code.to_be_bytes()));
        }
        conn.send(&wire)?;
        conn.finish()
    })
}

fn end_is_held(transport: Transport) {
    let event = held_end(transport, Some(4000));
    assert_eq!(event.code, 4000, "{event:?}");
}

fn bare_end_is_held(transport: Transport) {
    let event = held_end(transport, None);
    assert!(event.code == 1006 && !event.clean, "{event:?}");
}

/// The end, which comes behind three messages and a last resume.
fn held_end(transport: Transport, code: Option<u16>) -> CloseEvent {
    let net = Net::new(transport);
    let server = then(&net, code);
    let thread = patient();
    let valve = Valve::new(thread.event_loop(), net.options());
    valve.client.client.open(&server.url()).unwrap();
    valve.client.wait_open();
    for n in [1, 2, 3] {
        settle(thread.event_loop());
        assert_eq!(valve.next(), [n; 10]);
    }
    assert!(valve.client.client.is_connected());
    valve.client.client.resume_reading();
    valve.client.only_close()
}

/// A client that has paused at the first message of many, and the server's end of it.
fn paused(net: &Net, thread: &hvloop::EventLoopThread) -> (ScriptServer, Valve) {
    let (_, wire) = sent();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        conn.send(&wire)?;
        conn.read_close()?;
        conn.send_close(1000, "")?;
        conn.finish()
    });
    let options = net.options().close_timeout(hvloop_test_support::DEADLINE);
    let valve = Valve::new(thread.event_loop(), options);
    valve.client.client.open(&server.url()).unwrap();
    valve.client.wait_open();
    valve.next();
    (server, valve)
}

fn closes(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let (server, valve) = paused(&net, &thread);
    valve.client.client.close(1000, "enough").unwrap();
    let event = valve.client.only_close();
    assert!(event.clean && event.code == 1000, "{event:?}");
    assert_eq!(valve.client.seen.read(|seen| seen.messages.len()), 1);
    server.wait_finished(1);
    assert!(server.errors().is_empty(), "{:?}", server.errors());
}

fn stops(transport: Transport) {
    let net = Net::new(transport);
    let thread = patient();
    let (server, valve) = paused(&net, &thread);
    thread.stop();
    let report = thread.join().unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(valve.client.only_close().clean);
    server.wait_finished(1);
    assert!(server.errors().is_empty(), "{:?}", server.errors());
}

fn heart(transport: Transport) {
    const SILENCE: Duration = Duration::from_millis(500);
    let net = Net::new(transport);
    let (quiet, second) = (Event::new(), Event::new());
    let (q, s) = (quiet.clone(), second.clone());
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.read_request_head()?;
        // In one piece, so that the heart does not beat between them.
        let mut bytes = conn.upgrade_response(&[]).into_bytes();
        bytes.extend(encode_frame(opcode::TEXT, true, b"first"));
        conn.send(&bytes)?;
        // Ten times of interval and deadline together, and nothing said.
        assert!(!conn.released_within(SILENCE));
        q.set();
        conn.wait_for_release();
        conn.send_frame(opcode::TEXT, true, b"second")?;
        s.set();
        let ping = conn.read_frame()?.expect("a Ping");
        assert_eq!(ping.opcode, opcode::PING);
        conn.send_frame(opcode::PONG, true, &ping.payload)?;
        // And silence again, which now is noticed.
        while conn.read_frame().is_ok_and(|frame| frame.is_some()) {}
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .ping_interval(Some(Duration::from_millis(25)))
        .pong_timeout(Duration::from_millis(25));
    let client = Recorded::new(thread.event_loop(), options);
    let seen = client.seen.clone();
    let pause = move |ws: &WebSocketClient, data: hvloop::Message<'_>| {
        if data.as_bytes() == b"first" {
            ws.pause_reading();
        }
        seen.update(|seen| seen.messages.push(data.as_bytes().to_vec()));
    };
    client.client.on_message(pause);
    client.client.open(&server.url()).unwrap();
    client.wait("first", |seen| seen.messages.len() == 1);
    quiet.expect("the silence");
    assert!(client.client.is_connected());
    server.release();
    second.expect("what there is to be read");
    client.client.resume_reading();
    client.wait("second", |seen| seen.messages.len() == 2);
    let event = client.only_close();
    assert!(
        matches!(event.error, Some(ConnectionError::PongTimedOut(_))),
        "{event:?}"
    );
}
