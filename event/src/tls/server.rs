//! [`TlsServerConfig`]: what a server shows of itself, and whom it lets in.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::config::{MAX_ALPN_LEN, TlsVersion, compiled_in_provider};
use super::config_error::TlsConfigError;
use super::own_roots::OwnClientRoots;
use super::pem::Pem;

/// The certificates of a server: one for clients that ask for no name, or for one that is not known,
/// and others by name (SNI, RFC 6066 section 3).
#[derive(Debug, Default)]
#[must_use]
pub struct TlsIdentities {
    default: Option<Pair>,
    named: Vec<(String, Pair)>,
    first_error: Option<TlsConfigError>,
}

/// A chain, its own certificate first, and the key.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl TlsIdentities {
    /// None; add at least one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The certificate chain (its own first) and the private key (PKCS#8, PKCS#1 or SEC1,
    /// unencrypted), both in PEM, for every client that no other certificate is for.
    pub fn pem(self, chain: &[u8], key: &[u8]) -> Self {
        self.with(None, read(Pem::Text(chain), Pem::Text(key)))
    }

    /// As [`pem`](Self::pem), from files, which may be one and the same.
    pub fn pem_files(self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        let (chain, key) = (Pem::File(chain.as_ref()), Pem::File(key.as_ref()));
        self.with(None, read(chain, key))
    }

    /// As [`pem`](Self::pem), for clients that ask for that name; `*.example.org` stands for every
    /// name with one label more than `example.org`.
    pub fn pem_for(self, name: &str, chain: &[u8], key: &[u8]) -> Self {
        self.with(Some(name), read(Pem::Text(chain), Pem::Text(key)))
    }

    fn with(mut self, name: Option<&str>, pair: Result<Pair, TlsConfigError>) -> Self {
        match (pair, name) {
            (Ok(pair), None) => self.default = Some(pair),
            (Ok(pair), Some(name)) => self.named.push((name.to_ascii_lowercase(), pair)),
            (Err(e), _) => {
                self.first_error.get_or_insert(e);
            }
        }
        self
    }

    fn load(self, provider: &CryptoProvider) -> Result<Loaded, TlsConfigError> {
        if let Some(error) = self.first_error {
            return Err(error);
        }
        if self.default.is_none() && self.named.is_empty() {
            return Err(TlsConfigError::NoIdentity);
        }
        let load = |(chain, key): Pair| {
            CertifiedKey::from_der(chain, key, provider)
                .map(Arc::new)
                .map_err(TlsConfigError::BadServerCertificate)
        };
        let named = self.named.into_iter();
        Ok(Loaded {
            default: self.default.map(load).transpose()?,
            named: named
                .map(|(name, pair)| Ok((name, load(pair)?)))
                .collect::<Result<_, TlsConfigError>>()?,
        })
    }
}

fn read(chain: Pem<'_>, key: Pem<'_>) -> Result<Pair, TlsConfigError> {
    Ok((chain.certificates(CHAIN)?, key.private_key(KEY)?))
}

/// What `TlsConfigError` calls the two inputs.
const CHAIN: &str = "server certificate chain";
const KEY: &str = "server private key";

/// Certificates that are ready to be used.
#[derive(Debug)]
struct Loaded {
    default: Option<Arc<CertifiedKey>>,
    named: HashMap<String, Arc<CertifiedKey>>,
}

impl Loaded {
    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let by_name = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || {
                let (_, parent) = name.split_once('.')?;
                self.named.get(&format!("*.{parent}"))
            };
            self.named.get(&name).or_else(wildcard)
        });
        by_name.or(self.default.as_ref()).cloned()
    }
}

/// Chooses the certificate for each handshake, of those loaded last.
#[derive(Debug)]
struct CertificateChooser(RwLock<Arc<Loaded>>);

impl ResolvesServerCert for CertificateChooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.clone();
        loaded.find(hello.server_name())
    }
}

/// How a server does TLS: made once, shared by any number of listeners on any threads. A clone is
/// cheap, and sees what [`reload`](TlsServerConfig::reload) brings.
#[derive(Clone)]
pub struct TlsServerConfig {
    rustls: Arc<ServerConfig>,
    /// `None`: rustls' own configuration chooses.
    chooser: Option<(Arc<CertificateChooser>, Arc<CryptoProvider>)>,
}

impl TlsServerConfig {
    /// TLS 1.2 and 1.3 with these certificates; clients need none.
    ///
    /// # Errors
    /// See [`TlsServerConfigBuilder::build`].
    pub fn new(identities: TlsIdentities) -> Result<Self, TlsConfigError> {
        Self::builder(identities).build()
    }

