//! What a client masks its frames with: fresh and unpredictable (RFC 6455 section 5.3), as far as figures
//! can tell. Each bound is six standard deviations away.

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Transport};
use hvloop::{Message, WebSocketClient};
use hvloop_test_support::{DEADLINE, Monitor, ScriptServer, opcode};

/// Messages of a session; each is two frames, and a Ping comes with it.
const MESSAGES: usize = 500;

/// The masks of a session, in their order.
fn session(net: &Net, client: &WebSocketClient) -> Vec<u32> {
    let masks = Monitor::new((Vec::new(), false));
    let m = masks.clone();
    let server = ScriptServer::start(net.tls(), move |conn| {
        conn.accept_upgrade()?;
        while let Some(frame) = conn.read_frame()? {
            let mask = u32::from_be_bytes(frame.mask.expect("masked"));
            m.update(|(masks, _)| masks.push(mask));
            if frame.opcode == opcode::CLOSE {
                conn.send_close(1000, "")?;
                break;
            }
        }
        m.update(|(_, done)| *done = true);
        conn.finish()
    });
    client.on_open(|ws, _| {
        for n in 0..MESSAGES {
            ws.send_fragmented(Message::Text("ab"), 1).unwrap();
            if n % 10 == 0 {
                ws.ping(b"").unwrap();
            }
        }
        ws.close(1000, "").unwrap();
    });
    client.open(&server.url()).unwrap();
    assert!(masks.wait(DEADLINE, |(_, done)| *done));
    masks.read(|(masks, _)| masks.clone())
}

/// That about half of the bits are set, bit by bit.
fn check_bits(what: &str, words: impl Iterator<Item = u32> + Clone) {
    let count = words.clone().count() as f64;
    for bit in 0..32 {
        let ones = words.clone().filter(|word| word >> bit & 1 == 1).count() as f64;
        let off = (ones - count / 2.0).abs();
        assert!(
            off < 3.0 * count.sqrt(),
            "{what}: bit {bit} {ones} of {count}"
        );
    }
}

#[test]
fn masks_look_random() {
    let net = Net::new(Transport::Ws);
    let mut all = Vec::new();
    for _ in 0..2 {
        let thread = patient();
        for _ in 0..2 {
            let client = WebSocketClient::with_options(thread.event_loop(), net.options());
            all.extend(session(&net, &client));
        }
    }
    assert_eq!(all.len(), 4 * (2 * MESSAGES + MESSAGES / 10 + 1));
    let next = || all.iter().zip(&all[1..]);
    check_bits("masks", all.iter().copied());
    check_bits("changes", next().map(|(a, b)| a ^ b));
    check_bits("differences", next().map(|(a, b)| b.wrapping_sub(*a)));
    for shift in 1..32 {
        let name = format!("bits {shift} apart");
        check_bits(&name, all.iter().map(|mask| mask ^ mask.rotate_left(shift)));
    }
    // Neither the masks nor the steps between them come again, in this session or another one. (Of so
    // many, two may be equal by chance once in 400 runs; five never are.)
    for mut words in [
        all.clone(),
        next().map(|(a, b)| b.wrapping_sub(*a)).collect(),
        next().map(|(a, b)| a ^ b).collect(),
    ] {
        let before = words.len();
        words.sort_unstable();
        words.dedup();
        assert!(before - words.len() < 5, "{} of {before}", words.len());
    }
}
