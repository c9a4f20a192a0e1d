#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use std::sync::Arc;

use super::super::testkit::{Authority, Pair, read_all, server_config, take, trusting};
use super::*;
use crate::tls::TlsClientConfig;

/// `len` bytes that are not all alike.
fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len)
        .map(|i| ((i * 31 + i / 251 + seed) % 256) as u8)
        .collect()
}

/// Gives all of `cipher` to `to`, which must take it, and returns the plaintext.
fn deliver(to: &mut TlsSession, cipher: &[u8]) -> Vec<u8> {
    let (mut rest, mut plain) = (cipher, Vec::new());
    while !rest.is_empty() {
        let before = rest.len();
        to.receive(&mut rest).unwrap();
        let got = read_all(to);
        assert!(rest.len() < before || !got.is_empty(), "no progress");
        plain.extend(got);
    }
    plain
}

#[test]
fn handshake_byte_by_byte() {
    let authority = Authority::new("root");
    let config = trusting(&authority).alpn(["http/1.1"]).build().unwrap();
    let mut server = server_config(&authority.issue("host.test"), None);
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut pair = Pair::new(&config, "host.test", server);
    assert!(pair.client.is_handshaking());
    assert_eq!(
        (pair.client.alpn(), pair.client.protocol_version()),
        (None, None)
    );

    while pair.client.wants_write() || pair.server.wants_write() {
        for byte in take(&mut pair.client) {
            pair.server.receive(&mut &[byte][..]).unwrap();
        }
        for byte in take(&mut pair.server) {
            pair.client.receive(&mut &[byte][..]).unwrap();
        }
    }
    assert!(!pair.client.is_handshaking() && !pair.server.is_handshaking());
    assert_eq!(pair.client.alpn(), Some(&b"http/1.1"[..]));
    assert_eq!(pair.client.protocol_version(), Some(TlsVersion::Tls13));
    assert_eq!(pair.client.peer_certificates().map(<[_]>::len), Some(1));
    assert_eq!(pair.server.peer_certificates(), None);

    assert_eq!(pair.client.write_plain(b"hello"), 5);
    let plain: Vec<u8> = take(&mut pair.client)
        .iter()
        .flat_map(|byte| deliver(&mut pair.server, std::slice::from_ref(byte)))
        .collect();
    assert_eq!(plain, b"hello");
}

#[test]
fn tls12_handshake_and_data() {
    let authority = Authority::new("root");
    let identity = authority.issue("host.test");
    let config = trusting(&authority).build().unwrap();
    let only_tls12 = |config: rustls::ServerConfig| {
        rustls::ServerConfig::builder_with_provider(config.crypto_provider().clone())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(config.cert_resolver.clone())
    };
    let server = only_tls12(server_config(&identity, None));
    let mut pair = Pair::new(&config, "host.test", server);
    assert_eq!(pair.shake_hands(), (Ok(()), Ok(())));
    assert_eq!(pair.client.protocol_version(), Some(TlsVersion::Tls12));
    assert_eq!(pair.server.write_plain(b"old"), 3);
    assert_eq!(deliver(&mut pair.client, &take(&mut pair.server)), b"old");

    let strict = trusting(&authority)
        .min_version(TlsVersion::Tls13)
        .build()
        .unwrap();
    let server = only_tls12(server_config(&identity, None));
    let (client, server) = Pair::new(&strict, "host.test", server).shake_hands();
    assert_eq!(
        client,
        Err(TlsError::AlertReceived(
            rustls::AlertDescription::ProtocolVersion
        ))
    );
    assert!(
        matches!(server, Err(TlsError::Incompatible(_))),
        "{server:?}"
    );
}

/// One direction of a connection: a sender with much to say, and a wire of limited capacity.
struct Flow {
    data: Vec<u8>,
    sent: usize,
    wire: Vec<u8>,
    received: Vec<u8>,
}

impl Flow {
    const WIRE_CAPACITY: usize = 3000;

    fn new(data: Vec<u8>) -> Self {
        Self {
            data,
            sent: 0,
            wire: Vec::new(),
            received: Vec::new(),
        }
    }

    /// Writes as much as the session takes, lets at most `chunk` bytes arrive.
    fn step(&mut self, from: &mut TlsSession, to: &mut TlsSession, chunk: usize) -> bool {
        let written = from.write_plain(&self.data[self.sent..]);
        self.sent += written;
        if self.wire.len() < Self::WIRE_CAPACITY {
            from.take_cipher(&mut self.wire);
        }
        let mut arriving = &self.wire[..chunk.min(self.wire.len())];
        let offered = arriving.len();
        to.receive(&mut arriving).unwrap();
        let consumed = offered - arriving.len();
        self.wire.drain(..consumed);
        let mut buf = [0; 700];
        let read = to.read_plain(&mut buf);
        self.received.extend_from_slice(&buf[..read]);
        written + consumed + read > 0
    }
}

