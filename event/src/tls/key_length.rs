//! RSA keys of a length that the crypto providers do not take: to them a signature by one is no signature.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use super::der::Certificate;

/// What ring and aws-lc-rs take, in bits.
const LENGTHS: RangeInclusive<usize> = 2048..=8192;

/// A key of another length, on its way through rustls' error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyLength(pub(super) usize);

impl fmt::Display for KeyLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bits) = self;
        if bits < LENGTHS.start() {
            let least = LENGTHS.start();
            write!(
                f,
                "an RSA key of {bits} bits is too short, {least} are the least"
            )
        } else {
            let most = LENGTHS.end();
            write!(
                f,
                "an RSA key of {bits} bits is too long, {most} are the most"
            )
        }
    }
}

impl Error for KeyLength {}

/// The refusal of a signature, told as what it is if one of the certificates has a key of such a length.
pub(super) fn named_key_length<'a>(
    refusal: rustls::Error,
    certificates: impl IntoIterator<Item = Certificate<'a>>,
) -> rustls::Error {
    if refusal != CertificateError::BadSignature.into() {
        return refusal;
    }
    let lengths = certificates.into_iter().filter_map(|cert| cert.rsa_bits());
    let mut others = lengths.filter(|bits| !LENGTHS.contains(bits));
    match others.next() {
        Some(bits) => CertificateError::Other(OtherError(Arc::new(KeyLength(bits)))).into(),
        None => refusal,
    }
}
