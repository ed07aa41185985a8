//! The page of a view, whole or in parts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::assets::ASSETS;
use super::{chart, incidents, own, servers, verdict};
use crate::present::report;
use crate::present::verdict as sentences;
use crate::view::View;

/// The frame of the page; words in braces stand for parts.
const PAGE: &str = include_str!("page.html");
/// What changes from view to view.
#[derive(Debug, Serialize)]
pub struct Parts {
    /// Changes where the verdict is another one, not where a number in it is: only then is it spoken.
    key: String,
    /// Of the window.
    title: String,
    /// HTML by the id of the element that it fills.
    #[serde(rename = "parts")]
    html: BTreeMap<&'static str, String>,
}

/// All parts of a view.
#[must_use]
pub fn parts(view: &View) -> Parts {
    let verdict = sentences::verdict(view);
    let html = BTreeMap::from([
        ("verdict", verdict::html(view, &verdict)),
        ("charts", chart::network(view)),
        ("rows", servers::rows(view)),
        ("incidents", incidents::html(view)),
        ("own", own::html(view)),
    ]);
    Parts {
        key: verdict::key(view, &verdict),
        title: format!("{} {} - sensor", verdict.glyph, verdict.word),
        html,
    }
}

/// The whole page.
#[must_use]
pub fn whole(view: &View) -> String {
    let Parts { key, title, html } = parts(view);
    let mut page =
        String::with_capacity(PAGE.len() + html.values().map(String::len).sum::<usize>());
    let mut rest = PAGE;
    // What is filled in is not searched again: a name in the data cannot stand for a part.
    while let Some((before, behind)) = rest.split_once('{') {
        page.push_str(before);
        let (name, after) = behind.split_once('}').unwrap_or((behind, ""));
        match name {
            "key" => page.push_str(&report::escaped(&key)),
            "title" => page.push_str(&report::escaped(&title)),
            name => {
                let asset = ASSETS.iter().find(|asset| asset.file == name);
                let part = html.get(name).map(String::as_str);
                page.push_str(asset.map(|asset| &*asset.name).or(part).unwrap_or_default());
            }
        }
        rest = after;
    }
    page.push_str(rest);
    page
}
