//! The demonstration: does what a browser with the page would do, and checks what comes.

use hvloop::{
    ClientEvent, ClientReceiver, CloseEvent, EventLoop, EventLoopThread, WebSocketClient,
};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long something may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that go through for the figures.
const BURST: usize = 1000;

/// Plays the peers, and stops the server.
pub fn play(address: SocketAddr, server: &EventLoop) -> Result<(), Box<dyn Error>> {
    fetch_page(address)?;
    let thread = EventLoopThread::new()?;
    thread.start()?;
    let at = |path: &str| Peer::open(thread.event_loop(), &format!("ws://{address}{path}"));

    let watcher = at("/live")?;
    watcher.is_told(r#""connections":0,"#)?;
    let (ann, bob, cid) = (at("/echo")?, at("/echo")?, at("/echo")?);
    watcher.is_told(r#""connections":3,"#)?;
    println!("3 connections, as all who watch are told");

    ann.ws.send_text("grüße")?;
    ann.gets_text("grüße")?;
    let bytes: Vec<u8> = (0..=255).collect();
    ann.ws.send_binary(&bytes)?;
    match ann.next()? {
        ClientEvent::Binary(echo) if echo == bytes => println!("text and binary echoed"),
        other => return Err(format!("{other:?} in the place of an echo").into()),
    }
    for n in 0..BURST {
        bob.ws.send_text(&format!("message {n}"))?;
    }
    for n in 0..BURST {
        bob.gets_text(&format!("message {n}"))?;
    }
    watcher.is_told(&format!(r#""received":{},"#, BURST + 2))?;
    println!("{BURST} messages more, and the figures say so");

    ann.ws.close(4001, r#"ann says "bye""#)?;
    ann.closes(4001, "")?; // the server's Close has the code of the client's
    watcher.is_told(r#""lastClose":{"code":4001,"reason":"ann says \"bye\""}"#)?;
    bob.ws.send_text("/close 1004")?;
    bob.gets_text("close code 1004 may not be sent")?;
    bob.ws.send_text("/close 4002 bob has to go")?;
    bob.closes(4002, "bob has to go")?;
    watcher.is_told(r#""connections":1,"#)?;
    println!("closed with 4001 by a client, with 4002 by the server");

    server.stop();
    cid.closes(1001, "")?;
    watcher.closes(1001, "")?;
    println!("the server stops: all see 1001");
    thread.stop();
    match thread.join()?.is_clean() {
        true => Ok(()),
        false => Err("the clients' loop did not end cleanly".into()),
    }
}

/// A WebSocket client, and what happens to it.
struct Peer {
    ws: WebSocketClient,
    events: ClientReceiver,
}

impl Peer {
    fn open(event_loop: &EventLoop, url: &str) -> Result<Self, Box<dyn Error>> {
        let ws = WebSocketClient::new(event_loop);
        let events = ws.receiver(100);
        ws.open(url)?;
        let peer = Self { ws, events };
        match peer.next()? {
            ClientEvent::Open(_) => Ok(peer),
            other => Err(format!("{url} does not open: {other:?}").into()),
        }
    }

    fn next(&self) -> Result<ClientEvent, Box<dyn Error>> {
        Ok(self.events.recv_timeout(PATIENCE)?)
    }

    fn gets_text(&self, expected: &str) -> Result<(), Box<dyn Error>> {
        match self.next()? {
            ClientEvent::Text(text) if text == expected => Ok(()),
            other => Err(format!("{other:?} in the place of {expected:?}").into()),
        }
    }

    /// Figures come with that in them.
    fn is_told(&self, part: &str) -> Result<(), Box<dyn Error>> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match self.next()? {
                ClientEvent::Text(text) if text.contains(part) => return Ok(()),
                ClientEvent::Text(_) => {}
                other => return Err(format!("{other:?} in the place of figures").into()),
            }
        }
        Err(format!("never told {part}").into())
    }

    /// Ends in order, with that code and reason; figures may still come before.
    fn closes(&self, code: u16, reason: &str) -> Result<(), Box<dyn Error>> {
        loop {
            match self.next()? {
                ClientEvent::Close(event) if right(&event, code, reason) => return Ok(()),
                ClientEvent::Text(text) if text.starts_with('{') => {}
                other => return Err(format!("{other:?} in the place of Close {code}").into()),
            }
        }
    }
}

fn right(event: &CloseEvent, code: u16, reason: &str) -> bool {
    event.clean && event.code == code && event.reason == reason
}

/// The page, its parts, and what is not there.
fn fetch_page(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut bytes = 0;
    for (path, status, part) in [
        ("/", "200 OK", "<canvas"),
        ("/page.css", "200 OK", "prefers-color-scheme"),
        ("/page.js", "200 OK", "new WebSocket("),
        ("/chart.js", "200 OK", "getContext("),
        ("/health", "204 No Content", ""),
        ("/echo", "426 Upgrade Required", ""),
        ("/favicon.ico", "404 Not Found", ""),
    ] {
        let answer = get(address, path)?;
        bytes += answer.len();
        if !answer.starts_with(&format!("HTTP/1.1 {status}\r\n")) || !answer.contains(part) {
            return Err(format!("GET {path}: {answer}").into());
        }
    }
    println!("the page and its parts are there: {bytes} bytes");
    Ok(())
}

fn get(address: SocketAddr, path: &str) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
