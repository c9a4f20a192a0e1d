//! What breaks a rule today, and is known: `debts.txt`, a line each. It must say what is true, so that a debt
//! that is paid leaves it, and it may only shrink.

use std::collections::BTreeSet;

/// What differs between the list and the truth.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Broken, and not in the list.
    pub new: Vec<String>,
    /// In the list, and no longer true.
    pub paid: Vec<String>,
}

impl Difference {
    pub fn is_none(&self) -> bool {
        self.new.is_empty() && self.paid.is_empty()
    }
}

/// The debts of a list, without its comments.
pub fn listed(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

pub fn compare(listed: &[String], broken: &[String]) -> Difference {
    let (known, now): (BTreeSet<_>, BTreeSet<_>) =
        (listed.iter().collect(), broken.iter().collect());
    let mut paid: Vec<_> = known.difference(&now).map(|line| (*line).clone()).collect();
    // Twice the same is one too many.
    let twice = listed.iter().enumerate();
    paid.extend(
        twice
            .filter(|(n, line)| listed[..*n].contains(line))
            .map(|(_, line)| line.clone()),
    );
    Difference {
        new: now.difference(&known).map(|line| (*line).clone()).collect(),
        paid,
    }
}

/// How much debts are together: a circle counts its files, a type its fields and flags, or the files of its
/// methods, an edge the names that cross it.
pub fn weight(debts: &[String]) -> usize {
    let of = |debt: &String| {
        let parts = debt.rsplit_once(": ").map_or("", |(_, parts)| parts);
        let count = |part: &str| part.split(' ').next().and_then(|word| word.parse().ok());
        let parts = parts.split(", ").map(|part| count(part).unwrap_or(1));
        parts.sum::<usize>()
    };
    debts.iter().map(of).sum()
}

/// The list anew, under the comments of the old one; an error: it would be more than it was.
pub fn updated(old: &str, broken: &[String]) -> Result<String, String> {
    let (before, after) = (weight(&listed(old)), weight(broken));
    if after > before {
        return Err(format!(
            "the debts would weigh {after}, and were {before}: they may only shrink"
        ));
    }
    let mut text = String::new();
    for line in old.lines().take_while(|line| line.starts_with('#')) {
        text.push_str(line);
        text.push('\n');
    }
    let sorted: BTreeSet<_> = broken.iter().collect();
    for line in sorted {
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}
