//! What happened when.

use super::super::calendar::clock;
use super::super::number::span;
use super::super::words;
use crate::incident::record::{Record, Stage, SymptomRecord};

/// Lines on the first screen.
pub const FIRST: usize = 8;

/// All that happened, in its order.
#[must_use]
pub fn all(record: &Record) -> Vec<String> {
    let mut events: Vec<(u64, u8, String)> = vec![(record.onset_ms, 0, "onset".into())];
    for (at, symptom) in record.symptoms.iter().enumerate() {
        let detects = at == 0 && symptom.since_ms == record.detected_ms;
        events.push((symptom.since_ms, 1, began(record, symptom, detects)));
        if let Some(worse) = symptom.worst_since_ms {
            let level = symptom.level.name();
            events.push((worse, 1, format!("now {level}: {}", symptom.title)));
        }
        if let Some(until) = symptom.until_ms {
            events.push((until, 2, format!("cleared: {}", symptom.title)));
        }
    }
    events.push((record.last_symptom_ms, 3, "last symptom".into()));
    let ended = format!(
        "{} ended; the incident was still open",
        words::observation(record)
    );
    for gap in &record.unwatched {
        events.push((gap.from_ms, 4, ended.clone()));
        let length = span(gap.until_ms.saturating_sub(gap.from_ms));
        let goes_on =
            format!("the observation goes on after {length}; the incident is taken up again");
        events.push((gap.until_ms, 0, goes_on));
    }
    match (record.stage, record.ended_ms) {
        (Stage::Closed, Some(at)) => events.push((at, 4, "incident closed".into())),
        (Stage::Stale, Some(at)) => {
            events.push((at, 4, "incident stale: nothing more was seen".into()));
        }
        (Stage::Unfinished, _) => {
            events.push((record.updated_ms, 4, ended));
        }
        (Stage::EndNotSeen, at) => {
            events.push((record.updated_ms, 4, ended));
            let at = at.unwrap_or(record.updated_ms);
            events.push((
                at,
                4,
                "no symptom since the observation goes on: the end was not seen".into(),
            ));
        }
        _ => events.push((record.updated_ms, 4, "as of now: still open".into())),
    }
    events.sort_by_key(|(at, order, _)| (*at, *order));
    events
        .into_iter()
        .map(|(at, _, what)| format!("{} {what}", clock(at)))
        .collect()
}

/// As many as fit on the first screen.
#[must_use]
pub fn first(record: &Record) -> Vec<String> {
    let mut all = all(record);
    if all.len() <= FIRST {
        return all;
    }
    let end = all.split_off(all.len() - 1);
    let more = all.len() - (FIRST - 2);
    all.truncate(FIRST - 2);
    all.push(format!("({more} more under \"How it was noticed\")"));
    all.extend(end);
    all
}

fn began(record: &Record, symptom: &SymptomRecord, detects: bool) -> String {
    let detected = if detects {
        let delay = span(record.detected_ms.saturating_sub(record.onset_ms));
        format!("detected ({delay} after the onset): ")
    } else {
        String::new()
    };
    // When it became worse is told by itself.
    let level = match symptom.worst_since_ms {
        Some(_) => String::new(),
        None => format!(" ({})", symptom.level.name()),
    };
    format!(
        "{detected}{}{level}; at its worst {}",
        symptom.title, symptom.detail
    )
}
