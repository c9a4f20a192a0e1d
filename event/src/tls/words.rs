//! TLS errors in words: what rustls has as the names of its enums.

use std::fmt::Debug;

use rustls::pki_types::UnixTime;
use rustls::{
    AlertDescription, CertificateError, Error, InconsistentKeys, InvalidMessage, PeerIncompatible,
};

use super::der::algorithm;

/// What rustls says of anything but a certificate, without a name of an enum.
pub(super) fn of(error: &Error) -> String {
    match error {
        Error::NoCertificatesPresented => "no certificate was presented".into(),
        Error::AlertReceived(description) => alert(*description),
        Error::PeerIncompatible(why) => incompatible(why),
        Error::NoApplicationProtocol => "no application protocol (ALPN) in common".into(),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what it sent is not TLS".into()
        }
        Error::InvalidMessage(why) => format!("a malformed message: {}", spaced(why)),
        Error::InappropriateMessage { got_type, .. } => {
            format!("a message out of place: {}", spaced(got_type))
        }
        Error::InappropriateHandshakeMessage { got_type, .. } => {
            format!("a handshake message out of place: {}", spaced(got_type))
        }
        Error::PeerMisbehaved(why) => spaced(why),
        Error::DecryptError => "a record that cannot be decrypted".into(),
        Error::PeerSentOversizedRecord => "a record that is too long".into(),
        Error::InvalidCertRevocationList(why) => {
            format!("an unusable list of revoked certificates: {}", spaced(why))
        }
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the private key does not belong to the certificate".into()
        }
        Error::General(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What of a certificate's problems has no name of its own in `CertificateProblem`.
pub(super) fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnhandledCriticalExtension => CRITICAL.into(),
        CertificateError::UnknownRevocationStatus => {
            "it is not known whether it was revoked".into()
        }
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => {
            "the list of revoked certificates is out of date".into()
        }
        CertificateError::InvalidOcspResponse => "its OCSP response is not valid".into(),
        CertificateError::ApplicationVerificationFailure => {
            "the verifier refused it without a reason".into()
        }
        CertificateError::Other(other) => match other.0.downcast_ref() {
            Some(error) => chain(error),
            None => other.to_string(),
        },
        other => spaced(other),
    }
}

const CRITICAL: &str = "it has a critical extension that is not known";

/// What webpki says of a certificate and its chain.
fn chain(error: &webpki::Error) -> String {
    use webpki::Error as W;
    let text = match error {
        W::UnsupportedCertVersion => "it is not an X.509 certificate of version 3",
        W::UnsupportedCriticalExtension => CRITICAL,
        W::EndEntityUsedAsCa => "one that signed it is not that of an authority",
        W::PathLenConstraintViolated => "an authority of its chain may not have so many below it",
        W::NameConstraintViolation => "an authority of its chain may not issue for this name",
        W::MaximumPathDepthExceeded
        | W::MaximumPathBuildCallsExceeded
        | W::MaximumSignatureChecksExceeded
        | W::MaximumNameConstraintComparisonsExceeded => {
            "its chain is too long, or has too many ways"
        }
        W::SignatureAlgorithmMismatch => "it names two signature algorithms",
        other => return spaced(other),
    };
    text.into()
}

/// Why two sides that both speak TLS cannot talk.
fn incompatible(why: &PeerIncompatible) -> String {
    use PeerIncompatible as I;
    let text = match why {
        I::NoCipherSuitesInCommon => "no cipher suite in common",
        I::NoKxGroupsInCommon | I::NoEcPointFormatsInCommon | I::NamedGroupsExtensionRequired => {
            "no group for the key exchange in common"
        }
        I::NoSignatureSchemesInCommon => {
            "no signature scheme in common (our certificate's key may be of a kind that the peer does not take)"
        }
        I::NoCertificateRequestSignatureSchemesInCommon => {
            "no signature scheme in common for our client certificate"
        }
        I::ServerDoesNotSupportTls12Or13 | I::SupportedVersionsExtensionRequired => {
            "no version of TLS in common: the peer speaks neither 1.2 nor 1.3"
        }
        I::ServerTlsVersionIsDisabledByOurConfig => {
            "no version of TLS in common: the one that the peer chose is switched off here"
        }
        I::Tls12NotOffered | I::Tls12NotOfferedOrEnabled => {
            "no version of TLS in common: the peer does not offer 1.2, and 1.3 cannot be used"
        }
        I::ServerRejectedEncryptedClientHello(_) => "the peer refused the encrypted hello",
        other => return spaced(other),
    };
    text.into()
}

