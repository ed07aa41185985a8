//! Answers that leave the server and do not arrive: a story beside those of the causes.

use sensor::detect::Level::Warning;
use sensor::detect::{Rule, Vantage};
use sensor::incident::diagnosis::Finding;
use sensor::incident::diagnosis::contrast::Property;
use sensor::incident::record::{Party, Record, SentAgain};

use crate::records::{ONSET, asked, contrast, failing, party, record, symptom, weighed};

/// Seen on the server's host: each query of one network is answered, and asked for again.
pub fn answers_lost() -> Record {
    let mut record = record(Vantage::Server);
    // What is asked again after the answer is a transaction of its own.
    asked(&mut record, 3_102, [3_102, 0, 0, 0]);
    record.during.backscatter = 31;
    record.during.icmp_about_responses = [("host_unreachable".to_string(), 31)].into();
    record.response_icmp_senders = vec![Party {
        what: Some("host_unreachable".into()),
        ..party("198.51.100.1", 31)
    }];
    failing(
        &mut record,
        602,
        &[("10.2.0.9", 402), ("10.2.0.31", 200)],
        ("www.example.org", 1),
    );
    record.failing.queries = 2_500;
    record.sent_again = SentAgain {
        queries: 2_500,
        answered: 2_500,
        after_answer: 602,
        ..SentAgain::default()
    };
    record.level = Warning;
    symptom(
        &mut record,
        Rule::AnswersLost,
        Warning,
        4_250,
        "60 of 240 answered queries (25 %) were asked again",
    );
    record.detected_ms = ONSET + 4_250;
    weighed(
        record,
        vec![
            Finding::AskedAgain {
                again: 60,
                answered: 240,
            },
            contrast(Property::ClientNetwork, "10.2.0.0/24", 1.0, 1.0),
            Finding::AnswersUnreachable {
                errors: 31,
                from: "198.51.100.1".into(),
            },
        ],
    )
}
