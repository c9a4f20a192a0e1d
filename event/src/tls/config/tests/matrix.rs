//! The verify matrix: which server each configuration accepts, and how it refuses the others.

use std::error::Error as _;
use std::fs;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::AlertDescription;

use super::super::super::error::{CertificateProblem, TlsError};
use super::super::super::testkit::{
    Authority, Identity, Pair, provider, server_config, take, trusting,
};
use super::*;

/// The client's verdict on a server of this identity, dialled as `host`.
fn dial(config: &TlsClientConfig, host: &str, identity: &Identity) -> Result<(), TlsError> {
    let (client, server) = Pair::new(config, host, server_config(identity, None)).shake_hands();
    // A server that was refused is told so.
    assert_eq!(
        client.is_err(),
        matches!(server, Err(TlsError::AlertReceived(_))),
        "{server:?}"
    );
    client
}

fn problem(verdict: Result<(), TlsError>) -> CertificateProblem {
    match verdict {
        Err(TlsError::Certificate(problem)) => problem,
        other => panic!("not a certificate problem: {other:?}"),
    }
}

#[test]
fn tls_verify_matrix() {
    let authority = Authority::new("root");
    let config = trusting(&authority).build().unwrap();
    let good = authority.issue("host.test");

    assert_eq!(dial(&config, "host.test", &good), Ok(()));
    assert_eq!(
        problem(dial(&config, "other.test", &good)),
        CertificateProblem::NotValidForName {
            expected: Some("other.test".into()),
            presented: vec!["host.test".into()],
        }
    );
    assert_eq!(
        dial(&config, "127.0.0.1", &authority.issue("127.0.0.1")),
        Ok(())
    );
    assert_eq!(dial(&config, "[::1]", &authority.issue("::1")), Ok(()));
    // A zone is no part of what a certificate could name.
    for zoned in ["::1%eth0", "[::1%1]"] {
        assert_eq!(dial(&config, zoned, &authority.issue("::1")), Ok(()));
    }
    let wrong_ip = problem(dial(&config, "127.0.0.2", &authority.issue("127.0.0.1")));
    assert!(
        matches!(wrong_ip, CertificateProblem::NotValidForName { .. }),
        "{wrong_ip:?}"
    );
    // A DNS name that looks like the address is no substitute for an IP SAN.
    let wrong_kind = problem(dial(&config, "127.0.0.1", &good));
    assert!(
        matches!(wrong_kind, CertificateProblem::NotValidForName { .. }),
        "{wrong_kind:?}"
    );

    let expired = authority.issue_with("host.test", |params| {
        params.not_after = rcgen::date_time_ymd(2000, 1, 1)
    });
    let problem_of = |identity| problem(dial(&config, "host.test", identity));
    assert!(matches!(
        problem_of(&expired),
        CertificateProblem::Expired { since: Some(_) }
    ));
    let future = authority.issue_with("host.test", |params| {
        params.not_before = rcgen::date_time_ymd(4000, 1, 1)
    });
    assert!(matches!(
        problem_of(&future),
        CertificateProblem::NotYetValid { until: Some(_) }
    ));
    let for_clients = authority.issue_with("host.test", |params| {
        params
            .extended_key_usages
            .push(rcgen::ExtendedKeyUsagePurpose::ClientAuth);
    });
    assert_eq!(
        problem(dial(&config, "host.test", &for_clients)),
        CertificateProblem::WrongPurpose
    );

    let stranger = Authority::new("other root").issue("host.test");
    assert_eq!(
        problem(dial(&config, "host.test", &stranger)),
        CertificateProblem::UnknownIssuer
    );
    let self_signed = Identity::self_signed("host.test");
    assert_eq!(
        problem(dial(&config, "host.test", &self_signed)),
        CertificateProblem::UnknownIssuer
    );
    let trusted = TlsClientConfig::builder()
        .root_der(self_signed.cert.der())
        .build()
        .unwrap();
    assert_eq!(dial(&trusted, "host.test", &self_signed), Ok(()));
}

