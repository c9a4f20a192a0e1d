//! Programs in C and C++ that are run for real: as they are, with sanitizers, and in valgrind. Each has a script
//! beside it with what it says, and what it is told.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use support::compiler::{Language, SANITIZERS, first, last};
use support::library::{made, package};
use support::run::run;
use support::script::Script;

fn language(source: &Path) -> Language {
    match source.extension().and_then(|extension| extension.to_str()) {
        Some("c") => Language::C,
        Some("cpp") => Language::Cpp,
        _ => panic!("{}: in no language that is known", source.display()),
    }
}

fn source(name: &str) -> PathBuf {
    let found = ["c", "cpp"]
        .map(|language| package(&format!("tests/programs/{language}/{name}.{language}")))
        .into_iter()
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no program {name}"))
}

fn program(name: &str, way: &str) -> PathBuf {
    made().join(format!("{name}-{way}"))
}

/// Runs it by the compiler that is not the sanitized one's, if there are two, so that both make each program.
fn plain(name: &str) {
    let (source, program) = (source(name), program(name, "plain"));
    let language = language(&source);
    last(language).link(language.standards()[0], &[], &[&source], &program);
    let script = Script::read(&source.with_extension("script"));
    run(Command::new(&program), &script).expect(name);
    in_valgrind(&program, &script);
    remove(&program);
}

/// They are large, and there are many.
fn remove(program: &Path) {
    std::fs::remove_file(program).expect("it was made here");
}

/// Definite leaks, and bytes that nobody owns or has set: neither. Loops may run on at the program's end.
fn in_valgrind(program: &Path, script: &Script) {
    let mut command = Command::new("valgrind");
    if command.arg("--version").output().is_err() {
        eprintln!("valgrind is not installed: not run in it");
        return;
    }
    let mut command = Command::new("valgrind");
    command
        .args([
            "--quiet",
            "--error-exitcode=99",
            "--fair-sched=try",
            "--max-stackframe=8388608",
        ])
        .args([
            "--leak-check=full",
            "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite",
        ])
        .arg(program);
    run(command, script).expect("in valgrind");
}

fn sanitized(name: &str) {
    let (source, program) = (source(name), program(name, "sanitized"));
    let language = language(&source);
    first(language).link(language.standards()[1], SANITIZERS, &[&source], &program);
    let script = Script::read(&source.with_extension("script"));
    let mut command = Command::new(&program);
    command.env(
        "ASAN_OPTIONS",
        "detect_leaks=1:detect_stack_use_after_return=1",
    );
    run(command, &script).expect(name);
    remove(&program);
}

/// A module of two tests for each program, and one test that no program was forgotten.
macro_rules! programs {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            #[test]
            fn runs() {
                super::plain(stringify!($name));
            }

            #[test]
            fn runs_with_sanitizers() {
                super::sanitized(stringify!($name));
            }
        })*

        #[test]
        fn each_program_is_run() {
            let listed = [$(stringify!($name)),*];
            for language in ["c", "cpp"] {
                let files = std::fs::read_dir(package(&format!("tests/programs/{language}")));
                for file in files.expect("programs") {
                    let path = file.expect("a program").path();
                    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
                    assert!(listed.contains(&name), "{} is run by no test", path.display());
                }
            }
        }
    };
}

programs! {
    // Loops, timers and threads.
    loops,
    loop_on_main,
    loop_on_a_thread,
    pool_of_loops,
    timer_singleton,
    logging,
    async_work,
    callback_member,
    // Connections.
    reconnecting_client,
    many_clients_on_one_loop,
    server_with_workers,
    udp_both_ways,
    websocket_both_ways,
    hundred_websocket_clients,
    // What goes wrong elsewhere.
    throwing_task_does_not_hurt_the_loop,
    timer_capturing_loop_is_freed,
    last_loop_handle_dropped_on_its_loop,
    thread_local_outlives_loop,
    callback_with_large_stack_frame,
    exit_in_callback,
    main_returns_with_running_loop,
    stop_from_atexit,
    threads_are_started_again,
    client_deleted_in_each_callback,
    server_deleted_in_onmessage,
    websocket_client_deleted_in_onopen,
    no_callback_after_destructor,
    derived_class_stops_in_its_destructor,
    callbacks_replaced_under_fire,
    self_capturing_client_is_freed,
    throwing_callback_closes_its_connection,
    channel_after_close_says_so,
    global_client_destroyed_at_exit,
    abi_version_mismatch_is_reported,
    full_queue_returns_minus_one,
    sigpipe_default_cpp_main,
    settings_freed_after_set,
    destructors_in_forked_child,
    multi_process_acceptors,
    // libhv's C interface.
    c_timers_and_events,
    c_tcp_echo,
    c_udp_and_pipe,
    c_proxy,
    c_workers,
}

/// The sanitizers are in what `sanitized` makes: they find what is wrong there.
#[test]
fn sanitizers_are_linked() {
    for (name, body, found) in [
        (
            "overflow",
            "char *volatile p = new char[1]; delete[] p; volatile char x = p[argc - 1]; return x == 7;",
            "AddressSanitizer",
        ),
        (
            "leak",
            "void *volatile p = new int(argc); p = 0; return p != 0;",
            "detected memory leaks",
        ),
        (
            "undefined",
            "int shift = argc + 40; return (1 << shift) & 0;",
            "shift exponent",
        ),
    ] {
        let file = made().join(format!("canary-{name}.cpp"));
        let text = format!(
            "#include \"hv/EventLoop.h\"\nint main(int argc, char **) {{ hv::EventLoop loop; {body} }}\n"
        );
        std::fs::write(&file, text).expect("the directory for tests");
        let program = program(name, "canary");
        first(Language::Cpp).link("c++11", SANITIZERS, &[&file], &program);
        let output = Command::new(&program).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name}: {said}");
        assert!(said.contains(found), "{name}: {said}");
        remove(&program);
    }
}
