//! Certificates as the program `openssl` makes them.

use crate::programs::{Talk, echo, set_up, started};
use hvloop::event::tls::{
    CertificateProblem, TlsClientConfig, TlsClientConfigBuilder, TlsError, TlsIdentities,
    TlsServerConfig,
};
use hvloop::{CloseReason, Connect, EventLoopThread, Listen, TcpClient};
use hvloop_test_support::{DEADLINE, Monitor, ReservedPort};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate and its key, in files.
struct Made {
    cert: PathBuf,
    key: PathBuf,
}

impl Made {
    /// What `openssl req -x509` makes with those arguments; an authority, if nothing else is said.
    fn by_req(folder: &Path, name: &str, args: &[&str]) -> Self {
        set_up();
        let made = Self {
            cert: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        let output = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-subj", "/CN=localhost", "-out"])
            .arg(&made.cert)
            .arg("-keyout")
            .arg(&made.key)
            .args(args)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl req {args:?}: {text}");
        made
    }

    fn identities(&self) -> TlsIdentities {
        TlsIdentities::new().pem_files(&self.cert, &self.key)
    }

    /// A client that has it among its roots.
    fn trusted(&self) -> TlsClientConfigBuilder {
        TlsClientConfig::builder().root_pem_file(&self.cert)
    }
}

const NAMES: [&str; 2] = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];

/// How a connect ended: with an echo, or not.
fn dial(
    thread: &EventLoopThread,
    host: &str,
    port: u16,
    tls: TlsClientConfigBuilder,
) -> Result<(), CloseReason> {
    let seen = Monitor::new(None);
    let client = TcpClient::new(thread.event_loop());
    client.on_connect(|channel| channel.send(b"hello").unwrap());
    let s = seen.clone();
    client.on_message(move |_, _| s.update(|seen| *seen = Some(Ok(()))));
    let s = seen.clone();
    client.on_close(move |_, reason| {
        s.update(|seen| {
            seen.get_or_insert(Err(reason.clone()));
        });
    });
    let connect = Connect::to(host, port).with_tls(tls.build().unwrap());
    client.connect(connect).unwrap();
    assert!(seen.wait(DEADLINE, Option::is_some));
    seen.read(|seen| seen.clone()).unwrap()
}

fn refused(result: Result<(), CloseReason>) -> CertificateProblem {
    match result {
        Err(CloseReason::Tls(TlsError::Certificate(problem))) => problem,
        other => panic!("{other:?}"),
    }
}

/// A certificate of its own is trusted as its own root, by clients and by servers, with keys of either kind.
#[test]
fn openssl_req_x509() {
    let folder = Folder::new("x509");
    let thread = started();
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    for (kind, key) in [("rsa", &["-newkey", "rsa:2048"][..]), ("ec", &ec)] {
        let args = [key, &NAMES].concat();
        let host = Made::by_req(&folder.0, &format!("{kind}-host"), &args);
        let me = Made::by_req(&folder.0, &format!("{kind}-me"), &args);
        let client_roots = std::fs::read(&me.cert).unwrap();
        let server = TlsServerConfig::builder(host.identities()).client_roots_pem(&client_roots);
        let at = Listen::tcp(([127, 0, 0, 1], 0)).with_tls(server.build().unwrap());
        let (_server, address, _closed) = echo(&thread, at);
        let port = address.inet().unwrap().port();
        let with = |identity: &Made| {
            host.trusted()
                .client_auth_pem_files(&identity.cert, &identity.key)
        };
        for name in ["localhost", "127.0.0.1"] {
            let result = dial(&thread, name, port, with(&me));
            assert!(result.is_ok(), "{kind}, {name}: {result:?}");
        }
        let elsewhere = refused(dial(
            &thread,
            "127.0.0.1",
            port,
            with(&me).server_name("other.test"),
        ));
        assert_eq!(
            elsewhere.to_string(),
            "it is not valid for other.test, only for localhost, 127.0.0.1"
        );
        // A client with the server's certificate is nobody here.
        assert!(dial(&thread, "localhost", port, with(&host)).is_err());
        let stranger = refused(dial(&thread, "localhost", port, me.trusted()));
        assert_eq!(stranger, CertificateProblem::IsAuthority);
    }
    thread.stop();
    thread.join().unwrap();
}

/// What is too weak is told as that: a server's own key, that of the authority that signed its certificate,
/// and the signature.
#[test]
fn openssl_makes_weak_ones() {
    let folder = Folder::new("short");
    let thread = started();
    let short = [&["-newkey", "rsa:1024"][..], &NAMES].concat();
    let short = Made::by_req(&folder.0, "short", &short);
    let leaf = [&["-newkey", "rsa:2048"][..], &NAMES].concat();
    let leaf = Made::by_req(
        &folder.0,
        "leaf",
        &[
            &leaf[..],
            &[
                "-CA",
                short.cert.to_str().unwrap(),
                "-CAkey",
                short.key.to_str().unwrap(),
            ],
            // Not that of an authority.
            &["-extensions", "v3_req"],
        ]
        .concat(),
    );
    // And a signature that anyone could forge.
    let root = [&["-newkey", "rsa:2048"][..], &NAMES].concat();
    let root = Made::by_req(&folder.0, "root", &root);
    let (root_cert, root_key) = (root.cert.to_str().unwrap(), root.key.to_str().unwrap());
    let sha1 = [
        &["-newkey", "rsa:2048", "-sha1"][..],
        &NAMES,
        &["-CA", root_cert, "-CAkey", root_key],
        &["-extensions", "v3_req"],
    ]
    .concat();
    let sha1 = Made::by_req(&folder.0, "sha1", &sha1);
    let too_short = "an RSA key of 1024 bits is too short, 2048 are the least";
    for (made, trusted, words) in [
        (&short, &short, too_short),
        (&leaf, &short, too_short),
        (
            &sha1,
            &root,
            "the signature algorithm is too weak: RSA with SHA-1",
        ),
    ] {
        let reserved = ReservedPort::new();
        let port = reserved.addr().port();
        let args = [
            "s_server",
            "-accept",
            &port.to_string(),
            "-cert",
            made.cert.to_str().unwrap(),
            "-key",
            made.key.to_str().unwrap(),
            "-cipher",
            "DEFAULT@SECLEVEL=0",
        ];
        let mut server = Talk::start("openssl", &args);
        loop {
            match server.hear().as_str() {
                "ACCEPT" => break,
                "" => panic!("openssl s_server ended"),
                _ => {}
            }
        }
        let refusal = refused(dial(&thread, "localhost", port, trusted.trusted()));
        assert_eq!(refusal.to_string(), words);
    }
    thread.stop();
    thread.join().unwrap();
}

/// A folder that goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("hvloop-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing but disk space depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
