//! The WebSocket servers under test: what is done with them.

mod callbacks;

use crate::clients::{Accepted, Ended, overtake};
use crate::ctx::{Ctx, lend};
use crate::deflating::{DeflatePlan, fill};
use crate::history::{Place, ServiceOp, ServicePlan, VisitPlan};
use crate::oracle;
use crate::peers::{Errand, Visitor, dialer};
use crate::servers::{listen_on_made, may_fail};
use hvloop_event::{Address, ChannelId, Listen, SendError};
use hvloop_ws::handshake::HttpResponse;
use hvloop_ws::http::StatusCode;
use hvloop_ws::{
    CloseEvent, Message, WebSocketChannel, WebSocketServer, WebSocketService, WhenFull,
};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// One connection that became a WebSocket.
#[derive(Debug)]
pub struct Visited {
    pub channel: WebSocketChannel,
    /// The connection, as its peer names it.
    pub fd: u64,
    pub accepted: Vec<Accepted>,
    /// Messages for several, of which it is not known whether they were accepted for this one.
    pub maybe: Vec<Vec<u8>>,
    pub got: Vec<Vec<u8>>,
    pub ended: Option<Ended>,
    pub aborted: bool,
    /// Reading was paused on the loop's thread, and no other thread has it resumed: its wish may
    /// still be on its way.
    pub paused: bool,
    pub resumed_elsewhere: bool,
    /// Another thread pinged: that may be on its way to the loop when it ends.
    pub pinged_elsewhere: bool,
    /// The queue was full for a message that would have found room in an empty one.
    pub full: bool,
    /// That was on the loop's thread, while it was open.
    pub full_on_loop: bool,
    pub event: Option<CloseEvent>,
}

/// See the module.
pub struct Service {
    pub plan: ServicePlan,
    pub server: RefCell<Option<WebSocketServer>>,
    pub visited: RefCell<BTreeMap<ChannelId, Visited>>,
    /// Where it listened the last time.
    pub address: RefCell<Option<Address>>,
}

/// The topic that there is.
pub const TOPIC: &str = "news";
/// The shortest message: its number.
const ID: usize = 12;

impl Service {
    pub fn new(plan: ServicePlan) -> Self {
        Self {
            plan,
            server: RefCell::default(),
            visited: RefCell::default(),
            address: RefCell::default(),
        }
    }

    /// Makes the library's server.
    pub fn make(&self, ctx: &Rc<Ctx>, s: usize) {
        let server = WebSocketServer::new(&ctx.event_loop);
        server.set_max_connections(self.plan.max_connections);
        if let Some(memory) = self.plan.memory {
            server.set_memory_limit(memory.limit);
            server.set_on_memory_limit(memory.manner());
        }
        server.route("/room", self.service(s));
        server.route("/closed", closed_room(s));
        server.on_http(move |request| {
            called(Place::Open, format!("service {s}: on_http"), |ctx| {
                ctx.check(!ctx.event_loop.is_stopping(), || {
                    format!("service {s}: on_http after stop()")
                });
            });
            match request.path.as_str() {
                "/page" => HttpResponse::html("a page"),
                _ => StatusCode::NOT_FOUND.into(),
            }
        });
        server.on_failed(move |peer, error| {
            let fd = peer.map(|peer| number(peer.inet()));
            let text = format!("service {s}: on_failed: {error:?}");
            let error = error.clone();
            called(Place::Close, text, move |ctx| {
                // Not known: the stop came before the loop had it.
                ctx.check(fd.is_some() || ctx.event_loop.is_stopping(), || {
                    format!("service {s}: a connection with no address failed")
                });
                if let Some(fd) = fd {
                    oracle::check_failed(ctx, s, fd, &error);
                }
            });
        });
        *self.server.borrow_mut() = Some(server);
    }

