//! What the callbacks of the clients are told.

use super::{Client, Session};
use crate::ctx::Ctx;
use crate::deflating::DeflatePlan;
use crate::history::{Kind, Outcome, Place, ProxyPlan};
use crate::oracle;
use hvloop_event::{Channel, CloseReason, TcpClient};
use hvloop_ws::{CloseEvent, Message, OpenEvent, WebSocketClient};
use std::rc::Rc;

impl Client {
    fn opened(&self, ctx: &Rc<Ctx>, c: usize, fd: Option<u64>) {
        let mut record = self.record.borrow_mut();
        ctx.check(record.live, || {
            format!("client {c} opened, and nobody had asked")
        });
        ctx.check(!record.in_session, || format!("client {c} opened twice"));
        let through = |proxy: ProxyPlan| proxy.outcome == Outcome::Connects;
        ctx.check(self.plan.proxy.is_none_or(through), || {
            format!("client {c} opened, and its proxy had let nobody through")
        });
        ctx.check(
            self.plan.hops <= self.plan.redirects || self.plan.kind == Kind::Tcp,
            || format!("client {c} followed more redirects than it may"),
        );
        record.in_session = true;
        record.backing_off = false;
        record.opened += 1;
        let ended = record.ended;
        record.sessions.push(Session {
            fd,
            ended: ended.filter(|ended| !ended.on_loop),
            ..Session::default()
        });
    }

    fn got(&self, ctx: &Rc<Ctx>, c: usize, data: &[u8]) {
        let mut record = self.record.borrow_mut();
        ctx.check(record.in_session, || {
            format!("client {c} got data with no session")
        });
        if let Some(session) = record.sessions.last_mut() {
            let over = session.ended.is_some_and(|ended| ended.on_loop);
            ctx.check(!over || self.plan.kind == Kind::Tcp, || {
                format!("I11: client {c} got a message after close()")
            });
            ctx.check(!session.paused, || {
                format!("client {c} got a message while reading is paused")
            });
            session.got.push(data.to_vec());
        }
    }
}

/// Sets all callbacks of a WebSocket client.
pub(super) fn set_ws(ws: &WebSocketClient, c: usize) {
    ws.on_open(move |_, event| Ctx::with(|ctx| on_open(ctx, c, event)));
    ws.on_message(move |_, message| Ctx::with(|ctx| on_message(ctx, c, message)));
    ws.on_drain(move |_| {
        Ctx::with(|ctx| ctx.callback(Place::Drain, || format!("drain of {c}"), || {}));
    });
    ws.on_close(move |_, event| Ctx::with(|ctx| on_close(ctx, c, event)));
}

fn on_open(ctx: &Rc<Ctx>, c: usize, event: &OpenEvent) {
    ctx.callback(
        Place::Open,
        || format!("open of {c}"),
        || {
            let client = &ctx.clients[c];
            ctx.check(!ctx.event_loop.is_stopping(), || {
                format!("client {c} opened after stop()")
            });
            {
                let record = client.record.borrow();
                ctx.check(event.attempt == record.attempt + 1, || {
                    format!("client {c} opened as attempt {}", event.attempt)
                });
                ctx.check(event.is_reconnect == (record.opened > 0), || {
                    format!("client {c} opened, reconnect {}", event.is_reconnect)
                });
            }
            let agreed = client.plan.deflate.as_ref().and_then(DeflatePlan::agreed);
            let told = &event.response.deflate;
            let same = match (agreed, told) {
                (Some(agreed), Some(told)) => agreed.is(told),
                (agreed, told) => agreed.is_none() && told.is_none(),
            };
            ctx.check(same, || {
                format!("client {c}: {told:?} was agreed on, and not {agreed:?}")
            });
            let fd = event.response.headers.get("x-connection");
            let fd = fd
                .and_then(|fd| fd.to_str().ok())
                .and_then(|fd| fd.parse().ok());
            client.opened(ctx, c, fd);
        },
    );
}

fn on_message(ctx: &Rc<Ctx>, c: usize, message: Message<'_>) {
    ctx.callback(
        Place::Message,
        || format!("message of {c}"),
        || {
            ctx.clients[c].got(ctx, c, message.as_bytes());
        },
    );
}

