//! Our clients through proxies that we did not write: tinyproxy (HTTP CONNECT) and microsocks (SOCKS5).

use crate::common::loops::patient;
use crate::common::ws_client::{Net, Recorded, Transport};
use crate::over_both;
use hvloop::event::tls::TlsClientConfig;
use hvloop::event::{ProxyError, SocksReply};
use hvloop::ws::ConnectionError;
use hvloop::{CloseReason, Connect, Listen, Proxy, TcpClient};
use hvloop_test_support::{DEADLINE, Mode, Monitor, TestCa, refuse_port, wait_for};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

over_both! {
    tinyproxy_leads => through_tinyproxy;
    microsocks_leads => through_microsocks;
}

const USER: &str = "me";
const PASSWORD: &str = "secret";

/// A proxy in a process of its own, which ends when this is dropped.
struct Running {
    child: Child,
    port: u16,
    config: Option<PathBuf>,
}

impl Running {
    /// Starts it on a port that is free; `command` makes the command for a port.
    fn start(command: impl Fn(u16) -> (Command, Option<PathBuf>)) -> Self {
        crate::programs::set_up();
        for _ in 0..10 {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let (mut command, config) = command(port);
            let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
            let child = quiet.stdin(Stdio::null()).spawn().unwrap();
            let mut running = Self {
                child,
                port,
                config,
            };
            let mut ended = false;
            let started = wait_for(DEADLINE.as_secs(), || {
                ended = running.child.try_wait().unwrap().is_some();
                ended || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
            });
            assert!(started, "the proxy neither listens nor gives up");
            if !ended {
                return running;
            }
            // Somebody else took the port meanwhile.
        }
        panic!("the proxy does not start");
    }

    fn tinyproxy(login: bool) -> Self {
        Self::start(|port| {
            let name = format!("hvloop-tinyproxy-{}-{port}.conf", std::process::id());
            let path = std::env::temp_dir().join(name);
            let mut config =
                format!("Port {port}\nListen 127.0.0.1\nMaxClients 50\nLogLevel Critical\n");
            if login {
                config.push_str(&format!("BasicAuth {USER} {PASSWORD}\n"));
            }
            std::fs::write(&path, config).unwrap();
            let mut command = Command::new("tinyproxy");
            command.arg("-d").arg("-c").arg(&path);
            (command, Some(path))
        })
    }

