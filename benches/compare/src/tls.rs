//! TLS: one configuration of rustls for all programs.

use crate::Result;
use clap::Args;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;

/// The certificate, which clients trust, and its key.
#[derive(Args, Clone)]
pub struct Files {
    /// The server's certificate, which the clients trust (PEM); with it, TLS.
    #[arg(long)]
    pub certificate: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, requires = "certificate")]
    pub key: Option<PathBuf>,
}

impl Files {
    /// Whether there is TLS.
    pub fn is_set(&self) -> bool {
        self.certificate.is_some()
    }

    /// What a client needs.
    pub fn client(&self) -> Result<Option<Arc<ClientConfig>>> {
        let Some(certificate) = &self.certificate else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Some(Arc::new(config)))
    }

    /// What a server needs.
    pub fn server(&self) -> Result<Option<Arc<ServerConfig>>> {
        let Some(certificate) = &self.certificate else {
            return Ok(None);
        };
        let key = self.key.as_ref().ok_or("a certificate without its key")?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(certificate)?],
                PrivateKeyDer::from_pem_file(key)?,
            )?;
        Ok(Some(Arc::new(config)))
    }
}
