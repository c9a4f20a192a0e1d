//! What is done with the WebSockets: `/echo` answers, `/live` tells what goes on.

use crate::traffic::Traffic;
use hvloop::ws::protocol::Limits;
use hvloop::{Message, SendError, ServiceOptions, WebSocketChannel, WebSocketService};
use std::sync::Arc;

/// The topic of those who watch.
pub const LIVE: &str = "live";

/// Bytes that may be queued towards a peer.
pub const SEND_LIMIT: usize = 4 << 20;

/// The longest message. Echoes are no longer, so that there is always room for one where the queue is
/// less than half full.
const MAX_MESSAGE: usize = 1 << 20;

/// A reply to each message, in order: the message itself; `/close CODE REASON` closes instead.
pub fn echo(traffic: &Arc<Traffic>) -> WebSocketService {
    let limits = Limits::new()
        .max_frame(MAX_MESSAGE)
        .max_message(MAX_MESSAGE);
    let [opened, traffic, closed] = [0; 3].map(|_| traffic.clone());
    WebSocketService::new()
        .options(ServiceOptions::new().limits(limits))
        .on_open(move |channel, _| {
            opened.connected();
            tell(channel, &opened);
        })
        .on_message(move |channel, message| {
            traffic.count_received();
            match answer(channel, message) {
                Ok(sent) => traffic.count_sent(sent),
                Err(e) => eprintln!("{:?}: {e}", channel.peer_addr()),
            }
            // A peer that does not read its echoes is not read from, either.
            if channel.buffered_amount() > SEND_LIMIT / 2 {
                channel.pause_reading();
            }
        })
        .on_drain(WebSocketChannel::resume_reading)
        .on_close(move |channel, event| {
            closed.disconnected(event);
            tell(channel, &closed);
        })
}

/// Answers a message; how many messages that took.
fn answer(channel: &WebSocketChannel, message: Message<'_>) -> Result<usize, SendError> {
    if let Message::Text(text) = message
        && let Some(rest) = text.strip_prefix("/close ")
    {
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let closed = match code.parse() {
            Ok(code) => channel.close(code, reason).map_err(|e| e.to_string()),
            Err(_) => Err(format!("{code:?} is no close code")),
        };
        return match closed {
            Ok(()) => Ok(0),
            Err(why) => channel.send_text(&why).map(|()| 1),
        };
    }
    channel.send(message).map(|()| 1)
}

/// Tells those who watch that a connection came or went.
fn tell(channel: &WebSocketChannel, traffic: &Traffic) {
    let reached = channel.publish_text(LIVE, &traffic.to_json());
    traffic.count_sent(reached);
}

/// The figures: now, and from now on.
pub fn live(traffic: &Arc<Traffic>) -> WebSocketService {
    let traffic = traffic.clone();
    WebSocketService::new().on_open(move |channel, _| {
        channel.subscribe(LIVE);
        // Refused only if it is on its way out.
        if channel.send_text(&traffic.to_json()).is_ok() {
            traffic.count_sent(1);
        }
    })
}
