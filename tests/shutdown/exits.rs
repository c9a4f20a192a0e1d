//! libhv issue 602 and its variants, each as a program of its own that must end.

use crate::common::ws_client::{Net, Transport};
use hvloop::event::Resolver;
use hvloop::event::tls::TlsClientConfig;
use hvloop::{ClientOptions, EventLoop, EventLoopThread, LoopOptions, WebSocketClient};
use hvloop_test_support::{DEADLINE, EchoServer, Event, Mode, fds};
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const VARIANT: &str = "HVLOOP_TEST_EXIT_VARIANT";
const URL: &str = "HVLOOP_TEST_URL";
const CA: &str = "HVLOOP_TEST_CA";

/// Every program ends, having closed cleanly what it had opened.
#[test]
fn process_exits() {
    for transport in [Transport::Ws, Transport::Wss] {
        let net = Net::new(transport);
        for (variant, sessions) in [
            ("own_loop", 1),
            ("attached_before_the_run", 1),
            ("attached_to_a_running_loop", 1),
            ("loop_stopped_in_between", 0),
            ("dropped_without_stop", 1),
            ("loop_stopped_without_client_stop", 1),
            ("lookup_never_answered", 0),
        ] {
            let server = net.server(Mode::Echo);
            let text = run_child(variant, &server, &net.ca_pem());
            assert!(text.contains("closes=1 fds=[] "), "{variant}: {text}");
            let stats = server.stop();
            assert_eq!(stats.closes_total(), sessions, "{variant}: {stats:?}");
            assert_eq!(
                (stats.abrupt, stats.truncated),
                (0, 0),
                "{variant}: {stats:?}"
            );
        }
    }
}

/// A resolver that blocks for ever, once it has told that it was asked.
struct Never(Event);

impl Resolver for Never {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.0.set();
        loop {
            std::thread::park();
        }
    }
}

fn run_child(variant: &str, server: &EchoServer, ca: &str) -> String {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exits::child_program", "--nocapture"])
        .env(VARIANT, variant)
        .env(URL, server.url())
        .env(CA, ca)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let ended = Event::new();
    let e = ended.clone();
    let watchdog = std::thread::spawn(move || {
        if !e.wait(2 * DEADLINE) {
            // Our own child, which hangs.
            let killed = Command::new("kill").args(["-9", &id.to_string()]).status();
            panic!("it did not end ({killed:?})");
        }
    });
    let output = child.wait_with_output().unwrap();
    ended.set();
    watchdog.join().unwrap_or_else(|_| panic!("{variant} hung"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{variant}: {text}");
    text
}

/// The program; does nothing in the parent.
#[test]
fn child_program() {
    let Ok(variant) = std::env::var(VARIANT) else {
        return;
    };
    let url = std::env::var(URL).unwrap();
    let ca = std::env::var(CA).unwrap();
    let tls = TlsClientConfig::builder().root_pem(ca.as_bytes()).build();
    let options = ClientOptions::new().tls(tls.unwrap());
    let (opened, closes) = (Event::new(), Arc::new(AtomicUsize::new(0)));
    let before = fds::open_fds();
    let prepare = |client: &WebSocketClient| {
        let (o, c) = (opened.clone(), closes.clone());
        client.on_open(move |_, _| o.set());
        client.on_close(move |_, _| {
            c.fetch_add(1, Ordering::SeqCst);
        });
    };
    match variant.as_str() {
        "own_loop" => {
            let client = WebSocketClient::owned_with_options(options);
            prepare(&client);
            client.open(&url).unwrap();
            opened.expect("open");
            client.stop();
        }
        "dropped_without_stop" => {
            let client = WebSocketClient::owned_with_options(options);
            prepare(&client);
            client.open(&url).unwrap();
            opened.expect("open");
        }
        "attached_before_the_run" => {
            let event_loop = EventLoop::new().unwrap();
            let client = WebSocketClient::with_options(&event_loop, options);
            prepare(&client);
            client.open(&url).unwrap();
            let stopper = event_loop.clone();
            client.on_open(move |ws, _| {
                ws.stop();
                stopper.stop();
            });
            event_loop.run().unwrap();
        }
        "attached_to_a_running_loop" => {
            let thread = EventLoopThread::new().unwrap();
            thread.start().unwrap();
            let client = WebSocketClient::with_options(thread.event_loop(), options);
            prepare(&client);
            client.open(&url).unwrap();
            opened.expect("open");
            client.stop();
            thread.stop();
            thread.join().unwrap();
        }
        "loop_stopped_in_between" => {
            let event_loop = EventLoop::new().unwrap();
            let client = WebSocketClient::with_options(&event_loop, options);
            prepare(&client);
            client.open(&url).unwrap();
            event_loop.stop();
            client.stop();
            event_loop.run().unwrap();
            assert!(client.open(&url).is_err());
        }
        "loop_stopped_without_client_stop" => {
            let thread = EventLoopThread::new().unwrap();
            thread.start().unwrap();
            let client = WebSocketClient::with_options(thread.event_loop(), options);
            prepare(&client);
            client.open(&url).unwrap();
            opened.expect("open");
            thread.stop();
            thread.join().unwrap();
        }
        "lookup_never_answered" => {
            let loop_options = LoopOptions::new().resolver(Arc::new(Never(opened.clone())));
            let event_loop = EventLoop::with_options(loop_options).unwrap();
            let thread = EventLoopThread::with_loop(event_loop);
            thread.start().unwrap();
            let client = WebSocketClient::with_options(thread.event_loop(), options);
            prepare(&client);
            client
                .open(&url.replace("127.0.0.1", "never.test"))
                .unwrap();
            opened.expect("the lookup");
        }
        other => panic!("no variant {other}"),
    }
    let closes = closes.load(Ordering::SeqCst);
    let fds = fds::new_fds(&before);
    writeln!(io::stdout(), "closes={closes} fds={fds:?} of {variant}").unwrap();
}
