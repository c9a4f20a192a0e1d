//! A WebSocket through a proxy: HTTP CONNECT or SOCKS5.
//!
//! `cargo run --example proxy_client -- http://user:secret@proxy:3128 wss://echo.example.com/`; `env` in
//! the place of the proxy's URL takes it from the environment's variables. Without arguments it plays
//! the proxy and the server, too, and ends.

use clap::Parser;
use hvloop::ws::WsUrl;
use hvloop::{
    Channel, ClientOptions, Connect, EventLoop, Listen, Message, Proxy, TcpClient, TcpServer,
    Unpack, WebSocketClient, WebSocketServer, WebSocketService, signal,
};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A WebSocket through a proxy.
#[derive(Parser)]
struct Args {
    /// The proxy: http://, socks5:// or `env`; without it a demonstration runs.
    #[arg(requires = "url")]
    proxy: Option<String>,
    /// The WebSocket's URL.
    url: Option<String>,
}

/// What the client says.
const HELLO: &str = "hello through the proxy";

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let event_loop = EventLoop::new()?;
    event_loop.stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
    let demo = match args.url {
        Some(_) => None,
        None => Some(Demo::start(&event_loop)?),
    };
    let (proxy, url) = match (&demo, args.proxy, args.url) {
        (Some(demo), ..) => (Some(demo.proxy.clone()), demo.url.clone()),
        (None, Some(proxy), Some(url)) => (named(&proxy, &url)?, url),
        _ => return Err("a proxy and a URL are needed".into()),
    };
    match &proxy {
        Some(proxy) => println!("to {url} through {proxy}"),
        None => println!("to {url}, directly"),
    }
    let echoed = Arc::new(AtomicBool::new(false));
    let client = open(&event_loop, proxy, &url, &echoed)?;
    let report = event_loop.run()?;
    println!("{report}");
    drop(client);
    if !echoed.load(Ordering::Relaxed) {
        return Err("nothing came back".into());
    }
    match demo {
        Some(demo) => demo.check(report.is_clean()),
        None => Ok(()),
    }
}

/// The proxy of that URL, or that of the environment.
fn named(proxy: &str, url: &str) -> Result<Option<Proxy>, Box<dyn Error>> {
    if proxy != "env" {
        return Ok(Some(Proxy::parse(proxy)?));
    }
    let url = WsUrl::parse(url)?;
    match (url.host(), url.port()) {
        (Some(host), Some(port)) => Ok(Proxy::from_env(host, port, url.is_tls())?),
        _ => Ok(None), // a Unix socket: no proxy leads there
    }
}

/// Says hello, closes at the answer, and stops the loop.
fn open(
    event_loop: &EventLoop,
    proxy: Option<Proxy>,
    url: &str,
    echoed: &Arc<AtomicBool>,
) -> Result<WebSocketClient, Box<dyn Error>> {
    let options = ClientOptions::new().proxy(proxy).redirects(3);
    let client = WebSocketClient::with_options(event_loop, options);
    client.on_open(|ws, event| {
        println!("open: {} after {} redirects", event.url, event.redirects);
        if let Err(e) = ws.send_text(HELLO) {
            eprintln!("{e}");
        }
    });
    let came = echoed.clone();
    client.on_message(move |ws, message| {
        if let Message::Text(text) = message {
            println!("the answer: {text}");
            // Some servers greet first.
            if text == HELLO {
                came.store(true, Ordering::Relaxed);
                let _only_a_bad_code_fails = ws.close(1000, "that is all");
            }
        }
    });
    let stop = event_loop.clone();
    client.on_close(move |_, event| {
        println!("closed: {event}");
        stop.stop();
    });
    client.open(url)?;
    Ok(client)
}

/// The demonstration: a WebSocket server, and a proxy that wants to know who asks.
struct Demo {
    proxy: Proxy,
    url: String,
    led: Arc<AtomicUsize>,
    _servers: (WebSocketServer, TcpServer),
}

/// The header for "demo" with the password "secret".
const LOGIN: &str = "Proxy-Authorization: Basic ZGVtbzpzZWNyZXQ=";

