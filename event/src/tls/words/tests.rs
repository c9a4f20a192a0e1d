//! Every error that matters, as people read it.

use super::*;
use crate::tls::{TlsConfigError, TlsError};
use rustls::pki_types::ServerName;
use rustls::{CertRevocationListError, ContentType, HandshakeType, OtherError, PeerMisbehaved};
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

/// No name of an enum: no capital letter inside a word.
fn is_words(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    !letters
        .windows(2)
        .any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase())
}

fn other(error: webpki::Error) -> CertificateError {
    CertificateError::Other(OtherError(Arc::new(error)))
}

/// The content of an AlgorithmIdentifier without parameters.
fn signed(identifier: &[u8]) -> CertificateError {
    let mut content = vec![6, u8::try_from(identifier.len()).expect("it is short")];
    content.extend_from_slice(identifier);
    CertificateError::UnsupportedSignatureAlgorithmContext {
        signature_algorithm_id: content,
        supported_algorithms: Vec::new(),
    }
}

#[test]
fn certificates() {
    use CertificateError as C;
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let named = C::NotValidForNameContext {
        expected: ServerName::try_from("other.test").expect("a name"),
        presented: vec![
            "DnsName(\"host.test\")".into(),
            "IpAddress(127.0.0.1)".into(),
            "UniformResourceIdentifier(\"x://y\")".into(),
            "DirectoryName".into(),
        ],
    };
    for (error, text) in [
        (C::UnknownIssuer, "unknown issuer"),
        (C::Expired, "it has expired"),
        (
            C::ExpiredContext {
                time: at(0),
                not_after: at(978_307_199),
            },
            "it has expired, at 2000-12-31 23:59:59 UTC",
        ),
        (C::NotValidYet, "it is not valid yet"),
        (
            C::NotValidYetContext {
                time: at(0),
                not_before: at(64_060_588_800),
            },
            "it is not valid before 4000-01-01 00:00:00 UTC",
        ),
        (
            named,
            "it is not valid for other.test, only for host.test, 127.0.0.1, x://y, directory name",
        ),
        (
            C::NotValidForName,
            "it is not valid for the name of the server",
        ),
        (C::Revoked, "it was revoked"),
        (C::BadSignature, "a signature does not match"),
        (C::BadEncoding, "it is malformed"),
        (C::InvalidPurpose, "it was not issued for this purpose"),
        (
            other(webpki::Error::EmptyEkuExtension),
            "it was not issued for this purpose",
        ),
        (
            other(webpki::Error::CaUsedAsEndEntity),
            "an authority (CA:TRUE)",
        ),
        (other(webpki::Error::UnsupportedCertVersion), "version 3"),
        (
            other(webpki::Error::UnsupportedCriticalExtension),
            "critical extension",
        ),
        (
            other(webpki::Error::EndEntityUsedAsCa),
            "not that of an authority",
        ),
        (
            other(webpki::Error::PathLenConstraintViolated),
            "so many below",
        ),
        (
            other(webpki::Error::NameConstraintViolation),
            "may not issue for this name",
        ),
        (other(webpki::Error::MaximumPathDepthExceeded), "too long"),
        (
            other(webpki::Error::ExtensionValueInvalid),
            "extension value invalid",
        ),
        (C::UnhandledCriticalExtension, "critical extension"),
        (
            C::UnknownRevocationStatus,
            "not known whether it was revoked",
        ),
        (C::ExpiredRevocationList, "out of date"),
        (C::InvalidOcspResponse, "OCSP"),
        (C::ApplicationVerificationFailure, "without a reason"),
        (
            signed(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"),
            "too weak: RSA with SHA-1",
        ),
        (
            signed(b"\x2a\x86\x48\xce\x3d\x04\x01"),
            "too weak: ECDSA with SHA-1",
        ),
        (signed(b"\x2b\x65\x71"), "not supported: Ed448"),
        (
            signed(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x63"),
            "not supported: 1.2.840.113549.1.1.99",
        ),
        (
            C::Other(OtherError(Arc::new(crate::tls::key_length::KeyLength(
                1024,
            )))),
            "an RSA key of 1024 bits is too short, 2048 are the least",
        ),
        (
            C::Other(OtherError(Arc::new(crate::tls::key_length::KeyLength(
                16384,
            )))),
            "an RSA key of 16384 bits is too long, 8192 are the most",
        ),
    ] {
        let error = TlsError::from(Error::InvalidCertificate(error));
        let told = error.to_string();
        assert!(
            told.starts_with("the peer's certificate was refused: "),
            "{told}"
        );
        assert!(told.contains(text), "{told:?} has no {text:?}");
        assert!(is_words(&told), "{told}");
        let source = error.source().expect("a source").to_string();
        assert!(source.contains(text) && is_words(&source), "{source}");
    }
}

#[test]
fn connections() {
    use Error as E;
    use PeerIncompatible as I;
    let out_of_place = E::InappropriateHandshakeMessage {
        expect_types: vec![HandshakeType::ServerHello],
        got_type: HandshakeType::Finished,
    };
    for (error, text, has_source) in [
        (
            E::AlertReceived(AlertDescription::UnknownCA),
            "alert unknown_ca: it does not trust",
            false,
        ),
        (
            E::AlertReceived(AlertDescription::CertificateRequired),
            "wants a client certificate",
            false,
        ),
        (
            E::AlertReceived(AlertDescription::ProtocolVersion),
            "no version of TLS in common",
            false,
        ),
        (
            E::AlertReceived(AlertDescription::HandshakeFailure),
            "no cipher suite",
            false,
        ),
        (
            E::AlertReceived(AlertDescription::UnrecognisedName),
            "no such server name",
            false,
        ),
        (
            E::AlertReceived(AlertDescription::CertificateExpired),
            "has expired",
            false,
        ),
        (
            E::AlertReceived(AlertDescription::UnknownPSKIdentity),
            "alert unknown_psk_identity",
            false,
        ),
        (
            E::AlertReceived(AlertDescription::Unknown(200)),
            "alert 200",
            false,
        ),
        (
            E::PeerIncompatible(I::NoCipherSuitesInCommon),
            "no cipher suite in common",
            true,
        ),
        (E::PeerIncompatible(I::NoKxGroupsInCommon), "no group", true),
        (
            E::PeerIncompatible(I::NoSignatureSchemesInCommon),
            "no signature scheme",
            true,
        ),
        (
            E::PeerIncompatible(I::ServerDoesNotSupportTls12Or13),
            "neither 1.2 nor 1.3",
            true,
        ),
        (
            E::PeerIncompatible(I::Tls12NotOffered),
            "no version of TLS in common",
            true,
        ),
        (
            E::PeerIncompatible(I::ServerTlsVersionIsDisabledByOurConfig),
            "no version of TLS in common",
            true,
        ),
        (
            E::PeerIncompatible(I::ExtendedMasterSecretExtensionRequired),
            "extended master secret extension required",
            true,
        ),
        (E::NoApplicationProtocol, "(ALPN)", true),
        (
            E::InvalidMessage(InvalidMessage::InvalidContentType),
            "is not TLS",
            true,
        ),
        (
            E::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge),
            "handshake payload too large",
            true,
        ),
        (
            E::InappropriateMessage {
                expect_types: vec![ContentType::Handshake],
                got_type: ContentType::ApplicationData,
            },
            "out of place: application data",
            true,
        ),
        (out_of_place, "out of place: finished", true),
        (
            E::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments),
            "too many empty fragments",
            true,
        ),
        (E::DecryptError, "cannot be decrypted", true),
        (E::PeerSentOversizedRecord, "too long", true),
        (
            E::InconsistentKeys(InconsistentKeys::KeyMismatch),
            "does not belong",
            true,
        ),
        (
            E::InvalidCertRevocationList(CertRevocationListError::BadSignature),
            "list of revoked certificates: bad signature",
            true,
        ),
        (E::NoCertificatesPresented, "none was presented", true),
        (E::FailedToGetRandomBytes, "random", true),
        (E::General("the very words".into()), "the very words", true),
    ] {
        let told = TlsError::from(error);
        let words = told.to_string();
        assert!(words.contains(text), "{words:?} has no {text:?}");
        assert!(is_words(&words), "{words}");
        assert_eq!(told.source().is_some(), has_source, "{words}");
    }
}

