//! Each invariant of `docs/design.md` names the files that keep it, and they are there.

use std::path::Path;

/// What is wrong with the table of invariants.
pub fn faults(document: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    let section = document
        .lines()
        .skip_while(|line| *line != "## Invariants")
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    let mut rows = section.filter_map(|line| {
        let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        Some(cells.split('|').map(str::trim).collect::<Vec<_>>())
    });
    let column = rows
        .next()
        .and_then(|head| head.iter().position(|title| *title == "kept by"));
    let Some(column) = column else {
        return vec!["docs/design.md: no table of invariants with a column \"kept by\"".to_owned()];
    };
    let mut count = 0;
    for row in rows.skip(1) {
        count += 1;
        let name = row[0];
        let cell = row.get(column).copied().unwrap_or_default();
        // What is quoted and no path is a name.
        let quoted = cell.split('`').skip(1).step_by(2);
        let files: Vec<_> = quoted.filter(|text| text.contains('/')).collect();
        if files.is_empty() {
            faults.push(format!(
                "docs/design.md: {name} names no file that keeps it"
            ));
        }
        for file in files {
            if !exists(Path::new(file)) {
                faults.push(format!(
                    "docs/design.md: {name} names {file}, which is not there"
                ));
            }
        }
    }
    if count == 0 {
        faults.push("docs/design.md: no invariants".to_owned());
    }
    faults
}
