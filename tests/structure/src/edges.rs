//! Which file knows which: by the paths that it names, and by the methods that it gives to a type of
//! another file.

use crate::modules::{Crate, Module, is_test, paths_of};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{Item, Type};

/// From a file to another, and what of it.
pub type Edges = BTreeMap<(String, String), BTreeSet<String>>;

/// The names that a file's own `use` lines bring, anywhere in it, and what each is.
#[derive(Default)]
struct Imports<'a> {
    module: &'a [String],
    inside: Vec<String>,
    names: BTreeMap<String, Vec<String>>,
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let here = [self.module, &self.inside].concat();
        for (name, path) in paths_of(item) {
            if let (Some(name), Some(path)) = (name, Crate::absolute(&here, &path)) {
                self.names.insert(name, path);
            }
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.inside.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.inside.pop();
        }
    }
}

/// What one file names.
struct Names<'a> {
    of: &'a Crate,
    module: &'a Module,
    imports: BTreeMap<String, Vec<String>>,
    /// The modules in this file, from its own down to where we are.
    inside: Vec<String>,
    found: Vec<Vec<String>>,
}

impl<'a> Names<'a> {
    fn of(of: &'a Crate, module: &'a Module) -> Self {
        let mut imports = Imports {
            module: &module.path,
            ..Imports::default()
        };
        for item in &module.items {
            imports.visit_item(item);
        }
        Self {
            of,
            module,
            imports: imports.names,
            inside: Vec::new(),
            found: Vec::new(),
        }
    }

    /// A path as it stands here, from the crate's root; `None`: it leads out of the crate, or nowhere.
    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let here = [&self.module.path[..], &self.inside].concat();
        let (first, rest) = path.split_first()?;
        Crate::absolute(&here, path)
            .or_else(|| {
                let import = self.imports.get(first)?;
                // A macro or a function of that name leads nowhere.
                let leads =
                    rest.is_empty() || is_type(first) || self.of.modules.contains_key(import);
                leads.then(|| [import, rest].concat())
            })
            .or_else(|| {
                let own = self.module.declares(first) && self.inside.is_empty();
                own.then(|| [&self.module.path, path].concat())
            })
    }

    fn note(&mut self, path: &[String]) {
        self.found.extend(self.resolve(path));
    }

    /// The paths in what a macro is given: as text, since only the macro knows what it means.
    fn note_tokens(&mut self, text: &str) {
        let text = without_texts(text).replace(" :: ", "::");
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
            let path: Vec<_> = word.split("::").map(str::to_owned).collect();
            if path.len() > 1 && path.iter().all(|segment| !segment.is_empty()) {
                self.note(&path);
            }
        }
    }
}

/// Tokens without what stands between quotes, as documentation does.
fn without_texts(tokens: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let outside = |c: &char| {
        let was_inside = inside;
        inside ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        !was_inside && !inside
    };
    let tokens = tokens.replace("'\"'", "");
    tokens.chars().filter(outside).collect()
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // What a module hands on is not what it does.
        if matches!(item.vis, syn::Visibility::Inherited) && !is_test(&item.attrs) {
            for (_, path) in paths_of(item) {
                self.note(&path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.note(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.note_tokens(&call.tokens.to_string());
        visit::visit_macro(self, call);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        // What a macro of ours stands for is named by those who call it.
        if item.ident.is_none() {
            visit::visit_item_macro(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            self.inside.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.inside.pop();
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }
}

fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

/// The item that a path names: a type rather than its methods and variants.
fn item_of(path: &[String]) -> String {
    let item = path.iter().find(|name| is_type(name)).or(path.last());
    item.cloned().unwrap_or_default()
}

/// The types that a file gives methods to (not those of traits), and the files that define them.
pub fn inherent_impls<'a>(of: &'a Crate, module: &Module) -> Vec<(String, &'a Module)> {
    let names = Names::of(of, module);
    let mut found = Vec::new();
    for item in &module.items {
        let Item::Impl(item) = item else { continue };
        if item.trait_.is_some() || is_test(&item.attrs) {
            continue;
        }
        let Type::Path(path) = &*item.self_ty else {
            continue;
        };
        let segments = path.path.segments.iter();
        let segments: Vec<_> = segments.map(|s| s.ident.to_string()).collect();
        let Some(name) = segments.last().cloned() else {
            continue;
        };
        let path = names
            .resolve(&segments)
            .unwrap_or_else(|| [&module.path[..], &segments].concat());
        if let Some(definer) = of.definer(&path) {
            found.push((name, definer));
        }
    }
    found
}

/// All edges between different files of a crate.
pub fn edges(of: &Crate) -> Edges {
    let mut edges = Edges::new();
    for module in of.modules.values() {
        let mut names = Names::of(of, module);
        for item in &module.items {
            names.visit_item(item);
        }
        let mut add = |from: &Module, to: &Module, what: String| {
            if from.file != to.file {
                let edge = (from.file.clone(), to.file.clone());
                edges.entry(edge).or_default().insert(what);
            }
        };
        for path in &names.found {
            if let Some(definer) = of.definer(path) {
                add(module, definer, item_of(path));
            }
        }
        for (name, definer) in inherent_impls(of, module) {
            add(module, definer, format!("impl {name}"));
            // Whoever has the type has these methods too, and no `use` shows it.
            let folder = |m: &Module| m.path.split_last().map(|(_, above)| above.to_vec());
            if folder(definer) != folder(module) && !definer.is_above(module) {
                add(definer, module, format!("methods of {name}"));
            }
        }
    }
    edges
}
