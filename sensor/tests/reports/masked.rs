//! Masked records.

use sensor::incident::Cause;
use sensor::incident::diagnosis::Finding;
use sensor::present::redact::redact;
use sensor::present::report::markdown;

use crate::records::party;
use crate::stories;

#[test]
fn findings_are_masked_field_by_field_and_the_same_address_has_one_mask() {
    let record = stories::of(Cause::FirewallRejects);
    let masked = redact(&record);
    let Finding::Prohibited {
        from: Some(sender), ..
    } = &masked.findings[0]
    else {
        panic!("{:?}", masked.findings);
    };
    assert_eq!(*sender, masked.icmp_senders[0].who);
    let affects = masked.affects.as_ref().expect("some clients");
    assert_eq!(affects.value, masked.clients.rejected[0]);
    assert!(
        masked.symptoms[0].detail.contains(&affects.value),
        "{}",
        masked.symptoms[0].detail
    );
    assert_eq!(masked.server.as_deref(), Some("the-server"));
}

#[test]
fn the_zone_of_an_attack_is_masked_wherever_it_stands() {
    let masked = redact(&stories::of(Cause::AttackRandomNames));
    let json = serde_json::to_string(&masked).expect("JSON");
    assert!(!json.contains("victim"), "{json}");
    assert!(!markdown(&masked, None).contains("victim"));
}

#[test]
fn a_name_that_is_a_word_of_the_sensor_changes_no_field_of_another_kind() {
    let mut record = stories::of(Cause::ServiceDown);
    for name in ["open", "critical", "incident", "service_down", "vantage"] {
        record.names.push(party(name, 1));
    }
    let masked = redact(&record);
    assert_eq!(
        (masked.stage, masked.level, &masked.kind),
        (record.stage, record.level, &record.kind)
    );
    assert_eq!(masked.symptoms, record.symptoms);
    assert_eq!(
        (&masked.during, &masked.series),
        (&record.during, &record.series)
    );
    assert!(
        masked
            .names
            .iter()
            .all(|name| name.who.starts_with("name-"))
    );
}
