//! What a handle keeps for its user, and the number of its descriptor.

use crate::common::loops::{started, stop_clean};
use crate::common::net::{Net, Transport};
use crate::common::tcp_client::Recorded as Client;
use crate::common::tcp_server::Recorded as Server;
use hvloop::{Channel, Connect, Listen, TcpServer, UdpOptions, UdpServer};
use hvloop_test_support::{DEADLINE, Monitor, wait_for};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

/// What the number means to the system now.
fn open_file(fd: RawFd) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()
}

/// A binding and a context do not meet, stay through a move and the end, and go with the last handle.
#[test]
fn binding_apart_from_context() {
    let net = Net::new(Transport::Tcp);
    let (thread, other) = (started(), started());
    let server = net.echo();
    let client = Client::new(thread.event_loop());
    client.connect(net.to(&server));
    let channel = client.client.channel().unwrap();
    assert!(channel.binding::<String>().is_none() && channel.context::<String>().is_none());
    let bound = Arc::new(());
    channel.set_binding(bound.clone());
    channel.set_context("mine".to_owned());
    assert!(channel.binding::<String>().is_none(), "of another type");
    assert_eq!(*channel.context::<String>().unwrap(), "mine");
    assert_eq!(Arc::strong_count(&bound), 2);
    channel.set_context("later".to_owned());
    channel.move_to(other.event_loop());
    client.client.send(b"x").unwrap();
    client.wait("the echo", |seen| seen.bytes == b"x");
    let moved = || channel.event_loop().same_loop(other.event_loop());
    assert!(wait_for(DEADLINE.as_secs(), moved));
    let there = client.client.channel().unwrap();
    assert!(
        there
            .binding::<Arc<()>>()
            .is_some_and(|there| Arc::ptr_eq(&*there, &bound))
    );
    channel.close();
    client.only_close();
    assert!(channel.binding::<Arc<()>>().is_some() && channel.context::<String>().is_some());
    drop((channel, there));
    for thread in [&thread, &other] {
        stop_clean(thread);
    }
    drop(client);
    assert_eq!(Arc::strong_count(&bound), 1);
}

/// The binding that `on_connection` makes is there in every later callback.
#[test]
fn binding_of_a_servers_connections() {
    let thread = started();
    let server = TcpServer::new(thread.event_loop());
    let seen = Monitor::new(Vec::new());
    server.on_connection(|channel| channel.set_binding(channel.id()));
    server.on_message(|channel, data| {
        assert_eq!(
            *channel.binding::<hvloop::ChannelId>().unwrap(),
            channel.id()
        );
        channel.send(data).unwrap();
    });
    let s = seen.clone();
    server.on_close(move |channel, _| {
        let bound = channel.binding::<hvloop::ChannelId>();
        s.update(|seen| seen.push((channel.id(), *bound.unwrap())));
    });
    let to = server.listen(Listen::tcp(([127, 0, 0, 1], 0))).unwrap();
    let net = Net::new(Transport::Tcp);
    let mut peers = [(); 3].map(|()| net.connect(to.inet().unwrap()));
    for peer in &mut peers {
        peer.send(b"x");
        assert_eq!(peer.expect(1), b"x");
    }
    drop(peers);
    assert!(seen.wait(DEADLINE, |seen| seen.len() == 3));
    assert!(seen.read(|seen| seen.iter().all(|(id, bound)| id == bound)));
    stop_clean(&thread);
}

/// Of both sides, while it is open and afterwards.
#[test]
fn descriptor_numbers() {
    let net = Net::new(Transport::Tcp);
    let thread = started();
    let server = Server::on(&thread);
    let address = server.listen(net.listen());
    let client = Client::new(thread.event_loop());
    let stream = TcpStream::connect(address).unwrap();
    let (fd, file) = (stream.as_raw_fd(), open_file(stream.as_raw_fd()));
    client.connect(Connect::to("127.0.0.1", address.port()).with_socket(stream));
    let channel = client.client.channel().unwrap();
    assert_eq!(channel.fd(), Some(fd));
    server.wait("the connection", |seen| seen.opened == 1);
    let mut served: Vec<Channel> = Vec::new();
    server
        .server
        .for_each_channel(|channel| served.push(channel.clone()));
    let theirs = served[0].fd().unwrap();
    assert_ne!(theirs, fd);
    assert!(open_file(theirs).is_some() && open_file(theirs) != file);
    client.client.close();
    client.only_close();
    assert_eq!((channel.fd(), served[0].fd()), (Some(fd), Some(theirs)));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let fd = socket.as_raw_fd();
    let udp = UdpServer::new(thread.event_loop());
    udp.open(socket, UdpOptions::new()).unwrap();
    let channel = udp.channel().unwrap();
    channel.set_binding(7_u8);
    channel.set_context(8_u8);
    let both = (channel.binding::<u8>(), channel.context::<u8>());
    assert_eq!(both, (Some(Arc::new(7)), Some(Arc::new(8))));
    assert_eq!(channel.fd(), Some(fd));
    stop_clean(&thread);
    assert_eq!(channel.fd(), Some(fd));
}
