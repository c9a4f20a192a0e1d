//! A root that is itself shown, by servers and by clients.

#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;
use crate::tls::session::TlsSession;
use crate::tls::testkit::{Authority, Identity, Pair, provider, server_config};
use crate::tls::{
    CertificateProblem, TlsClientConfig, TlsClientConfigBuilder, TlsError, TlsIdentities,
    TlsServerConfig, TlsVersion,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose as Usage, IsCa,
    KeyPair, date_time_ymd,
};

/// What `openssl req -x509` makes: signed by its own key, an authority, and for `host.test`.
fn authority(change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut params = CertificateParams::new(["host.test".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    Identity { cert, key }
}

fn trusting(root: &Identity) -> TlsClientConfigBuilder {
    TlsClientConfig::builder().root_der(root.cert.der())
}

/// A provider with the cipher suites of one version alone, so that this is spoken.
fn speaking(version: TlsVersion) -> Arc<CryptoProvider> {
    let mut provider = (*provider()).clone();
    let wanted = version == TlsVersion::Tls13;
    let suites = &mut provider.cipher_suites;
    suites.retain(|suite| suite.tls13().is_some() == wanted);
    Arc::new(provider)
}

fn dial(config: &TlsClientConfig, host: &str, identity: &Identity) -> Result<(), TlsError> {
    let server = server_config(identity, None);
    Pair::new(config, host, server).shake_hands().0
}

fn problem(result: Result<(), TlsError>) -> CertificateProblem {
    match result {
        Err(TlsError::Certificate(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn server_that_is_a_root_is_trusted() {
    let root = authority(|_| {});
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let config = trusting(&root).provider(speaking(version)).build().unwrap();
        let mut pair = Pair::new(&config, "host.test", server_config(&root, None));
        assert_eq!(pair.shake_hands(), (Ok(()), Ok(())));
        assert_eq!(pair.client.protocol_version(), Some(version));
    }
    // Beside the platform's roots, where there are any.
    match trusting(&root).platform_roots(true).build() {
        Ok(config) => assert_eq!(dial(&config, "host.test", &root), Ok(())),
        Err(error) => assert!(matches!(error, TlsConfigError::Verifier(_)), "{error}"),
    }
    // And beside others, whose servers are trusted as before.
    let other = Authority::new("other");
    let both = trusting(&root).root_der(other.der()).build().unwrap();
    assert_eq!(dial(&both, "host.test", &root), Ok(()));
    assert_eq!(dial(&both, "host.test", &other.issue("host.test")), Ok(()));
    // Its purpose may be said.
    let usages = vec![Usage::ServerAuth, Usage::ClientAuth];
    let root = authority(|params| params.extended_key_usages = usages);
    let config = trusting(&root).build().unwrap();
    assert_eq!(dial(&config, "host.test", &root), Ok(()));
}

/// Being a root says nothing of the name, the time, the purpose and the key.
#[test]
fn root_is_still_looked_at() {
    let root = authority(|_| {});
    let config = trusting(&root).build().unwrap();
    let wrong = problem(dial(&config, "other.test", &root));
    assert_eq!(
        wrong.to_string(),
        "it is not valid for other.test, only for host.test"
    );
    let refused = |change: fn(&mut CertificateParams)| {
        let root = authority(change);
        let config = trusting(&root).build().unwrap();
        problem(dial(&config, "host.test", &root))
    };
    let expired = refused(|params| params.not_after = date_time_ymd(2000, 1, 1));
    assert_eq!(
        expired.to_string(),
        "it has expired, at 2000-01-01 00:00:00 UTC"
    );
    let future = refused(|params| params.not_before = date_time_ymd(4000, 1, 1));
    assert_eq!(
        future.to_string(),
        "it is not valid before 4000-01-01 00:00:00 UTC"
    );
    let for_clients = refused(|params| params.extended_key_usages = vec![Usage::ClientAuth]);
    assert_eq!(for_clients, CertificateProblem::WrongPurpose);

    // Another with the same name; and one of the same key, which is not the same certificate.
    let stranger = authority(|_| {});
    let refused = problem(dial(&config, "host.test", &stranger));
    assert_eq!(refused, CertificateProblem::IsAuthority);
    let mut params = CertificateParams::new(["host.test".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.serial_number = Some(vec![1, 2, 3].into());
    let again = Identity {
        cert: params.self_signed(&root.key).unwrap(),
        key: KeyPair::from_pem(&root.key.serialize_pem()).unwrap(),
    };
    let refused = problem(dial(&config, "host.test", &again));
    assert_eq!(refused, CertificateProblem::IsAuthority);

    // The certificate without its key.
    let thief = rustls::sign::CertifiedKey::new(
        vec![root.cert.der().clone()],
        provider()
            .key_provider
            .load_private_key(stranger.key.serialize_der().try_into().unwrap())
            .unwrap(),
    );
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let config = trusting(&root).provider(speaking(version)).build().unwrap();
        let server = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(
                thief.clone(),
            )));
        let (client, _) = Pair::new(&config, "host.test", server).shake_hands();
        assert_eq!(problem(client), CertificateProblem::BadSignature);
    }
}

/// A root need not be an authority, nor have signed itself: the chain behind it is not looked at.
#[test]
fn server_of_a_strangers_authority_is_trusted_by_its_certificate() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(2000, 1, 1);
    let key = KeyPair::generate().unwrap();
    let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
    let params = CertificateParams::new(["host.test".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = Identity {
        cert: params.signed_by(&key, &issuer).unwrap(),
        key,
    };
    let config = trusting(&leaf).build().unwrap();
    assert_eq!(dial(&config, "host.test", &leaf), Ok(()));
    // Its expired issuer may come along.
    let chain = format!("{}{}", leaf.cert.pem(), issuer.pem());
    let identities =
        TlsIdentities::new().pem(chain.as_bytes(), leaf.key.serialize_pem().as_bytes());
    let server = TlsServerConfig::builder(identities)
        .provider(provider())
        .build()
        .unwrap();
    assert_eq!(shake(&config, "host.test", &server), (Ok(()), Ok(())));
    let (wrong, _) = shake(&config, "other.test", &server);
    assert!(matches!(
        problem(wrong),
        CertificateProblem::NotValidForName { .. }
    ));
}

type Verdicts = (Result<(), TlsError>, Result<(), TlsError>);

fn shake(config: &TlsClientConfig, host: &str, server: &TlsServerConfig) -> Verdicts {
    let mut pair = Pair {
        client: TlsSession::client(config, host).unwrap(),
        server: TlsSession::server(server.as_rustls().clone()).unwrap(),
    };
    pair.shake_hands()
}

/// The same of clients, which are known by their certificate.
#[test]
fn client_that_is_a_root_is_let_in() {
    let host = authority(|_| {});
    let verdict = |shown: &Identity, root: &Identity, version| {
        let pem = |identity: &Identity| (identity.cert.pem(), identity.key.serialize_pem());
        let (chain, key) = pem(&host);
        let identities = TlsIdentities::new().pem(chain.as_bytes(), key.as_bytes());
        let server = TlsServerConfig::builder(identities)
            .client_roots_pem(root.cert.pem().as_bytes())
            .build()
            .unwrap();
        let (chain, key) = pem(shown);
        let client = trusting(&host)
            .client_auth_pem(chain.as_bytes(), key.as_bytes())
            .provider(speaking(version))
            .build()
            .unwrap();
        shake(&client, "host.test", &server).1
    };
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let client = authority(|_| {});
        assert_eq!(verdict(&client, &client, version), Ok(()));
        let stranger = authority(|_| {});
        let refused = problem(verdict(&stranger, &client, version));
        assert_eq!(refused, CertificateProblem::IsAuthority);
        let expired = authority(|params| params.not_after = date_time_ymd(2000, 1, 1));
        let refused = problem(verdict(&expired, &expired, version));
        assert!(
            matches!(refused, CertificateProblem::Expired { since: Some(_) }),
            "{refused}"
        );
        let of_servers = authority(|params| params.extended_key_usages = vec![Usage::ServerAuth]);
        let refused = problem(verdict(&of_servers, &of_servers, version));
        assert_eq!(refused, CertificateProblem::WrongPurpose);
    }
}