#[test]
fn tls_bidirectional_flood() {
    for chunk in [1460, 100_000] {
        let mut pair = Pair::connected();
        let mut up = Flow::new(pattern(1 << 20, 1));
        let mut down = Flow::new(pattern(1 << 20, 2));
        while up.received.len() < up.data.len() || down.received.len() < down.data.len() {
            let moved_up = up.step(&mut pair.client, &mut pair.server, chunk);
            let moved_down = down.step(&mut pair.server, &mut pair.client, chunk);
            assert!(moved_up || moved_down, "deadlock");
        }
        assert!(
            up.received == up.data && down.received == down.data,
            "data was changed"
        );
    }
}

#[test]
fn unread_plaintext_stops_the_receiver_without_an_error() {
    let mut pair = Pair::connected();
    let data = pattern(OUT_LIMIT / 2, 0);
    assert_eq!(pair.server.write_plain(&data), data.len());
    let cipher = take(&mut pair.server);
    let mut rest = &cipher[..];
    pair.client.receive(&mut rest).unwrap();
    let left = rest.len();
    assert!(
        left > 0 && left < cipher.len(),
        "{left} of {} left",
        cipher.len()
    );
    pair.client.receive(&mut rest).unwrap();
    assert_eq!(
        rest.len(),
        left,
        "nothing was read in between, so nothing fits"
    );

    let mut plain = read_all(&mut pair.client);
    plain.extend(deliver(&mut pair.client, rest));
    assert!(plain == data);
}

#[test]
fn a_burst_behind_the_handshake_does_not_stall() {
    let authority = Authority::new("root");
    let config = trusting(&authority).build().unwrap();
    let server = server_config(&authority.issue("host.test"), None);
    let mut pair = Pair::new(&config, "host.test", server);
    let data = pattern(OUT_LIMIT, 3);
    // The client writes before the handshake: its data follows its last flight at once.
    assert_eq!(pair.client.write_plain(&data), data.len());
    assert_eq!(pair.client.write_plain(b"more"), 0);
    pair.server
        .receive(&mut &take(&mut pair.client)[..])
        .unwrap();
    pair.client
        .receive(&mut &take(&mut pair.server)[..])
        .unwrap();
    assert!(!pair.client.is_handshaking());
    assert!(deliver(&mut pair.server, &take(&mut pair.client)) == data);
}

#[test]
fn tls_slow_peer_memory() {
    let mut pair = Pair::connected();
    let data = pattern(4 * OUT_LIMIT, 0);
    let mut written = 0;
    loop {
        match pair.client.write_plain(&data[written..]) {
            0 => break,
            n => written += n,
        }
    }
    assert_eq!(written, OUT_LIMIT);
    assert!(pair.client.wants_write());
    let cipher = take(&mut pair.client);
    assert!(cipher.len() < OUT_LIMIT + 1024, "{}", cipher.len());
    assert!(!pair.client.wants_write());
    assert!(
        pair.client.write_plain(&data[written..]) > 0,
        "blocked although all was taken"
    );
    assert!(deliver(&mut pair.server, &cipher) == data[..written]);
}

#[test]
fn close_notify_both_ways() {
    let mut pair = Pair::connected();
    assert_eq!(pair.client.write_plain(b"last"), 4);
    pair.client.send_close_notify();
    assert_eq!(pair.client.write_plain(b"too late"), 0);
    pair.client.send_close_notify();
    let cipher = take(&mut pair.client);
    // Whatever follows the close_notify is ignored, be it garbage.
    let with_garbage = [&cipher[..], &[0xff; 50]].concat();
    assert!(!pair.server.peer_closed());
    assert_eq!(deliver(&mut pair.server, &with_garbage), b"last");
    assert!(pair.server.peer_closed());
    let mut late = &b"late"[..];
    assert_eq!((pair.server.receive(&mut late), late.len()), (Ok(()), 0));

    // The other direction is still open.
    assert!(!pair.client.peer_closed());
    assert_eq!(pair.server.write_plain(b"reply"), 5);
    pair.server.send_close_notify();
    assert_eq!(deliver(&mut pair.client, &take(&mut pair.server)), b"reply");
    assert!(pair.client.peer_closed());
    assert!(!pair.client.wants_write() && !pair.server.wants_write());
}

