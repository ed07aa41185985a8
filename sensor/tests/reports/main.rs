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

use report::contradictions;
use sensor::incident::Cause;
use sensor::incident::diagnosis::Finding;
use sensor::incident::kept::Kept;
use sensor::incident::record::{Placed, Record};
use sensor::present::causes;
use sensor::present::incident::unfinished;
use sensor::present::report::{html, markdown};
use sensor::present::words::finding;

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
            &markdown(&record, Some(&Kept::default())),
        );
    }
}

#[test]
fn a_report_of_an_unknown_cause_says_what_would_tell() {
    golden::holds(
        "reports/unknown.md",
        &markdown(&stories::unknown(), Some(&Kept::default())),
    );
}

#[test]
fn answers_that_do_not_arrive_have_a_report_of_their_own() {
    let record = lost::answers_lost();
    assert_eq!(record.first_cause, [Cause::NetworkPathDown]);
    golden::holds(
        "reports/answers_lost.md",
        &markdown(&record, Some(&Kept::default())),
    );
}

#[test]
fn a_command_that_reads_a_record_is_offered_where_the_record_is_kept() {
    for cause in Cause::ALL {
        let record = stories::of(cause);
        for text in [
            markdown(&record, None),
            html(&record, None),
            unfinished(&record, None),
        ] {
            assert!(!text.contains(&record.id), "{text}");
        }
        let kept = Kept {
            state: Some("/srv/dns".into()),
            ..Kept::default()
        };
        let told = unfinished(&record, Some(&kept));
        assert!(told.ends_with(&format!(
            "report: `sensor report {} --state /srv/dns`",
            record.id
        )));
        let text = markdown(&record, Some(&kept));
        let command = format!("`sensor causes {} --state /srv/dns`", record.id);
        assert_eq!(
            text.contains(&command),
            !text.contains("No other cause has evidence for it."),
            "{text}"
        );
    }
}

#[test]
fn the_page_for_a_browser_is_golden_too() {
    let record = stories::of(Cause::ServiceDown);
    golden::holds(
        "reports/service_down.html",
        &html(&record, Some(&Kept::default())),
    );
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
fn one_of_something_is_singular() {
    for cause in Cause::ALL {
        let mut record = stories::of(cause);
        let during = &mut record.during;
        (during.asked, during.answered, during.errored) = (1, 1, 0);
        (during.unanswered, during.waiting, during.truncated) = (0, 0, 1);
        during.tcp = [1; 3];
        record.clients.addresses = 1;
        record.clients.networks = 1;
        record.sampling.packets = 1;
        let faults = report::faults(&record);
        let of_nouns: Vec<_> = faults
            .iter()
            .filter(|fault| fault.starts_with("1 "))
            .collect();
        assert!(of_nouns.is_empty(), "{}: {of_nouns:#?}", cause.code());
    }
}

#[test]
fn none_is_a_word() {
    let mut record = stories::of(Cause::TcpBlocked);
    record.during.tcp = [250, 0, 0];
    record.findings = vec![Finding::TcpNotAccepted {
        syns: 250,
        accepted: 0,
    }];
    assert_eq!(
        finding::sentence(&record.findings[0], &record),
        "None of 250 SYNs to the server was accepted."
    );
}

#[test]
fn what_the_kernel_names_is_not_looked_for_in_general_as_well() {
    for cause in Cause::ALL {
        let text = markdown(&stories::of(cause), None);
        let steps = text
            .split("## ")
            .find(|section| section.starts_with("Next steps"));
        let steps = steps.expect("steps");
        for command in ["list ruleset", "nf_conntrack_count", "conntrack -S"] {
            let lines = steps.lines().filter(|line| line.contains(command));
            assert!(lines.count() <= 1, "{}: {command}: {steps}", cause.code());
        }
    }
}

#[test]
fn a_refuted_line_is_found() {
    let faults = |change: fn(&mut Record)| {
        let mut record = stories::of(Cause::ServiceDown);
        change(&mut record);
        report::faults(&record)
    };
    assert!(faults(|_| {}).is_empty());
    assert!(!faults(|record| record.during.answered += 1).is_empty());
    assert!(!faults(|record| record.during.icmp_errors.clear()).is_empty());
    assert!(!faults(|record| record.during.icmp_from_server = 9_999).is_empty());
    assert!(!faults(|record| record.causes[0].weight += 1).is_empty());
    assert!(!faults(|record| record.symptoms[0].detail = "1 queries failed".into()).is_empty());
    assert!(!faults(|record| record.findings.push(record.findings[0].clone())).is_empty());
}

#[test]
fn a_sentence_that_the_record_refutes_is_found() {
    let found = |record: &Record, from: &str, to: &str| {
        let text = markdown(record, None);
        assert!(contradictions::of(&text, record).is_empty(), "{text}");
        assert!(text.contains(from), "{from:?} is not in {text}");
        contradictions::of(&text.replace(from, to), record)
    };
    let upstream = stories::of(Cause::UpstreamFailure);
    let useful = "got a useful answer";
    assert!(!found(&upstream, useful, "answered").is_empty());
    assert!(!found(&upstream, useful, &format!("{useful}, answered (100 %)")).is_empty());
    let mut fails = upstream.clone();
    (fails.failing.queries, fails.failing.failed) = (100, 80);
    assert!(!found(&fails, "**Affects:** ", "**Affects:** hardly any client: ").is_empty());
    let unwanted = stories::of(Cause::UnwantedQueries);
    assert!(!found(&unwanted, "had not answered before", "serves").is_empty());
    let mut strangers = unwanted.clone();
    strangers.affects = None;
    assert!(!found(&strangers, "Refused: ", "Refused: 10.1.0.17, ").is_empty());
    let own = stories::of(Cause::OwnHost);
    let rule = "1. `nft insert rule inet filter input ip saddr 10.1.0.17 udp dport 53 drop`\n1. ";
    assert!(!found(&own, "1. ", rule).is_empty());
    assert!(
        !found(
            &own,
            "**Likely cause: ",
            "**Likely cause: far more than all others, "
        )
        .is_empty()
    );
    assert!(!found(&own, "1. ", "1. ZONE ").is_empty());
    assert!(!found(&own, "1. ", "1. SERVER ").is_empty());
    assert!(!found(&own, "1. ", "1. SOURCE ").is_empty());
    let mut denied = stories::of(Cause::Misconfiguration);
    denied.findings = vec![Finding::NameError { share: 0.41 }];
    assert!(!found(&denied, "1. ", "1. `delv example.org`: ").is_empty());
    let mut capture = stories::of(Cause::PacketLoss);
    capture.placed = Placed::Given;
    assert!(!found(&capture, "the capturing host", "this host").is_empty());
    assert!(!found(&capture, "captured ", "captured (assumed) ").is_empty());
    let lost = lost::answers_lost();
    assert!(!found(&lost, "602 of 2,500 answered", "60 of 240 answered").is_empty());
    let on_the_way = stories::of(Cause::PacketLoss);
    assert!(!found(&on_the_way, "284 retransmitted", "484 retransmitted").is_empty());
}