#[test]
fn the_platform_does_not_trust_a_private_root() {
    let authority = Authority::new("root");
    let good = authority.issue("host.test");
    // A machine without a trust store has a typed error instead; own roots work there too.
    match TlsClientConfig::new() {
        Ok(config) => {
            let problem = problem(dial(&config, "host.test", &good));
            assert_eq!(problem, CertificateProblem::UnknownIssuer);
            let both = trusting(&authority).platform_roots(true).build().unwrap();
            assert_eq!(dial(&both, "host.test", &good), Ok(()));
            // What is reported is the word of the store that knows the issuer, not of the last one.
            let other = dial(&both, "other.test", &good);
            assert!(matches!(
                other,
                Err(TlsError::Certificate(
                    CertificateProblem::NotValidForName { .. }
                ))
            ));
        }
        Err(error) => assert!(matches!(error, TlsConfigError::Verifier(_)), "{error}"),
    }
    let none = TlsClientConfig::builder().platform_roots(false).build();
    assert!(matches!(none, Err(TlsConfigError::NoRoots)));
}

#[test]
fn any_of_two_stores_may_accept() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let stores = |authorities: &[&Authority]| {
        let verifiers = authorities
            .iter()
            .map(|authority| {
                let roots = OwnRoots::new(&[authority.der().clone()], &provider());
                Arc::new(roots.unwrap()) as Arc<dyn ServerCertVerifier>
            })
            .collect();
        let verifier = PeerVerifier::new(Trust::AnyOf(verifiers), None, &provider());
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        TlsClientConfig::from_rustls(Arc::new(config))
    };
    let both = stores(&[&first, &second]);
    assert_eq!(dial(&both, "host.test", &first.issue("host.test")), Ok(()));
    assert_eq!(dial(&both, "host.test", &second.issue("host.test")), Ok(()));
    for issuer in [&first, &second] {
        let told = problem(dial(&both, "other.test", &issuer.issue("host.test")));
        assert!(
            matches!(told, CertificateProblem::NotValidForName { .. }),
            "{told:?}"
        );
    }
    let stranger = Authority::new("third").issue("host.test");
    assert_eq!(
        problem(dial(&both, "host.test", &stranger)),
        CertificateProblem::UnknownIssuer
    );
    let told = problem(dial(&stores(&[]), "host.test", &first.issue("host.test")));
    assert_eq!(told, CertificateProblem::UnknownIssuer);
}

#[test]
fn dangerous_accepts_any_certificate_of_a_server_that_has_its_key() {
    let config = TlsClientConfig::builder()
        .dangerous()
        .accept_any_certificate()
        .build()
        .unwrap();
    let expired = Authority::new("unknown").issue_with("other.test", |params| {
        params.not_after = rcgen::date_time_ymd(2000, 1, 1)
    });
    assert_eq!(dial(&config, "host.test", &expired), Ok(()));

    // Someone who shows the certificate of another, without its key.
    let own = Identity::self_signed("host.test");
    let thief = StolenCertificate {
        chain: vec![expired.cert.der().clone()],
        key: provider()
            .key_provider
            .load_private_key(
                rustls::pki_types::PrivatePkcs8KeyDer::from(own.key.serialize_der()).into(),
            )
            .unwrap(),
    };
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(thief));
    let (client, _) = Pair::new(&config, "host.test", server).shake_hands();
    assert_eq!(problem(client), CertificateProblem::BadSignature);
}

#[derive(Debug)]
struct StolenCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn rustls::sign::SigningKey>,
}

impl rustls::server::ResolvesServerCert for StolenCertificate {
    fn resolve(
        &self,
        _: rustls::server::ClientHello<'_>,
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        let pair = rustls::sign::CertifiedKey::new(self.chain.clone(), self.key.clone());
        Some(Arc::new(pair))
    }
}

