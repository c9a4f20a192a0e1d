//! Datagram sockets, descriptors of a user's and idle callbacks: what is done with them, and what must
//! hold of each.

use crate::ctx::Ctx;
use crate::history::{ExtraOp, Place};
use hvloop_event::sim::{DatagramIo, DatagramPeer};
use hvloop_event::{
    CloseReason, ConnectError, Interest, IoHandle, ListenErrorKind, OwnedSocket, UdpClient,
    UdpOptions, UdpServer,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

/// See the module.
#[derive(Default)]
pub struct Extras {
    server: RefCell<Option<UdpServer>>,
    client: RefCell<Option<UdpClient>>,
    /// Sockets that were opened and whose `on_close` has not come.
    live: [Cell<bool>; 2],
    opened: [Cell<bool>; 2],
    /// Datagrams of the peers by number: how often the library had them.
    received: RefCell<BTreeMap<u64, usize>>,
    next: Cell<u64>,
    /// Answers that the client has still to give.
    answers: Cell<usize>,
    pipes: RefCell<Vec<Option<(IoHandle, usize)>>>,
    idles: RefCell<Vec<(u32, u32)>>,
}

/// Where the datagram peers are.
fn peer_at(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

const ECHO: u16 = 3000;
const SERVER: u16 = 3001;
/// Nobody listens there, but datagrams come from it.
const SENDER: u16 = 3002;

/// Sends back what comes.
struct Echo;

impl DatagramPeer for Echo {
    fn on_datagram(&mut self, io: &mut DatagramIo, data: &[u8], from: SocketAddr) {
        io.send_to(data, from);
    }
}

/// What a datagram of that number and size holds.
fn content(number: u64, size: usize) -> Vec<u8> {
    let mut data = number.to_be_bytes().to_vec();
    data.resize(size.max(8), number as u8);
    data
}

impl Extras {
    pub fn set_up(&self, ctx: &Rc<Ctx>) {
        ctx.world.datagram_peer(peer_at(ECHO), Box::new(Echo));
        *self.server.borrow_mut() = Some(UdpServer::new(&ctx.event_loop));
        *self.client.borrow_mut() = Some(UdpClient::new(&ctx.event_loop));
    }

    pub fn drop_handles(&self) {
        let server = self.server.borrow_mut().take();
        let client = self.client.borrow_mut().take();
        drop((server, client));
    }

    pub fn perform(&self, ctx: &Rc<Ctx>, op: ExtraOp) {
        match op {
            ExtraOp::Bind => self.bind(ctx),
            ExtraOp::Arrive(count, size) => {
                for _ in 0..count {
                    let data = content(self.number(), size);
                    ctx.world
                        .send_to_socket(peer_at(SERVER), peer_at(ECHO), &data);
                }
            }
            ExtraOp::SendTo(size) => {
                if let Some(server) = &*self.server.borrow() {
                    let data = content(self.number(), size);
                    let _refused_or_sent = server.send_to(&data, peer_at(ECHO));
                }
            }
            ExtraOp::SendMany(count) => {
                for _ in 0..count {
                    self.perform(ctx, ExtraOp::SendTo(8));
                    self.perform(ctx, ExtraOp::Send(8));
                }
            }
            ExtraOp::CloseServer => {
                if let Some(server) = &*self.server.borrow() {
                    server.close();
                }
            }
            ExtraOp::Open(known) => self.open(ctx, known),
            ExtraOp::Send(size) => {
                if let Some(client) = &*self.client.borrow() {
                    let data = content(self.number(), size);
                    let _refused_or_sent = client.send(&data);
                }
            }
            ExtraOp::Answer(count) => self.answers.set(count),
            ExtraOp::CloseClient => {
                if let Some(client) = &*self.client.borrow() {
                    client.close();
                }
            }
            ExtraOp::Pipe => self.pipe(ctx),
            ExtraOp::Fill(n) => {
                let pipes = self.pipes.borrow();
                let pipe = n.checked_rem(pipes.len()).and_then(|n| pipes[n].as_ref());
                if let Some((_, id)) = pipe {
                    ctx.world.fill(*id, b"something");
                }
            }
            ExtraOp::ClosePipe(n) => {
                let handle = {
                    let pipes = self.pipes.borrow();
                    let pipe = n.checked_rem(pipes.len()).and_then(|n| pipes[n].as_ref());
                    pipe.map(|(handle, _)| handle.clone())
                };
                if let Some(handle) = handle {
                    let _closed_or_gone = handle.close();
                }
            }
            ExtraOp::Idle(repeat) => self.idle(ctx, repeat),
        }
    }

    /// How many of the two sockets were ever open.
    pub fn sockets(&self) -> u64 {
        self.opened.iter().filter(|opened| opened.get()).count() as u64
    }

    fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    fn bind(&self, ctx: &Rc<Ctx>) {
        let server = self.server.borrow_mut().take();
        let Some(server) = server else { return };
        server.on_message(|socket, data, from| {
            let (socket, data) = (socket.clone(), data.to_vec());
            called(Place::Message, "UDP server", move |ctx| {
                ctx.extras.got(ctx, &data);
                // Not to the one that answers: that would never end.
                if from == peer_at(SENDER) {
                    let _refused_or_sent = socket.send_to(&data, from);
                }
            });
        });
        server.on_write_complete(|_, _| called(Place::Drain, "UDP server, all sent", |_| {}));
        server.on_close(|reason| closed(0, reason));
        let options = UdpOptions::new().send_limit(100_000);
        let made = match ctx.history.made_elsewhere(0) {
            true => OwnedSocket::datagrams(peer_at(SERVER), None).ok(),
            false => None,
        };
        let bound = match made {
            Some(socket) => server.open(socket, options),
            None => server.bind(peer_at(SERVER), options),
        };
        ctx.world.note(|| format!("bind: {bound:?}"));
        match bound {
            Ok(_) => {
                let before = self.live[0].replace(true);
                self.opened[0].set(true);
                ctx.check(!before, || "a UDP server was bound twice".to_owned());
            }
            Err(e) => {
                let may = match e.kind() {
                    ListenErrorKind::AddressInUse | ListenErrorKind::AlreadyOpen => {
                        self.live[0].get()
                    }
                    ListenErrorKind::LoopClosed => ctx.event_loop.is_stopping(),
                    _ => ctx.history.faults.no_fd > 0.0,
                };
                ctx.check(may, || format!("a UDP server cannot be bound: {e}"));
            }
        }
        *self.server.borrow_mut() = Some(server);
    }

    fn open(&self, ctx: &Rc<Ctx>, known: bool) {
        let client = self.client.borrow_mut().take();
        let Some(client) = client else { return };
        client.on_open(|_| called(Place::Open, "UDP client", |_| {}));
        client.on_message(|channel, data, from| {
            let (channel, data) = (channel.clone(), data.to_vec());
            called(Place::Message, "UDP client", move |ctx| {
                ctx.check(from == peer_at(ECHO), || format!("a datagram from {from}"));
                ctx.extras.got(ctx, &data);
                if let Some(left) = ctx.extras.answers.get().checked_sub(1) {
                    ctx.extras.answers.set(left);
                    let answer = content(ctx.extras.number(), 8);
                    let _refused_or_sent = channel.send(&answer);
                }
            });
        });
        client.on_error(|_, _, _| called(Place::Message, "UDP client, error", |_| {}));
        client.on_close(|reason| closed(1, reason));
        let (host, port) = match known {
            true => ("127.0.0.1", ECHO),
            false => ("lookup.test", 3999),
        };
        let any = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let made = match known && ctx.history.made_elsewhere(1) {
            true => OwnedSocket::datagrams(any, Some(peer_at(ECHO))).ok(),
            false => None,
        };
        let opened = match made {
            Some(socket) => client.open_socket(socket, UdpOptions::new()),
            None => client.open(host, port, UdpOptions::new()),
        };
        ctx.world.note(|| format!("open: {opened:?}"));
        match opened {
            Ok(()) => {
                let before = self.live[1].replace(true);
                self.opened[1].set(true);
                ctx.check(!before, || "a UDP client was opened twice".to_owned());
            }
            Err(ConnectError::LoopClosed) => ctx.check(ctx.event_loop.is_stopping(), || {
                "a UDP client says that the loop is closed".to_owned()
            }),
            Err(_) => ctx.check(self.live[1].get(), || {
                "a UDP client is closed and says that it is open".to_owned()
            }),
        }
        *self.client.borrow_mut() = Some(client);
    }

    fn got(&self, ctx: &Ctx, data: &[u8]) {
        let head = data.get(..8).and_then(|head| head.try_into().ok());
        let number = head.map(u64::from_be_bytes);
        let Some(number) = number else {
            return ctx.violation("a datagram was cut");
        };
        ctx.check(content(number, data.len()) == data, || {
            format!("datagram {number} was changed")
        });
        let times = {
            let mut received = self.received.borrow_mut();
            let times = received.entry(number).or_insert(0);
            *times += 1;
            *times
        };
        // Twice on the way there, each twice on the way back, at either socket.
        let most = if ctx.history.faults.datagram_twice > 0.0 {
            64
        } else {
            3
        };
        ctx.check(times <= most, || {
            format!("datagram {number} came {times} times")
        });
    }

    fn pipe(&self, ctx: &Rc<Ctx>) {
        let Some(local) = ctx.event_loop.local() else {
            return;
        };
        let pipe = ctx.world.pipe();
        let (id, n) = (pipe.id(), self.pipes.borrow().len());
        let added = local.add_source(pipe, Interest::Read, move |handle, pipe, _| {
            let mut buffer = [0; 4];
            let read = pipe.read(&mut buffer);
            if read.is_ok() {
                let _refused_or_asked = handle.call_again();
            }
            called(Place::Task, "pipe", move |ctx| {
                let gone = ctx
                    .extras
                    .pipes
                    .borrow()
                    .get(n)
                    .is_some_and(Option::is_none);
                ctx.check(!gone, || {
                    "a source that is off the loop was called".to_owned()
                });
            });
        });
        match added {
            Ok(handle) => self.pipes.borrow_mut().push(Some((handle, id))),
            Err(e) => ctx.check(ctx.event_loop.is_stopping(), || {
                format!("a source was refused: {e}")
            }),
        }
    }

    fn idle(&self, ctx: &Rc<Ctx>, repeat: u32) {
        let n = {
            let mut idles = self.idles.borrow_mut();
            idles.push((repeat, 0));
            idles.len() - 1
        };
        let set = ctx.event_loop.set_idle(Some(repeat), move |_| {
            called(Place::Task, "idle", move |ctx| {
                let (repeat, calls) = {
                    let mut idles = ctx.extras.idles.borrow_mut();
                    idles[n].1 += 1;
                    idles[n]
                };
                ctx.check(calls <= repeat, || {
                    format!("an idle callback of {repeat} calls was called {calls} times")
                });
            });
        });
        let refused = set.is_err() && !ctx.event_loop.is_stopping();
        ctx.check(!refused, || "an idle callback was refused".to_owned());
    }

    pub fn check_end(&self, ctx: &Ctx) {
        for (n, live) in self.live.iter().enumerate() {
            ctx.check(!live.get(), || {
                format!("I5: UDP socket {n}: its on_close never came")
            });
        }
    }
}

fn closed(n: usize, reason: &CloseReason) {
    let text = format!("UDP socket {n} closed: {reason}");
    called(Place::Close, &text, |ctx| {
        let live = ctx.extras.live[n].replace(false);
        ctx.check(live, || format!("I5: UDP socket {n}: on_close twice"));
    });
}

fn called(place: Place, what: &str, first: impl FnOnce(&Rc<Ctx>)) {
    Ctx::with(|ctx| ctx.callback(place, || what.to_owned(), || first(ctx)));
}
