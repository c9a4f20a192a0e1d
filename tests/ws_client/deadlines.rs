//! When the client's limits of time begin, and what puts them off.

use crate::common::loops::{patient, running};
use crate::common::pace::Pace;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::ws::{ConnectionError, Initiator};
use hvloop::{CloseReason, SocketOptions};
use hvloop_test_support::{
    DEADLINE, Event, FrameReader, Monitor, ScriptConn, ScriptServer, encode_frame, opcode,
};
use socket2::SockRef;
use std::io;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

over_both! {
    pings_while_one_is_unanswered => pings;
    close_behind_a_long_queue => close_behind;
    close_behind_a_queue_that_nobody_reads => close_stalls;
    slow_reader_is_neither_stalled_nor_silent => slow_reader;
    end_without_close_lets_the_queue_out => end_in_the_same_read;
    end_of_the_upgrade_is_answered_in_order => end_of_upgrade;
    stop_says_what_it_lost => lost_at_stop;
}

/// With an interval below the deadline, a peer that says nothing is asked each interval, and is given up
/// a deadline after the first Ping that it did not answer.
fn pings(transport: Transport) {
    let net = Net::new(transport);
    let (interval, deadline) = (100 * MS, 1_500 * MS);
    let asked = Monitor::new(Vec::new());
    let a = asked.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        while let Some(frame) = conn.read_frame()? {
            assert_eq!(frame.opcode, opcode::PING);
            a.update(|asked| asked.push(Instant::now()));
        }
        Ok(())
    });
    let thread = patient();
    let options = net
        .options()
        .ping_interval(Some(interval))
        .pong_timeout(deadline);
    let client = Recorded::new(thread.event_loop(), options);
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    let Some(ConnectionError::PongTimedOut(silent)) = event.error else {
        panic!("{event:?}");
    };
    assert!(silent >= interval + deadline, "{silent:?}");
    // 15, if the machine has time: no more than intervals, and more than one a deadline.
    let pings = asked.read(Vec::len) as u32;
    assert!(
        pings > 1 && interval * pings <= silent,
        "{pings} Pings in {silent:?}"
    );
}

/// Reads a client's frames at that rate until its Close, which it answers.
fn read_slowly(conn: &mut ScriptConn, rate: usize, got: &Monitor<usize>) -> io::Result<()> {
    conn.accept_upgrade()?;
    let (mut pace, mut frames) = (Pace::new(rate), FrameReader::default());
    loop {
        let bytes = pace.read(conn)?;
        if bytes.is_empty() {
            return Ok(()); // no Close: the counts tell
        }
        frames.push(&bytes);
        while let Some(frame) = frames.next_frame() {
            match frame.opcode {
                opcode::BINARY => got.update(|got| *got += frame.payload.len()),
                opcode::PING => conn.send_frame(opcode::PONG, true, &frame.payload)?,
                opcode::CLOSE => {
                    conn.send_close(1000, "")?;
                    return conn.finish();
                }
                other => panic!("opcode {other}"),
            }
        }
    }
}

/// The time for the peer's Close begins when ours has left.
fn close_behind(transport: Transport) {
    const EACH: usize = 64 * 1024;
    let net = Net::new(transport);
    let got = Monitor::new(0);
    let g = got.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        // What the system keeps for it has to be read within the time, too.
        SockRef::from(conn.tcp()).set_recv_buffer_size(64 * 1024)?;
        read_slowly(conn, 1 << 20, &g)
    });
    let thread = patient();
    let options = net.options().close_timeout(Duration::from_secs(3));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.on_open(|ws, _| {
        for _ in 0..128 {
            ws.send_binary(&[7; EACH]).unwrap();
        }
        ws.close(1000, "").unwrap();
    });
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(event.clean && event.error.is_none(), "{event:?}");
    assert_eq!((got.read(|got| *got), event.lost), (128 * EACH, 0));
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

/// Until then it is the write stall that ends it, or, where there is none, the time for the Close without
/// any progress.
fn close_stalls(transport: Transport) {
    let net = Net::new(transport);
    for stall in [Some(300 * MS), None] {
        let server = ScriptServer::start(net.tls(), |conn| {
            conn.accept_upgrade()?;
            conn.wait_for_release();
            Ok(())
        });
        let thread = patient();
        let options = net
            .options()
            .socket(SocketOptions::new().send_buffer(64 * 1024))
            .write_timeout(stall)
            .close_timeout(stall.map_or(300 * MS, |_| DEADLINE));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.on_open(|ws, _| {
            ws.send_binary(&vec![0; 15 << 20]).unwrap();
            ws.close(1000, "").unwrap();
        });
        client.client.open(&server.url()).unwrap();
        let event = client.only_close();
        assert_eq!(event.initiator, Initiator::Local);
        assert!(event.lost > 0, "{event:?}");
        match event.error {
            Some(ConnectionError::Transport(CloseReason::WriteTimedOut(limit))) => {
                assert_eq!(Some(limit), stall);
            }
            Some(ConnectionError::CloseTimedOut(limit)) => {
                assert_eq!((limit, stall), (300 * MS, None));
            }
            ref other => panic!("{other:?}"),
        }
        server.release();
    }
}

