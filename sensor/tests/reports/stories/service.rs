//! Servers that are down, hang, are overloaded, or answer what they should not.

use sensor::detect::Level::{Critical, Warning};
use sensor::detect::{Rule, Vantage};
use sensor::host::counters::Counters;
use sensor::host::facts::HostFacts;
use sensor::host::probe::{Said, Verified};
use sensor::incident::diagnosis::Finding;
use sensor::incident::diagnosis::contrast::Property;
use sensor::incident::record::{Record, Stage};

use crate::records::{ONSET, asked, contrast, denied, icmp, record, sent_again, symptom, weighed};

pub fn service_down() -> Record {
    let mut record = record(Vantage::Server);
    asked(&mut record, 2_500, [0, 2_498, 0, 2]);
    icmp(&mut record, "port_unreachable", 2_498, "192.0.2.53");
    record.slowest_icmp_ms = Some(1);
    record.during.tcp = [3, 0, 3];
    record.host = Some(HostFacts {
        udp_bound: Some(false),
        tcp_bound: Some(false),
        counters: Counters {
            no_ports: 2_490,
            icmp_sent: 65,
            icmp_held_back: 1_310,
            ..Counters::default()
        },
        seconds: 124,
        ..HostFacts::default()
    });
    symptom(
        &mut record,
        Rule::PortUnreachable,
        Critical,
        1_000,
        "100 % of the last 60 queries failed (60 within 3.0 s)",
    );
    weighed(
        record,
        vec![
            Finding::PortUnreachable { errors: 2_498 },
            Finding::TcpRefused,
            Finding::NothingListens,
            Finding::PassedFilters { datagrams: 2_490 },
        ],
    )
}

pub fn service_hung() -> Record {
    let mut record = record(Vantage::Server);
    asked(&mut record, 2_500, [0, 0, 2_461, 39]);
    record.during.tcp = [4, 4, 0];
    record.host = Some(HostFacts {
        udp_bound: Some(true),
        tcp_bound: Some(true),
        queued: 212_992,
        socket_drops: 1_204,
        counters: Counters {
            rcvbuf_errors: 1_204,
            ..Counters::default()
        },
        seconds: 121,
        ..HostFacts::default()
    });
    record.verified = Some(Verified {
        at_ms: ONSET + 6_000,
        udp: Said::Nothing("no answer within 1 s".into()),
        tcp: Said::Connected("no answer within 1 s".into()),
    });
    symptom(
        &mut record,
        Rule::Silent,
        Critical,
        2_500,
        "100 % of the last 58 queries failed (58 within 3.0 s)",
    );
    record.detected_ms = ONSET + 2_500;
    weighed(
        record,
        vec![
            Finding::SilenceHere {
                failed: 2_461,
                decided: 2_461,
            },
            Finding::TcpAccepted,
            Finding::LeavesUnread { queued: 212_992 },
            Finding::ProbeNotAnswered,
        ],
    )
}

pub fn overload() -> Record {
    let mut record = record(Vantage::Server);
    asked(&mut record, 10_600, [7_340, 0, 3_198, 62]);
    record.during.late = 2_014;
    record.during.p95_ms = Some(1_870.0);
    record.during.p50_ms = Some(640.0);
    record.clients.rate.worst = 96.0;
    record.level = Warning;
    symptom(
        &mut record,
        Rule::Slow,
        Warning,
        1_000,
        "912 of 1,010 answers took more than 200 ms, the slowest twentieth 1870 ms; usually 95 % take at most 11 ms",
    );
    symptom(
        &mut record,
        Rule::PartialFailure,
        Warning,
        4_250,
        "31 % of the last 410 queries failed, usually 0.1 %",
    );
    weighed(
        record,
        vec![
            Finding::PartFailsHere { share: 0.303 },
            Finding::AnsweredLate { answers: 2_014 },
            Finding::SlowAnswers,
            Finding::RateRose { rise: 4.8 },
        ],
    )
}

