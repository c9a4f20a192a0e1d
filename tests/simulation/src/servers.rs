//! The servers under test: what is done with them, and what their callbacks are told.

use crate::ctx::{Ctx, lend};
use crate::history::{Place, ServerOp, ServerPlan};
use crate::oracle;
use crate::peers::{Caller, Framing, dialer};
use hvloop_event::conn::Listening;
use hvloop_event::sim::World;
use hvloop_event::{
    Address, Channel, ChannelId, CloseReason, LengthField, Listen, ListenError, ListenErrorKind,
    OwnedSocket, SendError, TcpServer, Unpack,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// One connection that came up.
#[derive(Debug)]
pub struct Served {
    pub channel: Channel,
    /// The connection, as its peer names it.
    pub fd: u64,
    /// What `on_message` had.
    pub got: Vec<Vec<u8>>,
    /// What was accepted for sending, in order; only if `ordered`.
    pub accepted: Vec<u8>,
    /// Everything was sent on the loop's thread, so that the order is known.
    pub ordered: bool,
    /// `on_message` gets what the plan says, and all of it.
    pub as_planned: bool,
    /// This side ended it.
    pub ended: bool,
    /// This side ended it at once.
    pub aborted: bool,
    pub closed: Option<CloseReason>,
}

/// See the module.
pub struct Server {
    pub plan: ServerPlan,
    pub server: RefCell<Option<TcpServer>>,
    pub served: RefCell<BTreeMap<ChannelId, Served>>,
    /// Where it listened the last time.
    pub address: RefCell<Option<Address>>,
}

impl Server {
    pub fn new(plan: ServerPlan) -> Self {
        Self {
            plan,
            server: RefCell::default(),
            served: RefCell::default(),
            address: RefCell::default(),
        }
    }

    /// Makes the library's server.
    pub fn make(&self, ctx: &Rc<Ctx>, s: usize) {
        let server = TcpServer::new(&ctx.event_loop);
        server.set_max_connections(self.plan.max_connections);
        if let Some(memory) = self.plan.memory {
            server.set_memory_limit(memory.limit);
            server.set_on_memory_limit(memory.manner());
        }
        server.set_unpack(unpack(self.plan.framing));
        server.on_connection(move |channel| {
            let channel = channel.clone();
            let first = move |ctx: &Rc<Ctx>| ctx.servers[s].opened(ctx, s, channel);
            called(Place::Open, format!("server {s}: on_connection"), first);
        });
        server.on_message(move |channel, data| {
            let (channel, data) = (channel.clone(), data.to_vec());
            let first = move |ctx: &Rc<Ctx>| ctx.servers[s].got(ctx, s, &channel, data);
            called(Place::Message, format!("server {s}: on_message"), first);
        });
        server.on_write_complete(move |_, _| {
            called(
                Place::Drain,
                format!("server {s}: on_write_complete"),
                |_| {},
            );
        });
        server.on_close(move |channel, reason| {
            let (id, reason) = (channel.id(), reason.clone());
            let first = move |ctx: &Rc<Ctx>| ctx.servers[s].closed(ctx, s, id, reason);
            called(Place::Close, format!("server {s}: on_close"), first);
        });
        server.on_failed(move |_, reason| {
            let text = format!("server {s}: on_failed: {reason}");
            called(Place::Close, text, |_| {});
        });
        *self.server.borrow_mut() = Some(server);
    }

    fn address(&self, s: usize) -> Address {
        match self.plan.unix {
            true => Address::Unix(Some(format!("/sim/{s}").into())),
            false => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 2000 + s as u16).into(),
        }
    }

    pub fn perform(&self, ctx: &Rc<Ctx>, s: usize, op: ServerOp) {
        match op {
            ServerOp::Listen => self.listen(ctx, s),
            ServerOp::Stop => {
                self.end_all(ctx);
                self.with(TcpServer::stop);
            }
            ServerOp::CloseListeners => self.with(TcpServer::close_listeners),
            ServerOp::Drop => {
                self.end_all(ctx);
                let server = self.server.borrow_mut().take();
                drop(server);
            }
            ServerOp::Dial(manner, messages) => self.dial(ctx, s, manner, messages),
            ServerOp::Send(n, size) => self.send(ctx, n, size),
            ServerOp::Broadcast(size) => {
                for served in self.served.borrow_mut().values_mut() {
                    served.ordered = false;
                }
                self.with(|server| {
                    server.broadcast(&vec![b'b'; size]);
                });
            }
            ServerOp::Close(n) => self.with_channel(n, |served| {
                served.ended = true;
                served.channel.close();
            }),
            ServerOp::Abort(n) => self.with_channel(n, |served| {
                served.ended = true;
                served.aborted = true;
                served.channel.close_now();
            }),
            ServerOp::HalfClose(n) => self.with_channel(n, |served| served.channel.shutdown()),
            ServerOp::Pause(n) => self.with_channel(n, |served| served.channel.pause_reading()),
            ServerOp::Resume(n) => self.with_channel(n, |served| served.channel.resume_reading()),
            ServerOp::Move(n) => {
                let event_loop = ctx.event_loop.clone();
                self.with_channel(n, move |served| served.channel.move_to(&event_loop));
            }
            ServerOp::ReadLine(n) => self.with_channel(n, |served| {
                served.as_planned = false;
                served.channel.read_line();
            }),
            ServerOp::ReadBytes(n, count) => self.with_channel(n, |served| {
                served.as_planned = false;
                served.channel.read_bytes(count);
            }),
            ServerOp::Beat(n, period) => self.with_channel(n, |served| {
                served.channel.set_heartbeat(period, |channel| {
                    let open = channel.is_connected();
                    called(Place::Timer, "heartbeat".to_owned(), move |ctx| {
                        ctx.check(open, || {
                            "a heartbeat of a channel that is closed".to_owned()
                        });
                    });
                });
            }),
        }
    }

    fn with(&self, f: impl FnOnce(&TcpServer)) {
        lend(&self.server, f);
    }

    /// The n-th that is open, counted round.
    fn with_channel(&self, n: usize, f: impl FnOnce(&mut Served)) {
        let mut served = self.served.borrow_mut();
        let open = served.values_mut().filter(|served| served.closed.is_none());
        let mut open: Vec<_> = open.collect();
        if let Some(n) = n.checked_rem(open.len()) {
            f(open[n]);
        }
    }

    fn end_all(&self, ctx: &Ctx) {
        let stops = self.server.borrow().is_some() && !ctx.ended.get();
        for served in self.served.borrow_mut().values_mut().filter(|_| stops) {
            served.ended = true;
        }
    }

    fn listen(&self, ctx: &Rc<Ctx>, s: usize) {
        let listen = match self.address(s) {
            Address::Unix(Some(path)) => Listen::unix(path),
            address => Listen::tcp(address.inet().unwrap_or_else(|| ([127, 0, 0, 1], 0).into())),
        };
        let mut listen = listen
            .backlog(self.plan.backlog)
            .send_limit(self.plan.send_limit)
            .write_timeout(self.plan.write_timeout)
            .read_timeout(self.plan.read_timeout)
            .idle_timeout(self.plan.idle_timeout)
            .open_timeout(self.plan.deadline)
            .close_timeout(self.plan.linger);
        if self.plan.tls {
            listen = listen.with_tls(ctx.certificates.server_config());
        }
        let address = self.address(s);
        self.with(|server| {
            let listening = match ctx.history.made_elsewhere(s) {
                true => listen_on_made(&address, self.plan.backlog, listen, |listening| {
                    server.listen_on(listening)
                }),
                false => server.listen(listen),
            };
            ctx.world.note(|| format!("listen: {listening:?}"));
            match listening {
                Ok(address) => *self.address.borrow_mut() = Some(address),
                Err(e) => {
                    let may = may_fail(ctx, &e);
                    ctx.check(may, || format!("server {s} cannot listen: {e}"));
                }
            }
        });
    }

    fn dial(&self, ctx: &Rc<Ctx>, s: usize, manner: crate::history::Manner, messages: u64) {
        let sizes = [1, 30, 400, 5_000, 70_000];
        let message = |n| {
            let size = sizes[(n as usize + messages as usize) % sizes.len()];
            self.plan.framing.message(n, size)
        };
        let messages = (0..messages).map(message).collect();
        let tls = self.plan.tls.then(|| ctx.certificates.clone());
        let peer = dialer(s, manner, tls, &ctx.logs, move |log| {
            Box::new(Caller::new(manner, messages, log))
        });
        ctx.world.dial(self.address(s), Duration::ZERO, peer);
    }

    fn send(&self, ctx: &Rc<Ctx>, n: usize, size: usize) {
        let on_loop = ctx.on_loop_thread();
        let shared = n.is_multiple_of(2);
        self.with_channel(n, |served| {
            let data = vec![b's'; size];
            let sent = match shared {
                true => served.channel.send_shared(&Arc::from(&data[..])),
                false => served.channel.send(&data),
            };
            served.ordered &= on_loop;
            if sent.is_ok() {
                served.accepted.extend(data);
            }
        });
    }

    fn opened(&self, ctx: &Rc<Ctx>, s: usize, channel: Channel) {
        let port = channel.peer_addr().map_or(0, |peer| peer.port());
        let served = Served {
            fd: u64::from(port.saturating_sub(20_000)),
            channel: channel.clone(),
            got: Vec::new(),
            accepted: Vec::new(),
            ordered: true,
            as_planned: true,
            ended: false,
            aborted: false,
            closed: None,
        };
        let before = self.served.borrow_mut().insert(channel.id(), served);
        ctx.check(before.is_none(), || {
            format!("server {s}: a channel opened twice")
        });
        let count = self.server.borrow().as_ref().map(TcpServer::connection_num);
        ctx.check(count.is_none_or(|n| n <= self.plan.max_connections), || {
            format!("server {s} has {count:?} connections")
        });
    }

    fn got(&self, ctx: &Rc<Ctx>, s: usize, channel: &Channel, data: Vec<u8>) {
        let mut served = self.served.borrow_mut();
        let Some(served) = served.get_mut(&channel.id()) else {
            return ctx.violation(format!("server {s}: a message before on_connection"));
        };
        ctx.check(served.closed.is_none(), || {
            format!("server {s}: a message after on_close")
        });
        // The echo.
        match channel.send(&data) {
            Ok(()) => served.accepted.extend(&data),
            Err(SendError::QueueFull { .. }) => {
                served.ended = true;
                served.aborted = true;
                channel.close_now();
            }
            Err(_) => served.ordered = false,
        }
        served.got.push(data);
    }

    fn closed(&self, ctx: &Rc<Ctx>, s: usize, id: ChannelId, reason: CloseReason) {
        ctx.world.note(|| format!("server {s}: {reason:?}"));
        let mut served = self.served.borrow_mut();
        let Some(served) = served.get_mut(&id) else {
            return ctx.violation(format!("server {s}: on_close before on_connection"));
        };
        ctx.check(served.closed.is_none(), || {
            format!("I5: server {s}: on_close twice")
        });
        ctx.check(!served.channel.is_connected(), || {
            format!("server {s}: open in on_close")
        });
        oracle::check_served(ctx, s, served, &reason);
        served.closed = Some(reason);
    }
}

