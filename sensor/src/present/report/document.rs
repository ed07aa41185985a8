//! A report before it is laid out.

use crate::detect::Level;
use crate::incident::series::Point;

/// A report before it is laid out. Text may have `code` in backticks.
pub struct Document {
    /// Subject and cause.
    pub title: String,
    /// ONGOING, OVER or otherwise.
    pub status: Status,
    /// The likely cause.
    pub verdict: Verdict,
    /// Whom it hits.
    pub affects: String,
    /// What is on the first screen: next steps, other causes, the timeline.
    pub first: Vec<Section>,
    /// Evidence, measurement, and the questions of a written report.
    pub rest: Vec<Section>,
}

/// How far it is, and how bad.
pub struct Status {
    /// `ONGOING`, `OVER`, `STALE`; with the level.
    pub word: String,
    /// Whether it may still go on.
    pub is_ongoing: bool,
    /// The worst that it was.
    pub level: Level,
    /// Since when, and how bad.
    pub text: String,
}

/// The likely cause.
pub struct Verdict {
    /// Its name, or both names, or that it is unknown.
    pub name: String,
    /// What that means.
    pub text: String,
    /// What speaks for it, the strongest first.
    pub reasons: Vec<String>,
}

/// A heading and what is below it.
pub struct Section {
    /// The heading.
    pub heading: String,
    /// What is below it.
    pub blocks: Vec<Block>,
    /// It repeats what is above in another form, for whom a written report is handed to.
    pub repeats: bool,
}

/// A part of a section.
pub enum Block {
    /// Running text.
    Text(String),
    /// A list.
    Bullets(Vec<String>),
    /// A numbered list.
    Steps(Vec<String>),
    /// A table; the first row is its head.
    Table(Vec<Vec<String>>),
    /// The series: a plot where there can be one, and a table.
    Series {
        /// Milliseconds of each point.
        step_ms: u64,
        /// The points.
        points: Vec<Point>,
        /// When it began, and when a symptom was last seen.
        marks: [u64; 2],
    },
}
