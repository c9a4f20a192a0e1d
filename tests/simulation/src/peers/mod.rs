//! The other ends: what a peer says, plain or through TLS, and what it saw.

mod caller;
mod frames;
mod proxy;
mod raw;
mod tls;
mod visitor;
mod websocket;

pub use caller::{Caller, Framing, dialer};
pub use proxy::{PASSWORD, USER};
pub use tls::{Certificates, reseed};
pub use visitor::{Errand, Visitor};

use crate::deflating::DeflatePlan;
use crate::history::{ClientPlan, Kind, Manner};
use hvloop_event::sim::{Peer, PeerIo};
use proxy::{Answer, Proxy};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Duration;
use websocket::WebSocketPeer;

/// What the peers saw, by connection.
pub type Logs = Rc<RefCell<BTreeMap<u64, Log>>>;

/// What one peer saw and did.
#[derive(Debug, Default)]
pub struct Log {
    pub client: usize,
    /// Messages that came (WebSocket).
    pub messages: Vec<Vec<u8>>,
    /// Messages that it sent.
    pub sent: Vec<Vec<u8>>,
    /// Bytes that came (TCP).
    pub bytes: Vec<u8>,
    /// Bytes that it sent.
    pub bytes_sent: usize,
    /// How many Pings it sent: each says which one it is.
    pub pings: usize,
    /// The latest of them that was answered. One that is behind a full line stands for those before it.
    pub ponged: usize,
    /// The Close that came.
    pub close: Option<u16>,
    pub close_sent: bool,
    /// The code of the Close that it sent of its own.
    pub said: Option<u16>,
    /// What its upgrade was answered.
    pub status: Option<u16>,
    /// Its upgrade was none that a server could accept.
    pub bad_request: bool,
    /// Something came behind the Close.
    pub after_close: bool,
    /// It could not make sense of what came.
    pub nonsense: Option<String>,
    /// TLS was ended in order.
    pub notified: bool,
    /// The stream ended in order.
    pub ended: bool,
    pub reset: bool,
    /// It broke the connection, or the rules.
    pub misbehaved: bool,
}

impl Log {
    /// The payload of the next Ping.
    pub fn ping(&mut self) -> Vec<u8> {
        self.pings += 1;
        self.pings.to_string().into_bytes()
    }

    /// A Pong came: none comes twice, or behind a later one.
    fn pong(&mut self, payload: &[u8]) {
        let number = str::from_utf8(payload).ok().and_then(|n| n.parse().ok());
        match number {
            Some(number) if self.ponged < number && number <= self.pings => self.ponged = number,
            _ => {
                let what = String::from_utf8_lossy(payload);
                self.nonsense = Some(format!("Pong {what:?} behind {}", self.ponged));
            }
        }
    }
}

/// Bytes of a flood's first wave; as many more follow bit by bit, and then it is over: histories must
/// end.
pub const FLOOD: usize = 400_000;

/// What a peer wants done.
pub enum Act {
    Send(Vec<u8>),
    /// Sends below TLS.
    Raw(Vec<u8>),
    Shutdown,
    /// Ends the stream without ending TLS.
    Cut,
    Reset,
    Timer(Duration, u64),
    Read(bool),
}

/// A peer above the transport.
pub trait Talk {
    fn start(&mut self, out: &mut Vec<Act>);
    fn data(&mut self, data: &[u8], out: &mut Vec<Act>);
    fn end(&mut self, out: &mut Vec<Act>);
    fn timer(&mut self, tag: u64, out: &mut Vec<Act>);
    fn room(&mut self, out: &mut Vec<Act>);
}

/// The timer of what a peer does at its time.
const AT: u64 = 0;
/// The timer of a slow peer, which reads again.
const READ: u64 = 2;

/// A slow peer leaves what comes for a while.
fn rest(manner: Manner, out: &mut Vec<Act>) {
    if let Manner::Slow(pause) = manner {
        out.push(Act::Read(false));
        out.push(Act::Timer(pause, READ));
    }
}

/// How a peer leaves that does not say goodbye: with the end of TLS, or without.
fn leave(after: Duration) -> Act {
    if after.as_millis().is_multiple_of(2) {
        Act::Shutdown
    } else {
        Act::Cut
    }
}

/// Bytes that mean nothing: to TLS, or to what is above it.
fn garbage(after: Duration) -> Act {
    let bytes = vec![0xff; 40];
    if after.as_millis().is_multiple_of(2) {
        Act::Send(bytes)
    } else {
        Act::Raw(bytes)
    }
}

