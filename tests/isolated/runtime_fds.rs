//! What a loop opens it closes, whatever is kept of it. Alone in its test program, and one test,
//! since it compares the file descriptors of the whole process.
#![allow(clippy::unwrap_used)]

use hvloop::event::Turn;
use hvloop::{Connect, EventLoop, EventLoopThread, TcpClient};
use hvloop_test_support::{DEADLINE, Event, ScriptServer, Tls, fds, refuse_port};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Nothing at all is open when `run()` or `join()` has returned, though handles, holds and the
/// loop's own view of itself are kept.
#[test]
fn no_fd_is_left_open() {
    // What the process opens once.
    drop(EventLoop::new().unwrap());
    let before = fds::open_fds();

    // Never run: closed with its last handle.
    let event_loop = EventLoop::new().unwrap();
    assert!(!fds::new_fds(&before).is_empty(), "the test sees them");
    let other = event_loop.clone();
    drop(event_loop);
    assert!(!fds::new_fds(&before).is_empty());
    drop(other);
    assert_eq!(fds::new_fds(&before), []);

    // Run and stopped: closed, with handles, a hold and queued closures around.
    let event_loop = EventLoop::new().unwrap();
    let hold = event_loop.hold("kept").unwrap();
    let stop = event_loop.clone();
    event_loop
        .queue_in_loop(move || stop.stop_with(Duration::ZERO))
        .unwrap();
    event_loop.run().unwrap();
    assert_eq!(fds::new_fds(&before), [], "after run()");
    drop(hold);

    // Driven by turns; the loop as its thread sees it is kept beyond its end.
    let event_loop = EventLoop::new().unwrap();
    assert_eq!(
        event_loop.run_once(Some(Duration::ZERO)).unwrap(),
        Turn::Continue
    );
    let local = event_loop.local().unwrap();
    event_loop.stop();
    while event_loop.run_once(None).unwrap() == Turn::Continue {}
    assert_eq!(fds::new_fds(&before), [], "after the last turn");
    drop(local);

    // On a thread that goes away without a stop.
    let event_loop = EventLoop::new().unwrap();
    let at = event_loop.clone();
    let driver = std::thread::spawn(move || {
        assert_eq!(at.run_once(Some(Duration::ZERO)).unwrap(), Turn::Continue);
    });
    driver.join().unwrap();
    assert_eq!(fds::new_fds(&before), [], "after its thread");
    drop(event_loop);

    // Connections in several states, and the loop's thread joined.
    {
        let server = ScriptServer::start(Tls::Off, |conn| {
            conn.read_to_end(&mut Vec::new())?;
            conn.finish()
        });
        let servers = fds::open_fds();
        let thread = EventLoopThread::new().unwrap();
        thread.start().unwrap();
        let kept = Arc::new(Mutex::new(Vec::new()));
        for n in 0..30 {
            let client = TcpClient::new(thread.event_loop());
            let opened = Event::new();
            let (o, k) = (opened.clone(), kept.clone());
            client.on_connect(move |channel| {
                k.lock().unwrap().push(channel.clone());
                o.set();
            });
            let port = match n % 3 {
                0 => refuse_port().port(),
                _ => server.addr().port(),
            };
            let closed = Event::new();
            let c = closed.clone();
            client.on_close(move |_, _| c.set());
            client.connect(Connect::to("127.0.0.1", port)).unwrap();
            match n % 3 {
                0 => closed.expect("refused"),
                1 => opened.expect("connected"),
                _ => {
                    opened.expect("connected");
                    client.close();
                    assert!(closed.wait(DEADLINE));
                }
            }
        }
        let handle = thread.event_loop().clone();
        thread.stop();
        assert!(thread.join().unwrap().is_clean());
        // The server's ends go when its scripts see ours gone.
        server.wait_finished(20);
        assert_eq!(fds::new_fds(&servers), [], "after join()");
        assert_eq!(kept.lock().unwrap().len(), 20);
        drop(handle);
    }
    fds::assert_no_new_fds(&before);
}
