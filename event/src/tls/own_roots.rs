//! Own roots: what they have issued is trusted, and so is a root that is itself shown.
//!
//! `openssl req -x509` makes a certificate that is an authority (`CA:TRUE`), and people give it to a server
//! and, as its root, to the clients. rustls takes no authority for a server. Who has named the very
//! certificate as trusted has said all that a chain could say: names, times and purpose are still checked,
//! and that the peer has its key.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::config_error::TlsConfigError;
use super::der::{Certificate, Purpose};
use super::key_length::named_key_length;

/// The certificates of the user's that are trusted.
#[derive(Debug, Clone)]
struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    store: Arc<RootCertStore>,
}

impl Roots {
    fn new(certificates: &[CertificateDer<'static>]) -> Result<Self, TlsConfigError> {
        let mut store = RootCertStore::empty();
        for root in certificates {
            store
                .add(root.clone())
                .map_err(TlsConfigError::BadRootCertificate)?;
        }
        Ok(Self {
            certificates: certificates.to_vec(),
            store: Arc::new(store),
        })
    }

    fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.iter().any(|root| root == certificate)
    }

    /// Whether a root may be shown for that purpose, by what was found wrong with it as a certificate
    /// without a chain.
    fn shown(
        &self,
        root: &CertificateDer<'_>,
        purpose: Purpose,
        refusal: Error,
    ) -> Result<(), Error> {
        if concerns_itself(&refusal) {
            return Err(refusal);
        }
        match Certificate::read(root).is_some_and(|cert| cert.is_for(purpose)) {
            true => Ok(()),
            false => Err(CertificateError::InvalidPurpose.into()),
        }
    }

    /// A refusal for a signature that may be one for the length of a key: of those shown, or of a root
    /// that is named as an issuer.
    fn explain(
        &self,
        refusal: Error,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Error {
        let shown = || {
            let shown = std::iter::once(end_entity).chain(intermediates);
            shown.filter_map(|der| Certificate::read(der))
        };
        let roots = self.certificates.iter();
        let roots = roots.filter_map(|der| Certificate::read(der));
        let issuers = roots.filter(|root| shown().any(|cert| cert.issuer == root.subject));
        named_key_length(refusal, shown().chain(issuers))
    }
}

/// Whether the refusal of a certificate is about its own words: the others are about its chain. rustls
/// looks at the time first, then whether it is an authority, then at the purpose, then at the chain.
fn concerns_itself(refusal: &Error) -> bool {
    use CertificateError as C;
    matches!(
        refusal,
        Error::InvalidCertificate(
            C::BadEncoding
                | C::Expired
                | C::ExpiredContext { .. }
                | C::NotValidYet
                | C::NotValidYetContext { .. }
                | C::InvalidPurpose
                | C::InvalidPurposeContext { .. }
                | C::NotValidForName
                | C::NotValidForNameContext { .. }
        )
    )
}

/// Verifies servers by own roots.
#[derive(Debug)]
pub(super) struct OwnRoots {
    roots: Roots,
    chains: Arc<WebPkiServerVerifier>,
}

impl OwnRoots {
    pub(super) fn new(
        roots: &[CertificateDer<'static>],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsConfigError> {
        let roots = Roots::new(roots)?;
        let chains =
            WebPkiServerVerifier::builder_with_provider(roots.store.clone(), provider.clone());
        Ok(Self {
            roots,
            // An empty store is the only error without revocation lists.
            chains: chains.build().map_err(|_| TlsConfigError::NoRoots)?,
        })
    }
}

impl ServerCertVerifier for OwnRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |intermediates: &[CertificateDer<'_>]| {
            let chains = &self.chains;
            chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        if !self.roots.contains(end_entity) {
            let verdict = verify(intermediates);
            return verdict.map_err(|e| self.roots.explain(e, end_entity, intermediates));
        }
        if let Err(refusal) = verify(&[]) {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            self.roots.shown(end_entity, Purpose::Server, refusal)?;
            verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Verifies clients by own roots.
#[derive(Debug)]
pub(super) struct OwnClientRoots {
    roots: Roots,
    chains: Arc<dyn ClientCertVerifier>,
}

impl OwnClientRoots {
    /// `optional`: a client need not have a certificate.
    pub(super) fn new(
        roots: &[CertificateDer<'static>],
        optional: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsConfigError> {
        let roots = Roots::new(roots)?;
        let chains =
            WebPkiClientVerifier::builder_with_provider(roots.store.clone(), provider.clone());
        let chains = match optional {
            true => chains.allow_unauthenticated(),
            false => chains,
        };
        Ok(Self {
            roots,
            // An empty store is the only error without revocation lists.
            chains: chains.build().map_err(|_| TlsConfigError::NoRoots)?,
        })
    }
}

impl ClientCertVerifier for OwnClientRoots {
    fn offer_client_auth(&self) -> bool {
        self.chains.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.chains.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !self.roots.contains(end_entity) {
            let verdict = self
                .chains
                .verify_client_cert(end_entity, intermediates, now);
            return verdict.map_err(|e| self.roots.explain(e, end_entity, intermediates));
        }
        if let Err(refusal) = self.chains.verify_client_cert(end_entity, &[], now) {
            ParsedCertificate::try_from(end_entity)?;
            self.roots.shown(end_entity, Purpose::Client, refusal)?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = self.chains.verify_tls12_signature(message, cert, dss);
        verdict.map_err(|e| named_key_length(e, Certificate::read(cert)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = self.chains.verify_tls13_signature(message, cert, dss);
        verdict.map_err(|e| named_key_length(e, Certificate::read(cert)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests;
