//! The tool on small crates.

use crate::modules::Crate;
use crate::{debts, design, edges, rules};
use std::path::Path;

/// What breaks a rule in a crate of these files.
fn broken(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    let of = crate_of(files);
    rules::broken(name, &of, &edges::edges(&of))
}

fn crate_of(files: &[(&str, &str)]) -> Crate {
    let read = |wanted: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == wanted);
        Ok(found.map(|(_, text)| (*text).to_owned()))
    };
    Crate::of(&read).expect("a crate")
}

/// Which file knows which, as `a > b`.
fn knows(files: &[(&str, &str)]) -> Vec<String> {
    let edges = edges::edges(&crate_of(files));
    let lines = edges.keys().map(|(from, to)| format!("{from} > {to}"));
    lines.collect()
}

#[test]
fn a_circle_through_methods_that_no_use_shows() {
    // The loop's file names nothing of `io`, and has its methods.
    let files = [
        ("lib.rs", "mod core; mod io;"),
        ("core/mod.rs", "mod tick; pub struct Loop;"),
        (
            "core/tick.rs",
            "impl super::Loop { fn tick(&self) { self.read() } }",
        ),
        ("io/mod.rs", "mod read;"),
        (
            "io/read.rs",
            "use crate::core::Loop; impl Loop { pub fn read(&self) {} }",
        ),
    ];
    let found = broken("ws", &files);
    let expected = [
        "circle of files: core/mod.rs, io/read.rs",
        "circle of rooms: core, io",
    ];
    assert_eq!(found, expected);
}

#[test]
fn methods_in_the_same_folder_are_no_circle() {
    let files = [
        ("lib.rs", "mod core;"),
        ("core/mod.rs", "mod a; mod tick;"),
        ("core/a.rs", "pub struct Loop;"),
        (
            "core/tick.rs",
            "use super::a::Loop; impl Loop { fn tick(&self) {} }",
        ),
    ];
    assert_eq!(knows(&files), ["core/tick.rs > core/a.rs"]);
    assert!(broken("ws", &files).is_empty());
}

#[test]
fn use_inside_a_function() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "pub struct A; fn f() { use crate::b::B; let _ = B; }",
        ),
        ("b.rs", "pub struct B; fn f() -> crate::a::A { todo!() }"),
    ];
    let found = broken("ws", &files);
    assert_eq!(
        found,
        ["circle of files: a.rs, b.rs", "circle of rooms: a, b"]
    );
}

#[test]
fn super_also_in_modules_in_a_file() {
    let files = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod a; mod b; pub fn own() {}"),
        (
            "room/a.rs",
            "pub struct A; mod inner { fn f() { super::super::b::g(); super::h(); } } fn h() {}",
        ),
        (
            "room/b.rs",
            "use super::a; pub fn g() -> a::A { super::own(); a::A }",
        ),
    ];
    let expected = [
        "room/a.rs > room/b.rs",
        "room/b.rs > room/a.rs",
        "room/b.rs > room/mod.rs",
    ];
    assert_eq!(knows(&files), expected);
    assert_eq!(
        broken("ws", &files),
        ["circle of files: room/a.rs, room/b.rs"]
    );
}

#[test]
fn re_exports_lead_to_the_file_that_defines() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use b::*;"),
        (
            "a.rs",
            "use crate::b; fn f(_: b::Renamed, _: crate::b::Thing) {}",
        ),
        (
            "b/mod.rs",
            "mod deep; mod other; pub use self::deep::Original as Renamed; pub use self::other::*;",
        ),
        ("b/deep.rs", "pub struct Original;"),
        ("b/other.rs", "pub struct Thing;"),
    ];
    let found = knows(&files);
    for edge in ["a.rs > b/deep.rs", "a.rs > b/other.rs"] {
        assert!(found.iter().any(|known| known == edge), "{edge}: {found:?}");
    }
    // Handing on is no knowing: `b/mod.rs` does nothing with them.
    assert!(
        !found.iter().any(|edge| edge.starts_with("b/")),
        "{found:?}"
    );
}

#[test]
fn modules_under_conditions() {
    let files = [
        (
            "lib.rs",
            "#[cfg(unix)] mod a; #[cfg(not(unix))] mod a; #[cfg(not(loom))] mod b; #[cfg(all(test, unix))] mod tests; #[cfg(loom)] mod models;",
        ),
        (
            "a.rs",
            "use crate::b::B; #[cfg(test)] mod tests { use crate::c::C; }",
        ),
        (
            "b.rs",
            "pub struct B; #[cfg(test)] impl B { fn of(_: crate::a::A) {} } #[cfg(not(test))] fn real() { crate::c(); }",
        ),
        ("tests.rs", "use crate::a::A;"),
        ("models.rs", "use crate::b::B;"),
    ];
    assert_eq!(knows(&files), ["a.rs > b.rs", "b.rs > lib.rs"]);
}

