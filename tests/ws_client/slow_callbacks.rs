//! What a callback takes is not the peer's time: what begins in it, or behind it, counts from then, and not
//! from when its turn began.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::ConnectionError;
use hvloop::{CloseEvent, CloseReason, EventLoop};
use hvloop_test_support::{DEADLINE, Event, Monitor, ScriptServer, encode_frame, opcode};
use std::thread::sleep;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

over_both! {
    /// A Ping does not wait for the callbacks of its turn, however long the peer's deadline is.
    ping_goes_before_slow_callbacks => ping_goes;
    /// Behind one, the deadline begins with the Ping.
    deadline_of_a_ping_behind_a_slow_callback => ping_deadline;
    /// A message that is read on with has its time from then.
    message_timeout_behind_a_slow_callback => message;
    /// The one deadline over all legs of an attempt.
    open_deadline_behind_a_slow_callback => redirected;
}

/// The end, and when it was told.
fn end_of(client: &Recorded) -> Monitor<Option<(Instant, CloseEvent)>> {
    let end = Monitor::new(None);
    let e = end.clone();
    client.client.on_close(move |_, event| {
        e.update(|end| *end = Some((Instant::now(), event.clone())));
    });
    end
}

#[track_caller]
fn wait(end: &Monitor<Option<(Instant, CloseEvent)>>) -> (Instant, CloseEvent) {
    assert!(end.wait(DEADLINE, Option::is_some), "never: the end");
    end.read(Clone::clone).unwrap()
}

fn ping_goes(transport: Transport) {
    const BEAT: Duration = Duration::from_millis(500);
    let net = Net::new(transport);
    let answered = Event::new();
    let a = answered.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        while let Some(frame) = conn.read_frame()? {
            match frame.opcode {
                opcode::PING => {
                    conn.send_frame(opcode::PONG, true, &frame.payload)?;
                    a.set();
                }
                opcode::CLOSE => {
                    conn.send_close(1000, "")?;
                    return conn.finish();
                }
                other => panic!("opcode {other}"),
            }
        }
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .ping_interval(Some(BEAT))
        .pong_timeout(BEAT)
        .close_timeout(DEADLINE);
    let client = Recorded::new(thread.event_loop(), options);
    let in_time = Monitor::new(false);
    let t = in_time.clone();
    client.client.on_open(move |ws, _| {
        let local = EventLoop::current().unwrap();
        let (ws, at, answered, in_time) = (ws.clone(), local.clone(), answered.clone(), t.clone());
        // Behind the heart's in one turn, as both are due when this callback is over.
        local.set_timeout(BEAT, move |_| {
            in_time.update(|in_time| *in_time = answered.wait(DEADLINE / 3));
            sleep(2 * BEAT);
            // The answer is in the socket: it is read before anybody is called dead.
            at.set_timeout(Duration::ZERO, move |_| ws.close(1000, "").unwrap());
        });
        sleep(2 * BEAT);
    });
    client.client.open(&server.url()).unwrap();
    let close = client.only_close();
    assert!(close.clean, "{close:?}");
    assert!(in_time.read(|in_time| *in_time), "the Ping waited");
}

fn ping_deadline(transport: Transport) {
    let (interval, deadline) = (50 * MS, 500 * MS);
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        while conn.read_frame()?.is_some() {}
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .ping_interval(Some(interval))
        .pong_timeout(deadline);
    let client = Recorded::new(thread.event_loop(), options);
    let (end, slow) = (end_of(&client), Monitor::new(None));
    let s = slow.clone();
    client.client.on_open(move |_, _| {
        let slow = s.clone();
        // Before the heart's in one turn.
        let local = EventLoop::current().unwrap();
        local.set_timeout(interval / 2, move |_| {
            sleep(deadline - interval * 2);
            slow.update(|slow| *slow = Some(Instant::now()));
        });
        sleep(interval * 2);
    });
    client.client.open(&server.url()).unwrap();
    let (at, event) = wait(&end);
    assert!(
        matches!(event.error, Some(ConnectionError::PongTimedOut(_))),
        "{event:?}"
    );
    let waited = at - slow.read(|slow| slow.unwrap());
    assert!(waited >= deadline, "{waited:?}");
}

fn message(transport: Transport) {
    const LIMIT: Duration = Duration::from_millis(600);
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        // In one read, so that the second has begun when the first is told.
        let whole = encode_frame(opcode::TEXT, true, b"whole");
        let begun = encode_frame(opcode::TEXT, false, b"begun");
        conn.send(&[whole, begun].concat())?;
        conn.read_close()?;
        conn.finish()
    });
    let thread = patient();
    let options = net.options().message_timeout(Some(LIMIT));
    let client = Recorded::new(thread.event_loop(), options);
    let (end, resumed) = (end_of(&client), Monitor::new(None));
    client.client.open(&server.url()).unwrap();
    client.wait("a message", |seen| !seen.messages.is_empty());
    let (ws, r) = (client.client.clone(), resumed.clone());
    let slow = move || {
        ws.pause_reading();
        sleep(LIMIT * 2 / 3);
        r.update(|resumed| *resumed = Some(Instant::now()));
        ws.resume_reading();
    };
    thread.event_loop().queue_in_loop(slow).unwrap();
    let (at, event) = wait(&end);
    assert!(
        matches!(event.error, Some(ConnectionError::MessageTimedOut(LIMIT))),
        "{event:?}"
    );
    // On a machine that was slower than the limit it had passed before.
    if let Some(resumed) = resumed.read(|resumed| *resumed).filter(|r| *r < at) {
        assert!(at - resumed >= LIMIT, "{:?}", at - resumed);
    }
}

fn redirected(transport: Transport) {
    const LIMIT: Duration = Duration::from_millis(600);
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        if conn.read_request_head()?.target() == "/mute" {
            conn.wait_for_release();
            return Ok(());
        }
        let head = "HTTP/1.1 302 Found\r\nLocation: /mute\r\nContent-Length: 0\r\n\r\n";
        conn.send(head.as_bytes())?;
        conn.finish()
    });
    let thread = patient();
    let options = net.options().redirects(1).open_timeout(LIMIT);
    let client = Recorded::new(thread.event_loop(), options);
    let (end, opened) = (end_of(&client), Monitor::new(None));
    let (ws, o, url) = (client.client.clone(), opened.clone(), server.url());
    let slow = move || {
        sleep(LIMIT / 2);
        o.update(|opened| *opened = Some(Instant::now()));
        ws.open(&url).unwrap();
    };
    thread.event_loop().queue_in_loop(slow).unwrap();
    let (at, event) = wait(&end);
    assert!(
        matches!(
            event.error,
            Some(ConnectionError::Transport(CloseReason::OpenTimedOut { .. }))
        ),
        "{event:?}"
    );
    let took = at - opened.read(|opened| opened.unwrap());
    assert!(took >= LIMIT, "{took:?}");
}
