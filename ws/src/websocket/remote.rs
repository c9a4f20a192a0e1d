//! Sending from other threads than the loop's.

use super::outgoing::Outgoing;
use crate::protocol::Role;
use hvloop_event::conn::SendBudget;
use hvloop_event::{EventLoop, LocalLoop, SendError};
use std::sync::Arc;

/// Takes room for what is to be sent and brings it to the loop, where `queue` queues it. `false` of it:
/// there is no connection to queue it on, and the room is given back.
pub(crate) fn post_message(
    event_loop: &EventLoop,
    budget: &Arc<SendBudget>,
    role: Role,
    message: Outgoing<'_>,
    queue: impl FnOnce(&LocalLoop, Outgoing<'_>) -> bool + Send + 'static,
) -> Result<(), SendError> {
    let size = message.queue_size(role);
    budget.reserve(size)?;
    let (payload, account) = (message.payload.to_vec(), budget.clone());
    let rest = message.with(&[]);
    let posted = event_loop.post_event(move |local| {
        if !queue(local, rest.with(&payload)) {
            account.release(size);
        }
    });
    posted.map_err(|_| {
        budget.release(size);
        SendError::LoopClosed
    })
}