    /// A builder that starts from the default.
    pub fn builder(identities: TlsIdentities) -> TlsServerConfigBuilder {
        TlsServerConfigBuilder {
            identities,
            client_roots: None,
            client_optional: false,
            alpn: Vec::new(),
            provider: None,
            min_version: None,
            first_error: None,
        }
    }

    /// Takes a configuration made with rustls itself, as it is.
    pub fn from_rustls(config: Arc<ServerConfig>) -> Self {
        Self {
            rustls: config,
            chooser: None,
        }
    }

    /// The rustls configuration inside.
    pub fn as_rustls(&self) -> &Arc<ServerConfig> {
        &self.rustls
    }

    /// Uses other certificates from now on, without a restart: handshakes that begin after this
    /// call get the new ones, connections that are up stay. Any thread.
    ///
    /// # Errors
    /// Damaged input, or a configuration of rustls' own: then the certificates stay as they were.
    pub fn reload(&self, identities: TlsIdentities) -> Result<(), TlsConfigError> {
        let Some((chooser, provider)) = &self.chooser else {
            return Err(TlsConfigError::NoIdentity);
        };
        let loaded = Arc::new(identities.load(provider)?);
        *chooser.0.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }
}

debug_fields!(TlsServerConfig, this: "alpn_protocols" = this.rustls.alpn_protocols);

/// Builds a [`TlsServerConfig`]. An input that is wrong is reported by
/// [`build`](TlsServerConfigBuilder::build), the first one if there are several.
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct TlsServerConfigBuilder {
    identities: TlsIdentities,
    client_roots: Option<Vec<CertificateDer<'static>>>,
    client_optional: bool,
    alpn: Vec<Vec<u8>>,
    provider: Option<Arc<CryptoProvider>>,
    min_version: Option<TlsVersion>,
    first_error: Option<TlsConfigError>,
}

impl TlsServerConfigBuilder {
    /// Lets in only clients with a certificate that one of these, in PEM, has issued, or that is one of
    /// these, whoever signed it; its time and its extended key usage are checked in both cases.
    pub fn client_roots_pem(mut self, roots: &[u8]) -> Self {
        match Pem::Text(roots).certificates("client roots") {
            Ok(mut found) => self.client_roots.get_or_insert_default().append(&mut found),
            Err(e) => {
                self.first_error.get_or_insert(e);
            }
        }
        self
    }

    /// Lets in clients without a certificate, too; one that is shown must still be good.
    pub fn client_auth_optional(mut self) -> Self {
        self.client_optional = true;
        self
    }

    /// The application protocols to accept, the preferred one first (RFC 7301). By default clients
    /// may offer what they like, and none is chosen.
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        let accepted: Vec<Vec<u8>> = protocols.into_iter().map(|p| p.as_ref().to_vec()).collect();
        let bad = |p: &&Vec<u8>| p.is_empty() || p.len() > MAX_ALPN_LEN;
        if let Some(bad) = accepted.iter().find(bad) {
            let error = TlsConfigError::BadAlpn { len: bad.len() };
            self.first_error.get_or_insert(error);
        }
        self.alpn = accepted;
        self
    }

    setters! {
        /// The crypto provider to use; see
        /// [`TlsClientConfigBuilder::provider`](super::TlsClientConfigBuilder::provider).
        provider(provider: Arc<CryptoProvider>) => provider;

        /// The lowest protocol version to accept; TLS 1.2 by default.
        min_version(version: TlsVersion) => min_version;
    }

    /// Makes the configuration.
    ///
    /// # Errors
    /// The first wrong input, a key that does not fit its certificate, no crypto provider.
    pub fn build(self) -> Result<TlsServerConfig, TlsConfigError> {
        if let Some(error) = self.first_error {
            return Err(error);
        }
        let provider = self
            .provider
            .or_else(compiled_in_provider)
            .ok_or(TlsConfigError::NoCryptoProvider)?;
        let loaded = self.identities.load(&provider)?;
        let chooser = Arc::new(CertificateChooser(RwLock::new(Arc::new(loaded))));
        let versions = self.min_version.unwrap_or(TlsVersion::Tls12).and_later();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .map_err(TlsConfigError::Rustls)?;
        let builder = match self.client_roots {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier = OwnClientRoots::new(&roots, self.client_optional, &provider)?;
                builder.with_client_cert_verifier(Arc::new(verifier))
            }
        };
        let mut config = builder.with_cert_resolver(chooser.clone());
        config.alpn_protocols = self.alpn;
        Ok(TlsServerConfig {
            rustls: Arc::new(config),
            chooser: Some((chooser, provider)),
        })
    }
}

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests;
