//! Floods, abuse, and what is a nuisance.

use sensor::detect::Level::{Critical, Warning};
use sensor::detect::{Rule, Vantage};
use sensor::incident::diagnosis::Finding;
use sensor::incident::diagnosis::contrast::Property;
use sensor::incident::record::{Range, Record, Stage, Summary};

use crate::records::{
    LASTS, ONSET, SECONDS, asked, denied, failing, over, party, record, symptom, weighed,
};

fn flood(record: &mut Record, rate: u32, answered: u64) {
    let all = u64::from(rate) * LASTS;
    asked(record, all, [answered, 0, all - answered, 0]);
    record.clients.rate.worst = f64::from(rate) + 40.0;
    record.sampling.shift = 6;
}

fn network() -> Record {
    let mut network = record(Vantage::Path);
    network.server = None;
    network.id = format!("{}-network", ONSET + 1_000);
    network.before = Summary::default();
    network.during = Summary {
        seconds: SECONDS,
        ..Summary::default()
    };
    network.names.clear();
    network.clients.rate.usual = None;
    network
}

pub fn attack_one_source() -> Record {
    let mut record = record(Vantage::Server);
    flood(&mut record, 4_200, 498_312);
    record.clients.sources = vec![party("203.0.113.9", 41_300), party("10.1.0.17", 80)];
    record.clients.heaviest = vec![party("203.0.113.9", 32_640), party("10.1.0.17", 60)];
    symptom(
        &mut record,
        Rule::QueryFlood,
        Critical,
        500,
        "4198 queries/s, usually 20",
    );
    symptom(
        &mut record,
        Rule::OneSource,
        Critical,
        750,
        "203.0.113.9 asks 4178 times a second, 99 % of all queries",
    );
    record.detected_ms = ONSET + 500;
    weighed(
        record,
        vec![Finding::OneSource {
            source: "203.0.113.9".into(),
            share: 0.995,
        }],
    )
}

pub fn attack_distributed() -> Record {
    let mut record = record(Vantage::Server);
    flood(&mut record, 12_000, 1_101_020);
    record.clients.distinct.worst = 640.0;
    symptom(
        &mut record,
        Rule::QueryFlood,
        Critical,
        500,
        "11904 queries/s, usually 20",
    );
    symptom(
        &mut record,
        Rule::PartialFailure,
        Critical,
        1_500,
        "27 % of the last 24000 queries failed, usually 0.1 %",
    );
    record.detected_ms = ONSET + 500;
    weighed(
        record,
        vec![
            Finding::PartFailsHere { share: 0.266 },
            Finding::ManySources { sources: 640.0 },
            Finding::FloodFirst,
        ],
    )
}

pub fn attack_spoofed() -> Record {
    let mut record = record(Vantage::Server);
    flood(&mut record, 41_000, 5_124_800);
    record.during.retransmitted = 40;
    record.during.queries = record.during.asked + 40;
    record.during.backscatter = 31_206;
    record.clients.distinct.worst = 39_400.0;
    symptom(
        &mut record,
        Rule::QueryFlood,
        Critical,
        250,
        "40912 queries/s, usually 20",
    );
    symptom(
        &mut record,
        Rule::Spoofed,
        Critical,
        500,
        "about 39400 different sources a second with 1.0 queries each",
    );
    record.detected_ms = ONSET + 250;
    weighed(record, vec![Finding::SpoofedSources])
}

pub fn attack_random_names() -> Record {
    let mut record = record(Vantage::Server);
    flood(&mut record, 900, 109_840);
    record.during.rcodes = [
        ("NOERROR".to_string(), 2_420),
        ("SERVFAIL".to_string(), 81_300),
        ("NXDOMAIN".to_string(), 26_120),
    ]
    .into();
    record.clients.distinct_names.worst = 890.0;
    record.names = vec![
        party("www.example.org", 310),
        party("k3v9x0.victim.example", 1),
        party("q71mzd.victim.example", 1),
    ];
    symptom(
        &mut record,
        Rule::RandomNames,
        Critical,
        1_000,
        "880 names a second below victim.example fail and do not repeat, 98 % of all queries, from 31 clients",
    );
    symptom(
        &mut record,
        Rule::RcodeShift,
        Critical,
        2_000,
        "74 % of 1800 answers are SERVFAIL, usually 0 %",
    );
    weighed(
        record,
        vec![
            Finding::RandomNames {
                zone: "victim.example".into(),
                clients: 31,
            },
            Finding::Servfail { share: 0.74 },
        ],
    )
}

