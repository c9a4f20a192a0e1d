//! Holds the structure of `hvloop-event` and `hvloop-ws` against its rules:
//! `cargo run -p hvloop-structure` in the repository.
//!
//! A file knows another if it names a path of it, or gives methods to a type of it; and a type's file knows
//! the files in other folders that give it methods. Exits 1 if a rule is broken.

mod edges;
mod modules;
mod rules;

use modules::Crate;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut broken = 0;
    for name in ["event", "ws"] {
        let found = Crate::read(&root.join(name).join("src"))?;
        let edges = edges::edges(&found);
        let layers = match name {
            "event" => rules::upward(&found, &edges),
            _ => Vec::new(),
        };
        let faults = [
            rules::circles(&found, &edges),
            rules::circles_of_rooms(&found, &edges),
            layers,
            rules::large_structs(&found),
            rules::scattered_types(&found),
        ]
        .concat();
        for fault in &faults {
            println!("{name}: {fault}");
        }
        broken += faults.len();
        let lines: usize = found.modules.values().map(|m| m.text.lines().count()).sum();
        println!(
            "{name}: {} files, {lines} lines, {} edges",
            found.modules.len(),
            edges.len()
        );
    }
    println!("{broken} rules broken");
    Ok(match broken {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
