//! Every name that `docs/libhv-map.md` and `docs/websocket-features.md` give as hvloop's is a public
//! item of the sources, so that the tables cannot fall behind them.
//!
//! The sources are read as text: comments and literals are taken out, what is left is put into
//! trees by its brackets, and the public items are picked from these. That is enough for names, and
//! needs no parser of Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_name_of_the_map_exists() {
    names_exist("docs/libhv-map.md");
}

#[test]
fn every_name_of_the_features_exists() {
    names_exist("docs/websocket-features.md");
}

#[track_caller]
fn names_exist(document: &str) {
    let path = Path::new(ROOT).join(document);
    let map = fs::read_to_string(&path).expect("the document is there");
    let items = Items::of_sources();
    let problems = problems_of(&map, &items);
    assert!(
        problems.is_empty(),
        "{} problems in {}:\n{}",
        problems.len(),
        path.display(),
        problems.join("\n")
    );
}

// The map.

/// What is wrong with the map: rows that are not whole, sections without rows, names that are not
/// there.
fn problems_of(map: &str, items: &Items) -> Vec<String> {
    let mut problems = Vec::new();
    let mut section: Option<(&str, usize)> = None;
    let end_of = |section: Option<(&str, usize)>, problems: &mut Vec<String>| {
        if let Some((title, 0)) = section {
            problems.push(format!("section {title}: no rows"));
        }
    };
    for (n, line) in map.lines().enumerate() {
        let n = n + 1;
        if let Some(title) = line.strip_prefix("## ") {
            end_of(section, &mut problems);
            section = Some((title, 0));
        }
        let Some(row) = line.strip_prefix('|') else {
            continue;
        };
        let cells: Vec<_> = row.trim_end().trim_end_matches('|').split('|').collect();
        let (libhv, hvloop, remark) = match cells[..] {
            [libhv, hvloop, remark] => (libhv, hvloop, remark),
            [libhv, hvloop, headers, remark] => {
                problems
                    .extend(lost_headers(headers).map(|header| format!("line {n}: no {header}")));
                (libhv, hvloop, remark)
            }
            _ => {
                problems.push(format!("line {n}: {} cells, not 3 or 4", cells.len()));
                continue;
            }
        };
        let (libhv, hvloop, remark) = (libhv.trim(), hvloop.trim(), remark.trim());
        if hvloop == "hvloop" || libhv.starts_with("---") {
            continue;
        }
        let Some((_, rows)) = &mut section else {
            problems.push(format!("line {n}: a row outside of a section"));
            continue;
        };
        *rows += 1;
        if libhv.is_empty() {
            problems.push(format!("line {n}: the first cell is empty"));
        }
        match hvloop {
            "" => problems.push(format!("line {n}: {libhv}: the second cell is empty")),
            "—" if remark.is_empty() => {
                problems.push(format!("line {n}: {libhv}: no equivalent, and no reason"));
            }
            "—" => {}
            names => {
                for name in names.split(',') {
                    let name = name.trim();
                    let bare = name.strip_prefix('`').and_then(|s| s.strip_suffix('`'));
                    match bare {
                        Some(bare) if items.has(bare) => {}
                        Some(bare) => problems.push(format!("line {n}: {bare} does not exist")),
                        None => problems.push(format!("line {n}: {name} is no name in backticks")),
                    }
                }
            }
        }
    }
    end_of(section, &mut problems);
    if section.is_none() {
        problems.push("no section".to_owned());
    }
    problems
}

/// Headers for C++ that a cell names, and that are not there.
fn lost_headers(cell: &str) -> impl Iterator<Item = String> + '_ {
    let quoted = cell.split('`').skip(1).step_by(2);
    let path = |header: &str| Path::new(ROOT).join("capi/include/hv").join(header);
    quoted
        .filter(move |header| !path(header).is_file())
        .map(str::to_owned)
}

// The sources.

