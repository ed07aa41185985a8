//! Reports: one golden file for each cause, read line by line; and checks that no line of a report refutes another.
//!
//! `SENSOR_GOLDEN=write cargo test -p sensor --test reports` writes the golden files anew; read the difference.

mod golden;
mod lines;
mod lost;
mod masked;
mod objects;
mod records;
mod stories;
mod verdicts;

#[path = "../support/report.rs"]
mod report;

use sensor::incident::Cause;
use sensor::present::causes;
use sensor::present::report::{html, markdown};

#[test]
fn each_cause_has_a_golden_report() {
    for cause in Cause::ALL {
        let record = stories::of(cause);
        assert_eq!(
            record.first_cause.first(),
            Some(&cause),
            "{:?}",
            record.causes
        );
        golden::holds(
            &format!("reports/{}.md", cause.code()),
            &markdown(&record, None),
        );
    }
}

#[test]
fn a_report_of_an_unknown_cause_says_what_would_tell() {
    golden::holds("reports/unknown.md", &markdown(&stories::unknown(), None));
}

#[test]
fn answers_that_do_not_arrive_have_a_report_of_their_own() {
    let record = lost::answers_lost();
    assert_eq!(record.first_cause, [Cause::NetworkPathDown]);
    golden::holds("reports/answers_lost.md", &markdown(&record, None));
}

#[test]
fn the_page_for_a_browser_is_golden_too() {
    let record = stories::of(Cause::ServiceDown);
    golden::holds("reports/service_down.html", &html(&record, None));
}

#[test]
fn the_table_of_weights_and_the_arithmetic_are_golden() {
    golden::holds("causes.txt", &causes::table());
    let record = stories::of(Cause::ServiceDown);
    golden::holds("arithmetic.txt", &causes::arithmetic(&record));
}

#[test]
fn no_line_of_a_report_refutes_another() {
    for cause in Cause::ALL {
        let faults = report::faults(&stories::of(cause));
        assert!(faults.is_empty(), "{}: {faults:#?}", cause.code());
    }
    let faults = report::faults(&lost::answers_lost());
    assert!(faults.is_empty(), "{faults:#?}");
    let faults = report::faults(&stories::unknown());
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_refuted_line_is_found() {
    let faults = |change: fn(&mut sensor::incident::Record)| {
        let mut record = stories::of(Cause::ServiceDown);
        change(&mut record);
        report::faults(&record)
    };
    assert!(faults(|_| {}).is_empty());
    assert!(!faults(|record| record.during.answered += 1).is_empty());
    assert!(!faults(|record| record.during.icmp_errors.clear()).is_empty());
    assert!(!faults(|record| record.during.icmp_from_server = 9_999).is_empty());
    assert!(!faults(|record| record.causes[0].weight += 1).is_empty());
    assert!(!faults(|record| record.findings.push(record.findings[0].clone())).is_empty());
}
