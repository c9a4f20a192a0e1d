//! What TLS servers show, and whom they let in.

use crate::common::{Net, Recorded, Transport, started, stop_clean};
use hvloop::CloseReason;
use hvloop::Listen;
use hvloop::event::tls::{TlsIdentities, TlsServerConfig};
use hvloop_test_support::{DEADLINE, TestCa};
use rustls::pki_types::CertificateDer;
use std::io::Write;
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
