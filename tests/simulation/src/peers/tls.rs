//! Certificates and randomness for TLS: made once, the same length in every run.

use hvloop_event::tls::TlsClientConfig;
use hvloop_event::tls::TlsServerConfig;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    static RANDOM: RefCell<StdRng> = RefCell::new(StdRng::seed_from_u64(0));
}

/// Lets the randomness of TLS begin anew. The key exchange has its own, which changes bytes and no
/// lengths: histories do not depend on it.
pub fn reseed(seed: u64) {
    RANDOM.set(StdRng::seed_from_u64(seed));
}

#[derive(Debug)]
struct Seeded;

impl SecureRandom for Seeded {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        RANDOM.with_borrow_mut(|random| random.fill_bytes(buf));
        Ok(())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        secure_random: &Seeded,
        ..rustls::crypto::ring::default_provider()
    })
}

/// A server's certificate, which its client trusts; for either side, the library's and the peer's.
pub struct Certificates {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Certificates {
    /// # Panics
    ///
    /// The certificate cannot be made.
    #[allow(clippy::expect_used, reason = "a test's set-up")]
    pub fn new() -> Self {
        // Ed25519: its signatures are all of one length.
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let names = ["127.0.0.1".to_owned(), "name.test".to_owned()];
        let certificate = CertificateParams::new(names)
            .and_then(|params| params.self_signed(&key))
            .expect("a certificate");
        let certificate = certificate.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.clone_key())
            .expect("the key fits");
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate.clone())
            .expect("it is a root of its own");
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        // A history must not depend on the sessions of another one.
        client.resumption = rustls::client::Resumption::disabled();
        Self {
            certificate,
            key,
            server: Arc::new(server),
            client: Arc::new(client),
        }
    }

    /// The server's side of a peer.
    ///
    /// # Panics
    ///
    /// Never.
    #[allow(clippy::expect_used, reason = "a test's set-up")]
    pub fn server(&self) -> Box<rustls::Connection> {
        let mut server =
            rustls::ServerConnection::new(self.server.clone()).expect("the config is right");
        server.set_buffer_limit(None);
        Box::new(server.into())
    }

    /// The client's side of a peer.
    ///
    /// # Panics
    ///
    /// Never.
    #[allow(clippy::expect_used, reason = "a test's set-up")]
    pub fn caller(&self) -> Box<rustls::Connection> {
        let name = "name.test".try_into().expect("a name");
        let mut client =
            rustls::ClientConnection::new(self.client.clone(), name).expect("the config is right");
        client.set_buffer_limit(None);
        Box::new(client.into())
    }

    /// The server's side of the library, fresh.
    ///
    /// # Panics
    ///
    /// Never.
    #[allow(clippy::expect_used, reason = "a test's set-up")]
    pub fn server_config(&self) -> TlsServerConfig {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .expect("the key fits");
        TlsServerConfig::from_rustls(Arc::new(config))
    }

    /// A client's side, fresh: a history must not resume the sessions of another one.
    ///
    /// # Panics
    ///
    /// Never.
    #[allow(clippy::expect_used, reason = "a test's set-up")]
    pub fn client(&self) -> TlsClientConfig {
        TlsClientConfig::builder()
            .root_der(&self.certificate)
            .provider(provider())
            .build()
            .expect("the config is right")
    }
}
