//! Holds the structure of `hvloop-event`, `hvloop-ws` and `hvloop-capi-impl` against its rules, and the table of invariants in
//! `docs/design.md` against the files:
//! `cargo run -p hvloop-structure` in the repository; `-- --update` writes `debts.txt` anew, if it shrinks.
//!
//! A file knows another if it names a path of it, or gives methods to a type of it; and a type's file knows
//! the files in other folders that give it methods. What breaks a rule and is not in `debts.txt` fails, and so
//! does a line there that is no longer true.

mod debts;
mod design;
mod edges;
mod modules;
mod rules;
#[cfg(test)]
mod tests;

use modules::Crate;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.join("../..");
    let mut broken = Vec::new();
    for name in ["event", "ws", "capi"] {
        let found = Crate::read(&root.join(name).join("src"))?;
        let edges = edges::edges(&found);
        let faults = rules::broken(name, &found, &edges);
        broken.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
        let lines: usize = found.modules.values().map(|m| m.text.lines().count()).sum();
        println!(
            "{name}: {} files, {lines} lines, {} edges",
            found.modules.len(),
            edges.len()
        );
    }
    let list = own.join("debts.txt");
    let text = fs::read_to_string(&list)?;
    let known = debts::listed(&text);
    let difference = debts::compare(&known, &broken);
    let document = fs::read_to_string(root.join("docs/design.md"))?;
    let faults = design::faults(&document, |file| root.join(file).is_file());
    for fault in &faults {
        println!("{fault}");
    }
    if env::args().any(|argument| argument == "--update") {
        fs::write(&list, debts::updated(&text, &broken)?)?;
    } else {
        for line in &difference.new {
            println!("new:  {line}");
        }
        for line in &difference.paid {
            println!("paid: {line}");
        }
        if !difference.is_none() {
            println!(
                "tests/structure/debts.txt must say what is true, and only shrink: see --update"
            );
        }
    }
    println!(
        "{} rules broken ({} known), weight {}",
        broken.len(),
        known.len(),
        debts::weight(&broken)
    );
    let update = env::args().any(|argument| argument == "--update");
    Ok(
        match faults.is_empty() && (update || difference.is_none()) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
    )
}
