//! Files of the page, each by a name with the hash of its content.

use std::fmt::Write;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::present::report;

/// A file.
pub struct Asset {
    /// As it is called in the sources.
    pub file: &'static str,
    /// As it is called by browsers.
    pub name: String,
    /// Its type.
    pub content_type: &'static str,
    /// What is in it.
    pub content: &'static str,
}

/// All of them; the page itself is the fifth file.
pub static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        ("style.css", "text/css", include_str!("style.css")),
        ("script.js", "text/javascript", include_str!("script.js")),
        ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
        ("report.css", "text/css", report::STYLE),
    ]
    .map(|(file, content_type, content)| Asset {
        file,
        name: hashed(file, content),
        content_type,
        content,
    })
});

/// The name of a file; its own where there is none.
pub fn name(file: &'static str) -> &'static str {
    let asset = ASSETS.iter().find(|asset| asset.file == file);
    asset.map_or(file, |asset| &asset.name)
}

/// `style.css` becomes `style-0123456789abcdef.css`.
fn hashed(file: &str, content: &str) -> String {
    let mut hash = String::new();
    for byte in &Sha256::digest(content.as_bytes())[..8] {
        // Writing to a string cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    match file.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{hash}.{extension}"),
        None => format!("{file}-{hash}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_changes_with_the_content_alone() {
        assert_eq!(hashed("a.css", "x"), hashed("a.css", "x"));
        assert_ne!(hashed("a.css", "x"), hashed("a.css", "y"));
        let parts = name("style.css").split_once('.');
        assert!(parts.is_some_and(|(stem, kind)| stem.starts_with("style-") && kind == "css"));
    }

    #[test]
    fn no_file_names_another_host_or_makes_markup_of_text() {
        for asset in ASSETS.iter() {
            let content = asset.content.replace("http://www.w3.org/2000/svg", "");
            for foreign in [
                "http:",
                "https:",
                "//",
                "@import",
                "eval(",
                "document.write",
            ] {
                let comment = foreign == "//" && asset.file == "script.js";
                assert!(
                    comment || !content.contains(foreign),
                    "{}: {foreign}",
                    asset.file
                );
            }
        }
    }
}
