//! What TLS servers show, and whom they let in.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::tcp_server::Recorded;
use hvloop::event::tls::{TlsIdentities, TlsServerConfig};
use hvloop::{CloseReason, EventLoop, Listen};
use hvloop_test_support::{DEADLINE, Event, Monitor, TestCa, wait_for};
use rustls::pki_types::CertificateDer;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

fn identities(ca: &TestCa, names: &[&str]) -> TlsIdentities {
    let (chain, key) = ca.server_pem(names);
    TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes())
}

/// The certificate that a client which asks for `name` is shown.
fn shown(net: &Net, address: SocketAddr, name: &'static str) -> CertificateDer<'static> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut tls = net.client_tls(name);
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).unwrap();
    }
    tls.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Each name its certificate; new ones without a restart, for new connections.
#[test]
fn certificates_by_name_and_reload() {
    let (net, thread) = (Net::new(Transport::Tls), started());
    let (chain, key) = net.ca.server_pem(&["a.example"]);
    let config = TlsServerConfig::new(identities(&net.ca, &["localhost"]).pem_for(
        "a.example",
        chain.as_bytes(),
        key.as_bytes(),
    ));
    let config = config.unwrap();
    let server = Recorded::on(&thread);
    let address = server.listen(Listen::tcp(([127, 0, 0, 1], 0)).with_tls(config.clone()));
    let (by_default, by_name) = (
        shown(&net, address, "localhost"),
        shown(&net, address, "a.example"),
    );
    assert!(by_default != by_name);
    assert_eq!(shown(&net, address, "localhost"), by_default);
    let mut old = net.connect(address);
    config.reload(identities(&net.ca, &["localhost"])).unwrap();
    let renewed = shown(&net, address, "localhost");
    assert!(renewed != by_default && renewed != by_name);
    old.send(b"goes on");
    assert_eq!(old.expect(7), b"goes on");
    old.end();
    old.rest();
    stop_clean(&thread);
}

/// Clients without a certificate are turned away, or not, as was said.
#[test]
fn client_certificates() {
    for optional in [false, true] {
        let (net, thread) = (Net::new(Transport::Tls), started());
        let builder = TlsServerConfig::builder(identities(&net.ca, &["localhost"]))
            .client_roots_pem(net.ca.ca_pem().as_bytes());
        let builder = if optional {
            builder.client_auth_optional()
        } else {
            builder
        };
        let server = Recorded::on(&thread);
        let listen = Listen::tcp(([127, 0, 0, 1], 0)).with_tls(builder.build().unwrap());
        let address = server.listen(listen);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut tls = net.client_tls("localhost");
        let mut stream = rustls::Stream::new(&mut *tls, &mut stream);
        // With TLS 1.3 a client learns of the refusal after its handshake.
        let _ = stream.write_all(b"let me in");
        if optional {
            server.wait("let in", |seen| seen.messages.concat() == b"let me in");
        } else {
            server.wait("turned away", |seen| !seen.failed.is_empty());
            assert!(
                server
                    .seen
                    .read(|s| matches!(s.failed[0], CloseReason::Tls(_)))
            );
            assert_eq!(server.seen.read(|s| s.opened), 0);
        }
        let (chain, key) = net.ca.client_cert();
        let with = hvloop::event::tls::TlsClientConfig::builder()
            .root_pem(net.ca.ca_pem().as_bytes())
            .client_auth_pem(chain.as_bytes(), key.as_bytes());
        let client = hvloop::TcpClient::new(thread.event_loop());
        client.on_connect(|channel| channel.send(b"by name").unwrap());
        let connect = hvloop::Connect::to("localhost", address.port());
        client
            .connect(connect.with_tls(with.build().unwrap()))
            .unwrap();
        server.wait("let in by name", |seen| {
            seen.messages.concat().ends_with(b"by name")
        });
        client.close();
        thread.stop();
        thread.join().unwrap();
    }
}

/// Bytes that are no TLS hurt nobody else.
#[test]
fn garbage_instead_of_tls() {
    let (net, thread) = (Net::new(Transport::Tls), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let mut good = net.connect(address);
    for n in 0..20u8 {
        let mut bad = TcpStream::connect(address).unwrap();
        bad.write_all(&[n.wrapping_mul(37); 200]).unwrap();
        let failures = usize::from(n) + 1;
        server.wait("a failure", |seen| seen.failed.len() == failures);
        good.send(&[n]);
        assert_eq!(good.expect(1), [n]);
    }
    assert!(
        server
            .seen
            .read(|s| s.failed.iter().all(|r| matches!(r, CloseReason::Tls(_))))
    );
    good.end();
    good.rest();
    stop_clean(&thread);
}

/// Handshakes cost CPU time: a turn does some, and the others wait for theirs in the order in which they
/// came, while timers and tasks go on.
#[test]
fn tls_handshakes_of_a_turn() {
    const CLIENTS: usize = 64;
    const A_TURN: u64 = 8;
    let (net, thread) = (Net::new(Transport::Tls), started());
    let server = Recorded::on(&thread);
    let address = server.listen(net.listen());
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            (
                TcpStream::connect(address).unwrap(),
                net.client_tls("localhost"),
            )
        })
        .collect();
    let metrics = || thread.event_loop().metrics();
    assert!(wait_for(DEADLINE.as_secs(), || metrics().accepted == CLIENTS as u64));
    // Once all have spoken, each turn notes what it finds read.
    let (spoken, samples) = (Event::new(), Monitor::new(vec![metrics().bytes_in]));
    let (s, to) = (spoken.clone(), samples.clone());
    let first = move || {
        s.expect("all have spoken");
        sample(to);
    };
    thread.event_loop().queue_in_loop(first).unwrap();
    let mut length = 0;
    for (stream, tls) in &mut clients {
        length = tls.write_tls(stream).unwrap() as u64;
    }
    spoken.set();
    let all = CLIENTS as u64 * length;
    assert!(samples.wait(DEADLINE, |seen| seen.last() == Some(&all)));
    samples.read(|seen| {
        let most = seen.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(
            most <= Some(A_TURN * length),
            "{most:?} bytes, {length} each: {seen:?}"
        );
    });
    samples.update(|seen| seen.push(u64::MAX));
    for (mut stream, mut tls) in clients {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut stream = rustls::Stream::new(&mut *tls, &mut stream);
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    thread.stop();
    thread.join().unwrap();
}

/// Notes the bytes read so far in this turn, and in all that follow, until the end is noted.
fn sample(samples: Monitor<Vec<u64>>) {
    let event_loop = EventLoop::current().unwrap().event_loop();
    let read = event_loop.metrics().bytes_in;
    let go_on = samples.update(|seen| {
        let go_on = seen.last() != Some(&u64::MAX);
        if go_on {
            seen.push(read);
        }
        go_on
    });
    if go_on {
        // Refused once the loop has stopped.
        let _ = event_loop.queue_in_loop(move || sample(samples));
    }
}
