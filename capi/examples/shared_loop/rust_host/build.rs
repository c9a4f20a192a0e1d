//! Compiles the C++ that the Rust program has in it.

fn main() {
    println!("cargo::rerun-if-changed=squares.cpp");
    println!("cargo::rerun-if-changed=squares.h");
    println!("cargo::rerun-if-changed=../../../include");
    println!("cargo::rerun-if-env-changed=SHARED_LOOP_SANITIZE");
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++11")
        .include("../../../include")
        .file("squares.cpp");
    // Found by run.sh: the program is then linked with the sanitizer.
    if std::env::var_os("SHARED_LOOP_SANITIZE").is_some() {
        build.flag("-fsanitize=address,undefined");
    }
    build.compile("squares");
}
