//! Which certificate a client gets.

#![allow(clippy::unwrap_used)] // in a test, an unwrap that fails is a test that fails

use super::*;
use crate::tls::testkit::{Authority, Identity, provider};

fn pem(identity: &Identity) -> (Vec<u8>, Vec<u8>) {
    let key = identity.key.serialize_pem().into_bytes();
    (identity.cert.pem().into_bytes(), key)
}

#[test]
fn chosen_by_name_then_wildcard_then_default() {
    let ca = Authority::new("ca");
    let [a, b, c] = ["a.example", "*.b.example", "rest"].map(|name| ca.issue_with(name, |_| {}));
    let ids = TlsIdentities::new();
    let ids = [("A.example", &a), ("*.b.example", &b)]
        .into_iter()
        .fold(ids, |ids, (name, id)| {
            ids.pem_for(name, &pem(id).0, &pem(id).1)
        });
    let loaded = ids
        .pem(&pem(&c).0, &pem(&c).1)
        .load(&provider())
        .expect("good input");
    let der = |id: &Identity| id.cert.der().clone();
    for (name, expected) in [
        (Some("a.example"), &a),
        (Some("A.EXAMPLE"), &a),
        (Some("x.b.example"), &b),
        (Some("b.example"), &c),
        (Some("x.y.b.example"), &c),
        (None, &c),
    ] {
        let found = loaded.find(name).expect("there is a default");
        assert_eq!(found.cert[0], der(expected), "{name:?}");
    }
}

#[test]
fn wrong_input_is_told() {
    let ca = Authority::new("ca");
    let (one, other) = (ca.issue_with("one", |_| {}), ca.issue_with("other", |_| {}));
    let none = TlsServerConfig::new(TlsIdentities::new());
    assert!(matches!(none, Err(TlsConfigError::NoIdentity)));
    let mixed = TlsIdentities::new().pem(&pem(&one).0, &pem(&other).1);
    let mixed = TlsServerConfig::new(mixed);
    assert!(
        matches!(mixed, Err(TlsConfigError::BadServerCertificate(_))),
        "{mixed:?}"
    );
    let text = TlsServerConfig::new(TlsIdentities::new().pem(b"no PEM", &pem(&one).1));
    assert!(
        matches!(text, Err(TlsConfigError::NoCertificateIn(_))),
        "{text:?}"
    );
}

/// A renewal that fails changes nothing; one that works is seen by clones.
#[test]
fn reload_swaps_or_leaves() {
    let ca = Authority::new("ca");
    let (old, new) = (ca.issue_with("old", |_| {}), ca.issue_with("new", |_| {}));
    let config = TlsServerConfig::new(TlsIdentities::new().pem(&pem(&old).0, &pem(&old).1));
    let config = config.expect("good input");
    let clone = config.clone();
    let shown = || {
        let (chooser, _) = clone.chooser.as_ref().expect("ours");
        let loaded = chooser.0.read().expect("not poisoned").clone();
        loaded.find(None).expect("a default").cert[0].clone()
    };
    assert!(
        config
            .reload(TlsIdentities::new().pem(&pem(&new).0, &pem(&old).1))
            .is_err()
    );
    assert_eq!(shown(), *old.cert.der());
    config
        .reload(TlsIdentities::new().pem(&pem(&new).0, &pem(&new).1))
        .expect("good input");
    assert_eq!(shown(), *new.cert.der());
}
