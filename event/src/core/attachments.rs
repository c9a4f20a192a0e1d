//! What layers above keep on a loop without a connection of its own.

use super::LocalLoop;
use super::slots::OwnKey;
use std::any::Any;

/// Something of a layer above that lives on the loop without a connection of its own, such as a
/// client between two attempts. See [`LocalLoop::attach`].
pub trait Attachment: Any {
    /// The loop began to drain: cancel back-offs, begin nothing new. Connections are told by
    /// [`Handler::on_stop`](crate::conn::Handler::on_stop), after this.
    fn on_stop(&self, local: &LocalLoop);

    /// The loop has closed and drops the attachment after this call.
    fn on_loop_end(&self, local: &LocalLoop);
}

/// Names an [`Attachment`] of one loop. Never names another one, also when it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttachmentId(pub(crate) OwnKey);

impl AttachmentId {
    /// The id as a number, for atomics; [`LocalLoop::attachment_id`] of the same loop has it back. On
    /// another loop the same number is another's.
    pub fn to_bits(self) -> u64 {
        self.0.key().to_token() as u64
    }
}