#[test]
fn close_notify_waits_for_data_written_before_the_handshake() {
    let authority = Authority::new("root");
    let config = trusting(&authority).build().unwrap();
    let server = server_config(&authority.issue("host.test"), None);
    let mut pair = Pair::new(&config, "host.test", server);
    assert_eq!(pair.client.write_plain(b"early"), 5);
    pair.client.send_close_notify();
    assert_eq!(pair.client.write_plain(b"late"), 0);
    assert_eq!(pair.shake_hands(), (Ok(()), Ok(())));
    assert_eq!(read_all(&mut pair.server), b"early");
    assert!(pair.server.peer_closed());
}

#[test]
fn tls_garbage_peer() {
    // Instead of a handshake.
    let mut pair = Pair::connected();
    let authority = Authority::new("root");
    let config = trusting(&authority).build().unwrap();
    let mut client = TlsSession::client(&config, "host.test").unwrap();
    take(&mut client);
    let mut garbage = &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..];
    let error = client.receive(&mut garbage).unwrap_err();
    assert!(matches!(error, TlsError::Protocol(_)), "{error:?}");
    assert!(garbage.is_empty());
    assert_eq!(take(&mut client)[0], 21, "the content type of an alert");

    // Behind good data, which stays readable; the error is terminal.
    assert_eq!(pair.server.write_plain(b"good"), 4);
    let mut cipher = take(&mut pair.server);
    cipher.extend_from_slice(&[23, 3, 3, 0, 32]); // an application data record of 32 bytes
    cipher.extend_from_slice(&[0xaa; 32]);
    let error = pair.client.receive(&mut &cipher[..]).unwrap_err();
    assert_eq!(error, TlsError::Protocol(rustls::Error::DecryptError));
    assert_eq!(read_all(&mut pair.client), b"good");
    let alert = take(&mut pair.client);
    assert!(!alert.is_empty());
    assert_eq!(pair.client.receive(&mut &b"x"[..]), Err(error.clone()));
    assert_eq!(pair.client.receive(&mut &b""[..]), Err(error));
    assert_eq!(pair.client.write_plain(b"x"), 0);
    pair.client.send_close_notify();
    assert!(!pair.client.wants_write());

    let told = pair.server.receive(&mut &alert[..]);
    assert_eq!(
        told,
        Err(TlsError::AlertReceived(
            rustls::AlertDescription::BadRecordMac
        ))
    );
}

#[test]
fn garbage_after_our_close_notify_is_an_error_not_a_panic() {
    let mut pair = Pair::connected();
    pair.client.send_close_notify();
    take(&mut pair.client);
    let garbage = [&[23, 3, 3, 0, 32][..], &[0xaa; 32]].concat();
    let error = pair.client.receive(&mut &garbage[..]).unwrap_err();
    assert_eq!(pair.client.receive(&mut &garbage[..]), Err(error));
}

#[test]
fn an_endless_handshake_message_is_an_error() {
    let authority = Authority::new("root");
    let server = server_config(&authority.issue("host.test"), None);
    let mut server = TlsSession::server(Arc::new(server)).unwrap();
    // A ClientHello that claims 0xffffff bytes, in records of 16 KiB each.
    let mut cipher = vec![22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff];
    cipher.resize(5 + 0x4000, 0);
    let mut outcome = Ok(());
    for _ in 0..8 {
        outcome = server.receive(&mut &cipher[..]);
        if outcome.is_err() {
            break;
        }
        cipher[5..9].fill(0);
    }
    assert!(matches!(outcome, Err(TlsError::Protocol(_))), "{outcome:?}");
}

#[test]
fn server_names() {
    let config = TlsClientConfig::builder()
        .dangerous()
        .accept_any_certificate()
        .build()
        .unwrap();
    for good in [
        "host.test",
        "host.test.",
        "127.0.0.1",
        "::1",
        "[::1]",
        "a_b.test",
    ] {
        assert!(TlsSession::client(&config, good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "a b",
        "host..test",
        "[host.test]",
        "[127.0.0.1]",
        "http://host.test",
    ] {
        let error = TlsSession::client(&config, bad).err();
        assert_eq!(error, Some(TlsError::InvalidServerName(bad.to_owned())));
    }
}

/// A peer that asks for new keys with each byte it sends, and reads nothing: one answer waits for it.
#[test]
fn key_updates_without_end_are_answered_once() {
    let mut pair = Pair::connected();
    take(&mut pair.server);
    for _ in 0..2000 {
        pair.client.conn.refresh_traffic_keys().unwrap();
        assert_eq!(pair.client.write_plain(b"x"), 1);
        assert_eq!(deliver(&mut pair.server, &take(&mut pair.client)), b"x");
    }
    assert_eq!(pair.server.write_plain(b"y"), 1);
    let waiting = take(&mut pair.server);
    assert!(waiting.len() < 100, "{} bytes wait", waiting.len());
    assert_eq!(deliver(&mut pair.client, &waiting), b"y");
}
