//! Circles in a graph of files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::imports::Imports;

/// One shortest circle for each file that is in any, without those that are the same.
pub fn circles(imports: &Imports) -> BTreeSet<Vec<PathBuf>> {
    let mut found = BTreeSet::new();
    for file in imports.keys() {
        if let Some(mut circle) = circle_through(imports, file) {
            // So that it is the same from whichever of its files it was found.
            let least = circle.iter().enumerate().min_by_key(|(_, file)| *file);
            let at = least.map_or(0, |(at, _)| at);
            circle.rotate_left(at);
            found.insert(circle);
        }
    }
    found
}

/// The files of a shortest circle through one of them, which is the first.
fn circle_through(imports: &Imports, start: &Path) -> Option<Vec<PathBuf>> {
    let mut came_from: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in imports.get(file)?.keys() {
            if next == start {
                let mut circle = vec![file.to_path_buf()];
                let mut at = file;
                while let Some(before) = came_from.get(at) {
                    circle.push(before.to_path_buf());
                    at = before;
                }
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(next.as_path()) {
                came_from.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

/// A circle for a reader, an import a line.
pub fn in_words(imports: &Imports, circle: &[PathBuf]) -> String {
    let mut text = String::new();
    for (at, from) in circle.iter().enumerate() {
        let to = &circle[(at + 1) % circle.len()];
        let import = &imports[from][to];
        let _ = writeln!(
            text,
            "  {}:{} uses {} ({})",
            from.display(),
            import.line,
            to.display(),
            import.path
        );
    }
    text
}