/// The alert of the peer (RFC 8446 section 6.2), and what it means by it.
pub(super) fn alert(description: AlertDescription) -> String {
    use AlertDescription as A;
    let meaning = match description {
        A::UnexpectedMessage => "it got a message out of place",
        A::BadRecordMac | A::DecryptionFailed => "it got a record that it could not decrypt",
        A::RecordOverflow => "it got a record that was too long",
        A::HandshakeFailure => {
            "no cipher suite, group or signature scheme in common, or it refuses for another reason"
        }
        A::NoCertificate | A::CertificateRequired => "it wants a client certificate",
        A::BadCertificate => "it could not read or verify our certificate",
        A::UnsupportedCertificate => "it does not take certificates of our kind",
        A::CertificateRevoked => "our certificate was revoked",
        A::CertificateExpired => "our certificate has expired, or is not valid yet",
        A::CertificateUnknown => "it does not accept our certificate",
        A::UnknownCA => "it does not trust the issuer of our certificate",
        A::AccessDenied => "our certificate is good, and not let in",
        A::IllegalParameter | A::DecodeError => "it got a message that it could not read",
        A::DecryptError => "it could not verify a signature, or the end of the handshake",
        A::ProtocolVersion => "no version of TLS in common",
        A::InsufficientSecurity => "it wants stronger ciphers than we have in common",
        A::InternalError => "something failed there",
        A::InappropriateFallback => "it speaks a later version of TLS than the one tried",
        A::UserCanceled => "its user gave up",
        A::MissingExtension => "it misses an extension in our hello",
        A::UnsupportedExtension => "it did not offer an extension that came",
        A::UnrecognisedName => "it has no such server name",
        A::NoApplicationProtocol => "no application protocol (ALPN) in common",
        A::Unknown(code) => return format!("alert {code}"),
        other => return format!("alert {}", snake(other)),
    };
    format!("alert {}: {meaning}", snake(description))
}

/// The name of a signature algorithm, and whether it is too weak for anyone; of the content of an
/// AlgorithmIdentifier.
pub(super) fn signature_algorithm(content: &[u8]) -> (String, bool) {
    let identifier = dotted(algorithm(content).unwrap_or(content));
    let known = SIGNATURES.iter().find(|(known, ..)| *known == identifier);
    match known {
        Some((_, name, weak)) => ((*name).to_owned(), *weak),
        None => (identifier, false),
    }
}

/// RFC 8017 appendix A.2, RFC 5758 section 3.2, RFC 3279 section 2.2, RFC 8410 section 3.
const SIGNATURES: &[(&str, &str, bool)] = &[
    ("1.2.840.113549.1.1.2", "RSA with MD2", true),
    ("1.2.840.113549.1.1.4", "RSA with MD5", true),
    ("1.2.840.113549.1.1.5", "RSA with SHA-1", true),
    ("1.2.840.113549.1.1.10", "RSA-PSS", false),
    ("1.2.840.113549.1.1.11", "RSA with SHA-256", false),
    ("1.2.840.113549.1.1.12", "RSA with SHA-384", false),
    ("1.2.840.113549.1.1.13", "RSA with SHA-512", false),
    ("1.2.840.113549.1.1.14", "RSA with SHA-224", false),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1", true),
    ("1.2.840.10045.4.3.1", "ECDSA with SHA-224", false),
    ("1.2.840.10045.4.3.2", "ECDSA with SHA-256", false),
    ("1.2.840.10045.4.3.3", "ECDSA with SHA-384", false),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512", false),
    ("1.2.840.10040.4.3", "DSA with SHA-1", true),
    ("1.3.101.112", "Ed25519", false),
    ("1.3.101.113", "Ed448", false),
];

/// An object identifier as people write it (X.690 section 8.19).
fn dotted(identifier: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u64;
    for byte in identifier {
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let Some(first) = numbers.first().copied() else {
        return "an unnamed algorithm".into();
    };
    let top = (first / 40).min(2);
    let mut text = format!("{top}.{}", first - top * 40);
    for number in &numbers[1..] {
        text.push_str(&format!(".{number}"));
    }
    text
}

/// A name of a certificate, which webpki gives as a value of its enum.
pub(super) fn name(presented: String) -> String {
    let inside = |prefix: &str, suffix: &str| {
        let rest = presented.strip_prefix(prefix)?;
        Some(rest.strip_suffix(suffix)?.to_owned())
    };
    inside("DnsName(\"", "\")")
        .or_else(|| inside("IpAddress(", ")"))
        .or_else(|| inside("UniformResourceIdentifier(\"", "\")"))
        .unwrap_or_else(|| spaced(&Verbatim(&presented)))
}

/// Shown as it is.
struct Verbatim<'a>(&'a str);

impl Debug for Verbatim<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A time as people write it, in UTC.
pub(super) fn date(time: UnixTime) -> String {
    let seconds = time.as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // The calendar goes round in 400 years; counted from a first of March, leap days are last.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The name of a value of an enum, as words: `NoSuchThing` is "no such thing".
pub(super) fn spaced(value: &impl Debug) -> String {
    separated(value, ' ')
}

/// As a specification writes it: `NoSuchThing` is `no_such_thing`.
fn snake(value: impl Debug) -> String {
    separated(&value, '_').to_ascii_lowercase()
}

fn separated(value: &impl Debug, separator: char) -> String {
    let debug = format!("{value:?}");
    let whole = debug.trim();
    let end = whole.find(|c: char| !c.is_ascii_alphanumeric());
    let letters: Vec<char> = whole[..end.unwrap_or(whole.len())].chars().collect();
    let mut text = String::with_capacity(whole.len() + 8);
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let behind = letters.get(at + 1);
        let small_before = before.is_some_and(|c| !c.is_ascii_uppercase());
        let small_behind = behind.is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && before.is_some() && (small_before || small_behind) {
            text.push(separator);
        }
        // An acronym stays one.
        let acronym = !small_behind && (behind.is_some() || !small_before);
        text.push(if acronym {
            *letter
        } else {
            letter.to_ascii_lowercase()
        });
    }
    text
}

#[cfg(test)]
mod tests;
