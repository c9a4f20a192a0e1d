//! How the handles of a client's connections find what they mean.

use super::Engine;
use crate::client::connection::Connected;
use crate::client::shared::{ClientShared, ClientState};
use crate::server::ChannelState;
use crate::websocket::WebSocket;
use hvloop_event::LocalLoop;
use hvloop_event::conn::SendBudget;
use std::rc::Rc;
use std::sync::Arc;

impl Connected for ClientShared {
    fn state_of(&self, session: u64) -> ChannelState {
        // The client's first: once that is a later one's, so is the number.
        let state = self.state();
        let is_present = self.session() == session;
        match state {
            ClientState::Open if is_present => ChannelState::Open,
            ClientState::Closing if is_present => ChannelState::Closing,
            _ => ChannelState::Closed,
        }
    }

    fn budget(&self) -> &Arc<SendBudget> {
        &self.budget
    }

    fn websocket(&self, local: &LocalLoop, session: u64) -> Option<Rc<WebSocket>> {
        let engine = Engine::find(local, self)?;
        engine.is_session(session).then(|| engine.websocket())
    }
}
