//! IPv6 addresses of one link, with the zone in which they are (RFC 4007): in names, in sockets, and nowhere
//! that another host would read them.
#![cfg(target_os = "linux")]

use crate::common::loops::{resolving, started, started_with, stop_without_panic};
use crate::common::net::{Net, Transport};
use crate::common::tcp_client::Recorded;
use hvloop::event::Resolver;
use hvloop::{
    CloseReason, Connect, Listen, LoopOptions, SocketOptions, TcpServer, UdpClient, UdpOptions,
    UdpServer,
};
use hvloop_test_support::Monitor;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

/// An address of this machine, and the interface that has it.
#[derive(Clone)]
struct Here {
    ip: Ipv6Addr,
    name: String,
    index: u32,
}

impl Here {
    fn at(&self, port: u16) -> SocketAddr {
        SocketAddrV6::new(self.ip, port, 0, self.index).into()
    }
}

/// The loopback address and those of one link, as the kernel lists them. Some machines have none.
fn here() -> Vec<Here> {
    let table = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let all = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let ip = Ipv6Addr::from_bits(u128::from_str_radix(fields.first()?, 16).ok()?);
        // Not yet usable, or never: IFA_F_TENTATIVE, IFA_F_DADFAILED.
        if u32::from_str_radix(fields.get(4)?, 16).ok()? & 0x48 != 0 {
            return None;
        }
        Some(Here {
            ip,
            name: (*fields.last()?).to_owned(),
            index: u32::from_str_radix(fields.get(1)?, 16).ok()?,
        })
    });
    let all = all.filter(|here| here.ip.is_loopback() || here.ip.is_unicast_link_local());
    all.collect()
}

fn server(at: SocketAddr) -> (TcpServer, SocketAddr, hvloop::EventLoopThread) {
    let thread = started();
    let server = TcpServer::new(thread.event_loop());
    server.on_message(|channel, data| channel.send(data).unwrap_or_default());
    let address = server.listen(Listen::tcp(at)).unwrap();
    (server, address.inet().unwrap(), thread)
}

#[test]
fn connect_and_listen_in_a_zone() {
    for here in here() {
        let (_server, address, served) = server(here.at(0));
        assert_eq!(address.ip(), here.ip);
        let thread = started();
        let names = [
            format!("{}%{}", here.ip, here.name),
            format!("{}%{}", here.ip, here.index),
            format!("[{}%{}]", here.ip, here.name),
        ];
        for name in names {
            let client = Recorded::new(thread.event_loop());
            let to = Connect::to(name.as_str(), address.port());
            client.connect(to.socket(SocketOptions::new().bind(here.at(0))));
            client.client.send(b"through").unwrap();
            client.wait("the echo", |seen| seen.bytes == b"through");
            let channel = client.client.channel().unwrap();
            assert_eq!(channel.peer_addr(), Some(address), "{name}");
            assert_eq!(channel.local_addr().unwrap().ip(), here.ip);
            client.client.close();
            client.only_close();
        }
        stop_without_panic(&thread);
        stop_without_panic(&served);
    }
}

/// A name that the resolver finds in a zone, for TCP and UDP.
#[test]
fn names_with_a_zone() {
    struct InZone(Here);
    impl Resolver for InZone {
        fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(vec![self.0.ip.into()])
        }

        fn resolve_scoped(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
            Ok(vec![self.0.at(0)])
        }
    }
    for here in here() {
        let (_server, address, served) = server(here.at(0));
        let options = LoopOptions::new().resolver(Arc::new(InZone(here.clone())));
        let thread = started_with(options);
        let client = Recorded::new(thread.event_loop());
        client.connect(Connect::to("zoned.test", address.port()));
        let channel = client.client.channel().unwrap();
        assert_eq!(channel.peer_addr(), Some(address));

        let echo = UdpServer::new(thread.event_loop());
        echo.on_message(|channel, data, from| channel.send_to(data, from).unwrap());
        let at = echo.bind(here.at(0), UdpOptions::new()).unwrap();
        for name in [
            "zoned.test".to_owned(),
            format!("{}%{}", here.ip, here.name),
        ] {
            let got = Monitor::new(Vec::new());
            let g = got.clone();
            let client = UdpClient::new(thread.event_loop());
            client.on_open(|channel| channel.send(b"datagram").unwrap());
            client.on_message(move |_, data, from| {
                g.update(|got| got.push((data.to_vec(), from)));
            });
            client.open(&name, at.port(), UdpOptions::new()).unwrap();
            assert!(
                got.wait(hvloop_test_support::DEADLINE, |got| !got.is_empty()),
                "{name}"
            );
            assert_eq!(got.read(|got| got[0].clone()), (b"datagram".to_vec(), at));
        }
        stop_without_panic(&thread);
        stop_without_panic(&served);
    }
}

/// A zone that is none is told at once, and nobody is asked for it.
#[test]
fn unknown_zones() {
    let asked = Monitor::new(0);
    let a = asked.clone();
    let thread = started_with(resolving(move |_| {
        a.update(|asked| *asked += 1);
        Err(io::ErrorKind::NotFound.into())
    }));
    for name in [
        "fe80::1%nosuch0",
        "fe80::1%",
        "::1%99999999999",
        "fe80::1%lo%lo",
    ] {
        let client = Recorded::new(thread.event_loop());
        client.client.connect(Connect::to(name, 1)).unwrap();
        match client.only_close() {
            CloseReason::Dns(e) => assert_eq!(e.kind(), io::ErrorKind::NotFound, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(asked.read(|asked| *asked), 0);
    stop_without_panic(&thread);
}

/// TLS verifies the address without its zone.
#[test]
fn tls_in_a_zone() {
    let net = Net::new(Transport::Tls);
    for here in here().into_iter().filter(|here| here.ip.is_loopback()) {
        let thread = started();
        let tls = net.tls_config();
        let server = TcpServer::new(thread.event_loop());
        let (chain, key) = net.ca.server_pem(&["::1"]);
        let identities =
            hvloop::event::tls::TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes());
        let config = hvloop::event::tls::TlsServerConfig::new(identities).unwrap();
        let address = server
            .listen(Listen::tcp(here.at(0)).with_tls(config))
            .unwrap();
        let port = address.inet().unwrap().port();
        let client = Recorded::new(thread.event_loop());
        let name = format!("::1%{}", here.name);
        server.on_message(|channel, data| channel.send(data).unwrap_or_default());
        client.connect(Connect::to(name, port).with_tls(tls));
        client.client.send(b"through").unwrap();
        client.wait("the echo", |seen| seen.bytes == b"through");
        stop_without_panic(&thread);
    }
}