fn on_close(ctx: &Rc<Ctx>, c: usize, event: &CloseEvent) {
    ctx.callback(
        Place::Close,
        || format!("close of {c}: {event:?}"),
        || {
            let client = &ctx.clients[c];
            oracle::check_close(ctx, c, event);
            let mut record = client.record.borrow_mut();
            record.attempt = event.attempt;
            record.began = ctx.world.elapsed() + event.reconnect_in.unwrap_or_default();
            record.on_close = ctx.inside_of();
            record.backing_off = event.reconnect_in.is_some();
            record.live = record.backing_off;
            if std::mem::take(&mut record.in_session)
                && let Some(session) = record.sessions.last_mut()
            {
                session.event = Some(event.clone());
            }
        },
    );
}

/// Sets all callbacks of a TCP client; they are taken by each connect.
pub(super) fn set_tcp(tcp: &TcpClient, c: usize) {
    tcp.on_connect(move |channel| Ctx::with(|ctx| on_connect(ctx, c, channel)));
    tcp.on_message(move |_, data| {
        Ctx::with(|ctx| {
            ctx.callback(
                Place::Message,
                || format!("bytes of {c}"),
                || {
                    ctx.clients[c].got(ctx, c, data);
                },
            );
        });
    });
    tcp.on_write_complete(move |_, bytes| Ctx::with(|ctx| on_write_complete(ctx, c, bytes)));
    tcp.on_close(move |_, reason| Ctx::with(|ctx| on_tcp_close(ctx, c, reason)));
}

fn on_connect(ctx: &Rc<Ctx>, c: usize, channel: &Channel) {
    ctx.callback(
        Place::Open,
        || format!("connect of {c}"),
        || {
            // A world gives each connection a port of its own.
            let fd = channel
                .local_addr()
                .map(|address| u64::from(address.port()) - 40_000);
            let client = &ctx.clients[c];
            client.channels.borrow_mut().push(channel.clone());
            {
                let record = client.record.borrow();
                let given_up = record.ended.is_some_and(|ended| ended.on_loop);
                ctx.check(!given_up, || {
                    format!("client {c} connected after it was closed")
                });
                // The first attempt has the socket that it was given, others have their own.
                let given = record.made.filter(|_| record.attempt == 0);
                let right = given.is_none_or(|made| fd == Some(made));
                ctx.check(
                    right && (fd != record.made || record.attempt == 0 || fd.is_none()),
                    || {
                        format!(
                            "client {c} connected with {fd:?}, and not with {:?}",
                            record.made
                        )
                    },
                );
                let reconnect = client
                    .tcp
                    .borrow()
                    .as_ref()
                    .map(|(tcp, _)| tcp.is_reconnect());
                let again = record.attempt > 0;
                ctx.check(reconnect.is_none_or(|told| told == again), || {
                    format!("client {c} connected, reconnect {reconnect:?}")
                });
            }
            client.opened(ctx, c, fd);
        },
    );
}

fn on_write_complete(ctx: &Rc<Ctx>, c: usize, bytes: usize) {
    ctx.callback(
        Place::Drain,
        || format!("drain of {c}: {bytes}"),
        || {
            let client = &ctx.clients[c];
            let queued = client.buffered();
            let mut record = client.record.borrow_mut();
            let Some(session) = record.sessions.last_mut() else {
                return ctx.violation(format!("client {c} wrote with no session"));
            };
            session.written += bytes;
            let accepted: usize = session.accepted.iter().map(|a| a.data.len()).sum();
            let written = session.written;
            ctx.check(bytes > 0 && written + queued == accepted, || {
                format!("client {c}: {written} of {accepted} bytes were written, {queued} wait")
            });
        },
    );
}

fn on_tcp_close(ctx: &Rc<Ctx>, c: usize, reason: &CloseReason) {
    ctx.callback(
        Place::Close,
        || format!("close of {c}: {reason:?}"),
        || {
            let client = &ctx.clients[c];
            oracle::check_tcp_close(ctx, c, reason);
            let mut record = client.record.borrow_mut();
            record.attempt += 1;
            record.began = ctx.world.elapsed();
            let last = matches!(reason, CloseReason::Local | CloseReason::Stopped);
            if let Some((tcp, _)) = &*client.tcp.borrow() {
                let follows = tcp.next_delay().is_some();
                ctx.check(!follows || !last, || {
                    format!("client {c} waits for another attempt after {reason:?}")
                });
            }
            // It may: close() or the stop may come first.
            record.backing_off = client.plan.reconnect.is_some() && !last;
            record.live = record.backing_off;
            if std::mem::take(&mut record.in_session)
                && let Some(session) = record.sessions.last_mut()
            {
                session.reason = Some(reason.clone());
            }
        },
    );
}