/// The public items of some sources.
#[derive(Default)]
struct Items {
    /// Types, traits, functions, constants, modules and what is re-exported.
    names: BTreeSet<String>,
    modules: BTreeSet<String>,
    /// Methods, associated items, variants and fields, each with its owner.
    members: BTreeSet<(String, String)>,
    /// `pub use Original as Name`.
    originals: BTreeMap<String, String>,
    /// What a macro of ours stands for: items that several types have. It takes nothing, or the name of a type,
    /// by that word.
    macros: BTreeMap<String, (Option<String>, Vec<Tree>)>,
}

impl Items {
    /// Those of the three crates, without tests and the simulated world.
    fn of_sources() -> Self {
        let mut files = Vec::new();
        for folder in ["event/src", "ws/src", "src"] {
            sources_below(&Path::new(ROOT).join(folder), &mut files);
        }
        let read = |file| fs::read_to_string(file).expect("a source in UTF-8");
        Self::of_texts(files.iter().map(read))
    }

    fn of_texts(texts: impl IntoIterator<Item = String>) -> Self {
        let bare = |text: String| Trees::of(&without_comments_and_literals(&text));
        let sources: Vec<_> = texts.into_iter().map(bare).collect();
        let mut items = Self::default();
        for source in &sources {
            items.note_macros(source);
        }
        for source in &sources {
            items.add(source, None, false);
        }
        items
    }

    /// `macro_rules! name { () => {…} }`, or with `$type:ident`
    fn note_macros(&mut self, trees: &[Tree]) {
        for window in trees.windows(4) {
            if let [
                Tree::Word(word),
                Tree::Mark('!'),
                Tree::Word(name),
                Tree::Group('{', rules),
            ] = window
                && word == "macro_rules"
                && let [Tree::Group('(', takes), _, _, Tree::Group('{', body), ..] = &rules[..]
            {
                let takes = match &takes[..] {
                    [] => None,
                    // `$($field:ident).+`: where the values are.
                    [
                        Tree::Mark('$'),
                        Tree::Group('(', _),
                        Tree::Mark('.'),
                        Tree::Mark('+'),
                    ] => None,
                    [
                        Tree::Mark('$'),
                        Tree::Word(name),
                        Tree::Mark(':'),
                        Tree::Word(kind),
                    ] if kind == "ident" => Some(name.clone()),
                    _ => continue,
                };
                self.macros.insert(name.clone(), (takes, body.clone()));
            }
        }
    }

    /// Whether `Name`, `Owner::member` or `module::Name` is there.
    fn has(&self, path: &str) -> bool {
        let segments: Vec<_> = path.split("::").collect();
        match segments[..] {
            [name] => self.names.contains(name),
            [ref modules @ .., owner, member] => {
                let original = self.originals.get(owner).map_or(owner, String::as_str);
                let of_type = (original.to_owned(), member.to_owned());
                modules.iter().all(|module| self.modules.contains(*module))
                    && (self.names.contains(owner) && self.members.contains(&of_type)
                        || self.modules.contains(owner) && self.names.contains(member))
            }
            [] => false,
        }
    }

