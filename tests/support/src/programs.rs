//! What the programs of `tests/interop` have in common: their set-up, and where they and their files are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::certs::{LOCAL_NAMES, TestCa};

/// Whose library a program uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Python, `websockets`.
    Python,
    /// Node, `ws`.
    Node,
}

impl Language {
    /// Its `server` or `client` in `tests/interop`. Installs the libraries at the first use, for which
    /// Python and Node must be there.
    pub(crate) fn program(self, role: &str) -> Command {
        set_up();
        let (mut command, file) = match self {
            Self::Python => {
                let python = target_folder().join("interop/venv/bin/python");
                (Command::new(python), format!("python_{role}.py"))
            }
            Self::Node => (Command::new("node"), format!("node_{role}.mjs")),
        };
        command.arg(tests_folder().join("interop").join(file));
        command
    }
}

fn set_up() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| run_set_up("interop/setup.sh"));
}

/// Runs a script of `tests` that installs programs.
pub(crate) fn run_set_up(script: &str) {
    let status = Command::new(tests_folder().join(script))
        .status()
        .unwrap_or_else(|error| panic!("run tests/{script}: {error}"));
    assert!(status.success(), "tests/{script} failed");
}

/// The repository's `tests`.
fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where `interop/setup.sh` installs, by the same rule.
fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    )
}

/// A folder of its own, which goes with this.
#[derive(Debug)]
pub(crate) struct TempFolder(PathBuf);

impl TempFolder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hvloop-interop-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("create a folder");
        Self(folder)
    }

    /// With an authority's certificate `ca.pem`, and a server's `cert.pem` and `key.pem`.
    pub(crate) fn with_certificates(ca: &TestCa) -> Self {
        let folder = Self::new();
        let (chain, key) = ca.server_pem(&LOCAL_NAMES);
        for (name, pem) in [
            ("ca.pem", ca.ca_pem()),
            ("cert.pem", chain),
            ("key.pem", key),
        ] {
            std::fs::write(folder.path(name), pem).expect("write a certificate or key");
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // Nothing but disk space depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
