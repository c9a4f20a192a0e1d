//! Messages that a server begins and does not finish.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;

use hvloop::ws::{ConnectionError, Initiator};
use hvloop_test_support::{ScriptServer, encode_frame, opcode};
use std::time::{Duration, Instant};

over_both! {
    /// 1008 when the time is over, and not before.
    message_timeout_of_a_client => unfinished;
}

fn unfinished(transport: Transport) {
    const LIMIT: Duration = Duration::from_millis(200);
    let net = Net::new(transport);
    for begins in [
        encode_frame(opcode::TEXT, false, b"begun"),
        encode_frame(opcode::BINARY, true, &[7; 300])[..100].to_vec(),
        vec![0x82],
    ] {
        let server = ScriptServer::start(net.tls(), move |conn| {
            conn.accept_upgrade()?;
            let whole = encode_frame(opcode::TEXT, true, b"whole");
            let start = Instant::now();
            conn.send(&[&whole[..], &begins].concat())?;
            assert_eq!(conn.read_close()?.close_code(), Some(1008));
            assert!(start.elapsed() >= LIMIT);
            conn.finish()
        });
        let thread = patient();
        let options = net.options().message_timeout(Some(LIMIT));
        let client = Recorded::new(thread.event_loop(), options);
        client.client.open(&server.url()).unwrap();
        let close = client.only_close();
        assert_eq!(close.initiator, Initiator::Local);
        assert!(
            matches!(close.error, Some(ConnectionError::MessageTimedOut(LIMIT))),
            "{close:?}"
        );
        client
            .seen
            .read(|seen| assert_eq!(seen.messages, [b"whole"]));
    }
}
