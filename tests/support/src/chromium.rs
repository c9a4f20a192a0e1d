//! A browser without a window.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::certs::TestCa;
use crate::programs::{TempFolder, run_set_up};

/// A running Chromium that shows one page, with a profile of its own. It ends when this is dropped, and when
/// the test's process dies.
#[derive(Debug)]
pub struct Chromium {
    shell: Child,
    _profile: TempFolder,
}

/// Runs a command, and kills it with all its children when the input ends: they are in the shell's process
/// group.
const UNTIL_INPUT_ENDS: &str = r#""$@" & read -r _; kill -s KILL 0"#;

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
        DONE.get_or_init(|| run_set_up("interop/programs.sh"));
        let profile = TempFolder::new();
        let shell = Command::new("sh")
            .args(["-c", UNTIL_INPUT_ENDS, "sh", "chromium"])
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
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // It complains at length about every service of a desktop that is not there.
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("start chromium: {error}"));
        Self {
            shell,
            _profile: profile,
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.shell.stdin = None;
        let _ = self.shell.wait();
    }
}
