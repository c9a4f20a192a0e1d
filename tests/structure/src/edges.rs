//! Which file knows which: by the paths that it names, and by the methods that it gives to a type of
//! another file.

use crate::modules::{Crate, Module, is_test, paths_of};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};
use syn::{Item, Type};

/// From a file to another, and what of it.
pub type Edges = BTreeMap<(String, String), BTreeSet<String>>;

/// What one file names.
struct Names<'a> {
    module: &'a Module,
    found: Vec<(Vec<String>, String)>,
}

impl Names<'_> {
    fn note(&mut self, path: &[String]) {
        if let Some(path) = Crate::absolute(&self.module.path, path) {
            let name = path.last().cloned().unwrap_or_default();
            self.found.push((path, name));
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // What a module hands on is not what it does.
        if matches!(item.vis, syn::Visibility::Inherited) {
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

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

/// The types that a file gives methods to (not those of traits), and the files that define them.
pub fn inherent_impls<'a>(of: &'a Crate, module: &Module) -> Vec<(String, &'a Module)> {
    let mut uses = BTreeMap::new();
    for item in &module.items {
        if let Item::Use(item) = item {
            for (name, path) in paths_of(item) {
                uses.extend(name.map(|name| (name, path)));
            }
        }
    }
    let mut found = Vec::new();
    for item in &module.items {
        let Item::Impl(item) = item else { continue };
        if item.trait_.is_some() || is_test(&item.attrs) {
            continue;
        }
        let Type::Path(path) = &*item.self_ty else {
            continue;
        };
        let mut segments: Vec<_> = path
            .path
            .segments
            .iter()
            .map(|s| s.ident.to_string())
            .collect();
        let Some(name) = segments.last().cloned() else {
            continue;
        };
        if let Some(path) = segments.first().and_then(|first| uses.get(first)) {
            segments.splice(..1, path.iter().cloned());
        }
        let path = match Crate::absolute(&module.path, &segments) {
            Some(path) => path,
            None => [&module.path[..], &segments].concat(),
        };
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
        let mut names = Names {
            module,
            found: Vec::new(),
        };
        for item in &module.items {
            names.visit_item(item);
        }
        let mut add = |from: &Module, to: &Module, what: String| {
            if from.file != to.file {
                let edge = (from.file.clone(), to.file.clone());
                edges.entry(edge).or_default().insert(what);
            }
        };
        for (path, name) in &names.found {
            if let Some(definer) = of.definer(path) {
                add(module, definer, name.clone());
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
