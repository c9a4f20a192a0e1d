//! The certificate verifier: accepted by any of several trust stores, then by the user's pin.

use std::fmt;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use super::der::Certificate;
use super::key_length::named_key_length;
use crate::panic;

/// What a pinning hook is shown: the certificates the server sent, and the name it was dialled by.
#[derive(Debug)]
pub struct PeerCertificates<'a> {
    end_entity: &'a CertificateDer<'a>,
    intermediates: &'a [CertificateDer<'a>],
    server_name: &'a ServerName<'a>,
}

impl<'a> PeerCertificates<'a> {
    /// The server's own certificate, in DER.
    pub fn end_entity(&self) -> &'a CertificateDer<'a> {
        self.end_entity
    }

    /// The other certificates the server sent, in its order, in DER. The server may send too many or
    /// too few; the trusted root is usually not among them.
    pub fn intermediates(&self) -> &'a [CertificateDer<'a>] {
        self.intermediates
    }

    /// All of them, the server's own first.
    pub fn iter(&self) -> impl Iterator<Item = &'a CertificateDer<'a>> {
        iter::once(self.end_entity).chain(self.intermediates)
    }

    /// The name that the server's certificate was verified for.
    pub fn server_name(&self) -> &'a ServerName<'a> {
        self.server_name
    }
}

/// A pinning hook: `Err(reason)` refuses the peer. Shared by all connections of a configuration.
#[derive(Clone)]
pub(super) struct PinHook(Arc<PinFn>);

type PinFn = dyn Fn(&PeerCertificates<'_>) -> Result<(), String> + Send + Sync;

impl PinHook {
    /// Wraps the user's closure.
    pub(super) fn new(
        hook: impl Fn(&PeerCertificates<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(hook))
    }

    /// Asks the user. A panic counts as a refusal: rustls' state must not be unwound through.
    fn check(&self, peer: &PeerCertificates<'_>) -> Result<(), rustls::Error> {
        let answer = catch_unwind(AssertUnwindSafe(|| (self.0)(peer)))
            .unwrap_or_else(|payload| Err(format!("it panicked: {}", panic::text(&*payload))));
        answer.map_err(|reason| {
            CertificateError::Other(OtherError(Arc::new(PinRefused(reason)))).into()
        })
    }
}

impl fmt::Debug for PinHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinHook")
    }
}

/// The refusal of a pinning hook, on its way through rustls' error.
#[derive(Debug, thiserror::Error)]
#[error("the pinning hook refused it: {0}")]
pub(super) struct PinRefused(pub(super) String);

/// Whom to trust.
#[derive(Debug)]
pub(super) enum Trust {
    /// Chain and name must be accepted by at least one of these, which are asked in order. An empty
    /// list trusts no one.
    AnyOf(Vec<Arc<dyn ServerCertVerifier>>),
    /// Everyone who holds the key of the certificate it shows: neither chain, name nor time is
    /// looked at.
    Everyone,
}

/// rustls' hook for verifying a server: [`Trust`], then the pin. Signatures of the handshake are
/// always verified.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    trust: Trust,
    pin: Option<PinHook>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerVerifier {
    /// A verifier that checks signatures with the algorithms of `provider`.
    pub(super) fn new(trust: Trust, pin: Option<PinHook>, provider: &CryptoProvider) -> Self {
        Self {
            trust,
            pin,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Trust::AnyOf(verifiers) = &self.trust {
            let verdict = accepted_by_any(verifiers, |verifier| {
                verifier.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                )
            });
            verdict.map_err(|refusal| {
                let shown = iter::once(end_entity).chain(intermediates);
                named_key_length(refusal, shown.filter_map(|der| Certificate::read(der)))
            })?;
        }
        if let Some(pin) = &self.pin {
            pin.check(&PeerCertificates {
                end_entity,
                intermediates,
                server_name,
            })?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verdict = verify_tls12_signature(message, cert, dss, &self.algorithms);
        verdict.map_err(|refusal| named_key_length(refusal, Certificate::read(cert)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verdict = verify_tls13_signature(message, cert, dss, &self.algorithms);
        verdict.map_err(|refusal| named_key_length(refusal, Certificate::read(cert)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// `Ok` as soon as one accepts. If none does, the error that tells the most: a store that does not
/// know the issuer says nothing about the certificate, one that does says what is wrong with it.
fn accepted_by_any(
    verifiers: &[Arc<dyn ServerCertVerifier>],
    verify: impl Fn(&dyn ServerCertVerifier) -> Result<ServerCertVerified, rustls::Error>,
) -> Result<(), rustls::Error> {
    let unknown_issuer = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let mut refusal = unknown_issuer.clone();
    for verifier in verifiers {
        match verify(&**verifier) {
            Ok(_) => return Ok(()),
            Err(error) if refusal == unknown_issuer => refusal = error,
            Err(_) => {}
        }
    }
    Err(refusal)
}
