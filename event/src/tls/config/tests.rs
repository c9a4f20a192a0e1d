#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod matrix;

#[cfg(not(any(feature = "ring", feature = "aws-lc-rs")))]
#[test]
fn without_a_provider_there_is_an_error_and_no_panic() {
    assert!(matches!(
        TlsClientConfig::new(),
        Err(TlsConfigError::NoCryptoProvider)
    ));
}

/// The first error of what `change` makes of a builder.
fn error_of(
    change: impl FnOnce(TlsClientConfigBuilder) -> TlsClientConfigBuilder,
) -> TlsConfigError {
    change(TlsClientConfig::builder())
        .build()
        .expect_err("it was accepted")
}

#[test]
fn wrong_inputs_are_told_apart() {
    use TlsConfigError as E;
    const EMPTY_KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    const ENCRYPTED: &str =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    const CERT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let missing = Path::new("no such directory/roots.pem");

    assert!(matches!(
        error_of(|b| b.root_pem(b"")),
        E::NoCertificateIn(_)
    ));
    assert!(matches!(
        error_of(|b| b.root_pem(EMPTY_KEY.as_bytes())),
        E::NoCertificateIn(_)
    ));
    let torn = &CERT.as_bytes()[..40];
    assert!(matches!(error_of(|b| b.root_pem(torn)), E::BadPem { .. }));
    let not_base64 = CERT.replace("AAAA", "A*AA");
    assert!(matches!(
        error_of(|b| b.root_pem(not_base64.as_bytes())),
        E::BadPem { .. }
    ));
    let error = error_of(|b| b.root_pem_file(missing));
    assert!(
        matches!(&error, E::Io(path, _) if path == missing),
        "{error}"
    );

    let error = error_of(|b| b.client_auth_pem(b"", EMPTY_KEY.as_bytes()));
    assert!(matches!(error, E::NoCertificateIn(_)), "{error}");
    let error = error_of(|b| b.client_auth_pem(CERT.as_bytes(), ENCRYPTED.as_bytes()));
    assert!(matches!(error, E::NoPrivateKey(_)), "{error}");
    let error = error_of(|b| b.client_auth_pem_files(missing, missing));
    assert!(matches!(error, E::Io(..)), "{error}");

    assert!(matches!(
        error_of(|b| b.alpn(["h2", ""])),
        E::BadAlpn { len: 0 }
    ));
    assert!(matches!(
        error_of(|b| b.alpn([[b'x'; 256]])),
        E::BadAlpn { len: 256 }
    ));
    assert!(matches!(
        error_of(|b| b.server_name("a b")),
        E::InvalidServerName(_)
    ));

    // The first error wins, and names its input.
    let error = error_of(|b| b.root_pem(b"").server_name("a b"));
    assert_eq!(error.to_string(), "no certificate in the root certificates");
}

#[test]
fn debug_output_has_no_key_in_it() {
    let pem = "-----BEGIN PRIVATE KEY-----\nAQIDBAUGBwg=\n-----END PRIVATE KEY-----\n\
               -----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let builder = TlsClientConfig::builder().client_auth_pem(pem.as_bytes(), pem.as_bytes());
    assert!(builder.client_auth.is_some());
    let text = format!("{builder:?}");
    assert!(
        text.contains("elided") && !text.contains("1, 2, 3, 4"),
        "{text}"
    );
}

#[test]
fn another_server_name_is_of_that_clone_alone() {
    let config = TlsClientConfig::builder()
        .dangerous()
        .accept_any_certificate();
    let config = config.build().expect("a configuration");
    let named = config
        .clone()
        .with_server_name("name.test")
        .expect("a name");
    let name = |config: &TlsClientConfig| config.server_name_for("host.test");
    assert_eq!(name(&config), parse_server_name("host.test"));
    assert_eq!(name(&named), parse_server_name("name.test"));
    assert!(Arc::ptr_eq(config.as_rustls(), named.as_rustls()));
    let error = named.with_server_name("a b").expect_err("no name");
    assert!(matches!(error, TlsConfigError::InvalidServerName(name) if name == "a b"));
}
