//! The static library, and what is where.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A path in the package.
pub fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A directory for what is made here.
pub fn made() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The static library, which is built if it is not there, or is older than its sources.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = made()
            .parent()
            .expect("the directory for tests is in the target directory");
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--package",
                "hvloop-capi",
                "--target-dir",
            ])
            .arg(target)
            .current_dir(package("artifact"))
            .output()
            .expect("cargo");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        let library = target.join("debug/libhvloop.a");
        assert!(library.exists(), "no {}", library.display());
        library
    })
}

/// The shared library, of the same sources.
pub fn shared_library() -> PathBuf {
    let shared = library().with_extension("so");
    assert!(shared.exists(), "no {}", shared.display());
    shared
}