/// A peer that reads 200 kB a second while megabytes are queued: the system tells of room only every few
/// seconds, and the Pong comes from behind all that is under way.
fn slow_reader(transport: Transport) {
    const ENOUGH: usize = 2 << 20;
    let net = Net::new(transport);
    let got = Monitor::new(0);
    let g = got.clone();
    let server = ScriptServer::start(net.tls(), move |conn| read_slowly(conn, 200_000, &g));
    let thread = running(Duration::ZERO);
    let options = net
        .options()
        .ping_interval(Some(500 * MS))
        .pong_timeout(Duration::from_secs(3))
        .write_timeout(Some(Duration::from_secs(3)));
    let client = Recorded::new(thread.event_loop(), options);
    client.client.on_open(|ws, _| {
        for _ in 0..200 {
            ws.send_binary(&[7; 64 * 1024]).unwrap();
        }
    });
    client.client.open(&server.url()).unwrap();
    let ended = || client.seen.read(|seen| seen.closed.first().cloned());
    let read =
        hvloop_test_support::wait_for(60, || got.read(|got| *got) >= ENOUGH || ended().is_some());
    assert!(read && ended().is_none(), "{:?}", ended());
}

/// The peer's end comes in the same read as its last message: what that is answered goes out, whole, and
/// TLS is ended in order.
fn end_in_the_same_read(transport: Transport) {
    let net = Net::new(transport);
    let got = Monitor::new(None);
    for size in [10, 3 << 20] {
        let g = got.clone();
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.read_request_head()?;
            let mut bytes = conn.upgrade_response(&[]).into_bytes();
            bytes.extend(encode_frame(opcode::TEXT, true, b"last words"));
            conn.send(&bytes)?;
            conn.end_write()?;
            let mut answers = 0;
            let end = loop {
                match conn.read_frame() {
                    Ok(Some(frame)) => answers += frame.payload.len(),
                    Ok(None) => break Ok(()),
                    Err(e) => break Err(e.to_string()),
                }
            };
            g.update(|got| *got = Some((answers, end)));
            Ok(())
        });
        let thread = patient();
        let client = Recorded::new(thread.event_loop(), net.options());
        client
            .client
            .on_message(move |ws, _| ws.send_binary(&vec![1; size]).unwrap());
        client.client.open(&server.url()).unwrap();
        let event = client.only_close();
        assert!(!event.clean && event.code == 1006, "{event:?}");
        assert_eq!(event.initiator, Initiator::Remote, "{event:?}");
        assert!(got.wait(DEADLINE, Option::is_some));
        assert_eq!(got.update(Option::take), Some((size, Ok(()))));
    }
}

/// A server that ends the upgrade is answered by the end of TLS.
fn end_of_upgrade(transport: Transport) {
    let net = Net::new(transport);
    let end = Monitor::new(None);
    let e = end.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.read_request_head()?;
        conn.end_write()?;
        let read = conn.read_frame().map(|frame| frame.is_none());
        e.update(|end| *end = Some(read.map_err(|e| e.to_string())));
        Ok(())
    });
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options());
    client.client.open(&server.url()).unwrap();
    let event = client.only_close();
    assert!(
        matches!(event.error, Some(ConnectionError::UpgradeInterrupted)),
        "{event:?}"
    );
    assert!(end.wait(DEADLINE, Option::is_some));
    assert_eq!(end.update(Option::take), Some(Ok(true)));
}

/// The drain limit cuts what nobody reads, and says how much that was.
fn lost_at_stop(transport: Transport) {
    let net = Net::new(transport);
    let server = ScriptServer::start(net.tls(), |conn| {
        conn.accept_upgrade()?;
        conn.wait_for_release();
        Ok(())
    });
    let thread = running(300 * MS);
    let options = net
        .options()
        .socket(SocketOptions::new().send_buffer(64 * 1024));
    let client = Recorded::new(thread.event_loop(), options);
    let queued = Event::new();
    let q = queued.clone();
    client.client.on_open(move |ws, _| {
        ws.send_binary(&vec![0; 15 << 20]).unwrap();
        q.set();
    });
    client.client.open(&server.url()).unwrap();
    queued.expect("a queue");
    thread.stop();
    let report = thread.join().unwrap();
    assert_eq!(report.forced, 1, "{report}");
    // All but what the system took, which is less than its buffers.
    let lost = client.only_close().lost;
    assert!((8 << 20..16 << 20).contains(&lost), "{lost}");
    assert_eq!(report.lost_bytes, lost, "{report}");
    assert!(report.to_string().contains("bytes lost"), "{report}");
    server.release();
}
