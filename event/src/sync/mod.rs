//! What other threads touch: the inbox and the gate. Small, and model-checked with loom.
//!
//! The gate keeps its state in one atomic word that changes by read-modify-write operations alone, so
//! that the word's own modification order decides every race; the inbox keeps it under one lock.
//! Nothing hangs on the order between two of them. `tests/loom.sh` runs the models, and shows that deliberate bugs (`tests/mutants`)
//! make them fail.

mod gate;
mod inbox;
mod lock;
mod shim;

pub use gate::Phase;
pub(crate) use gate::{BeginRunError, Gate};
pub(crate) use inbox::{Batch, Inbox, Permit};
pub use lock::{change, lock};
