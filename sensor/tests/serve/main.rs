//! What is served: the exporter, the JSON, the page; and what a client cannot do to it.

mod browser;
mod chromium;
mod client;
mod clients;
mod deploy;
mod exporter;
mod prometheus;
mod tools;
mod views;

#[path = "../reports/records.rs"]
mod records;
#[expect(dead_code, reason = "the tests of reports use all of them")]
#[path = "../reports/stories/mod.rs"]
mod stories;
