//! What all functions of the ABI have alike.

pub(crate) mod address;
pub(crate) mod boundary;
pub(crate) mod callback;
pub(crate) mod gate;
pub(crate) mod handle;
pub(crate) mod text;
pub(crate) mod thread;