    /// Adds a file, or the body of a module, an `impl` or a trait; `open`: all in it is public.
    fn add(&mut self, trees: &[Tree], owner: Option<&str>, open: bool) {
        let mut rest = trees;
        let (mut public, mut hidden) = (open, false);
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match first {
                // `#[…]`, `#![…]`
                Tree::Mark('#') => {
                    let skip = usize::from(matches!(rest.first(), Some(Tree::Mark('!'))));
                    if let Some(Tree::Group('[', attribute)) = rest.get(skip) {
                        hidden |= is_for_tests(attribute);
                        rest = &rest[skip + 1..];
                    }
                    continue;
                }
                Tree::Word(word) if word == "pub" => {
                    // `pub(crate)` and its like are not public.
                    let limited = matches!(rest.first(), Some(Tree::Group('(', _)));
                    rest = &rest[usize::from(limited)..];
                    public = !limited;
                    continue;
                }
                Tree::Word(word) if is_qualifier(word, rest) => continue,
                // `setters! { name(argument: Type) => field; … }`
                Tree::Word(word) if word == "setters" => {
                    let (_, body, after) = item(rest);
                    rest = after;
                    let (Some(owner), Some(body)) = (owner, body) else {
                        continue;
                    };
                    for pair in body.windows(2) {
                        if let [Tree::Word(name), Tree::Group('(', _)] = pair {
                            self.members.insert((owner.to_owned(), name.clone()));
                        }
                    }
                }
                Tree::Word(word)
                    if matches!(rest.first(), Some(Tree::Mark('!')))
                        && self.macros.contains_key(word) =>
                {
                    let given = match rest.get(1) {
                        Some(Tree::Group('(', given)) => given.first().cloned(),
                        _ => None,
                    };
                    (_, _, rest) = item(rest);
                    let (takes, mut body) = self.macros[word].clone();
                    if let (Some(takes), Some(given)) = (takes, given) {
                        body = filled_in(&body, &takes, &given);
                    }
                    self.add(&body, owner, false);
                }
                Tree::Word(word) => {
                    let (head, body, after) = item(rest);
                    rest = after;
                    if !hidden {
                        self.add_item(word, head, body, public, owner);
                    }
                }
                Tree::Mark(_) | Tree::Group(..) => {}
            }
            (public, hidden) = (open, false);
        }
    }

    /// Adds one item: its keyword, what is between it and its body, and the body.
    fn add_item(
        &mut self,
        keyword: &str,
        head: &[Tree],
        body: Option<&[Tree]>,
        public: bool,
        owner: Option<&str>,
    ) {
        if keyword == "impl" {
            if let (Some((owner, of_trait)), Some(body)) = (owner_of_impl(head), body) {
                self.add(body, Some(owner), of_trait);
            }
            return;
        }
        if keyword == "use" {
            if public {
                self.add_reexports(head, body.unwrap_or_default());
            }
            return;
        }
        let Some(Tree::Word(name)) = head.first() else {
            return;
        };
        let named = [
            "fn", "const", "static", "type", "struct", "union", "enum", "trait", "mod",
        ];
        if public && named.contains(&keyword) {
            match owner {
                Some(owner) => drop(self.members.insert((owner.to_owned(), name.clone()))),
                None => drop(self.names.insert(name.clone())),
            }
        }
        let body = body.unwrap_or_default();
        match keyword {
            "mod" => {
                if public {
                    self.modules.insert(name.clone());
                }
                self.add(body, None, false);
            }
            "trait" => self.add(body, Some(name), true),
            "enum" => {
                for variant in body.split(|tree| matches!(tree, Tree::Mark(','))) {
                    if let Some(Tree::Word(variant)) = without_attributes(variant).first() {
                        self.members.insert((name.clone(), variant.clone()));
                    }
                }
            }
            "struct" | "union" => {
                for field in body.split(|tree| matches!(tree, Tree::Mark(','))) {
                    if let [Tree::Word(word), Tree::Word(field), Tree::Mark(':'), ..] =
                        without_attributes(field)
                        && word == "pub"
                    {
                        self.members.insert((name.clone(), field.clone()));
                    }
                }
            }
            _ => {}
        }
    }

    /// Adds what a `pub use` names: the last names of its paths.
    fn add_reexports(&mut self, path: &[Tree], group: &[Tree]) {
        if !group.is_empty() {
            for path in group.split(|tree| matches!(tree, Tree::Mark(','))) {
                match path.split_last() {
                    Some((Tree::Group('{', inner), _)) => self.add_reexports(&[], inner),
                    _ => self.add_reexports(path, &[]),
                }
            }
            return;
        }
        if let [.., Tree::Word(original), Tree::Word(word), Tree::Word(name)] = path
            && word == "as"
        {
            self.originals.insert(name.clone(), original.clone());
            self.names.insert(name.clone());
        } else if let Some(Tree::Word(name)) = path.last() {
            self.names.insert(name.clone());
        }
    }
}

