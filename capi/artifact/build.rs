//! The name that programs look the shared library up by, and that it stays once it is loaded: its threads may
//! run on after a plug-in that uses it has gone.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if ["linux", "android", "freebsd", "netbsd", "openbsd"].contains(&target.as_str()) {
        let major = env::var("CARGO_PKG_VERSION_MAJOR").unwrap_or_default();
        let minor = env::var("CARGO_PKG_VERSION_MINOR").unwrap_or_default();
        // As Cargo compares versions, and as cargo-c does: before 1.0 the minor version breaks.
        let breaking = if major == "0" {
            format!("0.{minor}")
        } else {
            major
        };
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libhvloop.so.{breaking}");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
