//! Topics: who is subscribed gets what is published, on whatever loop.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::ws_peer::{WsPeer, close_frame};
use crate::common::ws_server::Recorded;
use crate::over_tcp_and_tls;
use hvloop::{
    DeflateOptions, EventLoopThreadPool, LoopOptions, Message, ServiceOptions, WebSocketChannel,
    WebSocketServer, WebSocketService,
};
use hvloop_test_support::{DEADLINE, Monitor, opcode, wait_for};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

over_tcp_and_tls! {
    /// Subscribers of a topic get all of it, in order, and nobody else does, on the loops of a pool.
    topics_reach_their_subscribers => reach_scenario;
}

/// Text messages are commands: `+topic`, `-topic`, `topic=text` (to the others).
fn commands() -> WebSocketService {
    WebSocketService::new().on_message(|channel, message| {
        let Message::Text(text) = message else { return };
        let answer = match text.split_at(1) {
            ("+", topic) => format!("+{}", channel.subscribe(topic)),
            ("-", topic) => format!("-{}", channel.unsubscribe(topic)),
            _ => {
                let (topic, text) = text.split_once('=').unwrap();
                format!("={}", channel.publish_text(topic, text))
            }
        };
        channel.send_text(&answer).unwrap();
    })
}

#[track_caller]
fn say(peer: &mut WsPeer, text: &str, answer: &str) {
    peer.send(opcode::TEXT, text.as_bytes());
    hear(peer, answer);
}

#[track_caller]
fn hear(peer: &mut WsPeer, text: &str) {
    let payload = peer.frame().payload;
    assert_eq!(String::from_utf8_lossy(&payload), text);
}

fn reach_scenario(transport: Transport) {
    let (net, acceptor) = (Net::new(transport), started());
    let options = LoopOptions::new().drain_timeout(DEADLINE);
    let pool = EventLoopThreadPool::with_options(2, &options).unwrap();
    pool.start().unwrap();
    let server = WebSocketServer::with_workers(acceptor.event_loop(), &pool);
    server.route("*", commands());
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    let mut peers: Vec<_> = (0..6).map(|_| WsPeer::open(&net, to, "/")).collect();
    for (n, peer) in peers.iter_mut().enumerate() {
        say(peer, "+all", "+true");
        say(peer, "+all", "+true");
        say(peer, if n % 3 == 0 { "+a" } else { "+b" }, "+true");
    }
    let nums = || ["all", "a", "b", "c"].map(|topic| server.subscriber_num(topic));
    assert_eq!(nums(), [6, 2, 4, 0]);
    // Peers 0 and 3 are on different loops; a publisher is left out, a stranger reaches all.
    say(&mut peers[0], "a=from 0", "=1");
    hear(&mut peers[3], "from 0");
    say(&mut peers[0], "b=from 0", "=4");
    for n in [1, 2, 4, 5] {
        hear(&mut peers[n], "from 0");
    }
    for n in 0..200 {
        let text = n.to_string();
        assert_eq!(server.publish_text("all", &text), 6);
        assert_eq!(server.publish_text("a", &format!("a{text}")), 2);
    }
    assert_eq!(server.publish_text("nobody", "hears"), 0);
    for (n, peer) in peers.iter_mut().enumerate() {
        for text in 0..200 {
            hear(peer, &text.to_string());
            if n % 3 == 0 {
                hear(peer, &format!("a{text}"));
            }
        }
    }
    say(&mut peers[0], "-a", "-true");
    say(&mut peers[0], "-a", "-false");
    assert_eq!(server.publish_binary("a", b"rest"), 1);
    let frame = peers[3].frame();
    assert_eq!(
        (frame.opcode, &frame.payload[..]),
        (opcode::BINARY, &b"rest"[..])
    );
    // Whoever ends is gone from everywhere.
    peers.remove(1).close();
    assert!(wait_for(DEADLINE.as_secs(), || nums() == [5, 1, 3, 0]));
    pool.stop();
    for mut peer in peers {
        peer.expect_close(1001);
        peer.peer.send(&close_frame(1001, ""));
        peer.expect_end();
    }
    for report in pool.join().unwrap() {
        assert!(report.is_clean(), "{report}");
    }
    assert_eq!(nums(), [0; 4]);
    stop_clean(&acceptor);
}

