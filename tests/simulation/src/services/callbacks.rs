//! What the callbacks of the WebSocket servers are told.

use super::{Service, TOPIC, Visited, called, number};
use crate::ctx::Ctx;
use crate::deflating::DeflatePlan;
use crate::history::Place;
use crate::oracle;
use hvloop_ws::handshake::Accept;
use hvloop_ws::protocol::Limits;
use hvloop_ws::{
    CloseEvent, Message, ServiceOptions, WebSocketChannel, WebSocketServer, WebSocketService,
};
use std::rc::Rc;

impl Service {
    pub(super) fn service(&self, s: usize) -> WebSocketService {
        let plan = &self.plan;
        let options = ServiceOptions::new()
            .close_timeout(plan.close_timeout)
            .ping_interval(plan.ping)
            .pong_timeout(plan.pong_timeout)
            .when_full(plan.when_full)
            .limits(Limits::new().max_message(plan.max_message))
            .deflate(plan.deflate.and_then(|deflate| deflate.options().ok()));
        WebSocketService::new()
            .options(options)
            .on_upgrade(move |_| {
                let what = format!("service {s}: on_upgrade");
                called(Place::Open, what, |ctx| {
                    ctx.check(!ctx.event_loop.is_stopping(), || {
                        format!("service {s}: on_upgrade after stop()")
                    });
                });
                Ok(Accept::new())
            })
            .on_open(move |channel, _| {
                let channel = channel.clone();
                called(Place::Open, format!("service {s}: on_open"), move |ctx| {
                    ctx.services[s].opened(ctx, s, channel);
                });
            })
            .on_message(move |channel, message| {
                let (channel, data) = (channel.clone(), message.as_bytes().to_vec());
                let text = matches!(message, Message::Text(_));
                let what = format!("service {s}: on_message");
                called(Place::Message, what, move |ctx| {
                    ctx.services[s].got(ctx, s, &channel, data, text);
                });
            })
            .on_drain(move |_| called(Place::Drain, format!("service {s}: on_drain"), |_| {}))
            .on_close(move |channel, event| {
                let (channel, event) = (channel.clone(), event.clone());
                let what = format!("service {s}: on_close: {event:?}");
                called(Place::Close, what, move |ctx| {
                    ctx.services[s].closed(ctx, s, &channel, event);
                });
            })
    }

    fn opened(&self, ctx: &Rc<Ctx>, s: usize, channel: WebSocketChannel) {
        ctx.check(!ctx.event_loop.is_stopping(), || {
            format!("service {s}: on_open after stop()")
        });
        let agreed = self.plan.deflate.as_ref().and_then(DeflatePlan::agreed);
        let told = channel.deflate();
        let same = match (agreed, &told) {
            (Some(agreed), Some(told)) => agreed.is(told),
            (agreed, told) => agreed.is_none() && told.is_none(),
        };
        ctx.check(same, || {
            format!("service {s}: {told:?} was agreed on, and not {agreed:?}")
        });
        let count = self
            .server
            .borrow()
            .as_ref()
            .map(WebSocketServer::connection_num);
        ctx.check(count.is_none_or(|n| n <= self.plan.max_connections), || {
            format!("service {s} has {count:?} connections")
        });
        let mut visited = Visited {
            channel: channel.clone(),
            fd: number(channel.peer_addr()),
            accepted: Vec::new(),
            maybe: Vec::new(),
            got: Vec::new(),
            ended: None,
            aborted: false,
            paused: false,
            resumed_elsewhere: false,
            pinged_elsewhere: false,
            full: false,
            full_on_loop: false,
            event: None,
        };
        if self.plan.topic {
            ctx.check(channel.subscribe(TOPIC), || {
                format!("service {s}: it cannot subscribe in on_open")
            });
        }
        if self.plan.welcome {
            let (number, data) = Self::message(ctx, 200);
            self.send_to(ctx, &mut visited, number, data, number.is_multiple_of(2), 0);
        }
        let before = self.visited.borrow_mut().insert(channel.id(), visited);
        ctx.check(before.is_none(), || {
            format!("service {s}: a channel opened twice")
        });
    }

    fn got(&self, ctx: &Rc<Ctx>, s: usize, channel: &WebSocketChannel, data: Vec<u8>, text: bool) {
        let mut visited = self.visited.borrow_mut();
        let Some(visited) = visited.get_mut(&channel.id()) else {
            return ctx.violation(format!("service {s}: a message before on_open"));
        };
        ctx.check(visited.event.is_none(), || {
            format!("service {s}: a message after on_close")
        });
        let over = visited.ended.is_some_and(|ended| ended.on_loop);
        ctx.check(!over, || {
            format!("I11: service {s}: a message after close()")
        });
        ctx.check(!visited.paused, || {
            format!("service {s}: a message while reading is paused")
        });
        visited.got.push(data.clone());
        // The echo.
        self.send_to(ctx, visited, ctx.next_number(), data, text, 0);
    }

    fn closed(&self, ctx: &Rc<Ctx>, s: usize, channel: &WebSocketChannel, event: CloseEvent) {
        let mut visited = self.visited.borrow_mut();
        let Some(visited) = visited.get_mut(&channel.id()) else {
            return ctx.violation(format!("service {s}: on_close before on_open"));
        };
        oracle::check_visit_close(ctx, s, visited, &event);
        visited.event = Some(event);
    }
}
