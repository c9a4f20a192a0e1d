//! [`TlsClientConfig`]: whom a client trusts, what it shows of itself, what it offers.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ProtocolVersion, SupportedProtocolVersion, version};

use super::config_error::TlsConfigError;
use super::own_roots::OwnRoots;
use super::pem::Pem;
use super::verify::{PeerCertificates, PeerVerifier, PinHook, Trust};
use crate::sys::split_zone;

/// How a client does TLS: made once, shared by any number of connections on any threads. A clone is
/// cheap and shares the cache of TLS sessions to resume.
#[derive(Clone)]
pub struct TlsClientConfig {
    rustls: Arc<rustls::ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

/// Whether one is a clone of the other, or was made of the same rustls configuration.
impl PartialEq for TlsClientConfig {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rustls, &other.rustls) && self.server_name == other.server_name
    }
}

impl Eq for TlsClientConfig {}

impl TlsClientConfig {
    /// The default: TLS 1.2 and 1.3, servers verified (chain, name, time) against the platform's
    /// trust store.
    ///
    /// It reads the trust store, which on some platforms means reading files: make one
    /// configuration and clone it.
    ///
    /// # Errors
    /// [`TlsConfigError::NoCryptoProvider`] without a provider feature, [`TlsConfigError::Verifier`]
    /// if the platform's trust store cannot be used.
    pub fn new() -> Result<Self, TlsConfigError> {
        Self::builder().build()
    }

    /// A builder that starts from the default.
    pub fn builder() -> TlsClientConfigBuilder {
        TlsClientConfigBuilder::default()
    }

    /// Takes a configuration made with rustls itself, as it is: its verifier alone decides who is
    /// trusted.
    pub fn from_rustls(config: Arc<rustls::ClientConfig>) -> Self {
        Self {
            rustls: config,
            server_name: None,
        }
    }

    /// The rustls configuration inside.
    pub fn as_rustls(&self) -> &Arc<rustls::ClientConfig> {
        &self.rustls
    }

    /// The same, with this name (a DNS name or IP address) to verify every server for, and to send as SNI, in the
    /// place of the host that is dialled. It shares the cache of TLS sessions.
    ///
    /// # Errors
    /// [`TlsConfigError::InvalidServerName`].
    pub fn with_server_name(mut self, name: &str) -> Result<Self, TlsConfigError> {
        let parsed = parse_server_name(name);
        let parsed = parsed.ok_or_else(|| TlsConfigError::InvalidServerName(name.to_owned()))?;
        self.server_name = Some(parsed);
        Ok(self)
    }

    /// The name to verify for a connection to `host`: the override if there is one. An IPv6 address
    /// may stand in brackets, as it does in a URL. `None`: it is no name.
    pub(super) fn server_name_for(&self, host: &str) -> Option<ServerName<'static>> {
        self.server_name.clone().or_else(|| parse_server_name(host))
    }
}

debug_fields!(TlsClientConfig, this:
    "server_name" = this.server_name,
    "alpn_protocols" = this.rustls.alpn_protocols,
    "enable_sni" = this.rustls.enable_sni,
);

/// A TLS protocol version.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsVersion {
    /// The version rustls negotiated; it knows no other than these.
    pub(super) fn from_rustls(version: ProtocolVersion) -> Option<Self> {
        match version {
            ProtocolVersion::TLSv1_2 => Some(Self::Tls12),
            ProtocolVersion::TLSv1_3 => Some(Self::Tls13),
            _ => None,
        }
    }

    /// This version and all later ones.
    pub(super) fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        static FROM_1_2: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
        static FROM_1_3: [&SupportedProtocolVersion; 1] = [&version::TLS13];
        match self {
            Self::Tls12 => &FROM_1_2,
            Self::Tls13 => &FROM_1_3,
        }
    }
}

/// Builds a [`TlsClientConfig`]. An input that is wrong is reported by
/// [`build`](TlsClientConfigBuilder::build), the first one if there are several.
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug, Default)]
pub struct TlsClientConfigBuilder {
    roots: Vec<CertificateDer<'static>>,
    platform_roots: Option<bool>,
    accept_any: bool,
    client_auth: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    alpn: Vec<Vec<u8>>,
    no_sni: bool,
    server_name: Option<ServerName<'static>>,
    pin: Option<PinHook>,
    provider: Option<Arc<CryptoProvider>>,
    min_version: Option<TlsVersion>,
    first_error: Option<TlsConfigError>,
}