pub fn upstream_failure() -> Record {
    let mut record = record(Vantage::Server);
    asked(&mut record, 2_500, [1_911, 0, 560, 29]);
    record.during.rcodes = [
        ("NOERROR".to_string(), 301),
        ("SERVFAIL".to_string(), 1_610),
    ]
    .into();
    symptom(
        &mut record,
        Rule::PartialFailure,
        Warning,
        2_750,
        "60 % of the last 58 queries failed, usually 0.1 %",
    );
    symptom(
        &mut record,
        Rule::RcodeShift,
        Critical,
        5_250,
        "84 % of 96 answers are SERVFAIL, usually 0 %",
    );
    record.detected_ms = ONSET + 2_750;
    weighed(
        record,
        vec![
            Finding::PartFailsHere { share: 0.227 },
            Finding::Servfail { share: 0.842 },
            Finding::UpstreamFails {
                upstreams: vec!["198.51.100.1".into(), "198.51.100.2".into()],
            },
        ],
    )
}

pub fn zone_failure() -> Record {
    let mut record = record(Vantage::Path);
    asked(&mut record, 2_500, [2_171, 0, 320, 9]);
    record.level = Warning;
    symptom(
        &mut record,
        Rule::PartialFailure,
        Warning,
        3_000,
        "13 % of the last 240 queries failed, usually 0.1 %",
    );
    record.detected_ms = ONSET + 3_000;
    weighed(
        record,
        vec![
            Finding::PartFails { share: 0.128 },
            contrast(Property::NameBelow, "victim.example", 1.0, 0.998),
        ],
    )
}

pub fn misconfiguration() -> Record {
    let mut record = record(Vantage::Path);
    record.during.rcodes = [
        ("NOERROR".to_string(), 1_490),
        ("REFUSED".to_string(), 1_010),
    ]
    .into();
    record.level = Warning;
    symptom(
        &mut record,
        Rule::RcodeShift,
        Warning,
        1_500,
        "41 % of 120 answers are REFUSED, usually 0 %",
    );
    record.detected_ms = ONSET + 1_500;
    weighed(
        record,
        vec![
            Finding::Refused { share: 0.41 },
            denied(Property::ClientNetwork, "10.2.0.0/24", 1.0, 1.0),
        ],
    )
}

pub fn wrong_source() -> Record {
    let mut record = record(Vantage::Client);
    asked(&mut record, 1_250, [0, 0, 1_231, 19]);
    record.during.unmatched = 1_640;
    record.during.responses = 1_640;
    symptom(
        &mut record,
        Rule::Silent,
        Critical,
        2_500,
        "100 % of the last 30 queries failed (30 within 3.0 s)",
    );
    record.detected_ms = ONSET + 2_500;
    weighed(
        record,
        vec![
            Finding::Silence {
                failed: 1_231,
                decided: 1_231,
            },
            Finding::WrongSource {
                answers: 118,
                from: "192.0.2.54".into(),
            },
        ],
    )
}

pub fn connection_tracking() -> Record {
    let mut record = record(Vantage::Server);
    asked(&mut record, 2_500, [2_198, 0, 296, 6]);
    sent_again(&mut record, 296, 121);
    record.sent_again.interval_ms = Some(5_000);
    record.level = Warning;
    symptom(
        &mut record,
        Rule::PartialFailure,
        Warning,
        3_500,
        "12 % of the last 190 queries failed, usually 0.1 %",
    );
    record.detected_ms = ONSET + 3_500;
    weighed(
        record,
        vec![
            Finding::PartFailsHere { share: 0.119 },
            Finding::SecondCopiesAnswered { copies: 121 },
        ],
    )
}

pub fn packet_loss() -> Record {
    let mut record = record(Vantage::Client);
    asked(&mut record, 2_500, [2_118, 0, 371, 11]);
    sent_again(&mut record, 371, 284);
    record.level = Warning;
    record.stage = Stage::Unfinished;
    record.updated_ms += 9_000;
    symptom(
        &mut record,
        Rule::PartialFailure,
        Warning,
        3_500,
        "15 % of the last 180 queries failed, usually 0.1 %",
    );
    record.detected_ms = ONSET + 3_500;
    weighed(
        record,
        vec![
            Finding::PartFails { share: 0.149 },
            Finding::SecondCopiesAnswered { copies: 284 },
        ],
    )
}