/// All sources below a folder that belong to the library.
fn sources_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry of a folder").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "tests" && name != "sim" {
                sources_below(&path, files);
            }
        } else if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" {
            files.push(path);
        }
    }
}

/// Whether an attribute is `cfg(test)`, or `cfg(all(test, …))`.
fn is_for_tests(attribute: &[Tree]) -> bool {
    fn has(trees: &[Tree], wanted: &str) -> bool {
        trees.iter().any(|tree| match tree {
            Tree::Word(word) => word == wanted,
            Tree::Group(_, inner) => has(inner, wanted),
            Tree::Mark(_) => false,
        })
    }
    let cfg = matches!(attribute.first(), Some(Tree::Word(word)) if word == "cfg");
    cfg && has(attribute, "test") && !has(attribute, "not")
}

fn without_attributes(mut trees: &[Tree]) -> &[Tree] {
    while let [Tree::Mark('#'), Tree::Group('[', _), rest @ ..] = trees {
        trees = rest;
    }
    trees
}

/// Whether a word only comes before the keyword of an item.
fn is_qualifier(word: &str, rest: &[Tree]) -> bool {
    let next = match rest.first() {
        Some(Tree::Word(next)) => next.as_str(),
        _ => "",
    };
    match word {
        "const" => ["fn", "unsafe", "async", "extern"].contains(&next),
        "unsafe" | "async" | "extern" | "default" => true,
        _ => false,
    }
}

/// Cuts an item off, behind its keyword: what comes before its body, the body, and what follows.
fn item(trees: &[Tree]) -> (&[Tree], Option<&[Tree]>, &[Tree]) {
    let end = trees
        .iter()
        .position(|tree| matches!(tree, Tree::Mark(';') | Tree::Group('{', _)));
    let Some(end) = end else {
        return (trees, None, &[]);
    };
    match &trees[end] {
        Tree::Group(_, body) => (&trees[..end], Some(body), &trees[end + 1..]),
        _ => (&trees[..end], None, &trees[end + 1..]),
    }
}

/// Whose `impl` it is, and whether it is that of a trait.
fn owner_of_impl(head: &[Tree]) -> Option<(&str, bool)> {
    let mut depth = 0_usize;
    let mut arrow = false;
    let (mut owner, mut of_trait) = (None, false);
    for (n, tree) in head.iter().enumerate() {
        match tree {
            Tree::Mark('<') => depth += 1,
            // Not that of `->`.
            Tree::Mark('>') if !arrow => depth = depth.saturating_sub(1),
            Tree::Word(word) if depth == 0 => match word.as_str() {
                "where" => break,
                "for" if matches!(head.get(n + 1), Some(Tree::Mark('<'))) => {}
                "for" => (owner, of_trait) = (None, true),
                word => owner = Some(word),
            },
            _ => {}
        }
        arrow = matches!(tree, Tree::Mark('-'));
    }
    Some((owner?, of_trait))
}

// The text.

/// A piece of a source.
#[derive(Clone)]
enum Tree {
    /// A name, a keyword or a number.
    Word(String),
    /// Any other character.
    Mark(char),
    /// What is between two brackets, with the opening one.
    Group(char, Vec<Tree>),
}

/// Builds trees of a text without comments and literals.
struct Trees<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl<'a> Trees<'a> {
    fn of(text: &'a str) -> Vec<Tree> {
        let mut trees = Self {
            rest: text.chars().peekable(),
        };
        let mut all = Vec::new();
        while trees.rest.peek().is_some() {
            // A bracket that closes nothing ends a round, and is let go.
            all.extend(trees.until_closed());
        }
        all
    }

