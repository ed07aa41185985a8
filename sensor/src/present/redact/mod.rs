//! Masks addresses and names, field by field: the same one always becomes the same mask.
//!
//! Each field of a record and of a finding is named here, so that a new one does not compile before somebody has
//! decided what it is.

mod contrast;
mod finding;
mod masks;

use masks::Masks;

use crate::host::probe::{Said, Verified};
use crate::incident::Record;
use crate::incident::record::{Clients, Failing, Party, SymptomRecord};

/// A record in which no address and no name is left.
#[must_use]
pub fn redact(record: &Record) -> Record {
    let mut masks = Masks::default();
    let mut masked = record.clone();
    let Record {
        schema: _,
        kind: _,
        id,
        server,
        also,
        ports: _,
        vantage: _,
        placed: _,
        watched,
        stage: _,
        level: _,
        onset_ms: _,
        detected_ms,
        last_symptom_ms: _,
        ended_ms: _,
        updated_ms: _,
        unwatched: _,
        symptoms,
        before: _,
        during: _,
        clients,
        names,
        icmp_senders,
        response_icmp_senders,
        path_mtu: _,
        servers,
        failing,
        sent_again: _,
        slowest_icmp_ms: _,
        host,
        verified,
        sampling: _,
        affects,
        first_cause: _,
        causes: _,
        findings,
        series: _,
    } = &mut masked;
    // It ends with the address.
    *id = format!("{detected_ms}-redacted");
    if let Some(server) = server {
        masks.server(server);
    }
    for name in names {
        masks.name(&mut name.who);
    }
    for found in findings {
        finding::mask(found, &mut masks);
    }
    if let Some(common) = affects {
        contrast::mask(common, &mut masks);
    }
    for server in also {
        masks.address(server);
    }
    clients_of(clients, &mut masks);
    parties(icmp_senders, &mut masks);
    parties(response_icmp_senders, &mut masks);
    parties(servers, &mut masks);
    failing_of(failing, &mut masks);
    for seen in host.iter_mut().flat_map(|host| &mut host.events) {
        finding::event(&mut seen.event, &mut masks);
    }
    if let Some(verified) = verified {
        probe(verified, &mut masks);
    }
    // A capture may be named after its customer.
    for watched in watched {
        masks.text(watched);
    }
    // Last, when all names are known.
    for SymptomRecord {
        rule: _,
        title: _,
        level: _,
        since_ms: _,
        worst_since_ms: _,
        until_ms: _,
        detail,
    } in symptoms
    {
        masks.text(detail);
    }
    masked
}

fn clients_of(clients: &mut Clients, masks: &mut Masks) {
    let Clients {
        addresses: _,
        networks: _,
        rejected,
        served: _,
        heaviest,
        units,
        sources,
        distinct: _,
        rate: _,
        distinct_names: _,
    } = clients;
    for network in rejected {
        masks.address(network);
    }
    parties(heaviest, masks);
    for unit in units {
        masks.name(&mut unit.who);
    }
    parties(sources, masks);
}

fn failing_of(failing: &mut Failing, masks: &mut Masks) {
    let Failing {
        queries: _,
        failed: _,
        addresses: _,
        clients,
        questions,
        zone,
    } = failing;
    parties(clients, masks);
    for question in questions {
        masks.name(&mut question.who);
    }
    if let Some(zone) = zone {
        masks.name(zone);
    }
}

fn parties(parties: &mut [Party], masks: &mut Masks) {
    for Party {
        who,
        count: _,
        what: _,
    } in parties
    {
        masks.address(who);
    }
}

fn probe(verified: &mut Verified, masks: &mut Masks) {
    let Verified { at_ms: _, udp, tcp } = verified;
    for said in [udp, tcp] {
        let (Said::Answer(text)
        | Said::Connected(text)
        | Said::Refused(text)
        | Said::Nothing(text)) = said;
        masks.text(text);
    }
}
