//! TLS by rustls: configuration of both sides, certificate verification and the sans-IO session.
//!
//! - `config`: [`TlsClientConfig`], what a user sets; verified by default, opting out is spelled
//!   [`dangerous`](TlsClientConfigBuilder::dangerous).
//! - `server`: [`TlsServerConfig`], the certificates of a server, by name, and their renewal.
//! - `pem`: certificates and keys out of PEM text.
//! - `verify`: the certificate verifier: any of several trust stores, then the user's pin.
//! - `own_roots`: trust in the user's own roots, and in a root that is itself shown; `der`, `key_length`: what
//!   it looks at in certificates beyond rustls.
//! - `session`: one connection's TLS state, bytes in and bytes out, no socket and no clock.
//! - `error`: [`TlsError`] of a connection, [`TlsConfigError`] of a configuration; `words`: their texts.
//!
//! The crypto provider is always named explicitly: rustls' process-wide default is neither read nor
//! installed, so that neither a missing default nor two providers in one dependency tree can panic.

mod config;
mod config_error;
mod der;
mod error;
mod key_length;
mod own_roots;
mod pem;
mod records;
mod server;
mod session;
mod verify;
mod words;

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod testkit;

pub use config::{
    DangerousTlsClientConfigBuilder, TlsClientConfig, TlsClientConfigBuilder, TlsVersion,
};
pub use config_error::TlsConfigError;
pub use error::{CertificateProblem, TlsError};
pub(crate) use records::RecordHeads;
pub use server::{TlsIdentities, TlsServerConfig, TlsServerConfigBuilder};
pub(crate) use session::TlsSession;
pub use verify::PeerCertificates;