    /// What comes until the bracket that closes this group.
    fn until_closed(&mut self) -> Vec<Tree> {
        let mut trees = Vec::new();
        while let Some(c) = self.rest.next() {
            match c {
                '(' | '[' | '{' => trees.push(Tree::Group(c, self.until_closed())),
                ')' | ']' | '}' => break,
                c if c.is_whitespace() => {}
                c if is_of_word(c) => {
                    let mut word = String::from(c);
                    while let Some(c) = self.rest.next_if(|c| is_of_word(*c)) {
                        word.push(c);
                    }
                    trees.push(Tree::Word(word));
                }
                c => trees.push(Tree::Mark(c)),
            }
        }
        trees
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with a space in the place of each comment and each literal of characters.
fn without_comments_and_literals(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let in_word = bare.chars().next_back().is_some_and(is_of_word);
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if !in_word => prefixed_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped > 0 {
            bare.push(' ');
            rest = &rest[skipped..];
        } else {
            bare.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    bare
}

/// The length of the comment that the text begins with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(0, char::len_utf8);
        }
        if depth == 0 || at == text.len() {
            return at;
        }
    }
}

/// The length of the string, from its quote on.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (n, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return n + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// The length of a string with `r`, `b`, `c`, `br` or `cr` in front; 0: it is none.
fn prefixed_string(text: &str) -> usize {
    let quoted = text.trim_start_matches(['b', 'c', 'r', '#']);
    let prefix = &text[..text.len() - quoted.len()];
    let letters = prefix.trim_end_matches('#');
    let hashes = &prefix[letters.len()..];
    let is_raw = letters.ends_with('r');
    if !quoted.starts_with('"') || letters.len() > 2 || (!is_raw && !hashes.is_empty()) {
        return 0;
    }
    if !is_raw {
        return prefix.len() + string(quoted);
    }
    let end = format!("\"{hashes}");
    let inner = quoted[1..].find(&end).map(|n| n + 1 + end.len());
    inner.map_or(text.len(), |inner| prefix.len() + inner)
}

/// The length of a character in quotes; 0: it is a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            // What is escaped may itself be a quote.
            chars.next();
            chars
                .find(|(_, c)| *c == '\'')
                .map_or(text.len(), |(n, _)| n + 1)
        }
        Some(_) => match chars.next() {
            Some((n, '\'')) => n + 1,
            _ => 0,
        },
        None => 0,
    }
}

// The tests of the above.

const SAMPLE: &str = r##"
//! } not a bracket {
pub mod signals { pub const SIGINT: i32 = 2; pub(crate) const HIDDEN: i32 = 9; }
mod inner { pub struct Deep; impl Deep { pub fn dive(&self) {} } }
pub use inner::{Deep, other::{Phase as Status, Second}, third::*};
/* } /* nested { */ } */
pub struct Loop<'a, T = ()>(&'a T);
pub struct Counts { /// Not { this.
    pub ticks: u64, hidden: u64, pub(crate) inside: u64 }
