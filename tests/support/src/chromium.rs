//! A browser without a window.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::certs::TestCa;
use crate::programs::{TempFolder, run_set_up};

/// A running Chromium that shows one page, with a profile of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    _profile: TempFolder,
}

/// The first are for a machine without a screen, users or much shared memory, the others keep it from
/// talking to anybody but the page's server.
const OPTIONS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
];

impl Chromium {
    /// Opens the page at `url`, over TLS if a certificate of `ca` is shown. Installs the program at the
    /// first use.
    pub fn open(url: &str, ca: &TestCa) -> Self {
        static DONE: OnceLock<()> = OnceLock::new();
        DONE.get_or_init(|| run_set_up("foreign_peers/setup.sh"));
        let profile = TempFolder::new();
        let child = Command::new("chromium")
            .args(OPTIONS)
            .arg(format!(
                "--ignore-certificate-errors-spki-list={}",
                ca.spki_sha256()
            ))
            .arg(format!(
                "--user-data-dir={}",
                profile.path("profile").display()
            ))
            .arg(url)
            .env("HOME", profile.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // It complains at length about every service of a desktop that is not there.
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("start chromium: {error}"));
        Self {
            child,
            _profile: profile,
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // All its processes are in the group that it leads, whose number is its own until it is waited for.
        let kill = format!("kill -s KILL -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.child.wait();
    }
}
