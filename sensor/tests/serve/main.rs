//! What is served: the exporter, the JSON, the page; and what a client cannot do to it.

mod client;
mod clients;
mod exporter;
mod views;

#[path = "../reports/records.rs"]
mod records;
#[path = "../reports/stories/mod.rs"]
mod stories;
