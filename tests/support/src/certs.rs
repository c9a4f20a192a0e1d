//! A certificate authority for one test, and the certificates that it signs.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// The provider that every configuration here names. Never the process default, so that a test can find
/// out whether the library under test depends on one.
pub fn ring_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A fresh certificate authority. Its key exists only in memory.
#[derive(Debug)]
pub struct TestCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, as rustls takes them.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    chain_pem: String,
    key: KeyPair,
}

impl Identity {
    fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

impl Default for TestCa {
    fn default() -> Self {
        Self::new()
    }
}

impl TestCa {
    /// A new authority with a key of its own.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "hvloop test authority");
        let key = KeyPair::generate().expect("generate the authority's key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("sign the authority");
        Self { issuer }
    }

    /// The authority's certificate in PEM: what a client adds to its roots.
    pub fn ca_pem(&self) -> String {
        self.issuer.pem()
    }

    /// The authority's certificate in DER.
    pub fn ca_der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// The SHA-256 of its public key (SubjectPublicKeyInfo) in base64, by which browsers know it.
    pub fn spki_sha256(&self) -> String {
        let key = self.issuer.key().subject_public_key_info();
        let digest = ring::digest::digest(&ring::digest::SHA256, &key);
        data_encoding::BASE64.encode(digest.as_ref())
    }

    /// A root store that holds this authority alone.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca_der()).expect("a CA certificate");
        roots
    }

    /// A server with a valid certificate for `names` (DNS names or IP addresses).
    pub fn server_config(&self, names: &[&str]) -> Arc<ServerConfig> {
        plain_server(&self.issue(server_params(names)))
    }

    /// The same, of one version of TLS.
    pub fn server_config_of(
        &self,
        names: &[&str],
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ServerConfig> {
        let identity = self.issue(server_params(names));
        let config = ServerConfig::builder_with_provider(ring_provider())
            .with_protocol_versions(&[version])
            .expect("ring has this version")
            .with_no_client_auth()
            .with_single_cert(identity.chain.clone(), identity.key_der())
            .expect("the key fits the certificate");
        Arc::new(config)
    }

    /// A server whose certificate for localhost and 127.0.0.1 was valid in the year 2000 only.
    pub fn expired_config(&self) -> Arc<ServerConfig> {
        let mut params = server_params(&LOCAL_NAMES);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2000, 12, 31);
        plain_server(&self.issue(params))
    }

    /// A server whose valid certificate is for `wrong.example` alone.
    pub fn wrong_name_config(&self) -> Arc<ServerConfig> {
        self.server_config(&["wrong.example"])
    }

    /// A server with a certificate for localhost and 127.0.0.1 that no authority signed.
    pub fn self_signed_config() -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("generate a key");
        let cert = server_params(&LOCAL_NAMES)
            .self_signed(&key)
            .expect("sign with its own key");
        plain_server(&Identity {
            chain: vec![cert.der().clone()],
            chain_pem: cert.pem(),
            key,
        })
    }

    /// A server for localhost and 127.0.0.1 that demands a client certificate of this authority.
    pub fn client_auth_config(&self) -> Arc<ServerConfig> {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()), ring_provider())
                .build()
                .expect("a verifier with one root");
        let identity = self.issue(server_params(&LOCAL_NAMES));
        let key = identity.key_der();
        let config = versions()
            .with_client_cert_verifier(verifier)
            .with_single_cert(identity.chain, key)
            .expect("the key fits the certificate");
        Arc::new(config)
    }

    /// A server that takes part in the handshake up to the choice of a certificate, of which it has none:
    /// the client gets a fatal alert.
    pub fn no_certificate_config() -> Arc<ServerConfig> {
        Arc::new(
            versions()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(NoCertificate)),
        )
    }

    /// A client's certificate chain and key, both in PEM.
    pub fn client_cert(&self) -> (String, String) {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params
            .distinguished_name
            .push(DnType::CommonName, "hvloop test client");
        let identity = self.issue(params);
        (identity.chain_pem.clone(), identity.key.serialize_pem())
    }

    /// The chain and the key of a server for `names`, both in PEM, for servers in other languages.
    pub fn server_pem(&self, names: &[&str]) -> (String, String) {
        let identity = self.issue(server_params(names));
        (identity.chain_pem.clone(), identity.key.serialize_pem())
    }

    /// A client that trusts this authority alone and has no certificate of its own.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_provider(ring_provider())
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions")
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        Arc::new(config)
    }

    fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("generate a key");
        let cert = params.signed_by(&key, &self.issuer).expect("sign");
        Identity {
            chain: vec![cert.der().clone(), self.ca_der()],
            chain_pem: format!("{}{}", cert.pem(), self.ca_pem()),
            key,
        }
    }
}

/// The names under which the test servers are reached.
pub(crate) const LOCAL_NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

fn server_params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names fit a certificate");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn versions() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(ring_provider())
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
}

fn plain_server(identity: &Identity) -> Arc<ServerConfig> {
    let config = versions()
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key_der())
        .expect("the key fits the certificate");
    Arc::new(config)
}
