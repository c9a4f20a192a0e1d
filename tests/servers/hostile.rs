//! Peers that want to cost memory or time: what they can make a server do has an end.

use crate::common::{Net, Recorded, Transport, started};
use hvloop_test_support::{DEADLINE, wait_for};

crate::over_tcp_and_tls! {
    /// A channel that is closing reads a bounded number of bytes from a peer that goes on sending.
    floods_a_closing_channel => flood_scenario;
}

fn flood_scenario(transport: Transport) {
    let (net, thread) = (Net::new(transport), started());
    let server = Recorded::on(&thread);
    server.server.on_message(|channel, _| channel.close());
    let listen = net.listen().linger(DEADLINE);
    let listen = listen
        .recv_buffer(Some(32 * 1024))
        .send_buffer(Some(16 * 1024));
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
