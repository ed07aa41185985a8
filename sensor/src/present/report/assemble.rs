//! What a report consists of, in its order.

use super::super::{advice, words};
use super::document::{Block, Document, Section};
use super::{affects, evidence, head, questions, timeline, weighing};
use crate::incident::kept::Kept;
use crate::incident::record::Record;

/// A report. `kept` says where the record lies, where it does.
#[must_use]
pub fn document(record: &Record, kept: Option<&Kept>) -> Document {
    let section = |heading: &str, blocks| Section {
        heading: heading.into(),
        blocks,
        repeats: false,
    };
    let next = format!("Next steps ({})", words::stands(record));
    let mut rest = vec![
        section("Evidence", evidence::blocks(record, kept)),
        section("How it was measured", evidence::measurement(record)),
    ];
    rest.extend(questions::sections(record));
    Document {
        title: format!(
            "DNS incident: {}, {}",
            words::subject(record),
            words::cause::first(record)
        ),
        status: head::status(record),
        verdict: head::verdict(record),
        affects: affects::affects(record),
        first: vec![
            section(&next, vec![Block::Steps(advice::steps(record))]),
            section(
                "Against it, and other causes",
                vec![Block::Bullets(weighing::lines(record, kept))],
            ),
            section(
                "Timeline (UTC)",
                vec![Block::Bullets(timeline::first(record))],
            ),
        ],
        rest,
    }
}
