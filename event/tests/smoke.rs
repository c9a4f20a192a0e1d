//! A TCP client against a plain std server: the least that must work.
#![allow(clippy::unwrap_used)]
use hvloop_event::{Connect, EventLoopThread, TcpClient};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn echo_and_close() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut s, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        let mut buf = [0; 1000];
        loop {
            let n = s.read(&mut buf).unwrap();
            if n == 0 {
                break;
            }
            all.extend_from_slice(&buf[..n]);
            s.write_all(&buf[..n]).unwrap();
        }
        all
    });
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    let client = TcpClient::new(thread.event_loop());
    let (tell, told) = mpsc::channel();
    let t2 = tell.clone();
    client.on_connect(|c| c.send(b"hello").unwrap());
    client.on_message(move |_, data| t2.send(String::from_utf8_lossy(data).into_owned()).unwrap());
    client.on_close(move |_, reason| tell.send(reason.to_string()).unwrap());
    client.connect(Connect::to("localhost", port)).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap(), "hello");
    thread.stop();
    assert_eq!(
        told.recv_timeout(Duration::from_secs(10)).unwrap(),
        "the event loop stopped"
    );
    let report = thread.join().unwrap();
    assert_eq!(report.closed_cleanly, 1, "{report}");
    assert_eq!(server.join().unwrap(), b"hello");
}