/// Whatever the peer misbehaves in, or an alert may be: words.
#[test]
fn alerts_without_exception() {
    for code in 0..=255 {
        let words = alert(AlertDescription::from(code));
        assert!(words.starts_with("alert ") && is_words(&words), "{words}");
    }
}

#[test]
fn configurations() {
    let mismatch = Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
    let bad = Error::InvalidCertificate(CertificateError::BadEncoding);
    for (error, text) in [
        (
            TlsConfigError::BadClientCertificate(mismatch.clone()),
            "does not belong",
        ),
        (
            TlsConfigError::BadServerCertificate(mismatch),
            "does not belong",
        ),
        (TlsConfigError::BadRootCertificate(bad), "it is malformed"),
    ] {
        let words = error.to_string();
        assert!(words.contains(text) && is_words(&words), "{words}");
        assert!(error.source().is_some());
    }
}

#[test]
fn dates() {
    for (seconds, text) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (951_782_399, "2000-02-28 23:59:59 UTC"),
        (951_782_400, "2000-02-29 00:00:00 UTC"),
        (951_868_800, "2000-03-01 00:00:00 UTC"),
        (1_709_251_199, "2024-02-29 23:59:59 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        (253_402_300_799, "9999-12-31 23:59:59 UTC"),
    ] {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        assert_eq!(date(time), text);
    }
}

#[test]
fn names_as_words() {
    for (name, words) in [
        ("NoSuchThing", "no such thing"),
        ("UnknownCA", "unknown CA"),
        ("UnknownPSKIdentity", "unknown PSK identity"),
        ("One", "one"),
        ("Inner(7)", "inner"),
        ("", ""),
    ] {
        assert_eq!(spaced(&Verbatim(name)), words);
    }
}
