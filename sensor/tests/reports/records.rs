//! Records as a sensor would make them, in steps.

use sensor::detect::{Level, Rule, Vantage};
use sensor::incident::diagnosis::contrast::{Contrast, Property};
use sensor::incident::diagnosis::{Finding, rank};
use sensor::incident::record::{
    Clients, Failing, Party, Placed, Range, Record, Sampling, SentAgain, Stage, Summary,
    SymptomRecord,
};
use sensor::incident::series::{Point, Series};

/// 2026-11-23T12:00:00Z.
pub const ONSET: u64 = 1_795_435_200_000;
/// Seconds of an incident.
pub const LASTS: u64 = 125;
/// The same.
pub const SECONDS: f64 = 125.0;
/// Queries a second before it.
pub const USUAL: u64 = 20;

pub fn party(who: &str, count: u64) -> Party {
    Party {
        who: who.into(),
        count,
        what: None,
    }
}

/// What failures have in common.
pub fn contrast(property: Property, value: &str, of_failures: f64, rest_ok: f64) -> Finding {
    Finding::Contrast(Contrast {
        property,
        value: value.into(),
        of_failures,
        rest_ok,
        denied: false,
        slow: false,
    })
}

/// The same of answers that say no.
pub fn denied(property: Property, value: &str, of_failures: f64, rest_ok: f64) -> Finding {
    Finding::Contrast(Contrast {
        property,
        value: value.into(),
        of_failures,
        rest_ok,
        denied: true,
        slow: false,
    })
}

fn before() -> Summary {
    let asked = 60 * USUAL;
    Summary {
        seconds: 60.0,
        queries: asked + 1,
        asked,
        responses: asked - 1,
        answered: asked - 1,
        unanswered: 1,
        retransmitted: 1,
        rcodes: [("NOERROR".to_string(), 1_130), ("NXDOMAIN".to_string(), 69)].into(),
        query_bytes: 54_000,
        response_bytes: 151_000,
        p50_ms: Some(0.8),
        p95_ms: Some(11.4),
        ..Summary::default()
    }
}

/// An incident of a server that answers all.
pub fn record(vantage: Vantage) -> Record {
    let mut record = Record {
        schema: 2,
        kind: "incident".into(),
        id: format!("{}-192-0-2-53", ONSET + 1_000),
        server: Some("192.0.2.53".into()),
        also: Vec::new(),
        ports: vec![53],
        vantage,
        placed: Placed::Live,
        watched: vec!["eth0".into()],
        stage: Stage::Open,
        level: Level::Critical,
        onset_ms: ONSET,
        detected_ms: ONSET + 1_000,
        last_symptom_ms: ONSET + LASTS * 1_000,
        ended_ms: None,
        updated_ms: ONSET + LASTS * 1_000,
        unwatched: Vec::new(),
        symptoms: Vec::new(),
        before: before(),
        during: Summary::default(),
        clients: Clients {
            addresses: 34,
            networks: 3,
            rejected: Vec::new(),
            served: 0,
            units: Vec::new(),
            heaviest: vec![
                party("10.1.0.17", 212),
                party("10.1.0.4", 97),
                party("10.2.0.9", 61),
            ],
            sources: Vec::new(),
            distinct: Range {
                usual: Some(18.0),
                worst: 19.0,
            },
            rate: Range {
                usual: Some(20.0),
                worst: 24.0,
            },
            distinct_names: Range {
                usual: Some(11.0),
                worst: 12.0,
            },
        },
        names: vec![
            party("www.example.org", 310),
            party("mail.example.org", 122),
            party("api.example.com", 41),
        ],
        icmp_senders: Vec::new(),
        response_icmp_senders: Vec::new(),
        path_mtu: None,
        servers: Vec::new(),
        failing: Failing::default(),
        sent_again: SentAgain::default(),
        slowest_icmp_ms: None,
        host: None,
        verified: None,
        sampling: Sampling {
            shift: 0,
            packets: 256,
            lost: 0,
        },
        affects: None,
        first_cause: Vec::new(),
        causes: Vec::new(),
        findings: Vec::new(),
        series: Series::default(),
    };
    asked(&mut record, LASTS * USUAL, [LASTS * USUAL, 0, 0, 0]);
    if vantage == Vantage::Client {
        alone(&mut record);
    }
    record
}

/// Its own host is the one client that a sensor on a client sees.
fn alone(record: &mut Record) {
    let clients = &mut record.clients;
    clients.addresses = 1;
    clients.networks = 1;
    clients.heaviest = vec![party("10.1.0.17", 473)];
    clients.distinct = Range {
        usual: Some(1.0),
        worst: 1.0,
    };
}

