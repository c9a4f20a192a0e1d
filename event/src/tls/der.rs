//! What of a certificate is looked at here and not by rustls: what it is for, whom it names as its issuer,
//! and how long its key is. Only of certificates that rustls could read, or that the user trusts; what
//! cannot be read is `None`.

const BIT_STRING: u8 = 0x03;
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// The version and the extensions of a certificate (RFC 5280 section 4.1).
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// rsaEncryption (RFC 8017 appendix C).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-ce-extKeyUsage (RFC 5280 section 4.2.1.12).
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

/// What a certificate is shown for (RFC 5280 section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// id-kp-serverAuth.
    Server,
    /// id-kp-clientAuth.
    Client,
}

impl Purpose {
    fn identifier(self) -> &'static [u8] {
        match self {
            Self::Server => &[0x2b, 6, 1, 5, 5, 7, 3, 1],
            Self::Client => &[0x2b, 6, 1, 5, 5, 7, 3, 2],
        }
    }
}

/// A certificate (RFC 5280 section 4.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Certificate<'a> {
    /// The name of who signed it, and its own.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    /// SubjectPublicKeyInfo.
    key: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, _) = expect(SEQUENCE, der)?;
        let (signed, _) = expect(SEQUENCE, certificate)?;
        let rest = expect(VERSION, signed).map_or(signed, |(_, rest)| rest);
        let (_serial, rest) = expect(INTEGER, rest)?;
        let (_signature, rest) = expect(SEQUENCE, rest)?;
        let (issuer, rest) = expect(SEQUENCE, rest)?;
        let (_validity, rest) = expect(SEQUENCE, rest)?;
        let (subject, rest) = expect(SEQUENCE, rest)?;
        let (key, mut rest) = expect(SEQUENCE, rest)?;
        let mut extensions: &[u8] = &[];
        while let Some((tag, content, behind)) = split(rest) {
            if tag == EXTENSIONS {
                extensions = expect(SEQUENCE, content)?.0;
            }
            rest = behind;
        }
        Some(Self {
            issuer,
            subject,
            key,
            extensions,
        })
    }

    /// Whether it was issued for this: it says so, or nothing.
    pub(super) fn is_for(&self, purpose: Purpose) -> bool {
        let mut rest = self.extensions;
        while !rest.is_empty() {
            let Some((extension, behind)) = expect(SEQUENCE, rest) else {
                return false;
            };
            if let Some((EXTENDED_KEY_USAGE, value)) = expect(OBJECT_IDENTIFIER, extension) {
                return lists(value, purpose.identifier()).unwrap_or(false);
            }
            rest = behind;
        }
        true
    }

    /// The length of its key, if that is one of RSA.
    pub(super) fn rsa_bits(&self) -> Option<usize> {
        let (algorithm, rest) = expect(SEQUENCE, self.key)?;
        let (RSA, _) = expect(OBJECT_IDENTIFIER, algorithm)? else {
            return None;
        };
        let (bits, _) = expect(BIT_STRING, rest)?;
        // The first byte counts the unused bits of the last.
        let (key, _) = expect(SEQUENCE, bits.get(1..)?)?;
        let (modulus, _) = expect(INTEGER, key)?;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let modulus = &modulus[zeros..];
        Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
    }
}

/// Whether this value of an extension is a list with that identifier.
fn lists(value: &[u8], identifier: &[u8]) -> Option<bool> {
    let value = expect(BOOLEAN, value).map_or(value, |(_critical, rest)| rest);
    let (list, _) = expect(OCTET_STRING, value)?;
    let (mut rest, _) = expect(SEQUENCE, list)?;
    while !rest.is_empty() {
        let (listed, behind) = expect(OBJECT_IDENTIFIER, rest)?;
        if listed == identifier {
            return Some(true);
        }
        rest = behind;
    }
    Some(false)
}

/// The identifier at the start of an AlgorithmIdentifier's content.
pub(super) fn algorithm(content: &[u8]) -> Option<&[u8]> {
    expect(OBJECT_IDENTIFIER, content).map(|(identifier, _)| identifier)
}

/// The content of the value with that tag at the start of `input`, and what is behind it.
fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    match split(input)? {
        (found, content, rest) if found == tag => Some((content, rest)),
        _ => None,
    }
}

/// The value at the start of `input`: its tag, its content, and what is behind it (X.690 section 8.1).
fn split(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let len = len.iter().try_fold(0_usize, |len, byte| {
                len.checked_mul(256)?.checked_add(usize::from(*byte))
            });
            (len?, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests {
    use super::*;
    use crate::tls::testkit::{Authority, Identity};
    use rcgen::ExtendedKeyUsagePurpose as Usage;

    #[test]
    fn what_it_is_for() {
        let authority = Authority::new("root");
        for (usages, server, client) in [
            (vec![], true, true),
            (vec![Usage::ServerAuth], true, false),
            (vec![Usage::ClientAuth], false, true),
            (vec![Usage::ClientAuth, Usage::ServerAuth], true, true),
            (vec![Usage::CodeSigning], false, false),
        ] {
            let identity = authority.issue_with("host.test", |params| {
                params.extended_key_usages = usages.clone();
            });
            let cert = Certificate::read(identity.cert.der()).expect("a certificate");
            let told = (cert.is_for(Purpose::Server), cert.is_for(Purpose::Client));
            assert_eq!(told, (server, client), "{usages:?}");
            assert_eq!(cert.rsa_bits(), None);
            let root = Certificate::read(authority.der()).expect("a certificate");
            assert_eq!(cert.issuer, root.subject);
            assert_ne!(cert.subject, root.subject);
        }
    }

    /// Damaged in any byte, or cut anywhere: no panic.
    #[test]
    fn whatever_it_is_given() {
        let whole = Identity::self_signed("host.test").cert.der().to_vec();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                damaged[at] = byte;
                for input in [&damaged[..], &whole[..at]] {
                    if let Some(cert) = Certificate::read(input) {
                        let _ = (cert.is_for(Purpose::Server), cert.rsa_bits());
                    }
                }
            }
        }
    }
}
