//! What people and programs see. Nothing is computed here: only named and laid out.

mod advice;
mod by_name;
pub mod calendar;
pub mod causes;
pub mod counts;
pub mod details;
pub mod incident;
pub mod line;
pub mod names;
pub mod number;
pub mod objects;
pub mod output;
pub mod redact;
pub mod report;
pub mod rules;
pub mod schema;
pub mod screen;
pub mod status;
pub mod summary;
pub mod totals;
pub mod verdict;
pub mod view;
pub mod words;
