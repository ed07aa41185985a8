//! The generator itself: packets are what the situation says, and files are as they should be.

use std::path::Path;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::load;

/// Tests of the generator and of the files.
pub fn all(folder: &Path) -> Vec<Trial> {
    let folder = folder.to_path_buf();
    let sources = move || Ok(sources_are_references(&folder)?);
    vec![Trial::test(
        "sources are references, not addresses of pages",
        sources,
    )]
}

fn sources_are_references(folder: &Path) -> Result<()> {
    for situation in load::all(folder)? {
        ensure!(
            !situation.source.contains("://"),
            "{}: {}",
            situation.name,
            situation.source
        );
    }
    Ok(())
}