/// Makes the peer of connection `fd`.
pub fn peer(
    fd: u64,
    client: usize,
    plan: &ClientPlan,
    certificates: &Certificates,
    logs: &Logs,
) -> Box<dyn Peer> {
    let manner = plan.manner;
    let log = Log {
        client,
        ..Log::default()
    };
    logs.borrow_mut().insert(fd, log);
    let log = LogOf {
        logs: logs.clone(),
        fd,
    };
    let talk: Box<dyn Talk> = match plan.kind {
        Kind::WebSocket => {
            let deflate = plan.deflate.as_ref().and_then(DeflatePlan::agreed);
            let log = log.clone();
            Box::new(WebSocketPeer::new(manner, deflate, plan.hops, log))
        }
        Kind::Tcp => Box::new(raw::RawPeer::new(manner, log.clone())),
    };
    let tls = (plan.tls && manner != Manner::Mute).then(|| certificates.server());
    let mut transport = Transport::new(talk, tls, log, manner);
    transport.proxy = plan.proxy.map(|plan| Proxy::new(plan, TARGET));
    Box::new(transport)
}

/// Where clients go that ask a proxy.
pub const TARGET: (&str, u16) = ("name.test", 4000);

/// The log of one connection.
#[derive(Clone)]
pub struct LogOf {
    logs: Logs,
    fd: u64,
}

impl LogOf {
    pub fn fd(&self) -> u64 {
        self.fd
    }

    pub fn with<R>(&self, f: impl FnOnce(&mut Log) -> R) -> R {
        f(self.logs.borrow_mut().entry(self.fd).or_default())
    }
}

/// The transport's part: TLS, and bytes that are sent a few at a time.
struct Transport {
    talk: Box<dyn Talk>,
    tls: Option<Box<rustls::Connection>>,
    /// Until it has let the client through.
    proxy: Option<Proxy>,
    log: LogOf,
    slow: Option<VecDeque<u8>>,
    shut: bool,
    at_once: bool,
    started: bool,
    /// It takes a little every so often.
    sips: Option<Duration>,
}

/// The timers that send, and take, the next few bytes; those of the talk are even.
const DRIP: u64 = u64::MAX;
const SIP: u64 = u64::MAX - 2;

impl Transport {
    fn new(
        talk: Box<dyn Talk>,
        tls: Option<Box<rustls::Connection>>,
        log: LogOf,
        manner: Manner,
    ) -> Self {
        Self {
            talk,
            tls,
            proxy: None,
            log,
            slow: (manner == Manner::Dribble).then(VecDeque::new),
            shut: false,
            // The end of a stream in the middle of a TLS handshake is not an orderly one.
            at_once: manner == Manner::Drop,
            started: false,
            sips: manner.sips(),
        }
    }

