//! Programs that the verifier refuses: what that costs, and what is said.

use object::{Object, ObjectSection, ObjectSymbol};
use sensor::engine::kernel::attach::plan;
use sensor::engine::kernel::hook::HookChoice;
use sensor::engine::kernel::interface::{Interface, Kind};
use sensor::engine::kernel::load::{LoadError, LoadOptions, Loaded, OBJECT, Programs, load_object};
use sensor::engine::settings::for_ports;
use sensor::engine::status::LinkState;
use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_XDP};

/// The object with one program that returns at once, without a verdict.
fn without_verdict(program: &str) -> Vec<u8> {
    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
    let mut bytes = OBJECT.to_vec();
    let at = {
        let file = object::File::parse(OBJECT).expect("our object");
        let symbol = file.symbols().find(|symbol| symbol.name() == Ok(program));
        let symbol = symbol.expect("the program");
        let section = symbol.section_index().expect("it is defined");
        let section = file.section_by_index(section).expect("a section");
        let (offset, _) = section.file_range().expect("it has bytes");
        usize::try_from(offset + symbol.address()).expect("in the file")
    };
    bytes[at..at + EXIT.len()].copy_from_slice(&EXIT);
    bytes
}

fn load(object: &[u8]) -> Result<Loaded, LoadError> {
    let settings = for_ports(&[]).expect("port 53");
    let log_level = None;
    load_object(
        object,
        LoadOptions {
            programs: Programs::ALL,
            settings,
            log_level,
        },
    )
}

#[test]
#[ignore = "needs a kernel"]
fn a_refused_xdp_program_costs_xdp_alone() {
    let loaded = load(&without_verdict(PROGRAM_XDP)).expect("TC serves");
    let reason = loaded.no_xdp.expect("XDP was refused");
    assert!(reason.contains("refuses sensor_xdp"), "{reason}");
    assert_eq!(reason.lines().count(), 1, "{reason}");
    let hardware = Interface {
        index: 2,
        name: "eth0".into(),
        mtu: 1500,
        state: LinkState::Up,
        kind: Kind::Hardware,
        has_ethernet: true,
        xdp: None,
        controller: None,
        below: None,
    };
    let (hook, why) = plan(&hardware, HookChoice::Auto, Some(&reason));
    assert_eq!(hook, HookChoice::Tc);
    assert!(why.contains(&reason), "{why}");
    assert_eq!(load(OBJECT).expect("as it is").no_xdp, None);
}

#[test]
#[ignore = "needs a kernel"]
fn a_refusal_is_told_in_sentences_and_not_in_registers() {
    let refused = load(&without_verdict(PROGRAM_EGRESS)).err();
    let refused = refused.expect("nothing works without it");
    assert!(matches!(&refused, LoadError::Refused(_)), "{refused}");
    let text = refused.to_string();
    let first = text.lines().next().expect("a line");
    assert!(first.contains("refuses sensor_egress"), "{text}");
    assert!(first.contains("6.1, 6.12, 6.18"), "{text}");
    assert!(text.contains("--log debug"), "{text}");
    assert!(text.contains("The verifier says: "), "{text}");
    assert!(!text.contains("R1=") && !text.contains("R10"), "{text}");
    assert!(text.lines().count() <= 2, "{text}");
}