impl TlsClientConfigBuilder {
    /// Trusts every certificate in this PEM text, and what these have issued. Own roots take the place of
    /// the platform's, unless [`platform_roots(true)`](Self::platform_roots) is given too.
    ///
    /// A server that shows a root itself is trusted, whether that is a certificate of one server or one of
    /// an authority (`CA:TRUE`, as `openssl req -x509` makes it), and whoever signed it. Its names, its time
    /// and its extended key usage are checked as always, and that the server has its key.
    pub fn root_pem(self, pem_text: &[u8]) -> Self {
        self.add_roots(Pem::Text(pem_text).certificates("root certificates"))
    }

    /// Trusts every certificate in this PEM file, as [`root_pem`](Self::root_pem) does.
    pub fn root_pem_file(self, path: impl AsRef<Path>) -> Self {
        self.add_roots(Pem::File(path.as_ref()).certificates("root certificates"))
    }

    /// Trusts this DER certificate, as [`root_pem`](Self::root_pem) does.
    pub fn root_der(self, der: &[u8]) -> Self {
        self.add_roots(Ok(vec![CertificateDer::from(der.to_vec())]))
    }

    /// Whether to trust the platform's roots. Unset, they are trusted if there is no own root. With
    /// `true` and own roots, a server is trusted if either accepts it.
    pub fn platform_roots(mut self, trust: bool) -> Self {
        self.platform_roots = Some(trust);
        self
    }

    /// Authenticates the client to servers that ask for it: a certificate chain (its own first) and
    /// the private key (PKCS#8, PKCS#1 or SEC1, unencrypted), both in PEM.
    pub fn client_auth_pem(self, chain: &[u8], key: &[u8]) -> Self {
        self.set_client_auth(Pem::Text(chain), Pem::Text(key))
    }

    /// As [`client_auth_pem`](Self::client_auth_pem), from files, which may be one and the same.
    pub fn client_auth_pem_files(self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.set_client_auth(Pem::File(chain.as_ref()), Pem::File(key.as_ref()))
    }

