//! A chat with rooms: each room is a topic, and the guests are spread over the loops of a pool.
//!
//! `cargo run --example chat -- 127.0.0.1:1234` serves until Ctrl-C, for clients such as
//! `websocket_client ws://127.0.0.1:1234/`; without an address it plays its own guests, and ends.
//!
//! A guest says `/join ROOM`, `/leave ROOM` or `ROOM: something`, and hears what is said in its rooms.

use clap::Parser;
use hvloop::{
    CloseEvent, EventLoop, EventLoopThread, EventLoopThreadPool, Listen, Message, ServiceOptions,
    WebSocketChannel, WebSocketClient, WebSocketServer, WebSocketService, WhenFull, signal,
};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A chat with rooms.
#[derive(Parser)]
struct Args {
    /// Where to listen; without it a demonstration runs.
    address: Option<SocketAddr>,
    /// How many loops serve.
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

/// Rooms that one guest may be in: peers name the topics here.
const MAX_ROOMS: usize = 20;

fn name(guest: &WebSocketChannel) -> String {
    format!("guest {}", guest.peer_addr().map_or(0, |peer| peer.port()))
}

/// Does what a guest asks for; what to answer.
fn obey(guest: &WebSocketChannel, command: &str) -> String {
    let is_room = |room: &str| !room.is_empty() && room.len() <= 30;
    if let Some(room) = command.strip_prefix("/join ").filter(|room| is_room(room)) {
        if guest.topics().len() >= MAX_ROOMS {
            return "you are in too many rooms".to_owned();
        }
        guest.subscribe(room);
        guest.publish_text(room, &format!("{room}: {} joins", name(guest)));
        return format!("you are in {room}");
    }
    if let Some(room) = command.strip_prefix("/leave ") {
        return match guest.unsubscribe(room) {
            true => format!("you left {room}"),
            false => format!("you are not in {room}"),
        };
    }
    match command.split_once(": ") {
        Some((room, words)) if guest.is_subscribed(room) => {
            let others = guest.publish_text(room, &format!("{room}: {}: {words}", name(guest)));
            format!("{others} heard you")
        }
        _ => "say /join ROOM, /leave ROOM or ROOM: WORDS".to_owned(),
    }
}

fn chat() -> WebSocketService {
    // One that does not keep up has to leave: it would miss what is said.
    let options = ServiceOptions::new().when_full(WhenFull::Close);
    WebSocketService::new()
        .options(options)
        .on_message(|guest, message| {
            let answer = match message {
                Message::Text(command) => obey(guest, command),
                Message::Binary(_) => "words, please".to_owned(),
            };
            // Refused only if the guest is on its way out.
            guest.send_text(&answer).unwrap_or_default();
        })
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let acceptor = EventLoop::new()?;
    acceptor.stop_on_signals(&[signal::SIGINT, signal::SIGTERM])?;
    let pool = EventLoopThreadPool::with_threads(args.workers)?;
    pool.start()?;
    let server = WebSocketServer::with_workers(&acceptor, &pool);
    server.route("/", chat());
    let demo = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = server.listen(Listen::tcp(args.address.unwrap_or(demo)))?;
    println!("chatting at ws://{address}/");
    let guests = args.address.is_none().then(|| {
        let stop = acceptor.clone();
        std::thread::spawn(move || {
            let played = play(&format!("ws://{address}/")).map_err(|e| e.to_string());
            stop.stop();
            played
        })
    });
    acceptor.run()?;
    // The acceptor's loop has ended; the guests' are told, side by side.
    pool.stop();
    for report in pool.join()? {
        println!("{report}");
    }
    match guests.map(std::thread::JoinHandle::join) {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(e))) => Err(e.into()),
        Some(Err(_)) => Err("the guests panicked".into()),
    }
}

/// A guest of the demonstration.
struct Guest {
    ws: WebSocketClient,
    heard: Receiver<String>,
}

impl Guest {
    fn new(event_loop: &EventLoop, url: &str) -> Result<Self, Box<dyn Error>> {
        let ws = WebSocketClient::new(event_loop);
        let (tell, heard) = channel();
        let opened = tell.clone();
        ws.on_open(move |_, _| opened.send("open".to_owned()).unwrap_or_default());
        let closed = tell.clone();
        ws.on_message(move |_, message| {
            let words = String::from_utf8_lossy(message.as_bytes()).into_owned();
            tell.send(words).unwrap_or_default();
        });
        ws.on_close(move |_, event: &CloseEvent| {
            closed.send(format!("closed {event}")).unwrap_or_default();
        });
        ws.open(url)?;
        let guest = Self { ws, heard };
        guest.hears("open")?;
        Ok(guest)
    }

    fn says(&self, words: &str, answer: &str) -> Result<(), Box<dyn Error>> {
        self.ws.send_text(words)?;
        self.hears(answer)
    }

    /// The next thing to be heard ends like this.
    fn hears(&self, expected: &str) -> Result<(), Box<dyn Error>> {
        let words = self.heard.recv_timeout(Duration::from_secs(30))?;
        println!("{words}");
        match words.ends_with(expected) {
            true => Ok(()),
            false => Err(format!("{words:?} instead of {expected:?}").into()),
        }
    }
}

/// What the demonstration's guests do.
fn play(url: &str) -> Result<(), Box<dyn Error>> {
    let thread = EventLoopThread::new()?;
    thread.start()?;
    let guest = || Guest::new(thread.event_loop(), url);
    let (ann, bob, cid) = (guest()?, guest()?, guest()?);
    ann.says("/join tea", "you are in tea")?;
    bob.says("/join tea", "you are in tea")?;
    ann.hears("joins")?;
    cid.says("/join coffee", "you are in coffee")?;
    ann.says("tea: is it ready?", "1 heard you")?;
    bob.hears("is it ready?")?;
    cid.says("tea: me too", "say /join ROOM, /leave ROOM or ROOM: WORDS")?;
    cid.says("/join tea", "you are in tea")?;
    ann.hears("joins")?;
    bob.hears("joins")?;
    bob.says("/leave tea", "you left tea")?;
    ann.says("tea: it is", "1 heard you")?;
    cid.hears("it is")?;
    for guest in [&ann, &bob, &cid] {
        guest.ws.close(1000, "bye")?;
        guest.hears("closed 1000")?;
    }
    thread.stop();
    match thread.join()?.is_clean() {
        true => Ok(()),
        false => Err("the guests' loop did not end cleanly".into()),
    }
}
