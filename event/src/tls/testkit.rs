//! What the tests of this module share: a certificate authority, servers, and an in-memory wire.

#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::config::{TlsClientConfig, TlsClientConfigBuilder, compiled_in_provider};
use super::error::TlsError;
use super::session::TlsSession;

/// The provider under test.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    compiled_in_provider().unwrap()
}

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) cert: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

impl Identity {
    /// Signed by its own key, for `name`.
    pub(crate) fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new([name.to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        Self { cert, key }
    }

    fn der(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.cert.der().clone()], key.into())
    }
}

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.0.der()
    }

    /// A certificate for `name` (DNS name or IP address), after `change`.
    pub(crate) fn issue_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        Identity {
            cert: params.signed_by(&key, &self.0).unwrap(),
            key,
        }
    }

    pub(crate) fn issue(&self, name: &str) -> Identity {
        self.issue_with(name, |_| {})
    }

    pub(crate) fn issue_client(&self) -> Identity {
        self.issue_with("client.test", |params| {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ClientAuth);
        })
    }
}

/// A server with this identity. With `clients`, clients must show a certificate of that authority.
pub(crate) fn server_config(identity: &Identity, clients: Option<&Authority>) -> ServerConfig {
    let (chain, key) = identity.der();
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    builder.with_single_cert(chain, key).unwrap()
}

/// A client that trusts `authority` alone.
pub(crate) fn trusting(authority: &Authority) -> TlsClientConfigBuilder {
    TlsClientConfig::builder().root_pem(authority.pem().as_bytes())
}

/// A client and a server, joined by memory.
pub(crate) struct Pair {
    pub(crate) client: TlsSession,
    pub(crate) server: TlsSession,
}

impl Pair {
    pub(crate) fn new(client: &TlsClientConfig, host: &str, server: ServerConfig) -> Self {
        Self {
            client: TlsSession::client(client, host).unwrap(),
            server: TlsSession::server(Arc::new(server)).unwrap(),
        }
    }

    /// A pair whose handshake succeeded, for `host.test`.
    pub(crate) fn connected() -> Self {
        let authority = Authority::new("root");
        let config = trusting(&authority).build().unwrap();
        let server = server_config(&authority.issue("host.test"), None);
        let mut pair = Self::new(&config, "host.test", server);
        assert_eq!((pair.shake_hands()), (Ok(()), Ok(())));
        pair
    }

    /// Carries everything both ways until nothing moves; what the client and the server say.
    pub(crate) fn shake_hands(&mut self) -> (Result<(), TlsError>, Result<(), TlsError>) {
        let (mut client, mut server) = (Ok(()), Ok(()));
        while self.client.wants_write() || self.server.wants_write() {
            let to_server = take(&mut self.client);
            server = server.and(self.server.receive(&mut &to_server[..]));
            let to_client = take(&mut self.server);
            client = client.and(self.client.receive(&mut &to_client[..]));
        }
        if client.is_ok() && server.is_ok() {
            assert!(!self.client.is_handshaking() && !self.server.is_handshaking());
        }
        (client, server)
    }
}

/// All ciphertext that waits in `session`.
pub(crate) fn take(session: &mut TlsSession) -> Vec<u8> {
    let mut out = Vec::new();
    session.take_cipher(&mut out);
    out
}

/// All plaintext that waits in `session`.
pub(crate) fn read_all(session: &mut TlsSession) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), [0; 1000]);
    loop {
        match session.read_plain(&mut buf) {
            0 => return all,
            n => all.extend_from_slice(&buf[..n]),
        }
    }
}
