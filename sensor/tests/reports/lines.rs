//! Incidents in one line.

use sensor::incident::kept::Kept;
use sensor::incident::{Cause, Change};
use sensor::present::incident::{change, told, unfinished};

use crate::{golden, stories};

#[test]
fn an_incident_in_a_line_names_server_level_cause_reason_and_whom_it_hits() {
    let mut text = String::new();
    for cause in Cause::ALL {
        text.push_str(&change(Change::Opened, &stories::of(cause)));
        text.push('\n');
    }
    text.push_str(&change(Change::Opened, &stories::unknown()));
    golden::holds("opened.txt", &text);
}

#[test]
fn each_change_has_its_line() {
    let record = stories::of(Cause::FirewallRejects);
    let mut text = String::new();
    for each in [
        Change::Opened,
        Change::Worsened,
        Change::Symptom,
        Change::Cause,
        Change::Eased,
        Change::Closed,
        Change::Stale,
    ] {
        text.push_str(&change(each, &record));
        text.push('\n');
    }
    let open = stories::of(Cause::PacketLoss);
    text.push_str(&unfinished(&open, Some(&Kept::default())));
    text.push('\n');
    text.push_str(&told(&open));
    golden::holds("changes.txt", &text);
}

#[test]
fn a_line_is_one_line() {
    for cause in Cause::ALL {
        let line = change(Change::Opened, &stories::of(cause));
        assert!(!line.contains('\n'), "{line}");
        assert!(line.len() < 400, "{} letters: {line}", line.len());
    }
}
