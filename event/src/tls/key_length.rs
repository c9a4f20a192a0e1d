//! RSA keys of a length that the crypto providers do not take: to them a signature by one is no signature.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};

use super::der::Certificate;

/// What ring and aws-lc-rs take, in bits.
const LENGTHS: RangeInclusive<usize> = 2048..=8192;

/// A key of another length, on its way through rustls' error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an RSA key of {} bits is {}", .0, what_of(.0))]
pub(super) struct KeyLength(pub(super) usize);

fn what_of(bits: &usize) -> String {
    let (least, most) = (LENGTHS.start(), LENGTHS.end());
    match bits < least {
        true => format!("too short, {least} are the least"),
        false => format!("too long, {most} are the most"),
    }
}

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
