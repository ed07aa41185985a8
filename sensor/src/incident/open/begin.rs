//! How an incident begins: with what is known from before.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::evidence::Evidence;
use super::super::evidence::recent::Recent;
use super::super::past::Past;
use super::super::record::Stage;
use super::incident::Incident;
use super::onset::onset;
use super::phases::Phases;
use super::subject::{history, plain_clock, server_state};
use super::symptoms::Symptoms;
use super::verdict::Verdict;
use crate::detect::history::Span;
use crate::detect::{Detector, Level, Reading, Subject, Vantage};
use crate::host::facts::HostLog;
use crate::measure::address::ip;
use crate::measure::clock::WallClock;

/// The record looks back so far.
const BEFORE: Duration = Duration::from_mins(1);

/// What is known from before an incident.
pub struct Before<'a> {
    /// Packets that were sampled lately.
    pub recent: &'a Recent,
    /// What the sensor's host said lately.
    pub host: &'a HostLog,
    /// For times in the record.
    pub clock: &'a WallClock,
}

impl Incident {
    /// Begins with the readings that fire.
    #[must_use]
    pub fn open(
        subject: Subject,
        readings: &[Reading],
        detector: &Detector,
        now: Duration,
        before: &Before<'_>,
        past: &mut Past,
    ) -> Self {
        let (recent, clock) = (before.recent, before.clock);
        let server = match subject {
            Subject::Server(key) => Some(key),
            Subject::Network => None,
        };
        let onset = onset(subject, readings, detector, now);
        let mut evidence = Evidence::new(server, recent, now);
        if let Some(history) = history(subject, detector) {
            let spans = history.spans(BEFORE + now.saturating_sub(onset));
            evidence.look_back(spans, onset, clock);
            let known = onset.saturating_sub(history.begun());
            evidence.before.elapsed = known.min(BEFORE);
            evidence.during.elapsed = now.saturating_sub(onset);
        }
        if let Some(state) = server.and_then(|key| detector.server(&key)) {
            let at = plain_clock(detector, now);
            evidence
                .series
                .note_asked(&state.cohorts, onset, &at, clock);
        }
        let server_name = server.map(|key| ip(&key).to_string());
        let name = server_name.as_deref().unwrap_or("network");
        let now_ms = clock.ms(now);
        let mut incident = Self {
            subject,
            onset,
            opened: now,
            symptoms: Symptoms::default(),
            level: Level::Warning,
            stage: Stage::Open,
            ended: None,
            evidence,
            verified: None,
            also: Vec::new(),
            upstreams: BTreeSet::new(),
            probed: None,
            verdict: Verdict::default(),
            since_then: Span::empty(now),
            last_symptom: now,
            last_active: now,
            phases: Phases::default(),
            host: None,
            vantage: Vantage::Path,
            id: String::new(),
            earlier: past.take_up(server_name.as_deref(), now_ms, clock.ms(Duration::ZERO)),
        };
        incident.id = incident.earlier.as_ref().map_or_else(
            || past.name(now_ms, &name.replace([':', '.'], "-")),
            |earlier| earlier.id().to_string(),
        );
        let state = server_state(subject, detector);
        incident.evidence.worst.set_usual(state);
        // What the kernel dropped in the moment that led to it is known.
        if let Some(key) = server {
            let here = detector.vantage(&key) == Vantage::Server;
            incident.read_host(before.host, None, here);
        }
        incident.update(readings, detector, now);
        incident.verdict.tell_first();
        incident
    }
}
