//! What a program is to say, and what it is told.
//!
//! A script is a file beside the program: `> line` is what the program prints next, `< line` is typed then, and
//! `#` begins a comment. After the last line its input ends, and it must end with success and without another
//! line. `@ echo` starts a TCP server that echoes, whose port is the program's first argument.

use std::path::Path;

/// One line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Says(String),
    Told(String),
}

/// What happens in a run.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub steps: Vec<Step>,
    pub peer: bool,
}

impl Script {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut script = Self::default();
        for line in text.lines() {
            let (mark, rest) = line.split_at(line.len().min(2));
            match mark {
                "> " | ">" => script.steps.push(Step::Says(rest.to_owned())),
                "< " | "<" => script.steps.push(Step::Told(rest.to_owned())),
                "@ " if rest == "echo" => script.peer = true,
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => panic!("{}: {line:?} is no step", path.display()),
            }
        }
        script
    }
}