#[test]
fn pin_has_the_last_word() {
    let authority = Authority::new("root");
    let (pinned, other) = (authority.issue("host.test"), authority.issue("host.test"));
    let asked = Arc::new(AtomicUsize::new(0));
    let pin = {
        let (expected, asked) = (pinned.cert.der().clone(), Arc::clone(&asked));
        move |peer: &PeerCertificates<'_>| {
            asked.fetch_add(1, Ordering::Relaxed);
            assert_eq!(peer.server_name().to_str(), "host.test");
            assert_eq!(peer.iter().count(), 1 + peer.intermediates().len());
            if *peer.end_entity() == expected {
                Ok(())
            } else {
                Err("not pinned".into())
            }
        }
    };
    let config = trusting(&authority).pin(pin.clone()).build().unwrap();
    assert_eq!(dial(&config, "host.test", &pinned), Ok(()));
    let refusal = dial(&config, "host.test", &other).unwrap_err();
    assert_eq!(
        refusal,
        TlsError::Certificate(CertificateProblem::PinRefused("not pinned".into()))
    );
    assert!(
        refusal
            .to_string()
            .ends_with("the pinning hook refused it: not pinned")
    );
    assert!(refusal.source().is_some());

    // It is not asked about a certificate that fails normal verification ...
    assert_eq!(asked.swap(0, Ordering::Relaxed), 2);
    let stranger = Authority::new("unknown").issue("host.test");
    assert_eq!(
        problem(dial(&config, "host.test", &stranger)),
        CertificateProblem::UnknownIssuer
    );
    assert_eq!(asked.load(Ordering::Relaxed), 0);

    // ... unless there is none.
    let only_pin = TlsClientConfig::builder()
        .pin(pin)
        .dangerous()
        .accept_any_certificate()
        .build()
        .unwrap();
    assert_eq!(dial(&only_pin, "host.test", &pinned), Ok(()));
    let refusal = problem(dial(&only_pin, "host.test", &stranger));
    assert_eq!(refusal, CertificateProblem::PinRefused("not pinned".into()));

    let panics = trusting(&authority)
        .pin(|_| panic!("oh no"))
        .build()
        .unwrap();
    let refusal = problem(dial(&panics, "host.test", &pinned));
    assert_eq!(
        refusal,
        CertificateProblem::PinRefused("it panicked: oh no".into())
    );
}

#[test]
fn client_certificate() {
    let (authority, clients) = (Authority::new("root"), Authority::new("clients"));
    let identity = authority.issue("host.test");
    let me = clients.issue_client();
    let shake = |config: &TlsClientConfig| {
        let mut pair = Pair::new(
            config,
            "host.test",
            server_config(&identity, Some(&clients)),
        );
        let verdict = pair.shake_hands();
        (verdict, pair.server.peer_certificates().map(<[_]>::to_vec))
    };

    let (chain, key) = (me.cert.pem(), me.key.serialize_pem());
    let with = trusting(&authority)
        .client_auth_pem(chain.as_bytes(), key.as_bytes())
        .build()
        .unwrap();
    assert_eq!(
        shake(&with),
        ((Ok(()), Ok(())), Some(vec![me.cert.der().clone()]))
    );

    let ((client, server), _) = shake(&trusting(&authority).build().unwrap());
    assert_eq!(
        client,
        Err(TlsError::AlertReceived(
            AlertDescription::CertificateRequired
        ))
    );
    assert_eq!(
        server,
        Err(TlsError::Certificate(CertificateProblem::NotPresented))
    );

    // The same from files, chain and key in one; the root from a file as well.
    let dir = std::env::temp_dir().join(format!("hvloop-tls-{}", process::id()));
    fs::create_dir_all(&dir).unwrap();
    let (both, root) = (dir.join("client.pem"), dir.join("root.pem"));
    fs::write(&both, format!("{key}{chain}")).unwrap();
    fs::write(&root, authority.pem()).unwrap();
    let from_files = TlsClientConfig::builder()
        .root_pem_file(&root)
        .client_auth_pem_files(&both, &both)
        .build();
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(shake(&from_files.unwrap()).0, (Ok(()), Ok(())));

    // A key of someone else is found out when the configuration is made.
    let other_key = clients.issue_client().key.serialize_pem();
    let error = trusting(&authority)
        .client_auth_pem(chain.as_bytes(), other_key.as_bytes())
        .build();
    assert!(
        matches!(error, Err(TlsConfigError::BadClientCertificate(_))),
        "{error:?}"
    );
}

