//! A loop that never ran, or whose workers never did, keeps no descriptor. Alone in its test program,
//! and one test, since it compares the file descriptors of the whole process.
#![allow(clippy::unwrap_used)]

use hvloop::event::signal::SIGUSR2;
use hvloop::{
    Connect, EventLoop, EventLoopThread, EventLoopThreadPool, Listen, TcpClient, TcpServer,
    UdpOptions, UdpServer, WebSocketClient, WebSocketServer,
};
use hvloop_test_support::{DEADLINE, fds, wait_for};
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

/// A listener's address, any.
fn anywhere() -> Listen {
    Listen::tcp(([127, 0, 0, 1], 0))
}

#[test]
fn never_run_keeps_no_descriptor() {
    // What the process opens once: the signals' machinery.
    let warm = EventLoop::new().unwrap();
    drop(warm.add_signal(SIGUSR2, |_| {}).unwrap());
    drop(warm);
    let before = fds::open_fds();

    type Use = (&'static str, fn(&EventLoop));
    let uses: &[Use] = &[
        ("a call", |event_loop| {
            let own = event_loop.clone();
            event_loop.queue_in_loop(move || drop(own)).unwrap();
        }),
        ("a timer", |event_loop| {
            let own = event_loop.clone();
            let arm = event_loop.set_interval(Duration::ZERO, move |_| own.stop());
            arm.unwrap();
        }),
        ("an idle callback", |event_loop| {
            let own = event_loop.clone();
            event_loop.set_idle(None, move |_| own.stop()).unwrap();
        }),
        ("a hold in a call", |event_loop| {
            let hold = event_loop.hold("in a call").unwrap();
            event_loop.queue_in_loop(move || drop(hold)).unwrap();
        }),
        ("signals", |event_loop| {
            event_loop.stop_on_signals(&[SIGUSR2]).unwrap();
        }),
        ("a client", |event_loop| {
            let client = TcpClient::new(event_loop);
            client.connect(Connect::to("127.0.0.1", 1)).unwrap();
        }),
        ("a WebSocket client", |event_loop| {
            let client = WebSocketClient::new(event_loop);
            client.open("ws://127.0.0.1:1/").unwrap();
        }),
        ("a server", |event_loop| {
            let server = TcpServer::new(event_loop);
            server.listen(anywhere()).unwrap();
            server.listen(anywhere()).unwrap();
        }),
        ("a server that was stopped", |event_loop| {
            let server = TcpServer::new(event_loop);
            let address = server.listen(anywhere()).unwrap().inet().unwrap();
            server.stop();
            std::net::TcpListener::bind(address).expect("its address is free");
        }),
        ("a WebSocket server", |event_loop| {
            WebSocketServer::new(event_loop).listen(anywhere()).unwrap();
        }),
        ("a UDP server", |event_loop| {
            let server = UdpServer::new(event_loop);
            let at = ([127, 0, 0, 1], 0).into();
            server.bind(at, UdpOptions::new()).unwrap();
        }),
    ];
    for (what, with) in uses {
        let event_loop = EventLoop::new().unwrap();
        with(&event_loop);
        drop(event_loop);
        assert_eq!(fds::new_fds(&before), [], "{what}: with the last handle");
        let thread = EventLoopThread::new().unwrap();
        with(thread.event_loop());
        drop(thread);
        assert_eq!(fds::new_fds(&before), [], "{what}: with its thread");
        // Stopped, and still never run.
        let event_loop = EventLoop::new().unwrap();
        with(&event_loop);
        event_loop.stop();
        drop(event_loop);
        assert_eq!(fds::new_fds(&before), [], "{what}: stopped");
    }

    // Connections that were accepted for workers that are never started.
    let acceptor = EventLoopThread::new().unwrap();
    acceptor.start().unwrap();
    let pool = EventLoopThreadPool::with_threads(2).unwrap();
    let server = TcpServer::with_workers(acceptor.event_loop(), &pool);
    let ws = WebSocketServer::with_workers(acceptor.event_loop(), &pool);
    let addresses = [
        server.listen(anywhere()).unwrap(),
        ws.listen(anywhere()).unwrap(),
    ];
    let mut peers: Vec<_> = (0..20)
        .map(|n| TcpStream::connect(addresses[n % 2].inet().unwrap()).unwrap())
        .collect();
    assert!(wait_for(30, || server.connection_num()
        + ws.connection_num()
        == 20));
    drop(pool);
    for peer in &mut peers {
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(peer.read(&mut [0; 10]).unwrap(), 0, "the end");
    }
    assert_eq!(server.connection_num() + ws.connection_num(), 0);
    drop((peers, server, ws, acceptor));
    assert_eq!(fds::new_fds(&before), [], "workers that never ran");
}