    fn microsocks(login: bool) -> Self {
        Self::start(|port| {
            let mut command = Command::new("microsocks");
            command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
            if login {
                command.args(["-u", USER, "-P", PASSWORD]);
            }
            (command, None)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(config) = &self.config {
            let _ = std::fs::remove_file(config);
        }
    }
}

/// Messages of all sizes there and back, then an orderly end.
fn echo(net: &Net, proxy: Proxy) {
    let server = net.server(Mode::Echo);
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().proxy(Some(proxy)));
    client
        .client
        .open(&server.url().replace("127.0.0.1", "localhost"))
        .unwrap();
    client.wait_open();
    let messages: Vec<_> = [0, 5, 126, 70_000, 1 << 20].map(|n| vec![3; n]).into();
    for message in &messages {
        client.client.send_binary(message).unwrap();
    }
    client.wait("the echoes", |seen| seen.messages.len() == messages.len());
    client
        .seen
        .read(|seen| assert!(seen.messages == messages, "they come back as they were"));
    client.client.close(1000, "").unwrap();
    assert!(client.only_close().clean);
    client.threads.assert_one_thread();
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
    // Both end both ways as soon as one side has ended its own: the rest of TLS's end may be lost.
    server.wait_until(|stats| stats.closes_with(1000) == 1 && stats.open == 0);
}

/// Why the proxy does not lead there.
fn refused(net: &Net, proxy: Proxy, port: u16) -> ProxyError {
    let thread = patient();
    let client = Recorded::new(thread.event_loop(), net.options().proxy(Some(proxy)));
    let scheme = match net.transport {
        Transport::Ws => "ws",
        Transport::Wss => "wss",
    };
    let url = format!("{scheme}://localhost:{port}/");
    client.client.open(&url).unwrap();
    match client.only_close().error {
        Some(ConnectionError::Transport(CloseReason::Proxy(e))) => e,
        other => panic!("{other:?}"),
    }
}

fn through_tinyproxy(transport: Transport) {
    let net = Net::new(transport);
    let (open, guarded) = (Running::tinyproxy(false), Running::tinyproxy(true));
    let open_at = Proxy::http("127.0.0.1", open.port);
    let guarded_at = Proxy::http("127.0.0.1", guarded.port);
    echo(&net, open_at.clone());
    let known = guarded_at.clone().credentials(USER, PASSWORD).unwrap();
    echo(&net, known);
    let stranger = guarded_at.clone().credentials(USER, "wrong").unwrap();
    for proxy in [guarded_at, stranger] {
        let error = refused(&net, proxy, 80);
        assert!(
            matches!(
                error,
                ProxyError::Refused {
                    status: 401 | 407,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    let error = refused(&net, open_at, refuse_port().port());
    assert!(
        matches!(
            error,
            ProxyError::Refused {
                status: 500..=599,
                ..
            }
        ),
        "{error:?}"
    );
}

fn through_microsocks(transport: Transport) {
    let net = Net::new(transport);
    let (open, guarded) = (Running::microsocks(false), Running::microsocks(true));
    let open_at = Proxy::socks5("127.0.0.1", open.port);
    let guarded_at = Proxy::socks5("127.0.0.1", guarded.port);
    echo(&net, open_at.clone());
    let known = guarded_at.clone().credentials(USER, PASSWORD).unwrap();
    echo(&net, known);
    assert_eq!(
        refused(&net, guarded_at.clone(), 80),
        ProxyError::NoAcceptableMethod
    );
    let stranger = guarded_at.credentials(USER, "wrong").unwrap();
    assert_eq!(refused(&net, stranger, 80), ProxyError::LoginFailed);
    assert_eq!(
        refused(&net, open_at, refuse_port().port()),
        ProxyError::Socks(SocksReply::ConnectionRefused)
    );
}

/// Bytes of a `TcpClient`, plain and with TLS, to a server of ours behind each of them.
#[test]
fn tcp_client_through_both() {
    let ca = TestCa::new();
    let (chain, key) = ca.server_pem(&["localhost"]);
    let identities = hvloop::event::tls::TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes());
    let server_tls = hvloop::event::tls::TlsServerConfig::new(identities).unwrap();
    let client_tls = TlsClientConfig::builder().root_pem(ca.ca_pem().as_bytes());
    let client_tls = client_tls.build().unwrap();
    let thread = patient();
    let any = || Listen::tcp(([127, 0, 0, 1], 0));
    let (_plain, plain, _) = crate::programs::echo(&thread, any());
    let (_tls, tls, _) = crate::programs::echo(&thread, any().with_tls(server_tls));
    let (http, socks) = (Running::tinyproxy(true), Running::microsocks(true));
    let sent: Vec<u8> = (0..500_000u32).map(|n| n as u8).collect();
    for proxy in [
        Proxy::http("127.0.0.1", http.port),
        Proxy::socks5("127.0.0.1", socks.port),
    ] {
        let proxy = proxy.credentials(USER, PASSWORD).unwrap();
        for secure in [false, true] {
            let target = if secure { &tls } else { &plain };
            let port = target.inet().unwrap().port();
            let connect = Connect::to("localhost", port).proxy(Some(proxy.clone()));
            let connect = match secure {
                true => connect.with_tls(client_tls.clone()),
                false => connect,
            };
            let client = TcpClient::new(thread.event_loop());
            let seen = Monitor::new((Vec::new(), None));
            let data = sent.clone();
            client.on_connect(move |channel| channel.send(&data).unwrap());
            let s = seen.clone();
            client.on_message(move |_, data| s.update(|(got, _)| got.extend_from_slice(data)));
            let s = seen.clone();
            client.on_close(move |_, reason| s.update(|(_, end)| *end = Some(reason.clone())));
            client.connect(connect).unwrap();
            let whole = seen.wait(DEADLINE, |(got, end)| {
                got.len() >= sent.len() || end.is_some()
            });
            assert!(whole && seen.read(|(got, _)| *got == sent), "{proxy:?}");
            client.close();
            assert!(seen.wait(DEADLINE, |(_, end)| end.is_some()));
            assert!(seen.read(|(_, end)| matches!(end, Some(CloseReason::Local))));
        }
    }
    thread.stop();
    assert!(thread.join().unwrap().is_clean());
}