pub fn attack_amplification() -> Record {
    let mut record = record(Vantage::Server);
    flood(&mut record, 1_200, 149_930);
    record.during.response_bytes = 476_000_000;
    record.clients.sources = vec![party("203.0.113.80", 11_800)];
    symptom(
        &mut record,
        Rule::Amplification,
        Critical,
        1_250,
        "203.0.113.0/24 gets about 3700 kB/s, 61 times what its queries have; 1 of them ask the same",
    );
    record.detected_ms = ONSET + 1_250;
    record.stage = Stage::Eased;
    weighed(
        record,
        vec![Finding::LargeAnswers {
            network: "203.0.113.0/24".into(),
            others: 0,
        }],
    )
}

pub fn attack_reflection() -> Record {
    let mut record = network();
    record.during.responses = 113_600;
    record.during.unmatched = 112_500;
    record.during.response_bytes = 341_000_000;
    record.clients.rate.worst = 1_020.0;
    record.clients.addresses = 0;
    record.clients.networks = 0;
    record.clients.heaviest.clear();
    symptom(
        &mut record,
        Rule::Reflection,
        Critical,
        1_000,
        "10.1.0.80 gets 900 responses a second that it did not ask for, 99 % of all, 3031 bytes each, from 52 servers",
    );
    weighed(
        record,
        vec![Finding::UnaskedAnswers {
            victim: "10.1.0.80".into(),
            servers: 52,
        }],
    )
}

pub fn attack_garbage() -> Record {
    let mut record = record(Vantage::Server);
    record.clients.sources = vec![party("203.0.113.9", 20_400)];
    record.level = Warning;
    symptom(
        &mut record,
        Rule::Garbage,
        Warning,
        1_000,
        "2040 messages a second that are no DNS",
    );
    weighed(record, vec![Finding::Garbage])
}

pub fn attack_syn() -> Record {
    let mut record = record(Vantage::Server);
    record.during.tcp = [187_500, 31_040, 0];
    symptom(
        &mut record,
        Rule::SynFlood,
        Critical,
        1_000,
        "1500 SYNs a second, 248 of them accepted",
    );
    weighed(record, vec![Finding::SynFlood])
}

pub fn unwanted_queries() -> Record {
    let mut record = record(Vantage::Server);
    asked(&mut record, 5_000, [4_996, 0, 2, 2]);
    record.during.rcodes = [
        ("NOERROR".to_string(), 2_480),
        ("REFUSED".to_string(), 2_516),
    ]
    .into();
    record.clients.sources = vec![party("203.0.113.9", 210), party("198.51.100.7", 96)];
    let strangers = [("203.0.113.9", 1_690), ("198.51.100.7", 771)];
    failing(&mut record, 2_516, &strangers, ("abused.example.org", 255));
    record.failing.addresses = 14;
    record.names.insert(0, party("abused.example.org", 2_264));
    record.level = Warning;
    symptom(
        &mut record,
        Rule::RcodeShift,
        Warning,
        3_000,
        "51 % of 410 answers are REFUSED, usually 0 %",
    );
    record.detected_ms = ONSET + 3_000;
    weighed(
        record,
        vec![
            Finding::Refused { share: 0.51 },
            Finding::StrangersRefused {
                strangers: 14,
                served: 1.0,
            },
            denied(
                Property::ClientNetwork,
                "203.0.113.0/24, 198.51.100.0/24",
                0.98,
                1.0,
            ),
        ],
    )
}

pub fn own_host() -> Record {
    let mut record = record(Vantage::Client);
    flood(&mut record, 640, 79_910);
    record.sampling.shift = 0;
    record.level = Warning;
    record.clients.sources = vec![party("10.1.0.17", 6_380)];
    symptom(
        &mut record,
        Rule::OneSource,
        Warning,
        1_000,
        "10.1.0.17 asks 638 times a second, 100 % of all queries, usually 20",
    );
    weighed(
        record,
        vec![Finding::OwnHostAsks {
            share: 1.0,
            rate: 638.0,
        }],
    )
}

pub fn scan() -> Record {
    let mut record = network();
    record.level = Warning;
    record.clients.heaviest = vec![party("203.0.113.9", 254)];
    record.clients.addresses = 1;
    record.clients.networks = 1;
    record.clients.rate = Range::default();
    record.during.queries = 254;
    record.during.query_bytes = 11_430;
    record.sampling.packets = 254;
    symptom(
        &mut record,
        Rule::Scan,
        Warning,
        1_000,
        "203.0.113.9 asked 254 addresses that never answered",
    );
    over(weighed(record, vec![Finding::LooksAround]))
}
