//! Filters, hosts and paths.

use sensor::detect::Level::{Critical, Warning};
use sensor::detect::{Rule, Vantage};
use sensor::host::counters::Counters;
use sensor::host::dropped::{DropKind, Dropped, Stage, Way};
use sensor::host::facts::HostFacts;
use sensor::incident::diagnosis::contrast::Property;
use sensor::incident::diagnosis::{DropClass, Finding};
use sensor::incident::record::{Party, Record};

use crate::records::{ONSET, asked, contrast, icmp, over, party, record, symptom, weighed};

#[expect(clippy::unnecessary_wraps, reason = "fields that may be absent")]
fn text(text: &str) -> Option<String> {
    Some(text.into())
}

pub fn firewall_rejects() -> Record {
    let mut record = record(Vantage::Path);
    asked(&mut record, 2_500, [1_622, 871, 0, 7]);
    icmp(&mut record, "prohibited", 871, "198.51.100.1");
    record.slowest_icmp_ms = Some(2);
    record.clients.rejected = vec!["10.2.0.0/24".into()];
    record.clients.served = 2;
    record.level = Warning;
    symptom(
        &mut record,
        Rule::PartialRejection,
        Warning,
        750,
        "1 of 3 client networks are rejected (10.2.0.0/24), the others are served",
    );
    record.detected_ms = ONSET + 750;
    weighed(
        record,
        vec![
            Finding::Prohibited {
                errors: 871,
                from: text("198.51.100.1"),
            },
            contrast(Property::ClientNetwork, "10.2.0.0/24", 1.0, 1.0),
        ],
    )
}

/// Queries that the server's host dropped.
pub fn dropped(reason: &str, stage: Stage, packets: u64) -> Dropped {
    Dropped {
        packets,
        kind: DropKind {
            reason: reason.into(),
            stage,
            way: Way::ToServer,
            tcp: false,
            namespace: None,
            interface: Some("eth0".into()),
        },
    }
}

pub fn finding(class: DropClass, dropped: &Dropped) -> Finding {
    Finding::Dropped {
        class,
        packets: dropped.packets,
        most: dropped.kind.clone(),
        in_flood: false,
    }
}

pub fn firewall_drops() -> Record {
    let mut record = record(Vantage::Server);
    asked(&mut record, 2_500, [31, 0, 2_469, 0]);
    record.host = Some(HostFacts {
        udp_bound: Some(true),
        tcp_bound: Some(true),
        counters: Counters {
            read: 31,
            ..Counters::default()
        },
        drops: vec![dropped("NETFILTER_DROP", Stage::Input, 2_469)],
        all_drops: true,
        seconds: 120,
        ..HostFacts::default()
    });
    symptom(
        &mut record,
        Rule::Silent,
        Critical,
        2_750,
        "98 % of the last 60 queries failed (59 within 3.0 s)",
    );
    record.detected_ms = ONSET + 2_750;
    over(weighed(
        record,
        vec![
            Finding::SilenceHere {
                failed: 2_469,
                decided: 2_500,
            },
            Finding::ListensAndReads,
            finding(
                DropClass::Filter,
                &dropped("NETFILTER_DROP", Stage::Input, 2_469),
            ),
        ],
    ))
}

pub fn host_down() -> Record {
    let mut record = record(Vantage::Path);
    asked(&mut record, 2_500, [0, 208, 2_250, 42]);
    icmp(&mut record, "host_unreachable", 208, "198.51.100.1");
    record.slowest_icmp_ms = Some(3_064);
    symptom(
        &mut record,
        Rule::Silent,
        Critical,
        2_500,
        "100 % of the last 52 queries failed (52 within 3.0 s)",
    );
    symptom(
        &mut record,
        Rule::HostUnreachable,
        Critical,
        3_250,
        "100 % of the last 60 queries failed (60 within 3.0 s)",
    );
    record.detected_ms = ONSET + 2_500;
    weighed(
        record,
        vec![Finding::HostUnreachableLate {
            errors: 208,
            from: text("198.51.100.1"),
        }],
    )
}

pub fn network_path_down() -> Record {
    let mut record = record(Vantage::Client);
    record.server = text("2001:db8:53::53");
    record.id = format!("{}-2001-db8-53--53", ONSET + 750);
    record.also = vec!["2001:db8:53::54".into(), "198.51.100.53".into()];
    asked(&mut record, 2_500, [0, 214, 2_280, 6]);
    icmp(&mut record, "time_exceeded", 214, "2001:db8:ffff::1");
    record.slowest_icmp_ms = Some(38);
    symptom(
        &mut record,
        Rule::HostUnreachable,
        Critical,
        750,
        "100 % of the last 14 queries failed (14 within 3.0 s)",
    );
    record.detected_ms = ONSET + 750;
    weighed(
        record,
        vec![
            Finding::TimeExceeded {
                errors: 214,
                from: text("2001:db8:ffff::1"),
            },
            Finding::SeveralServers {
                servers: vec!["2001:db8:53::54".into(), "198.51.100.53".into()],
            },
        ],
    )
}

pub fn path_mtu() -> Record {
    let mut record = record(Vantage::Path);
    asked(&mut record, 2_500, [2_331, 0, 160, 9]);
    record.during.backscatter = 166;
    record.during.icmp_about_responses = [("too_big".to_string(), 166)].into();
    record.response_icmp_senders = vec![Party {
        what: text("too_big"),
        ..party("198.51.100.1", 166)
    }];
    record.path_mtu = Some(1_400);
    record.level = Warning;
    symptom(
        &mut record,
        Rule::Fragments,
        Warning,
        4_000,
        "166 ICMP \"too big\" and 0 \"reassembly time exceeded\" about 2,331 answers (7 %)",
    );
    record.detected_ms = ONSET + 4_000;
    weighed(
        record,
        vec![
            Finding::AnswersTooBig { errors: 166 },
            contrast(Property::QuestionType, "48", 0.97, 0.999),
        ],
    )
}

pub fn tcp_blocked() -> Record {
    let mut record = record(Vantage::Path);
    record.during.tcp = [188, 2, 0];
    record.during.truncated = 176;
    record.level = Warning;
    symptom(
        &mut record,
        Rule::TcpFails,
        Warning,
        5_000,
        "186 of 188 SYNs (99 %) were not accepted, 0 connections were reset; 176 answers were truncated",
    );
    record.detected_ms = ONSET + 5_000;
    weighed(
        record,
        vec![Finding::TcpNotAccepted {
            syns: 188,
            accepted: 2,
        }],
    )
}