fn unpack(framing: Framing) -> Option<Unpack> {
    let built = match framing {
        Framing::None => return None,
        Framing::Lines => Unpack::delimiter(b"\n").build(),
        Framing::Lengths => {
            let field = LengthField::new().body_offset(4).offset(0).bytes(4);
            Unpack::length_field(field).build()
        }
    };
    built.ok()
}

/// Listens with a listener that was made elsewhere.
pub fn listen_on_made(
    address: &Address,
    backlog: u32,
    listen: Listen,
    listen_on: impl FnOnce(Listening) -> Result<Address, ListenError>,
) -> Result<Address, ListenError> {
    match OwnedSocket::listener(address, backlog) {
        Ok(listener) => listen_on(Listening::from_listener(listener, listen)?),
        // As the library itself is told.
        Err(_) => listen_on(listen.bind()?),
    }
}

/// A callback of a server's.
fn called(place: Place, what: String, first: impl FnOnce(&Rc<Ctx>)) {
    Ctx::with(|ctx| ctx.callback(place, || what, || first(ctx)));
}

/// Whether anything listens where a server did.
pub fn listens(world: &World, address: &RefCell<Option<Address>>) -> bool {
    let address = address.borrow();
    address
        .as_ref()
        .is_some_and(|address| world.listens(address))
}

/// Whether a server may fail to listen for that.
pub fn may_fail(ctx: &Ctx, e: &ListenError) -> bool {
    match e.kind() {
        ListenErrorKind::AddressInUse => true,
        ListenErrorKind::LoopClosed => ctx.event_loop.is_stopping(),
        _ => ctx.history.faults.no_fd > 0.0,
    }
}
