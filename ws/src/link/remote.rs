//! Sending from other threads than the loop's.

use super::sending::queue_size;
use crate::protocol::{OpCode, Role};
use hvloop_event::conn::SendBudget;
use hvloop_event::{EventLoop, LocalLoop, SendError};
use std::sync::Arc;

/// Takes room for a frame and brings it to the loop, where `queue` queues it. `false` of it: there is
/// no connection to queue it on, and the room is given back.
pub(crate) fn post_frame(
    event_loop: &EventLoop,
    budget: &Arc<SendBudget>,
    role: Role,
    opcode: OpCode,
    payload: &[u8],
    queue: impl FnOnce(&LocalLoop, OpCode, &[u8]) -> bool + Send + 'static,
) -> Result<(), SendError> {
    let size = queue_size(role, payload.len());
    budget.reserve(size)?;
    let (payload, account) = (payload.to_vec(), budget.clone());
    let posted = event_loop.post_event(move |local| {
        if !queue(local, opcode, &payload) {
            account.release(size);
        }
    });
    posted.map_err(|_| {
        budget.release(size);
        SendError::LoopClosed
    })
}
