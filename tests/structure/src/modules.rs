//! The module tree of a crate, as its files declare it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};
use syn::{Item, ItemUse, Meta, UseTree};

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
    /// The modules that it declares.
    children: Vec<String>,
}

/// How a file of a crate is read, by its name from `src`; `None`: it is not there.
type Files<'a> = &'a dyn Fn(&Path) -> io::Result<Option<String>>;

/// All modules of a crate that are files, but tests.
pub struct Crate {
    pub modules: BTreeMap<Vec<String>, Module>,
}

impl Crate {
    /// Reads a crate's sources.
    pub fn read(src: &Path) -> Result<Self, Box<dyn Error>> {
        Self::of(&|file| {
            let file = src.join(file);
            file.is_file().then(|| fs::read_to_string(file)).transpose()
        })
    }

    /// The crate that these files are.
    pub fn of(files: Files<'_>) -> Result<Self, Box<dyn Error>> {
        let mut found = Self {
            modules: BTreeMap::new(),
        };
        let root = PathBuf::from("lib.rs");
        let text = files(&root)?.ok_or("no lib.rs")?;
        found.add(files, root, text, Vec::new())?;
        Ok(found)
    }

    fn add(
        &mut self,
        files: Files<'_>,
        file: PathBuf,
        text: String,
        path: Vec<String>,
    ) -> Result<(), Box<dyn Error>> {
        let fault = |e| format!("{}: {e}", file.display());
        let items = syn::parse_file(&text).map_err(fault)?.items;
        let folder = match file.file_stem() {
            Some(stem) if stem == "mod" || stem == "lib" => {
                file.parent().map(PathBuf::from).unwrap_or_default()
            }
            _ => file.with_extension(""),
        };
        let mut children: Vec<(String, PathBuf, String)> = Vec::new();
        for item in &items {
            let Item::Mod(module) = item else { continue };
            if module.content.is_some() || is_test(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            // What stands under two conditions has one of them.
            if children.iter().any(|(known, ..)| *known == name) {
                continue;
            }
            for below in [format!("{name}.rs"), format!("{name}/mod.rs")] {
                let below = folder.join(below);
                if let Some(text) = files(&below)? {
                    children.push((name, below, text));
                    break;
                }
            }
        }
        let mut module = Module {
            path: path.clone(),
            file: file.to_string_lossy().into_owned(),
            items,
            text,
            exports: BTreeMap::new(),
            globs: Vec::new(),
            children: children.iter().map(|(name, ..)| name.clone()).collect(),
        };
        module.note_exports();
        self.modules.insert(path.clone(), module);
        for (name, file, text) in children {
            let mut path = path.clone();
            path.push(name);
            self.add(files, file, text, path)?;
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

    /// Whether it declares a module of that name.
    pub fn declares(&self, name: &str) -> bool {
        self.children.iter().any(|child| child == name)
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

/// Whether an item is there for tests, fuzzing or models alone.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    /// Whether it can hold in a build of the library.
    fn may_hold(condition: &Meta) -> bool {
        let Meta::List(list) = condition else {
            let of_tests = ["test", "fuzzing", "loom"];
            return !of_tests.iter().any(|name| condition.path().is_ident(name));
        };
        let parts = list.parse_args_with(|input: syn::parse::ParseStream<'_>| {
            syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated(input)
        });
        // What cannot be read holds.
        let Ok(parts) = parts else { return true };
        match list.path.get_ident() {
            Some(name) if name == "all" => parts.iter().all(may_hold),
            Some(name) if name == "any" => parts.iter().any(may_hold),
            _ => true,
        }
    }
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<Meta>()
                .is_ok_and(|meta| !may_hold(&meta))
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
