//! What other threads touch: the inbox and the gate. Small, and model-checked with loom.
//!
//! Both keep their state in one atomic word that is only ever changed by read-modify-write
//! operations, so that the word's own modification order decides every race; nothing hangs on the
//! order between two words.

mod gate;
mod inbox;
#[cfg(loom)]
mod models;
mod shim;

pub use gate::Phase;
pub(crate) use gate::{BeginRunError, Gate};
pub(crate) use inbox::{Inbox, Wake};
