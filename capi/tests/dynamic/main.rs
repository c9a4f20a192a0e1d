//! The shared library in programs that load it while they run, or have another copy of hvloop.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use support::compiler::{Language, SANITIZERS, first, last};
use support::library::{made, package, shared_library};
use support::run::run;
use support::script::{Script, Step};

fn source(name: &str) -> PathBuf {
    package("tests/dynamic").join(name)
}

/// What it says, to the end.
fn says(lines: &[&str]) -> Script {
    let steps = lines.iter().map(|line| Step::Says((*line).to_owned()));
    Script {
        steps: steps.collect(),
        peer: false,
    }
}

/// The library where the loader finds it by its SONAME.
fn loadable() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let (major, minor) = (
            env!("CARGO_PKG_VERSION_MAJOR"),
            env!("CARGO_PKG_VERSION_MINOR"),
        );
        let breaking = match major {
            "0" => format!("0.{minor}"),
            _ => major.to_owned(),
        };
        let directory = made().join("loadable");
        std::fs::create_dir_all(&directory).expect("the directory for tests");
        let path = directory.join(format!("libhvloop.so.{breaking}"));
        std::fs::copy(shared_library(), &path).expect("the shared library");
        path
    })
}

/// A plug-in comes and goes with all that it has, some times; the library's threads outlive the last one.
#[test]
fn dlopen_use_dlclose() {
    let library = loadable();
    let directory = library.parent().expect("a directory");
    let plugin = directory.join("plugin.so");
    let rpath = format!("-Wl,-rpath,{}", directory.display());
    let compiler = last(Language::Cpp);
    let mut options = vec!["-shared", "-fPIC", &rpath];
    if !compiler.name().contains("clang") {
        // By which g++ keeps every object with an inline variable loaded.
        options.push("-fno-gnu-unique");
    }
    compiler.link_with(
        "c++11",
        &options,
        &[&source("plugin.cpp")],
        &plugin,
        &[library],
    );
    let host = directory.join("host");
    compiler.link_with("c++11", &[], &[&source("host.cpp")], &host, &[]);
    let mut command = Command::new(host);
    command.arg(plugin).arg(library);
    let round = ["work: 5", "plug-in: 0, library: 1"];
    let end = ["runs: 1", "stopped: 0", "joined: 0"];
    let lines: Vec<&str> = [round, round, round]
        .concat()
        .into_iter()
        .chain(end)
        .collect();
    run(command, &says(&lines)).expect("the host");
}

/// A loop of one copy is an error to another one.
#[test]
fn foreign_copy_is_refused() {
    let program = made().join("foreign");
    first(Language::Cpp).link("c++11", SANITIZERS, &[&source("foreign.cpp")], &program);
    let mut command = Command::new(program);
    command.arg(loadable());
    let lines = [
        "copies: 1",
        "theirs here: 1, another copy",
        "ours there: 1, another copy",
        "a client: 1, another copy",
        "each its own: 0 0",
    ];
    run(command, &says(&lines)).expect("both copies");
}
