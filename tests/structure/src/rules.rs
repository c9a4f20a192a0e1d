//! The rules, and what breaks them.

use crate::edges::{Edges, inherent_impls};
use crate::modules::{Crate, is_test};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::{BTreeMap, BTreeSet};
use syn::{Fields, Item, Type};

/// Fields of a struct without a reason beside it.
const FIELDS: usize = 12;
/// Of them, flags.
const FLAGS: usize = 3;
/// Files in which one type has methods.
const FILES_OF_METHODS: usize = 3;
/// What a comment above a larger struct begins with.
const REASON: &str = "// Large: ";

/// Which rooms a room of `hvloop-event` must not know: the loop knows nothing of what is on it.
const NEVER: &[(&str, &[&str])] = &[(
    "core",
    &[
        "conn",
        "io",
        "transport",
        "tcp",
        "udp",
        "proxy",
        "framing",
        "tls",
    ],
)];

/// Which rooms a room of `hvloop-event` may know: none that is not named here.
pub const LAYERS: &[(&str, &[&str])] = &[
    ("panic", &[]),
    ("log", &["panic"]),
    // The root has the macros of `log`, which `macro_export` puts there.
    ("sys", &["lib", "log"]),
    ("sync", &[]),
    ("machine", &[]),
];

/// All that breaks a rule, one line each: what, a colon, and the parts of it.
pub fn broken(name: &str, of: &Crate, edges: &Edges) -> Vec<String> {
    let layers = match name {
        "event" => upward(of, edges),
        _ => Vec::new(),
    };
    [
        circles(of, edges),
        circles_of_rooms(of, edges),
        layers,
        large_structs(of),
        scattered_types(of),
    ]
    .concat()
}

/// Circles of files, apart from a module and those below it.
fn circles(of: &Crate, edges: &Edges) -> Vec<String> {
    let by_file: BTreeMap<_, _> = of.modules.values().map(|m| (m.file.as_str(), m)).collect();
    let mut graph = DiGraphMap::<&str, ()>::new();
    for (from, to) in edges.keys() {
        let (a, b) = (by_file[from.as_str()], by_file[to.as_str()]);
        if !a.is_above(b) && !b.is_above(a) {
            graph.add_edge(from, to, ());
        }
    }
    named(tarjan_scc(&graph), "files")
}

/// Circles of rooms: of the folders and files right below the crate's root.
fn circles_of_rooms(of: &Crate, edges: &Edges) -> Vec<String> {
    let by_file: BTreeMap<_, _> = of.modules.values().map(|m| (m.file.as_str(), m)).collect();
    let mut graph = DiGraphMap::<&str, ()>::new();
    for (from, to) in edges.keys() {
        let (a, b) = (by_file[from.as_str()].room(), by_file[to.as_str()].room());
        if a != b && a != "lib" && b != "lib" {
            graph.add_edge(a, b, ());
        }
    }
    named(tarjan_scc(&graph), "rooms")
}

fn named(components: Vec<Vec<&str>>, what: &str) -> Vec<String> {
    let mut circles: Vec<_> = components
        .into_iter()
        .filter(|component| component.len() > 1)
        .map(|mut component| {
            component.sort_unstable();
            format!("circle of {what}: {}", component.join(", "))
        })
        .collect();
    circles.sort();
    circles
}

/// Rooms that know one above them, or one that they never must.
fn upward(of: &Crate, edges: &Edges) -> Vec<String> {
    let by_file: BTreeMap<_, _> = of.modules.values().map(|m| (m.file.as_str(), m)).collect();
    let mut broken = Vec::new();
    for ((from, to), what) in edges {
        let (a, b) = (by_file[from.as_str()].room(), by_file[to.as_str()].room());
        let allowed = LAYERS.iter().find(|(room, _)| *room == a);
        let upward = allowed.is_some_and(|(_, rooms)| !rooms.contains(&b));
        let never = NEVER
            .iter()
            .any(|(room, rooms)| *room == a && rooms.contains(&b));
        if a != b && (upward || never) {
            let what: Vec<_> = what.iter().map(String::as_str).collect();
            broken.push(format!("{from} knows {to}: {}", what.join(", ")));
        }
    }
    broken
}

/// Structs with too many fields or flags and no reason beside them.
fn large_structs(of: &Crate) -> Vec<String> {
    let mut broken = Vec::new();
    for module in of.modules.values() {
        for item in &module.items {
            let Item::Struct(item) = item else { continue };
            let Fields::Named(fields) = &item.fields else {
                continue;
            };
            let is_flag = |ty: &Type| matches!(ty, Type::Path(path) if path.path.is_ident("bool"));
            let count = fields.named.len();
            let flags = fields.named.iter().filter(|f| is_flag(&f.ty)).count();
            let explained = module
                .text
                .split_once(&format!("struct {} ", item.ident))
                .is_some_and(|(above, _)| {
                    let lines = above.lines().rev();
                    lines
                        .take_while(|line| !line.starts_with('}') && !line.is_empty())
                        .any(|line| line.trim_start().starts_with(REASON))
                });
            if (count > FIELDS || flags > FLAGS) && !is_test(&item.attrs) && !explained {
                let (name, file) = (&item.ident, &module.file);
                broken.push(format!(
                    "size of {name} in {file}: {count} fields, {flags} flags"
                ));
            }
        }
    }
    broken
}

/// Types whose methods are in too many files.
fn scattered_types(of: &Crate) -> Vec<String> {
    let mut files: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    for module in of.modules.values() {
        for (name, definer) in inherent_impls(of, module) {
            let key = (definer.file.clone(), name);
            files.entry(key).or_default().insert(&module.file);
        }
    }
    files
        .into_iter()
        .filter(|(_, files)| files.len() > FILES_OF_METHODS)
        .map(|((file, name), files)| {
            let files: Vec<_> = files.into_iter().collect();
            format!("methods of {name} in {file}: {}", files.join(", "))
        })
        .collect()
}
