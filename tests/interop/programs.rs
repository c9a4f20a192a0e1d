//! Our servers and programs that we did not write: `openssl s_client` and OpenBSD's `nc`.

use hvloop::event::tls::{TlsIdentities, TlsServerConfig};
use hvloop::{CloseReason, EventLoopThread, Listen, TcpServer, UdpOptions, UdpServer};
use hvloop_test_support::{ChildLimit, DEADLINE, Event, Monitor, TestCa};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Once;

pub fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/programs.sh");
        let status = Command::new(script).status().unwrap();
        assert!(status.success(), "tests/interop/programs.sh failed");
    });
}

/// A program that is talked with.
pub struct Talk {
    child: Child,
    _limit: ChildLimit,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talk {
    pub fn start(program: &str, args: &[&str]) -> Self {
        set_up();
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            _limit: ChildLimit::of(&child),
            child,
        }
    }

    pub fn say(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Ends its input, and reads the rest of what it prints.
    pub fn end(&mut self) -> String {
        self.input = None;
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An echo server, and how its connections ended.
pub fn echo(
    thread: &EventLoopThread,
    listen: Listen,
) -> (TcpServer, hvloop::Address, Monitor<Vec<CloseReason>>) {
    let server = TcpServer::new(thread.event_loop());
    server.on_message(|channel, data| channel.send(data).unwrap());
    let closed = Monitor::new(Vec::new());
    let c = closed.clone();
    server.on_close(move |_, reason| c.update(|closed| closed.push(reason.clone())));
    let address = server.listen(listen).unwrap();
    (server, address, closed)
}

pub fn started() -> EventLoopThread {
    let thread = EventLoopThread::new().unwrap();
    thread.start().unwrap();
    thread
}

/// Verifies our certificate, talks, and ends in order, by either side, over both versions of TLS.
#[test]
fn openssl_s_client() {
    let (ca, thread) = (TestCa::new(), started());
    let (chain, key) = ca.server_pem(&["localhost", "127.0.0.1"]);
    let config = TlsServerConfig::new(TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes()));
    let at = Listen::tcp(([127, 0, 0, 1], 0)).with_tls(config.unwrap());
    let (server, address, closed) = echo(&thread, at);
    let name = format!("hvloop-ca-{}.pem", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, ca.ca_pem()).unwrap();
    let address = address.to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let client = || {
            let args = [
                "s_client",
                "-connect",
                &address,
                "-servername",
                "localhost",
                "-CAfile",
                file.to_str().unwrap(),
                "-verify_return_error",
                "-verify_hostname",
                "localhost",
                version,
                "-quiet",
                "-no_ign_eof",
            ];
            Talk::start("openssl", &args)
        };
        closed.update(Vec::clear);
        let mut first = client();
        first.say("hello from openssl");
        assert_eq!(first.hear(), "hello from openssl", "{version}");
        assert_eq!(first.end(), "");
        assert!(first.child.wait().unwrap().success());
        assert!(closed.wait(DEADLINE, |c| c.len() == 1));
        assert!(
            closed.read(|c| matches!(c[0], CloseReason::Peer)),
            "with close_notify"
        );

        let mut second = client();
        second.say("and again");
        assert_eq!(second.hear(), "and again");
        server.for_each_channel(|channel| channel.close());
        let mut rest = String::new();
        second.output.read_to_string(&mut rest).unwrap();
        assert!(
            second.child.wait().unwrap().success(),
            "our close_notify is its clean end"
        );
        assert!(closed.wait(DEADLINE, |c| c.len() == 2));
    }
    // One that does not know the authority refuses us, and hurts nobody.
    let args = [
        "s_client",
        "-connect",
        &address,
        "-verify_return_error",
        "-quiet",
    ];
    let mut stranger = Talk::start("openssl", &args);
    assert_eq!(stranger.end(), "");
    assert!(!stranger.child.wait().unwrap().success());
    let _ = std::fs::remove_file(&file);
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

#[test]
fn nc_over_tcp_and_unix() {
    let thread = started();
    let path = std::env::temp_dir().join(format!("hvloop-nc-{}.sock", std::process::id()));
    let (_tcp, address, closed) = echo(&thread, Listen::tcp(([127, 0, 0, 1], 0)));
    let (_unix, _, closed_unix) = echo(&thread, Listen::unix(&path));
    let port = address.inet().unwrap().port().to_string();
    for (args, closed) in [
        (vec!["-N", "127.0.0.1", &port], closed),
        (vec!["-N", "-U", path.to_str().unwrap()], closed_unix),
    ] {
        let mut nc = Talk::start("nc", &args);
        for n in 0..100 {
            nc.say(&format!("line {n}"));
            assert_eq!(nc.hear(), format!("line {n}"));
        }
        let input = nc.input.as_mut().unwrap();
        input.write_all(&[b'x'; 20_000]).unwrap();
        assert_eq!(
            nc.end().len(),
            20_000,
            "its end of the stream comes behind all else"
        );
        assert!(nc.child.wait().unwrap().success());
        assert!(closed.wait(DEADLINE, |c| matches!(c[..], [CloseReason::Peer])));
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}

#[test]
fn nc_over_udp() {
    let thread = started();
    let server = UdpServer::new(thread.event_loop());
    server.on_message(|socket, data, from| socket.send_to(data, from).unwrap());
    let closed = Event::new();
    let c = closed.clone();
    server.on_close(move |_| c.set());
    let address = server
        .bind(([127, 0, 0, 1], 0).into(), UdpOptions::new())
        .unwrap();
    let mut nc = Talk::start("nc", &["-u", "127.0.0.1", &address.port().to_string()]);
    for n in 0..20 {
        nc.say(&format!("datagram {n}"));
        assert_eq!(nc.hear(), format!("datagram {n}"));
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    closed.expect("on_close");
}