impl Demo {
    fn start(event_loop: &EventLoop) -> Result<Self, Box<dyn Error>> {
        let any = || Listen::tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let server = WebSocketServer::new(event_loop);
        let echo = WebSocketService::new().on_message(|channel, message| {
            if let Err(e) = channel.send(message) {
                eprintln!("{e}");
            }
        });
        server.route("/echo", echo);
        let target = server.listen(any())?;

        let led = Arc::new(AtomicUsize::new(0));
        let tunnels = TcpServer::new(event_loop);
        // The head of a request is a package; behind it come bytes.
        tunnels.set_unpack(Some(Unpack::delimiter(b"\r\n\r\n").build()?));
        let (counted, on) = (led.clone(), event_loop.clone());
        tunnels.on_message(move |front, data| match behind(front) {
            Some(back) => pass(front, &back, data),
            None => match wanted(data) {
                Ok(target) => lead(&on, front, target, &counted),
                Err(answer) => {
                    // The peer may be gone.
                    let _ = front.send(answer.as_bytes());
                    front.close();
                }
            },
        });
        tunnels.on_write_complete(|front, _| {
            if let Some(back) = behind(front) {
                back.resume_reading();
            }
        });
        tunnels.on_close(|front, _| {
            if let Some(context) = front.context::<Behind>() {
                // Dropping the client ends its connection, behind what is queued.
                let client = context.lock().map(|mut behind| behind.take());
                drop(client);
            }
        });
        let at = tunnels.listen(any())?.inet().ok_or("not an IP address")?;
        Ok(Self {
            proxy: Proxy::http(at.ip().to_string(), at.port()).credentials("demo", "secret")?,
            url: format!("ws://{target}/echo"),
            led,
            _servers: (server, tunnels),
        })
    }

    fn check(&self, clean: bool) -> Result<(), Box<dyn Error>> {
        match self.led.load(Ordering::Relaxed) {
            1 if clean => Ok(()),
            1 => Err("the loop did not stop cleanly".into()),
            n => Err(format!("{n} connections went through the proxy").into()),
        }
    }
}

/// Where a CONNECT is to lead; or how it is answered.
fn wanted(head: &[u8]) -> Result<(String, u16), &'static str> {
    const BAD: &str = "HTTP/1.1 400 Bad Request\r\n\r\n";
    let head = std::str::from_utf8(head).map_err(|_| BAD)?;
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| line.strip_prefix("CONNECT "));
    let (target, _version) = target.and_then(|line| line.split_once(' ')).ok_or(BAD)?;
    if !lines.any(|line| line == LOGIN) {
        return Err("HTTP/1.1 407 Who asks?\r\nProxy-Authenticate: Basic\r\n\r\n");
    }
    let (host, port) = target.rsplit_once(':').ok_or(BAD)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), port.parse().map_err(|_| BAD)?))
}

/// The connection behind a client's, kept with the client's as its context.
type Behind = Mutex<Option<TcpClient>>;

/// The channel behind a client's, once it is there.
fn behind(front: &Channel) -> Option<Channel> {
    let context = front.context::<Behind>()?;
    let behind = context.lock().ok()?;
    behind.as_ref()?.channel()
}

/// So many bytes queued for one side hold the other one back.
const HIGH: usize = 256 * 1024;

/// Passes bytes on; reads no further while the other side is slow.
fn pass(from: &Channel, to: &Channel, data: &[u8]) {
    if to.send(data).is_err() {
        return from.close();
    }
    if to.buffered_amount() > HIGH {
        from.pause_reading();
    }
}

/// Connects a client's connection with its target.
fn lead(event_loop: &EventLoop, front: &Channel, target: (String, u16), led: &Arc<AtomicUsize>) {
    // Nothing more is read before there is somebody to give it to, and then as it comes.
    front.pause_reading();
    front.set_unpack(None);
    let behind = TcpClient::new(event_loop);
    let (up, down, end, drained) = (front.clone(), front.clone(), front.clone(), front.clone());
    let count = led.clone();
    behind.on_connect(move |back| {
        count.fetch_add(1, Ordering::Relaxed);
        match up.send(b"HTTP/1.1 200 Connection established\r\n\r\n") {
            Ok(()) => up.resume_reading(),
            Err(_) => back.close(),
        }
    });
    behind.on_message(move |back, data| pass(back, &down, data));
    behind.on_write_complete(move |_, _| drained.resume_reading());
    behind.on_close(move |back, reason| {
        if back.is_none() {
            println!("the proxy's target: {reason}");
            // The peer may be gone.
            let _ = end.send(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
        }
        end.close();
    });
    match behind.connect(Connect::to(target.0, target.1)) {
        Ok(()) => front.set_context::<Behind>(Mutex::new(Some(behind))),
        Err(_) => front.close(),
    }
}