#[test]
fn the_server_name_can_be_overridden() {
    let authority = Authority::new("root");
    let identity = authority.issue("host.test");
    let config = trusting(&authority)
        .server_name("host.test")
        .build()
        .unwrap();
    assert_eq!(dial(&config, "127.0.0.1", &identity), Ok(()));
    let config = trusting(&authority)
        .server_name("other.test")
        .build()
        .unwrap();
    let refusal = problem(dial(&config, "host.test", &identity));
    assert!(
        matches!(refusal, CertificateProblem::NotValidForName { .. }),
        "{refusal:?}"
    );
}

#[test]
fn sni_is_sent_unless_switched_off() {
    let authority = Authority::new("root");
    for send in [true, false] {
        let config = trusting(&authority).sni(send).build().unwrap();
        let server = server_config(&authority.issue("host.test"), None);
        let mut pair = Pair::new(&config, "host.test", server);
        let hello = take(&mut pair.client);
        assert_eq!(hello.windows(9).any(|bytes| bytes == b"host.test"), send);
    }
}

#[test]
fn no_common_alpn_is_an_error() {
    let authority = Authority::new("root");
    let config = trusting(&authority).alpn(["http/1.1"]).build().unwrap();
    let mut server = server_config(&authority.issue("host.test"), None);
    server.alpn_protocols = vec![b"h2".to_vec()];
    let (client, server) = Pair::new(&config, "host.test", server).shake_hands();
    assert_eq!(
        client,
        Err(TlsError::AlertReceived(
            AlertDescription::NoApplicationProtocol
        ))
    );
    assert!(
        matches!(server, Err(TlsError::Incompatible(_))),
        "{server:?}"
    );
}

/// With one provider, with both (ring wins) or with the user's: none is ever the process default.
#[test]
fn two_providers_in_tree() {
    let authority = Authority::new("root");
    let identity = authority.issue("host.test");
    let config = trusting(&authority).build().unwrap();
    assert_eq!(dial(&config, "host.test", &identity), Ok(()));
    #[cfg(feature = "ring")]
    {
        let used = format!("{:?}", config.as_rustls().crypto_provider().key_provider);
        let ring = format!(
            "{:?}",
            rustls::crypto::ring::default_provider().key_provider
        );
        assert_eq!(used, ring);
    }

    let mut own = (*provider()).clone();
    own.cipher_suites.truncate(1);
    let config = trusting(&authority)
        .provider(Arc::new(own))
        .min_version(TlsVersion::Tls13)
        .build()
        .unwrap();
    assert_eq!(config.as_rustls().crypto_provider().cipher_suites.len(), 1);
    assert_eq!(dial(&config, "host.test", &identity), Ok(()));

    let mut useless = (*provider()).clone();
    useless.cipher_suites.clear();
    let error = trusting(&authority).provider(Arc::new(useless)).build();
    assert!(matches!(error, Err(TlsConfigError::Rustls(_))), "{error:?}");
    assert!(
        CryptoProvider::get_default().is_none(),
        "a process default was installed"
    );
}

#[test]
fn a_malformed_root_is_refused() {
    let error = TlsClientConfig::builder().root_der(b"not DER").build();
    assert!(
        matches!(error, Err(TlsConfigError::BadRootCertificate(_))),
        "{error:?}"
    );
}

#[test]
fn own_roots_take_the_place_of_the_platforms() {
    let stores = |builder: TlsClientConfigBuilder| match builder.trust(&provider()) {
        Ok(Trust::AnyOf(verifiers)) => verifiers.len(),
        other => panic!("{other:?}"),
    };
    let own = || trusting(&Authority::new("root"));
    assert_eq!(stores(own()), 1);
    assert_eq!(stores(own().platform_roots(false)), 1);
    if TlsClientConfig::new().is_ok() {
        assert_eq!(stores(own().platform_roots(true)), 2);
    }
}
