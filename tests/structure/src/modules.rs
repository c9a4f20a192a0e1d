//! The module tree of a crate, as its files declare it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Item, ItemUse, UseTree};

/// A module in a file of its own.
pub struct Module {
    /// Its place in the crate: `["core", "tick"]`.
    pub path: Vec<String>,
    /// Its file, from the crate's `src`.
    pub file: String,
    pub items: Vec<Item>,
    pub text: String,
    /// What it hands on: a name here, and the path it is known by elsewhere.
    exports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
}

/// All modules of a crate that are files, but tests.
pub struct Crate {
    pub modules: BTreeMap<Vec<String>, Module>,
}

impl Crate {
    /// Reads a crate's sources.
    pub fn read(src: &Path) -> Result<Self, Box<dyn Error>> {
        let mut found = Self {
            modules: BTreeMap::new(),
        };
        found.add(src, "lib.rs".to_owned(), Vec::new())?;
        Ok(found)
    }

    fn add(&mut self, src: &Path, file: String, path: Vec<String>) -> Result<(), Box<dyn Error>> {
        let text = fs::read_to_string(src.join(&file))?;
        let items = syn::parse_file(&text)?.items;
        let folder = match Path::new(&file).file_stem() {
            Some(stem) if stem == "mod" || stem == "lib" => Path::new(&file)
                .parent()
                .map(PathBuf::from)
                .unwrap_or_default(),
            _ => Path::new(&file).with_extension(""),
        };
        let mut children = Vec::new();
        for item in &items {
            let Item::Mod(module) = item else { continue };
            if module.content.is_some() || is_test(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let found = [format!("{name}.rs"), format!("{name}/mod.rs")]
                .into_iter()
                .map(|file| folder.join(file))
                .find(|file| src.join(file).is_file());
            if let Some(file) = found {
                let mut path = path.clone();
                path.push(name);
                children.push((file.to_string_lossy().into_owned(), path));
            }
        }
        let mut module = Module {
            path: path.clone(),
            file,
            items,
            text,
            exports: BTreeMap::new(),
            globs: Vec::new(),
        };
        module.note_exports();
        self.modules.insert(path, module);
        for (file, path) in children {
            self.add(src, file, path)?;
        }
        Ok(())
    }

    /// The file that defines what a path of the crate names, as far as that can be told: through what
    /// modules hand on.
    pub fn definer(&self, path: &[String]) -> Option<&Module> {
        self.follow(path, 8)
    }

    fn follow(&self, path: &[String], hops: usize) -> Option<&Module> {
        let depth = (0..=path.len())
            .rev()
            .find(|&depth| self.modules.contains_key(&path[..depth]))?;
        let module = &self.modules[&path[..depth]];
        let Some(name) = path.get(depth).filter(|_| hops > 0) else {
            return Some(module);
        };
        if let Some(target) = module.exports.get(name) {
            let target = [target, &path[depth + 1..]].concat();
            return self.follow(&target, hops - 1).or(Some(module));
        }
        if module.defines(name) {
            return Some(module);
        }
        let through = module.globs.iter().find_map(|glob| {
            let target = [glob, &path[depth..]].concat();
            self.follow(&target, hops - 1)
                .filter(|found| found.defines(name))
        });
        through.or(Some(module))
    }

    /// A path in a module, from the crate's root; `None`: it leads out of the crate.
    pub fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut base = module.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            _ => return None,
        }
        base.extend_from_slice(rest);
        Some(base)
    }
}

impl Module {
    /// Whether it is the other's parent, or one above that.
    pub fn is_above(&self, other: &Self) -> bool {
        other.path.len() > self.path.len() && other.path.starts_with(&self.path)
    }

    /// The first folder or file below the crate's root.
    pub fn room(&self) -> &str {
        self.path.first().map_or("lib", String::as_str)
    }

    fn defines(&self, name: &str) -> bool {
        self.items.iter().any(|item| match item {
            Item::Struct(x) => x.ident == name,
            Item::Enum(x) => x.ident == name,
            Item::Trait(x) => x.ident == name,
            Item::Type(x) => x.ident == name,
            Item::Fn(x) => x.sig.ident == name,
            Item::Const(x) => x.ident == name,
            Item::Static(x) => x.ident == name,
            Item::Macro(x) => x.ident.as_ref().is_some_and(|ident| ident == name),
            _ => false,
        })
    }

    fn note_exports(&mut self) {
        let mut exports = BTreeMap::new();
        let mut globs = Vec::new();
        for item in &self.items {
            if let Item::Use(item) = item {
                for (name, path) in paths_of(item) {
                    let Some(path) = Crate::absolute(&self.path, &path) else {
                        continue;
                    };
                    match name {
                        Some(name) => _ = exports.insert(name, path),
                        None => globs.push(path),
                    }
                }
            }
        }
        self.exports = exports;
        self.globs = globs;
    }
}

/// Whether an item is there for tests (or fuzzing) alone.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let mut test = false;
        if attribute.path().is_ident("cfg") {
            // What else stands in it is of no interest, nor whether it can be read.
            let _ = attribute.parse_nested_meta(|meta| {
                test |= meta.path.is_ident("test");
                Ok(())
            });
        }
        test
    })
}

/// The names that a `use` brings, and the path of each; no name: all of that path.
pub fn paths_of(item: &ItemUse) -> Vec<(Option<String>, Vec<String>)> {
    fn walk(tree: &UseTree, path: &[String], out: &mut Vec<(Option<String>, Vec<String>)>) {
        let with = |name: &syn::Ident| [path, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(tree) => walk(&tree.tree, &with(&tree.ident), out),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, path, out)),
            UseTree::Glob(_) => out.push((None, path.to_vec())),
            UseTree::Name(name) if name.ident == "self" => {
                out.push((path.last().cloned(), path.to_vec()));
            }
            UseTree::Name(name) => out.push((Some(name.ident.to_string()), with(&name.ident))),
            UseTree::Rename(rename) => {
                out.push((Some(rename.rename.to_string()), with(&rename.ident)));
            }
        }
    }
    let mut out = Vec::new();
    walk(&item.tree, &[], &mut out);
    out
}
