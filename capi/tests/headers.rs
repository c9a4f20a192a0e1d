//! The headers, as programs include them: each alone, each twice, two files of one program with all of them, in each
//! standard, by each compiler that is there, without a warning.
//!
//! All pairs of a header and a standard take some minutes, and are compiled with `HVLOOP_FULL_MATRIX=1`; without it
//! each header is compiled by each compiler in the standards that differ most, and all of them together in all.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use support::compiler::{Compiler, Language, compilers, first, headers, last};
use support::library::{made, package};

/// Something that a compiler is to take.
struct Check {
    compiler: Compiler,
    standard: &'static str,
    options: &'static [&'static str],
    name: String,
    text: String,
}

/// Checks all of them, on two threads, and fails with what was wrong.
fn check_all(checks: Vec<Check>) {
    let (at, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(check) = checks.get(at.fetch_add(1, Ordering::Relaxed)) {
                    let done = check.compiler.check(
                        &check.name,
                        check.standard,
                        check.options,
                        &check.text,
                    );
                    if let Err(text) = done {
                        wrong.lock().expect("no panic").push(text);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn full() -> bool {
    std::env::var_os("HVLOOP_FULL_MATRIX").is_some()
}

fn included(headers: &[String]) -> String {
    headers
        .iter()
        .map(|header| format!("#include \"{header}\"\n"))
        .collect()
}

fn main_of(language: Language) -> &'static str {
    match language {
        Language::C => "int main(void) { return 0; }\n",
        Language::Cpp => "int main() { return 0; }\n",
    }
}

fn of(language: Language) -> Vec<String> {
    let found = headers().into_iter();
    found
        .filter(|(_, languages)| languages.contains(&language))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn headers_compile_alone_and_twice() {
    let mut checks = Vec::new();
    for language in [Language::C, Language::Cpp] {
        let headers = of(language);
        assert!(headers.len() > 10, "{headers:?}");
        for (n, compiler) in compilers(language).into_iter().enumerate() {
            let standards = language.standards();
            for (i, standard) in standards.iter().enumerate() {
                if !full() && i != n % standards.len() {
                    continue;
                }
                for header in &headers {
                    checks.push(Check {
                        compiler: compiler.clone(),
                        standard,
                        options: &[],
                        name: header.replace('/', "_"),
                        text: included(&[header.clone(), header.clone()]) + main_of(language),
                    });
                }
            }
        }
    }
    check_all(checks);
}

#[test]
fn headers_compile_together_in_each_standard() {
    let mut checks = Vec::new();
    for language in [Language::C, Language::Cpp] {
        let headers = of(language);
        for compiler in compilers(language) {
            for standard in language.standards() {
                checks.push(Check {
                    compiler: compiler.clone(),
                    standard,
                    options: &[],
                    name: "all".to_owned(),
                    text: included(&headers) + main_of(language),
                });
            }
        }
    }
    check_all(checks);
}

#[test]
fn headers_compile_without_exceptions() {
    let mut checks = Vec::new();
    for compiler in compilers(Language::Cpp) {
        for standard in ["c++11", "c++20"] {
            for (name, options) in [
                ("without-exceptions", &["-fno-exceptions"][..]),
                ("without-rtti", &["-fno-rtti"][..]),
                ("without-both", &["-fno-exceptions", "-fno-rtti"][..]),
                ("old-strings", &["-D_GLIBCXX_USE_CXX11_ABI=0"][..]),
            ] {
                checks.push(Check {
                    compiler: compiler.clone(),
                    standard,
                    options,
                    name: name.to_owned(),
                    text: included(&of(Language::Cpp)) + main_of(Language::Cpp),
                });
            }
        }
    }
    check_all(checks);
}

/// A program that has `-I include/hv` alone, as those for libhv have.
#[test]
fn headers_are_found_without_their_directory() {
    let path = package("include/hv");
    let headers: Vec<String> = of(Language::Cpp)
        .iter()
        .filter_map(|header| header.strip_prefix("hv/"))
        .filter(|header| !header.starts_with("detail/"))
        .map(|header| path.join(header).display().to_string())
        .collect();
    let compiler = first(Language::Cpp);
    let text = included(&headers) + main_of(Language::Cpp);
    compiler
        .check("flat", "c++11", &[], &text)
        .expect("each header finds the others beside it");
}

/// Two files of one program, by different standards, and by different compilers.
#[test]
fn two_files_with_all_headers_are_one_program() {
    let headers = included(&of(Language::Cpp));
    let (a, b) = (made().join("two_a.cpp"), made().join("two_b.cpp"));
    std::fs::write(
        &a,
        format!("{headers}int other();\nint main() {{ return other(); }}\n"),
    )
    .expect("the directory for tests");
    std::fs::write(
        &b,
        format!("{headers}int other();\nint other() {{ return 0; }}\n"),
    )
    .expect("the directory for tests");
    for compiler in [first(Language::Cpp), last(Language::Cpp)] {
        for standard in ["c++11", "c++20"] {
            compiler.link(standard, &[], &[&a, &b], &made().join("two"));
        }
    }
    let c_headers = included(&of(Language::C));
    let (a, b) = (made().join("two_a.c"), made().join("two_b.c"));
    std::fs::write(
        &a,
        format!("{c_headers}int other(void);\nint main(void) {{ return other(); }}\n"),
    )
    .expect("the directory for tests");
    std::fs::write(
        &b,
        format!("{c_headers}int other(void);\nint other(void) {{ return 0; }}\n"),
    )
    .expect("the directory for tests");
    first(Language::C).link("c99", &[], &[&a, &b], &made().join("two_c"));
}

/// Real programs declare classes before they include anything.
#[test]
fn forward_declarations_compile() {
    let declared = "namespace hv {\n\
        class EventLoop; class EventLoopThread; class EventLoopThreadPool; class TimerThread;\n\
        class Channel; class SocketChannel; class WebSocketChannel;\n\
        class WebSocketClient; class WebSocketServer; class HttpServer;\n\
        struct HttpContext; struct HttpService; struct WebSocketService; class HttpResponseWriter;\n\
        }\n\
        class HttpMessage; class HttpRequest; class HttpResponse;\n";
    let text = declared.to_owned()
        + &included(&of(Language::Cpp))
        + "hv::EventLoop *nobody();\nhv::EventLoop *nobody() { return nullptr; }\n"
        + main_of(Language::Cpp);
    for compiler in compilers(Language::Cpp) {
        compiler
            .check("forward", "c++11", &[], &text)
            .expect("they are classes");
    }
}

/// What is not there says so, and what to do.
#[test]
fn headers_of_the_http_client_say_what_to_do() {
    for header in ["requests.h", "HttpClient.h", "AsyncHttpClient.h", "axios.h"] {
        let text = included(&[format!("hv/{header}")]) + main_of(Language::Cpp);
        let said = first(Language::Cpp)
            .check("unsupported", "c++11", &[], &text)
            .expect_err("there is no client");
        assert!(said.contains("Keep libhv for it"), "{said}");
    }
}