impl<'a, T: Fn(&str) -> [u8; 4]> Loop<'a, T> where T: for<'b> Fn(&'b ()) {
    pub const LIMIT: usize = 1;
    pub const fn new(text: &str) -> Self { let _ = ("}", '}', '\'', '"', b"\"}", r#"}"}"#); }
    fn private(&self) { pub_like("pub fn not_one() {"); }
    shared_methods!();
    pub(super) fn limited(&self) {}
}
impl<T> super::Loop<'_, T> { #[must_use] pub async unsafe fn later(&self) -> Option<&'_ T> { None } }
impl<T> Iterator for Loop<'_, T> { type Item = (); fn next(&mut self) -> Option<()> { None } }
#[cfg(test)] impl<T> Loop<'_, T> { pub fn only_in_tests(&self) {} }
#[cfg(not(test))] impl<T> Loop<'_, T> { pub fn not_in_tests(&self) {} }
pub(crate) enum Phase { #[default] Idle, Running(u8, u8), Gone { why: u8 } }
pub trait Handler { const N: u8; fn on_data(&mut self) { drop(()) } fn on_close(self); }
const _: () = { const fn send<T: Send>() {} };
pub fn free() {}
named!(Phase2); pub struct Phase2(u8);
macro_rules! named { ($type:ident) => { impl $type { pub fn raw(self) -> u64 {} } impl Copy for $type {} }; }
macro_rules! shared_methods { () => { /// One.
    pub fn shared(self) -> Self { self } fn not_shared(&self) {} }; }
"##;

fn sample() -> Items {
    Items::of_texts([SAMPLE.to_owned()])
}

/// The body of a macro with what it was given.
fn filled_in(body: &[Tree], takes: &str, given: &Tree) -> Vec<Tree> {
    let mut filled = Vec::new();
    let mut rest = body.iter().peekable();
    while let Some(tree) = rest.next() {
        match (tree, rest.peek()) {
            (Tree::Mark('$'), Some(Tree::Word(word))) if word == takes => {
                rest.next();
                filled.push(given.clone());
            }
            (Tree::Group(open, trees), _) => {
                filled.push(Tree::Group(*open, filled_in(trees, takes, given)));
            }
            _ => filled.push(tree.clone()),
        }
    }
    filled
}

#[test]
fn what_is_public_is_found() {
    let items = sample();
    for name in [
        "Loop",
        "Loop::new",
        "Loop::LIMIT",
        "Loop::later",
        "Loop::shared",
        "Phase2::raw",
        "Loop::next",
        "Loop::not_in_tests",
        "Counts::ticks",
        "Deep::dive",
        "Second",
        "Status",
        "Status::Idle",
        "Status::Running",
        "Status::Gone",
        "Handler::on_data",
        "Handler::on_close",
        "Handler::N",
        "free",
        "signals",
        "signals::SIGINT",
        "signals::Loop::new",
    ] {
        assert!(items.has(name), "{name} was not found");
    }
}

#[test]
fn what_is_not_public_is_missing() {
    let items = sample();
    for name in [
        "Loop::missing",
        "Loop::private",
        "Loop::not_shared",
        "shared",
        "Loop::limited",
        "Loop::not_one",
        "Loop::only_in_tests",
        "Loop::on_data",
        "Loop::free",
        "new",
        "Counts::hidden",
        "Counts::inside",
        "Status::u8",
        "Status::why",
        "Phase",
        "Phase::Idle",
        "signals::HIDDEN",
        "inner::Deep",
        "Missing",
        "Missing::new",
        "",
    ] {
        assert!(!items.has(name), "{name} was found");
    }
}

#[test]
fn what_is_wrong_with_a_map_is_told() {
    let head = "## One\n\n| libhv | hvloop | remark |\n|---|---|---|\n";
    let told = |rows: &str| problems_of(&format!("{head}{rows}"), &sample());
    let none: [String; 0] = [];
    assert_eq!(told("| `a` | `Loop::new`, `free` | |\n"), none);
    assert_eq!(told("| `a` | — | Rust drops. |\n"), none);
    assert_eq!(
        told("| `a` | `Loop::new`, `Loop::missing` | |\n| `b` | `Gone` | |\n"),
        [
            "line 5: Loop::missing does not exist",
            "line 6: Gone does not exist"
        ]
    );
    assert_eq!(
        told(
            "| `a` | | why |\n| `b` | — | |\n| `c` | Loop | |\n| `d` | `Loop` |\n| | `Loop` | |\n"
        ),
        [
            "line 5: `a`: the second cell is empty",
            "line 6: `b`: no equivalent, and no reason",
            "line 7: Loop is no name in backticks",
            "line 8: 2 cells, not 3 or 4",
            "line 9: the first cell is empty"
        ]
    );
    assert_eq!(told(""), ["section One: no rows"]);
    assert_eq!(
        told("| `a` | `Loop` | |\n\n## Two\n\nText.\n"),
        ["section Two: no rows"]
    );
    assert_eq!(problems_of("Text.\n", &sample()), ["no section"]);
}