    fn address(s: usize) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 3000 + s as u16)
    }

    pub fn perform(&self, ctx: &Rc<Ctx>, s: usize, op: ServiceOp) {
        match op {
            ServiceOp::Listen => self.listen(ctx, s),
            ServiceOp::Stop => {
                self.end_all(ctx);
                self.with(WebSocketServer::stop);
            }
            ServiceOp::CloseListeners => self.with(WebSocketServer::close_listeners),
            ServiceOp::Drop => {
                self.end_all(ctx);
                let server = self.server.borrow_mut().take();
                drop(server);
            }
            ServiceOp::Visit(visit) => self.visit(ctx, s, visit),
            ServiceOp::Send(n, size, fragment) => self.send(ctx, n, size, fragment),
            ServiceOp::Ping(n) => self.with_channel(n, |visited| {
                // Refused if there is no room.
                let pinged = visited.channel.ping(b"ping");
                visited.pinged_elsewhere |= pinged.is_ok() && !ctx.on_loop_thread();
            }),
            ServiceOp::Broadcast(size) => {
                let to = |visited: &Visited| visited.channel.is_connected();
                self.send_many(ctx, size, to, |server, message| match message {
                    Message::Text(text) => server.broadcast_text(text),
                    Message::Binary(data) => server.broadcast_binary(data),
                });
            }
            ServiceOp::Publish(size) => {
                let to = |visited: &Visited| {
                    visited.channel.is_connected() && visited.channel.is_subscribed(TOPIC)
                };
                self.send_many(ctx, size, to, |server, message| match message {
                    Message::Text(text) => server.publish_text(TOPIC, text),
                    Message::Binary(data) => server.publish_binary(TOPIC, data),
                });
            }
            ServiceOp::Close(n) => {
                let ended = ended(ctx);
                self.with_channel(n, |visited| {
                    overtake(&mut visited.ended, ended);
                    let closed = visited.channel.close(1000, "bye");
                    ctx.check(closed.is_ok(), || format!("close() failed: {closed:?}"));
                });
            }
            ServiceOp::Abort(n) => {
                let ended = ended(ctx);
                self.with_channel(n, |visited| {
                    overtake(&mut visited.ended, ended);
                    visited.aborted = true;
                    visited.channel.close_now();
                });
            }
            ServiceOp::Pause(n) => {
                let on_loop = ctx.on_loop_thread();
                self.with_channel(n, |visited| {
                    let open = visited.channel.is_connected();
                    visited.paused = on_loop && open && !visited.resumed_elsewhere;
                    visited.channel.pause_reading();
                });
            }
            ServiceOp::Resume(n) => {
                let elsewhere = !ctx.on_loop_thread();
                self.with_channel(n, |visited| {
                    visited.paused = false;
                    visited.resumed_elsewhere |= elsewhere;
                    visited.channel.resume_reading();
                });
            }
            ServiceOp::Subscribe(n) => self.with_channel(n, |visited| {
                visited.channel.subscribe(TOPIC);
            }),
            ServiceOp::Unsubscribe(n) => self.with_channel(n, |visited| {
                visited.channel.unsubscribe(TOPIC);
            }),
        }
    }

    fn with(&self, f: impl FnOnce(&WebSocketServer)) {
        lend(&self.server, f);
    }

    /// The n-th that has not ended, counted round.
    fn with_channel(&self, n: usize, f: impl FnOnce(&mut Visited)) {
        let mut visited = self.visited.borrow_mut();
        let there = visited.values_mut().filter(|v| v.event.is_none());
        let mut there: Vec<_> = there.collect();
        if let Some(n) = n.checked_rem(there.len()) {
            f(there[n]);
        }
    }

    fn end_all(&self, ctx: &Ctx) {
        let stops = self.server.borrow().is_some() && !ctx.ended.get();
        let ended = ended(ctx);
        for visited in self.visited.borrow_mut().values_mut().filter(|_| stops) {
            if visited.event.is_none() {
                overtake(&mut visited.ended, ended);
            }
        }
    }

    fn listen(&self, ctx: &Rc<Ctx>, s: usize) {
        let mut listen = Listen::tcp(Self::address(s))
            .backlog(self.plan.backlog)
            .send_limit(self.plan.send_limit)
            .write_timeout(self.plan.write_timeout)
            .open_timeout(self.plan.deadline)
            .close_timeout(self.plan.linger);
        if self.plan.tls {
            listen = listen.with_tls(ctx.certificates.server_config());
        }
        let (address, backlog) = (Self::address(s).into(), self.plan.backlog);
        self.with(|server| {
            let listening = match ctx.history.made_elsewhere(s) {
                true => listen_on_made(&address, backlog, listen, |listening| {
                    server.listen_on(listening)
                }),
                false => server.listen(listen),
            };
            ctx.world.note(|| format!("listen: {listening:?}"));
            match listening {
                Ok(address) => *self.address.borrow_mut() = Some(address),
                Err(e) => {
                    let may = may_fail(ctx, &e);
                    ctx.check(may, || format!("service {s} cannot listen: {e}"));
                }
            }
        });
    }

    fn visit(&self, ctx: &Rc<Ctx>, s: usize, visit: VisitPlan) {
        let sizes = [0, 1, 30, 400, 5_000, 70_000];
        let message = |n: u64| {
            let text = n.is_multiple_of(2);
            let mut data = format!("{n}:").into_bytes();
            let mixed = sizes[(n + visit.messages) as usize % sizes.len()];
            let size = visit.size.unwrap_or(mixed);
            fill(&mut data, size, n, text);
            (data, text)
        };
        let offer = self.plan.wish();
        let errand = Errand {
            manner: visit.manner,
            messages: (0..visit.messages).map(message).collect(),
            hasty: visit.hasty,
            offer,
            agreed: self.plan.deflate.as_ref().and_then(DeflatePlan::agreed),
        };
        let tls = self.plan.tls.then(|| ctx.certificates.clone());
        let peer = dialer(s, visit.manner, tls, &ctx.logs, move |log| {
            Box::new(Visitor::new(errand, log))
        });
        ctx.world.dial(Self::address(s), Duration::ZERO, peer);
    }

    /// A message of the history.
    fn message(ctx: &Ctx, size: usize) -> (u64, Vec<u8>) {
        let number = ctx.next_number();
        let mut data = format!("{number:0ID$}").into_bytes();
        fill(&mut data, size, number, number.is_multiple_of(2));
        (number, data)
    }

    fn send(&self, ctx: &Rc<Ctx>, n: usize, size: usize, fragment: usize) {
        let (number, data) = Self::message(ctx, size);
        self.with_channel(n, |visited| {
            self.send_to(
                ctx,
                visited,
                number,
                data,
                number.is_multiple_of(2),
                fragment,
            );
        });
    }

    fn send_to(
        &self,
        ctx: &Ctx,
        visited: &mut Visited,
        number: u64,
        data: Vec<u8>,
        text: bool,
        fragment: usize,
    ) {
        let on_loop = ctx.on_loop_thread();
        let open = visited.channel.is_connected();
        let sent = visited
            .channel
            .send_fragmented(as_message(&data, text), fragment);
        ctx.world.note(|| format!("send {number}: {sent:?}"));
        match sent {
            Ok(()) => visited.accepted.push(Accepted {
                number,
                on_loop,
                sender: ctx.world.thread(),
                data,
            }),
            Err(SendError::QueueFull { limit, size, .. }) if size <= limit => {
                visited.full = true;
                visited.full_on_loop |= on_loop && open;
            }
            Err(_) => {}
        }
    }

    /// A message for several, and what is known of who gets it.
    fn send_many(
        &self,
        ctx: &Ctx,
        size: usize,
        to: impl Fn(&Visited) -> bool,
        send: impl FnOnce(&WebSocketServer, Message<'_>) -> usize,
    ) {
        let (number, data) = Self::message(ctx, size);
        let meant: Vec<ChannelId> = {
            let visited = self.visited.borrow();
            let there = visited.iter().filter(|(_, v)| v.event.is_none() && to(v));
            there.map(|(id, _)| *id).collect()
        };
        let mut sent = 0;
        self.with(|server| {
            sent = send(server, as_message(&data, number.is_multiple_of(2)));
        });
        ctx.world
            .note(|| format!("send {number} to {sent} of {}", meant.len()));
        ctx.check(sent <= meant.len(), || {
            format!("{sent} of {} got a message", meant.len())
        });
        let mut visited = self.visited.borrow_mut();
        let meant_for = visited.iter_mut().filter(|(id, _)| meant.contains(id));
        for (_, visited) in meant_for {
            if sent == meant.len() {
                visited.accepted.push(Accepted {
                    number,
                    on_loop: ctx.on_loop_thread(),
                    sender: ctx.world.thread(),
                    data: data.clone(),
                });
            } else {
                visited.full = true;
                visited.maybe.push(data.clone());
            }
        }
    }
}

/// Lets nobody in.
fn closed_room(s: usize) -> WebSocketService {
    WebSocketService::new().on_upgrade(move |_| {
        called(Place::Open, format!("service {s}: a refusal"), |_| {});
        Err(StatusCode::FORBIDDEN.into())
    })
}

/// Whether a connection may be closed because its queue was full.
pub fn closes_when_full(plan: &ServicePlan) -> bool {
    plan.when_full == WhenFull::Close
}

/// The connection from that address, as its peer names it.
fn number(peer: Option<SocketAddr>) -> u64 {
    u64::from(peer.map_or(0, |peer| peer.port()).saturating_sub(20_000))
}

fn as_message(data: &[u8], text: bool) -> Message<'_> {
    match std::str::from_utf8(data) {
        Ok(words) if text => Message::Text(words),
        _ => Message::Binary(data),
    }
}

fn ended(ctx: &Ctx) -> Ended {
    Ended {
        number: ctx.next_number(),
        on_loop: ctx.on_loop_thread(),
    }
}

/// A callback of a service's.
fn called(place: Place, what: String, first: impl FnOnce(&Rc<Ctx>)) {
    Ctx::with(|ctx| ctx.callback(place, || what, || first(ctx)));
}
