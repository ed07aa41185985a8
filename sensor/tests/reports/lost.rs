//! Answers that leave the server and do not arrive: a story beside those of the causes.

use sensor::detect::Level::Warning;
use sensor::detect::{Rule, Vantage};
use sensor::incident::diagnosis::Finding;
use sensor::incident::diagnosis::contrast::Property;
use sensor::incident::record::Record;

use crate::records::{ONSET, asked, contrast, record, symptom, weighed};

/// Seen on the server's host: each query of one network is answered, and asked for again.
pub fn answers_lost() -> Record {
    let mut record = record(Vantage::Server);
    asked(&mut record, 2_500, [2_500, 0, 0, 0]);
    record.during.backscatter = 31;
    record.during.retransmitted = 1_204;
    record.during.queries = 3_704;
    record.during.responses = 3_704;
    record.level = Warning;
    symptom(
        &mut record,
        Rule::AnswersLost,
        Warning,
        4_250,
        "602 of 2,480 answered queries (24 %) were asked again",
    );
    record.detected_ms = ONSET + 4_250;
    weighed(
        record,
        vec![
            Finding::AskedAgain {
                again: 602,
                answered: 2_480,
            },
            contrast(Property::ClientNetwork, "10.2.0.0/24", 1.0, 1.0),
            Finding::AnswersUnreachable {
                errors: 31,
                from: "198.51.100.1".into(),
            },
        ],
    )
}