    fn act(&mut self, io: &mut PeerIo, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Send(data) => match self.tls.as_mut() {
                    Some(tls) => {
                        // An ended session takes no more.
                        let _ = tls.writer().write_all(&data);
                    }
                    None => self.send(io, &data),
                },
                Act::Shutdown => {
                    if let Some(tls) = self.tls.as_mut() {
                        tls.send_close_notify();
                    }
                    self.flush(io);
                    self.shut = true;
                    if self.slow.as_ref().is_none_or(VecDeque::is_empty) {
                        io.shutdown();
                    }
                }
                Act::Raw(data) => {
                    self.log.with(|log| log.misbehaved = true);
                    self.flush(io);
                    self.send(io, &data);
                }
                Act::Cut => {
                    self.flush(io);
                    self.log.with(|log| log.misbehaved = true);
                    io.shutdown();
                }
                Act::Reset => {
                    io.note(|| "breaks the connection".to_owned());
                    self.log.with(|log| log.misbehaved = true);
                    io.reset();
                }
                Act::Timer(after, tag) => io.timer(after, tag),
                Act::Read(on) => io.read(on),
            }
        }
        self.flush(io);
    }

    /// Moves ciphertext out.
    fn flush(&mut self, io: &mut PeerIo) {
        let Some(tls) = self.tls.as_mut() else { return };
        let mut cipher = Vec::new();
        while tls.wants_write() {
            if !matches!(tls.write_tls(&mut cipher), Ok(n) if n > 0) {
                break;
            }
        }
        self.send(io, &cipher);
    }

    fn send(&mut self, io: &mut PeerIo, data: &[u8]) {
        match self.slow.as_mut() {
            None => io.send(data),
            Some(slow) => {
                if slow.is_empty() && !data.is_empty() {
                    io.timer(Duration::from_micros(20), DRIP);
                }
                slow.extend(data);
            }
        }
    }

    /// Takes in what came while the proxy has to do with it; what is left for the peer behind it.
    fn through_proxy(&mut self, io: &mut PeerIo, data: &[u8], out: &mut Vec<Act>) -> Vec<u8> {
        let Some(proxy) = self.proxy.as_mut() else {
            return data.to_vec();
        };
        match proxy.feed(data) {
            Answer::More(answer) => self.send(io, &answer),
            Answer::Through(answer, rest) => {
                self.send(io, &answer);
                self.proxy = None;
                self.begin(out);
                return rest;
            }
            Answer::End(answer) => {
                self.log.with(|log| log.misbehaved = true);
                self.send(io, &answer);
                self.shut = true;
                if self.slow.as_ref().is_none_or(VecDeque::is_empty) {
                    io.shutdown();
                }
            }
            Answer::Nonsense(why) => self.log.with(|log| log.nonsense = Some(why)),
        }
        Vec::new()
    }

    /// The connection is there, or what the proxy made of it: a talk below TLS begins.
    fn begin(&mut self, out: &mut Vec<Act>) {
        if self.tls.is_none() || self.at_once {
            self.started = true;
            self.talk.start(out);
        }
    }

    /// Takes in what came, through TLS if there is any.
    fn plain(&mut self, io: &mut PeerIo, mut data: &[u8], out: &mut Vec<Act>) {
        let Some(tls) = self.tls.as_mut() else {
            return self.talk.data(data, out);
        };
        while !data.is_empty() {
            if tls.read_tls(&mut data).is_err() {
                break;
            }
            match tls.process_new_packets() {
                Ok(state) => {
                    if !tls.is_handshaking() && !std::mem::replace(&mut self.started, true) {
                        self.talk.start(out);
                    }
                    let mut plain = vec![0; state.plaintext_bytes_to_read()];
                    if tls.reader().read_exact(&mut plain).is_ok() && !plain.is_empty() {
                        self.talk.data(&plain, out);
                    }
                    if state.peer_has_closed() {
                        self.log.with(|log| log.notified = true);
                        break;
                    }
                }
                Err(e) => {
                    self.log.with(|log| log.nonsense = Some(e.to_string()));
                    io.note(|| format!("TLS: {e}"));
                    break;
                }
            }
        }
    }
}

impl Peer for Transport {
    fn on_connect(&mut self, io: &mut PeerIo) {
        if let Some(every) = self.sips {
            io.read(false);
            io.timer(every, SIP);
        }
        let mut out = Vec::new();
        if self.proxy.is_none() {
            self.begin(&mut out);
        }
        self.act(io, out);
    }

    fn on_data(&mut self, io: &mut PeerIo, data: &[u8]) {
        let mut out = Vec::new();
        let data = self.through_proxy(io, data, &mut out);
        if !data.is_empty() {
            self.plain(io, &data, &mut out);
        }
        self.act(io, out);
    }

    fn on_end(&mut self, io: &mut PeerIo) {
        io.note(|| "the stream has ended".to_owned());
        self.log.with(|log| log.ended = true);
        self.sips = None;
        let mut out = Vec::new();
        self.talk.end(&mut out);
        self.act(io, out);
    }

    fn on_reset(&mut self, io: &mut PeerIo) {
        io.note(|| "the connection is broken".to_owned());
        self.log.with(|log| log.reset = true);
    }

    fn on_timer(&mut self, io: &mut PeerIo, tag: u64) {
        if tag == DRIP {
            let Some(slow) = self.slow.as_mut() else {
                return;
            };
            // So that long messages do not take for ever.
            let count = slow.len().min(1 + slow.len() / 50);
            let data: Vec<u8> = slow.drain(..count).collect();
            io.send(&data);
            if !slow.is_empty() {
                io.timer(Duration::from_micros(20), DRIP);
            } else if self.shut {
                io.shutdown();
            }
            return;
        }
        if tag == SIP {
            if let Some(every) = self.sips {
                io.sip();
                io.timer(every, SIP);
            }
            return;
        }
        let mut out = Vec::new();
        self.talk.timer(tag, &mut out);
        self.act(io, out);
    }

    fn on_room(&mut self, io: &mut PeerIo) {
        let mut out = Vec::new();
        self.talk.room(&mut out);
        if !out.is_empty() {
            self.act(io, out);
        }
    }
}
