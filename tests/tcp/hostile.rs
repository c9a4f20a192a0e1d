//! Peers that want to cost memory or time: what they can make a server do has an end.

use crate::common::loops::started;
use crate::common::net::{Net, Transport};
use crate::common::tcp_server::Recorded;
use hvloop::{CloseReason, EventLoop, EventLoopThread, LoopOptions, SocketOptions, Unpack};
use hvloop_test_support::{DEADLINE, wait_for};

crate::over_tcp_and_tls! {
    /// A channel that is closing reads a bounded number of bytes from a peer that goes on sending.
    floods_a_closing_channel => flood_scenario;
    /// Packages within their own limit, over that of the loop's memory.
    greediest_package_is_closed => packages_scenario;
}

fn flood_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    server.server.on_message(|channel, _| channel.close());
    let listen = net.listen().close_timeout(DEADLINE);
    let listen = listen.socket(
        SocketOptions::new()
            .recv_buffer(32 * 1024)
            .send_buffer(16 * 1024),
    );
    let address = server.listen(listen);
    let mut peer = net.connect(address);
    peer.flood();
    server.wait("the end", |seen| seen.closed.len() == 1);
    let metrics = || thread.event_loop().metrics();
    assert!(wait_for(DEADLINE.as_secs(), || metrics().connections == 0));
    let read = metrics().bytes_in;
    assert!(read < 1_000_000, "{read} bytes were read");
    thread.stop();
    thread.join().unwrap();
}

fn packages_scenario(transport: Transport) {
    const LIMIT: usize = 2 << 20;
    let net = Net::new(transport);
    let options = LoopOptions::new().memory_limit(Some(LIMIT));
    let thread = EventLoopThread::with_loop(EventLoop::with_options(options).unwrap());
    thread.start().unwrap();
    let server = Recorded::on(&thread);
    let packages = Unpack::delimiter(b"end").max_size(LIMIT).build().unwrap();
    server.server.set_unpack(Some(packages));
    let address = server.listen(net.listen());
    let mut peers: Vec<_> = (0..3).map(|_| net.connect(address)).collect();
    // Each within its own limit.
    'sending: for _ in 0..LIMIT / 2 / 16_384 {
        for peer in &mut peers {
            if peer.try_send(&[1; 16_384]).is_err() {
                break 'sending;
            }
        }
    }
    server.wait("the greediest", |seen| !seen.closed.is_empty());
    server.seen.read(|seen| {
        let right = |reason: &CloseReason| matches!(reason, CloseReason::MemoryLimit(LIMIT));
        assert!(seen.closed.iter().all(right), "{:?}", seen.closed);
    });
    let metrics = || thread.event_loop().metrics();
    assert!(wait_for(DEADLINE.as_secs(), || metrics().memory <= LIMIT as u64));
    drop(peers);
    assert!(wait_for(DEADLINE.as_secs(), || metrics().memory == 0));
    thread.stop();
    thread.join().unwrap();
}