/// What was sent more than once: queries whose end is known, those sent again without an answer, and those of which a later
/// copy was answered at once.
pub fn sent_again(record: &mut Record, unanswered: u64, copy_answered: u64) {
    let during = &mut record.during;
    during.queries += unanswered - during.retransmitted;
    during.retransmitted = unanswered;
    record.sent_again = SentAgain {
        queries: during.decided(),
        unanswered,
        copy_answered,
        answered: during.answered,
        ..SentAgain::default()
    };
}

/// What fails, in the samples, and for whom.
pub fn failing(record: &mut Record, failed: u64, clients: &[(&str, u64)], question: (&str, u16)) {
    record.failing = Failing {
        queries: record.during.decided(),
        failed,
        addresses: clients.len(),
        clients: clients
            .iter()
            .map(|(who, many)| party(who, *many))
            .collect(),
        questions: vec![Party {
            what: Some(question.1.to_string()),
            ..party(question.0, failed * 9 / 10)
        }],
        zone: question.0.split_once('.').map(|(_, zone)| zone.into()),
    };
}

/// Queries that were asked: answered, ended by an ICMP error, unanswered, pending.
pub fn asked(record: &mut Record, all: u64, ends: [u64; 4]) {
    let [answered, errored, unanswered, waiting] = ends;
    assert_eq!(all, ends.iter().sum::<u64>(), "each query has one end");
    let retransmitted = unanswered / 3;
    record.during = Summary {
        seconds: SECONDS,
        queries: all + retransmitted,
        asked: all,
        responses: answered,
        answered,
        errored,
        unanswered,
        waiting,
        retransmitted,
        rcodes: (answered != 0)
            .then(|| ("NOERROR".to_string(), answered))
            .into_iter()
            .collect(),
        query_bytes: (all + retransmitted) * 45,
        response_bytes: answered * 126,
        p50_ms: (answered != 0).then_some(0.9),
        p95_ms: (answered != 0).then_some(12.1),
        ..Summary::default()
    };
}

/// ICMP errors about queries, and who sent them.
pub fn icmp(record: &mut Record, kind: &str, errors: u64, sender: &str) {
    record.during.icmp_errors.insert(kind.into(), errors);
    if record.server.as_deref() == Some(sender) {
        record.during.icmp_from_server += errors;
    }
    record.icmp_senders.push(Party {
        what: Some(kind.into()),
        ..party(sender, errors)
    });
}

/// A rule that fired some time after the onset.
pub fn symptom(record: &mut Record, rule: Rule, level: Level, after_ms: u64, detail: &str) {
    record.symptoms.push(SymptomRecord {
        rule: rule.name().into(),
        title: rule.title().into(),
        level,
        since_ms: ONSET + after_ms,
        // A rule of failures is a warning for its first ten seconds.
        worst_since_ms: (level == Level::Critical && rule.is_failure())
            .then_some(ONSET + after_ms + 10_000),
        until_ms: None,
        detail: detail.into(),
    });
}

/// What is known, and with it the causes.
pub fn weighed(mut record: Record, findings: Vec<Finding>) -> Record {
    record.affects = findings.iter().find_map(|finding| match finding {
        Finding::Contrast(contrast) => Some(contrast.clone()),
        _ => None,
    });
    record.causes = rank::rank(&findings);
    record.first_cause = rank::first(&record.causes);
    record.findings = findings;
    record.series = series(&record);
    record
}

/// Over after this incident, with nothing left to say.
pub fn over(mut record: Record) -> Record {
    record.stage = Stage::Closed;
    record.ended_ms = Some(record.last_symptom_ms + 30_000);
    record.updated_ms = record.last_symptom_ms + 30_000;
    for symptom in &mut record.symptoms {
        symptom.until_ms = Some(record.last_symptom_ms);
    }
    record
}

/// The counts of before and during, second by second.
fn series(record: &Record) -> Series {
    let mut points = Vec::new();
    for (summary, from, seconds) in [
        (&record.before, ONSET - 60_000, 60),
        (&record.during, ONSET, LASTS),
    ] {
        let errors: u64 = summary.icmp_errors.values().sum();
        let bad: u64 = summary
            .rcodes
            .iter()
            .filter(|(rcode, _)| *rcode != "NOERROR")
            .map(|(_, many)| many)
            .sum();
        for second in 0..seconds {
            let part = |all: u64| all * (second + 1) / seconds - all * second / seconds;
            points.push(Point {
                at_ms: from + second * 1_000,
                queries: part(summary.queries),
                answered: part(summary.answered),
                failed: part(summary.errored + summary.unanswered),
                pending: part(summary.waiting),
                icmp_errors: part(errors),
                bad_rcodes: part(bad),
                syns: part(summary.tcp[0]),
                syn_acks: part(summary.tcp[1]),
            });
        }
    }
    Series {
        step_ms: 1_000,
        points,
    }
}
