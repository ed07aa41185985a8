//! The generator itself: packets are what a situation says, files are as they should be, and what is wrong is scored
//! as wrong.

use std::path::Path;

use anyhow::Result;
use libtest_mimic::Trial;

mod files;
mod packets;
mod quiet;
mod scores;
mod traffic;

/// All of them.
pub fn all(folder: &Path) -> Vec<Trial> {
    let folder = folder.to_path_buf();
    let mut all = vec![Trial::test(
        "files keep the rules of the casebook",
        move || Ok(files::keep_the_rules(&folder)?),
    )];
    let rest = [traffic::all(), packets::all(), scores::all(), quiet::all()].concat();
    all.extend(
        rest.into_iter()
            .map(|(name, check)| Trial::test(name, move || Ok(check()?))),
    );
    all
}

/// A sentence, and what must hold.
type Check = (&'static str, fn() -> Result<()>);
