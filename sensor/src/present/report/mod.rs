//! The report of an incident: one document, laid out as Markdown or HTML. It has what the record has, and
//! computes nothing but shares.
//!
//! The reader is on call and holds a phone: what it is, why, whom it hits and what to do come first, on one screen.

mod affects;
mod assemble;
mod document;
mod evidence;
mod head;
mod html;
mod impact;
mod markdown;
mod plot;
mod questions;
mod timeline;
mod useful;
mod weighing;

pub use head::{named, summary};
pub use html::{STYLE, escaped, html, linked};
pub use impact::{impact, sentence};
pub use markdown::markdown;
pub use timeline::all as timeline;
pub use weighing::term;
