//! One incident for each cause, with the numbers that such an incident has.

mod attacks;
mod network;
mod service;

use sensor::detect::{Level, Rule, Vantage};
use sensor::incident::Cause;
use sensor::incident::record::{Record, Stage, Summary};

use crate::records::{ONSET, asked, record, symptom, weighed};

pub fn of(cause: Cause) -> Record {
    match cause {
        Cause::ServiceDown => service::service_down(),
        Cause::ServiceHung => service::service_hung(),
        Cause::Overload => service::overload(),
        Cause::UpstreamFailure => service::upstream_failure(),
        Cause::ZoneFailure => service::zone_failure(),
        Cause::Misconfiguration => service::misconfiguration(),
        Cause::WrongSource => service::wrong_source(),
        Cause::FirewallRejects => network::firewall_rejects(),
        Cause::FirewallDrops => network::firewall_drops(),
        Cause::HostDown => network::host_down(),
        Cause::NetworkPathDown => network::network_path_down(),
        Cause::PacketLoss => service::packet_loss(),
        Cause::ConnectionTracking => service::connection_tracking(),
        Cause::PathMtu => network::path_mtu(),
        Cause::TcpBlocked => network::tcp_blocked(),
        Cause::AttackOneSource => attacks::attack_one_source(),
        Cause::AttackDistributed => attacks::attack_distributed(),
        Cause::AttackSpoofed => attacks::attack_spoofed(),
        Cause::AttackRandomNames => attacks::attack_random_names(),
        Cause::AttackAmplification => attacks::attack_amplification(),
        Cause::AttackReflection => attacks::attack_reflection(),
        Cause::AttackGarbage => attacks::attack_garbage(),
        Cause::AttackSyn => attacks::attack_syn(),
        Cause::UnwantedQueries => attacks::unwanted_queries(),
        Cause::OwnHost => attacks::own_host(),
        Cause::Scan => attacks::scan(),
    }
}

pub fn unknown() -> Record {
    let mut record = record(Vantage::Path);
    record.ports = vec![8053];
    asked(&mut record, 2_500, [2_287, 0, 204, 9]);
    record.level = Level::Warning;
    record.stage = Stage::Stale;
    record.updated_ms += 600_000;
    record.ended_ms = Some(record.updated_ms);
    record.before = Summary::default();
    symptom(
        &mut record,
        Rule::PartialFailure,
        Level::Warning,
        3_500,
        "8 % of the last 190 queries failed",
    );
    record.detected_ms = ONSET + 3_500;
    weighed(record, Vec::new())
}