    /// The application protocols to offer, the preferred one first (RFC 7301), for instance
    /// `["http/1.1"]`. By default none is offered. A later call replaces an earlier one.
    pub fn alpn<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        let offered: Vec<Vec<u8>> = protocols.into_iter().map(|p| p.as_ref().to_vec()).collect();
        if let Some(bad) = offered
            .iter()
            .find(|p| p.is_empty() || p.len() > MAX_ALPN_LEN)
        {
            return self.fail(TlsConfigError::BadAlpn { len: bad.len() });
        }
        self.alpn = offered;
        self
    }

    /// Whether to send the server name in the clear (SNI, RFC 6066, section 3). On by default: most
    /// servers with several names need it. It is never sent for an IP address.
    pub fn sni(mut self, send: bool) -> Self {
        self.no_sni = !send;
        self
    }

    /// Verifies every server for this name (a DNS name or IP address), and sends it as SNI, instead
    /// of the host that is dialled.
    pub fn server_name(mut self, name: &str) -> Self {
        let Some(parsed) = parse_server_name(name) else {
            return self.fail(TlsConfigError::InvalidServerName(name.to_owned()));
        };
        self.server_name = Some(parsed);
        self
    }

    /// A last word on the server's certificates, after normal verification accepted them: `Err`
    /// refuses, with a reason for the error.
    ///
    /// The hook runs in the middle of the handshake on the loop's thread: it should only look at the
    /// certificates. If it panics, the server is refused. A resumed session does not ask again; it
    /// was accepted by this same hook before.
    pub fn pin(
        mut self,
        hook: impl Fn(&PeerCertificates<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.pin = Some(PinHook::new(hook));
        self
    }

    setters! {
        /// The crypto provider to use. By default it is ring if the feature `ring` is enabled, else
        /// aws-lc-rs if the feature `aws-lc-rs` is; rustls' process-wide default plays no part.
        provider(provider: Arc<CryptoProvider>) => provider;

        /// The lowest protocol version to accept; TLS 1.2 by default.
        min_version(version: TlsVersion) => min_version;
    }

    /// The options that take security away.
    pub fn dangerous(self) -> DangerousTlsClientConfigBuilder {
        DangerousTlsClientConfigBuilder { builder: self }
    }

    /// Makes the configuration.
    ///
    /// # Errors
    /// See [`TlsConfigError`]: the first wrong input, no crypto provider, no usable roots.
    pub fn build(mut self) -> Result<TlsClientConfig, TlsConfigError> {
        if let Some(error) = self.first_error.take() {
            return Err(error);
        }
        let provider = self
            .provider
            .take()
            .or_else(compiled_in_provider)
            .ok_or(TlsConfigError::NoCryptoProvider)?;
        let trust = self.trust(&provider)?;
        let verifier = PeerVerifier::new(trust, self.pin, &provider);
        let versions = self.min_version.unwrap_or(TlsVersion::Tls12).and_later();

        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(TlsConfigError::Rustls)?
            .dangerous() // rustls' word for any verifier that is not its own
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.client_auth {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(TlsConfigError::BadClientCertificate)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn;
        config.enable_sni = !self.no_sni;
        Ok(TlsClientConfig {
            rustls: Arc::new(config),
            server_name: self.server_name,
        })
    }

    /// Whom to trust. Own roots are asked before the platform, which may be slow and logs each
    /// refusal.
    fn trust(&self, provider: &Arc<CryptoProvider>) -> Result<Trust, TlsConfigError> {
        if self.accept_any {
            return Ok(Trust::Everyone);
        }
        let mut verifiers: Vec<Arc<dyn ServerCertVerifier>> = Vec::new();
        if !self.roots.is_empty() {
            verifiers.push(Arc::new(OwnRoots::new(&self.roots, provider)?));
        }
        if self.platform_roots.unwrap_or(self.roots.is_empty()) {
            let platform = rustls_platform_verifier::Verifier::new(Arc::clone(provider))
                .map_err(TlsConfigError::Verifier)?;
            verifiers.push(Arc::new(platform));
        }
        if verifiers.is_empty() {
            return Err(TlsConfigError::NoRoots);
        }
        Ok(Trust::AnyOf(verifiers))
    }

    fn add_roots(mut self, found: Result<Vec<CertificateDer<'static>>, TlsConfigError>) -> Self {
        match found {
            Ok(roots) => {
                self.roots.extend(roots);
                self
            }
            Err(error) => self.fail(error),
        }
    }

    fn set_client_auth(mut self, chain: Pem<'_>, key: Pem<'_>) -> Self {
        let chain = chain.certificates(CLIENT_CHAIN);
        match chain.and_then(|chain| Ok((chain, key.private_key(CLIENT_KEY)?))) {
            Ok(pair) => {
                self.client_auth = Some(pair);
                self
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(mut self, error: TlsConfigError) -> Self {
        self.first_error.get_or_insert(error);
        self
    }
}

/// The options that take security away, reached by [`TlsClientConfigBuilder::dangerous`].
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct DangerousTlsClientConfigBuilder {
    builder: TlsClientConfigBuilder,
}

impl DangerousTlsClientConfigBuilder {
    /// Accepts every certificate, whoever issued it, for whatever name and time, and whatever roots
    /// are set: anyone on the way can pose as the server. It is only checked that the server holds
    /// the certificate's key. A [`pin`](TlsClientConfigBuilder::pin) is still asked, and then is the
    /// only check.
    pub fn accept_any_certificate(mut self) -> TlsClientConfigBuilder {
        self.builder.accept_any = true;
        self.builder
    }
}

/// What `TlsConfigError` calls the two inputs of client authentication.
const CLIENT_CHAIN: &str = "client certificate chain";
const CLIENT_KEY: &str = "client private key";

/// The length of an ALPN protocol name is one byte on the wire (RFC 7301, section 3.1).
pub(super) const MAX_ALPN_LEN: usize = 255;

fn parse_server_name(name: &str) -> Option<ServerName<'static>> {
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    // A zone is for this host alone; certificates have none.
    match split_zone(bare.unwrap_or(name)) {
        // Brackets are for IPv6 addresses alone (RFC 3986, section 3.2.2), and so are zones.
        (address, zone) if bare.is_some() || zone.is_some() => {
            let address = address.parse::<std::net::Ipv6Addr>();
            address.ok().map(ServerName::from)
        }
        _ => ServerName::try_from(name).ok().map(|name| name.to_owned()),
    }
}

/// The provider of this crate's features; ring wins if both are enabled.
pub(super) fn compiled_in_provider() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "ring")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
    return None;
}

#[cfg(test)]
mod tests;
