//! The compilers that are there.

use super::library::{library, made, package};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    C,
    Cpp,
}

impl Language {
    pub fn extension(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Cpp => "cpp",
        }
    }

    /// Standards that the headers are for, first those that differ most.
    pub fn standards(self) -> &'static [&'static str] {
        match self {
            Self::C => &["c99", "c11"],
            Self::Cpp => &["c++11", "c++20", "c++14", "c++17", "c++23"],
        }
    }
}

/// A compiler.
#[derive(Debug, Clone)]
pub struct Compiler {
    program: String,
    language: Language,
}

/// What no header may cause.
pub const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"];

/// What finds faults of memory, and leaks.
pub const SANITIZERS: &[&str] = &[
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
];

/// The names of compilers for a language, first the one that the environment asks for.
fn names(language: Language) -> Vec<String> {
    let (variable, known) = match language {
        Language::C => ("CC", ["gcc", "clang"]),
        Language::Cpp => ("CXX", ["g++", "clang++"]),
    };
    let mut names: Vec<String> = env::var(variable).into_iter().collect();
    names.extend(known.map(str::to_owned));
    names.dedup();
    names
}

/// All compilers for a language that are there: one at least.
pub fn compilers(language: Language) -> Vec<Compiler> {
    let there: Vec<Compiler> = names(language)
        .into_iter()
        .filter(|name| Command::new(name).arg("--version").output().is_ok())
        .map(|program| Compiler { program, language })
        .collect();
    assert!(!there.is_empty(), "no compiler for {language:?}");
    there
}

/// The compiler that has run times of its own for sanitizers; the first one does.
pub fn first(language: Language) -> Compiler {
    compilers(language).swap_remove(0)
}

/// Another compiler than the first one, if there is one.
pub fn last(language: Language) -> Compiler {
    compilers(language).pop().expect("one at least")
}

impl Compiler {
    pub fn name(&self) -> &str {
        &self.program
    }

    fn command(&self, standard: &str) -> Command {
        let mut command = Command::new(&self.program);
        // Clang 14 knows the last standard by its working name.
        let standard = match (self.program.contains("clang"), standard) {
            (true, "c++23") => "c++2b",
            _ => standard,
        };
        command
            .arg(format!("-std={standard}"))
            .arg("-I")
            .arg(package("include"));
        command
    }

    /// Whether it takes the text, with these options: else what it said.
    pub fn check(
        &self,
        name: &str,
        standard: &str,
        options: &[&str],
        text: &str,
    ) -> Result<(), String> {
        let path = made().join(format!(
            "check-{name}-{}-{standard}.{}",
            self.program.replace('/', "_"),
            self.language.extension()
        ));
        std::fs::write(&path, text).expect("the directory for tests");
        let output = self
            .command(standard)
            .arg("-fsyntax-only")
            .args(WARNINGS)
            .args(options)
            .arg(&path)
            .output()
            .expect("the compiler");
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "{} -std={standard} {options:?} {name}:\n{}",
                self.program,
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    /// Makes a program of some files and the library.
    pub fn link(&self, standard: &str, options: &[&str], files: &[&Path], program: &Path) {
        self.link_with(standard, options, files, program, &[library()]);
    }

    /// Makes a program of some files and libraries.
    pub fn link_with(
        &self,
        standard: &str,
        options: &[&str],
        files: &[&Path],
        program: &Path,
        libraries: &[&Path],
    ) {
        let output = self
            .command(standard)
            // What valgrind can read of each compiler.
            .args(["-gdwarf-4", "-O1", "-fno-omit-frame-pointer"])
            .args(WARNINGS)
            .args(options)
            .arg("-o")
            .arg(program)
            .args(files)
            .args(libraries)
            .args(["-lpthread", "-ldl", "-lm"])
            .output()
            .expect("the compiler");
        assert!(
            output.status.success(),
            "{} {}:\n{}",
            self.program,
            program.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The headers, as programs name them, and what each is for. Those that only say that they are not there are left
/// out.
pub fn headers() -> Vec<(String, Vec<Language>)> {
    let mut headers = vec![("hvloop.h".to_owned(), vec![Language::C, Language::Cpp])];
    for directory in ["hv", "hv/detail"] {
        let listed = std::fs::read_dir(package("include").join(directory)).expect("the headers");
        for file in listed {
            let path: PathBuf = file.expect("a header").path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if !path.is_file() || name == "json.hpp" {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a header");
            let languages = match () {
                () if text.starts_with("#error") => continue,
                // A header for both begins with a comment of C.
                () if text.starts_with("/*") => vec![Language::C, Language::Cpp],
                () => vec![Language::Cpp],
            };
            headers.push((format!("{directory}/{name}"), languages));
        }
    }
    headers.sort();
    headers
}
