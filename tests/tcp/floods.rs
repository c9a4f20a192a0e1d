//! Reads that are full of small packages: a stop does not wait for them, and none is lost.

use crate::common::loops::{MS, started, stop_clean};
use crate::common::net::{Net, Transport};
use hvloop::{TcpServer, Unpack};
use hvloop_test_support::{DEADLINE, Monitor};

crate::over_tcp_and_tls! {
    /// A stop within a read full of small packages ends the turn.
    a_stop_does_not_wait_for_packages => stop_scenario;
    /// Packages, pauses, single reads and the end in few reads: all of it comes, in its order.
    packages_that_a_turn_has_no_room_for => all_scenario;
    /// A turn brings no more packages than it may.
    packages_take_turns => turns_scenario;
}

fn lines() -> Option<Unpack> {
    Some(Unpack::delimiter(b"\n").build().unwrap())
}

fn stop_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    server.set_unpack(lines());
    let count = Monitor::new(0);
    let (c, stop) = (count.clone(), thread.event_loop().clone());
    server.on_message(move |_, _| {
        std::thread::sleep(2 * MS);
        if c.update(|count| std::mem::replace(count, *count + 1)) == 10 {
            stop.stop();
        }
    });
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let mut peer = net.connect(to);
    peer.send(&b"x\n".repeat(5000));
    assert_eq!(peer.rest().0, b"");
    thread.join().unwrap();
    let count = count.read(|count| *count);
    assert!((11..60).contains(&count), "{count} packages");
}

fn all_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    server.set_unpack(lines());
    let got = Monitor::new((Vec::new(), false));
    let (g, c) = (got.clone(), got.clone());
    server.on_message(move |channel, package| {
        let count = g.update(|(got, _)| {
            got.push(package.to_vec());
            got.len()
        });
        match count % 9000 {
            2000 => {
                channel.pause_reading();
                let channel = channel.clone();
                std::thread::spawn(move || channel.resume_reading());
            }
            4000..4500 => channel.read_line(),
            4500 => channel.set_unpack(lines()),
            _ => {}
        }
        if count % 9000 == 4500 {
            channel.resume_reading();
            channel.set_unpack(lines());
        }
    });
    server.on_close(move |_, _| c.update(|(_, closed)| *closed = true));
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let mut peer = net.connect(to);
    let (mut stream, mut expected) = (Vec::new(), Vec::new());
    for n in 0..60_000 {
        let line = format!("{}\n", n % 10);
        stream.extend(line.as_bytes());
        expected.push(line.into_bytes());
    }
    peer.send(&stream);
    peer.end();
    assert!(got.wait(DEADLINE, |(_, closed)| *closed));
    got.read(|(got, _)| {
        assert_eq!(got.len(), expected.len());
        assert!(*got == expected, "in their order");
    });
    stop_clean(&thread);
}

fn turns_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = TcpServer::new(thread.event_loop());
    server.set_unpack(lines());
    let turns = Monitor::new(Vec::new());
    let (t, at) = (turns.clone(), thread.event_loop().clone());
    server.on_message(move |_, _| t.update(|turns| turns.push(at.metrics().ticks)));
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let mut peer = net.connect(to);
    peer.send(&b"\n".repeat(100_000));
    assert!(turns.wait(DEADLINE, |turns| turns.len() == 100_000));
    turns.read(|turns| {
        let most = turns.chunk_by(|a, b| a == b).map(<[u64]>::len).max();
        assert!(most <= Some(256 * 1024 / 32 + 1), "{most:?} in a turn");
    });
    peer.end();
    assert_eq!(peer.rest().0, b"");
    stop_clean(&thread);
}
