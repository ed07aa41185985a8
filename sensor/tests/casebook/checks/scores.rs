//! What is wrong is scored as wrong.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Check;
use crate::format::{Expect, Later};
use crate::judged::Said;
use crate::run::Spoken;
use crate::score::score;

pub fn all() -> Vec<Check> {
    vec![
        ("an incident as expected is right", as_expected),
        ("each fault of an incident is scored", faults),
        ("a healthy situation is right when nothing is said", healthy),
        ("what comes later must be said later", later),
    ]
}

fn codes(codes: &[&str]) -> Vec<String> {
    codes.iter().map(ToString::to_string).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn expect() -> Expect {
    Expect {
        onset: seconds(20),
        symptoms: codes(&["silent", "slow"]),
        first_cause: codes(&["firewall_drops", "network_path_down"]),
        within: Some(seconds(3)),
        never: codes(&["scan"]),
        most_incidents: Some(1),
        clears: true,
        ..Expect::default()
    }
}

fn said() -> Said {
    Said {
        at: seconds(30),
        id: "one".into(),
        server: Some("192.0.2.53".into()),
        is_critical: true,
        is_closed: true,
        detected: seconds(22),
        symptoms: vec![("silent".into(), seconds(22))],
        first_cause: codes(&["network_path_down", "firewall_drops"]),
        ..Said::default()
    }
}

fn spoken(last: &[Said]) -> Spoken {
    Spoken {
        changes: last.to_vec(),
        last: last.to_vec(),
        ..Spoken::default()
    }
}

fn as_expected() -> Result<()> {
    let result = score("one", &expect(), &spoken(&[said()]));
    ensure!(result.is_right(), "{:?}", result.faults);
    ensure!(result.delay == Some(seconds(2)) && result.cause && result.symptoms);
    Ok(())
}

fn faults() -> Result<()> {
    type Change = fn(&mut Expect, &mut Vec<Said>);
    let changes: [(&str, Change); 14] = [
        ("missed", |_, all| all.clear()),
        ("no silent|slow", |_, all| all[0].symptoms.clear()),
        ("late: 4.0 s", |_, all| all[0].symptoms[0].1 = seconds(24)),
        ("cause", |_, all| all[0].first_cause.push("overload".into())),
        ("cause", |_, all| all[0].first_cause.clear()),
        ("says scan at 30.0 s", |_, all| {
            all[0].first_cause = codes(&["scan"]);
        }),
        ("false alarm at 5.0 s", |_, all| {
            all[0].detected = seconds(5);
        }),
        ("2 incidents", |_, all| all.push(all[0].clone())),
        ("critical", |expect, _| expect.warning_at_most = true),
        ("never critical", |expect, all| {
            (expect.critical, all[0].is_critical) = (true, false);
        }),
        ("has silent", |expect, _| {
            expect.never_symptoms = codes(&["silent"]);
        }),
        ("not closed", |_, all| all[0].is_closed = false),
        ("missed", |expect, _| {
            expect.about = toml_addresses("198.51.100.1");
        }),
        ("cause", |expect, _| expect.first_cause = codes(&["none"])),
    ];
    for (fault, change) in changes {
        let (mut expect, mut all) = (expect(), vec![said()]);
        change(&mut expect, &mut all);
        let result = score("one", &expect, &spoken(&all));
        let found = result.faults.iter().any(|one| one == fault);
        ensure!(found, "{fault}: {:?}", result.faults);
    }
    Ok(())
}

fn toml_addresses(text: &str) -> crate::addresses::Addresses {
    crate::addresses::Addresses(text.parse().into_iter().collect())
}

fn healthy() -> Result<()> {
    let mut expect = Expect {
        first_cause: codes(&["none"]),
        ..Expect::default()
    };
    ensure!(score("one", &expect, &spoken(&[])).is_right());
    ensure!(!score("one", &expect, &spoken(&[said()])).is_right());
    expect.first_cause = codes(&["none", "no_attack"]);
    ensure!(score("one", &expect, &spoken(&[said()])).is_right());
    let attack = Said {
        first_cause: codes(&["attack_spoofed"]),
        ..said()
    };
    ensure!(!score("one", &expect, &spoken(&[attack])).is_right());
    Ok(())
}

fn later() -> Result<()> {
    let mut expect = expect();
    expect.also = vec![Later {
        onset: seconds(40),
        symptoms: codes(&["port_unreachable"]),
        first_cause: codes(&["service_down"]),
        within: seconds(2),
    }];
    ensure!(!score("one", &expect, &spoken(&[said()])).is_right());
    let mut second = Said {
        at: seconds(41),
        detected: seconds(41),
        symptoms: vec![("port_unreachable".into(), seconds(41))],
        first_cause: codes(&["service_down"]),
        ..said()
    };
    expect.most_incidents = Some(2);
    let result = score("one", &expect, &spoken(&[said(), second.clone()]));
    ensure!(result.is_right(), "{:?}", result.faults);
    second.symptoms[0].1 = seconds(43);
    ensure!(!score("one", &expect, &spoken(&[said(), second])).is_right());
    Ok(())
}