#[test]
fn paths_in_macros() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod log;"),
        ("c.rs", ""),
        (
            "a.rs",
            "use crate::b; use crate::log::log; fn f() { log::debug!(); log!(); assert!(b::ok(1, crate::log::level()), \"see crate::c\"); }",
        ),
        ("b.rs", "pub fn ok(_: u8, _: u8) -> bool { true }"),
        (
            "log.rs",
            "macro_rules! log { () => { $crate::a::f() } } pub(crate) use log; pub fn level() -> u8 { 0 }",
        ),
    ];
    assert_eq!(knows(&files), ["a.rs > b.rs", "a.rs > log.rs"]);
}

#[test]
fn layers_and_what_the_loop_must_not_know() {
    let files = [
        ("lib.rs", "mod core; mod sys; mod tcp;"),
        ("sys.rs", "use crate::core::Key; pub fn poll(_: Key) {}"),
        (
            "core.rs",
            "pub struct Key; fn f() { crate::tcp::client(); crate::sys::poll(Key); }",
        ),
        ("tcp.rs", "pub fn client() {}"),
    ];
    let found = broken("event", &files);
    let edges: Vec<_> = found
        .iter()
        .filter(|line| line.contains(" knows "))
        .collect();
    assert_eq!(
        edges,
        ["core.rs knows tcp.rs: client", "sys.rs knows core.rs: Key"]
    );
    assert!(
        broken("ws", &files)
            .iter()
            .all(|line| !line.contains(" knows "))
    );
}

#[test]
fn large_structs_and_scattered_types() {
    let fields = |count: usize, of: &str| {
        let fields: Vec<_> = (0..count).map(|n| format!("f{n}: {of}")).collect();
        fields.join(", ")
    };
    let text = format!(
        "mod a; mod b; mod c;\npub struct Fits {{ {} }}\n\npub struct Large {{ {} }}\n\n\
         pub struct Flags {{ {} }}\n\n// Large: one field an option.\npub struct Options {{ {} }}\n\nimpl Fits {{}}\n",
        fields(12, "u8"),
        fields(13, "u8"),
        fields(4, "bool"),
        fields(40, "bool"),
    );
    let methods = "impl super::Fits {} impl crate::Large {}";
    let files = [
        ("lib.rs", &*text),
        ("a.rs", methods),
        ("b.rs", methods),
        ("c.rs", methods),
    ];
    let expected = [
        "size of Large in lib.rs: 13 fields, 0 flags",
        "size of Flags in lib.rs: 4 fields, 4 flags",
        "methods of Fits in lib.rs: a.rs, b.rs, c.rs, lib.rs",
    ];
    assert_eq!(broken("ws", &files), expected);
}

fn lines(of: &[&str]) -> Vec<String> {
    of.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn debts_match_exactly_and_shrink() {
    let list = "# What it is.\n\nevent: circle of files: a, b, c\nws: size of S in s.rs: 14 fields, 2 flags\n";
    let known = debts::listed(list);
    assert_eq!((known.len(), debts::weight(&known)), (2, 3 + 16));
    assert!(debts::compare(&known, &known).is_none());

    let smaller = lines(&["event: circle of files: a, b"]);
    let difference = debts::compare(&known, &smaller);
    assert_eq!((difference.new.len(), difference.paid.len()), (1, 2));
    assert_eq!(
        debts::updated(list, &smaller),
        Ok("# What it is.\nevent: circle of files: a, b\n".to_owned())
    );

    let larger = lines(&[
        "event: circle of files: a, b, c",
        "ws: size of S in s.rs: 15 fields, 2 flags",
    ]);
    assert_eq!(debts::compare(&known, &larger).new.len(), 1);
    assert!(debts::updated(list, &larger).is_err());

    let twice = debts::listed("a: b\na: b\n");
    assert_eq!(debts::compare(&twice, &lines(&["a: b"])).paid, ["a: b"]);
}

#[test]
fn invariants_name_their_files() {
    let there = |file: &Path| file == Path::new("event/src/a.rs");
    let table = |rows: &str| {
        format!(
            "# D\n\n## Invariants\n\n| # | invariant | kept by |\n|---|---|---|\n{rows}\n## Next\n| I9 | x | |\n"
        )
    };
    let faults = |rows: &str| design::faults(&table(rows), there);
    assert!(faults("| I1 | one | `event/src/a.rs` (`there`) |").is_empty());
    assert_eq!(
        faults("| I1 | one | `care` |"),
        ["docs/design.md: I1 names no file that keeps it"]
    );
    let gone = "| I1 | `x` | `event/src/a.rs` |\n| I2 | two | `event/src/a.rs`, `event/src/b.rs` |";
    assert_eq!(
        faults(gone),
        ["docs/design.md: I2 names event/src/b.rs, which is not there"]
    );
    assert_eq!(faults(""), ["docs/design.md: no invariants"]);
    assert_eq!(design::faults("# D\n", there).len(), 1);
}