/// A handle knows its topics; once it has ended, it takes none, and what it carried is dropped.
#[test]
fn topics_end_with_their_connection() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = Recorded::on(&thread);
    let to = server.listen(&net);
    let peer = WsPeer::open(&net, to, "/");
    server.wait("open", |seen| seen.opened == 1);
    let mut channel = None;
    server
        .server
        .for_each_channel(|found: &WebSocketChannel| channel = Some(found.clone()));
    let channel = channel.unwrap();
    let dropped = Arc::new(AtomicBool::new(false));
    channel.set_context(Flag(dropped.clone()));
    assert!(channel.subscribe("x") && channel.subscribe("y") && channel.subscribe(""));
    let mut topics = channel.topics();
    topics.sort();
    assert_eq!(topics, ["", "x", "y"]);
    assert!(channel.unsubscribe("") && !channel.is_subscribed("") && channel.is_subscribed("x"));
    peer.close();
    server.wait("closed", |seen| seen.closed.len() == 1);
    assert!(!channel.subscribe("x") && !channel.is_subscribed("x"));
    assert!(channel.topics().is_empty() && !channel.unsubscribe("x"));
    assert_eq!(channel.publish_text("x", "hello"), 0);
    drop(channel);
    assert!(wait_for(DEADLINE.as_secs(), || dropped.load(Ordering::Acquire)));
    stop_clean(&thread);
}

/// Threads that subscribe, publish and unsubscribe while connections come and go: nothing is left.
#[test]
fn topics_under_churn() {
    const ROUNDS: usize = 30;
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let options = ServiceOptions::new().deflate(Some(DeflateOptions::new()));
    let server = Recorded::with(WebSocketServer::new(thread.event_loop()), options);
    let to = server.listen(&net);
    let over = Monitor::new(false);
    let publishers: Vec<_> = (0..2)
        .map(|n| {
            let (server, over) = (server.server.clone(), over.clone());
            std::thread::spawn(move || {
                let topic = format!("topic {n}");
                let long = "x".repeat(2000);
                while !over.read(|over| *over) {
                    server.for_each_channel(|channel| {
                        channel.subscribe(&topic);
                    });
                    server.publish_text(&topic, &long);
                    server.for_each_channel(|channel| {
                        channel.unsubscribe(&topic);
                    });
                }
            })
        })
        .collect();
    for _ in 0..ROUNDS {
        let mut peers: Vec<_> = (0..4).map(|_| WsPeer::open(&net, to, "/")).collect();
        for peer in &mut peers {
            assert_eq!(peer.frame().payload.len(), 2000);
            peer.peer.send(&close_frame(1000, ""));
        }
        for mut peer in peers {
            while peer.frame().opcode != opcode::CLOSE {}
            peer.expect_end();
        }
    }
    over.update(|over| *over = true);
    for publisher in publishers {
        publisher.join().unwrap();
    }
    server.wait("all closed", |seen| seen.closed.len() == 4 * ROUNDS);
    assert_eq!(server.server.subscriber_num("topic 0"), 0);
    assert_eq!(server.server.subscriber_num("topic 1"), 0);
    stop_clean(&thread);
}

/// A topic comes with its first subscriber and goes with its last, however that goes; so do connections.
#[test]
fn empty_topics_are_gone() {
    let (net, thread) = (Net::new(Transport::Tcp), started());
    let server = WebSocketServer::new(thread.event_loop());
    server.route("/", commands());
    let to = server.listen(net.listen()).unwrap().inet().unwrap();
    assert_eq!(server.topic_num(), 0);
    let (mut one, mut other) = (WsPeer::open(&net, to, "/"), WsPeer::open(&net, to, "/"));
    for n in 0..100 {
        say(&mut one, &format!("+{n}"), "+true");
        say(&mut one, &format!("+{n}"), "+true");
    }
    say(&mut other, "+7", "+true");
    assert_eq!(server.topic_num(), 100);
    // One by one; the last subscriber of 7 is the other one.
    for n in 0..50 {
        say(&mut one, &format!("-{n}"), "-true");
        say(&mut one, &format!("-{n}"), "-false");
    }
    assert_eq!((server.topic_num(), server.subscriber_num("7")), (51, 1));
    say(&mut other, "-7", "-true");
    assert_eq!(server.topic_num(), 50);
    // Asking, and publishing, make none.
    say(&mut other, "nobody=x", "=0");
    assert_eq!(
        (
            server.publish_text("nobody", "x"),
            server.subscriber_num("nobody")
        ),
        (0, 0)
    );
    assert_eq!(server.topic_num(), 50);
    // With a connection, in order or not.
    say(&mut other, "+60", "+true");
    one.close();
    assert!(wait_for(30, || server.topic_num() == 1));
    drop(other);
    assert!(wait_for(30, || server.topic_num() == 0));
    let mut left = 0;
    assert!(wait_for(30, || {
        left = 0;
        server.for_each_channel(|_| left += 1);
        left == 0
    }));
    stop_clean(&thread);
    assert_eq!(thread.event_loop().metrics().panics, 0);
}
