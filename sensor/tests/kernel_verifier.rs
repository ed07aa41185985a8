//! What the kernel's verifier says of the programs: it takes them under every setting, and follows no
//! more instructions than it did.

use std::collections::BTreeMap;

use sensor::engine::kernel::load::{LoadOptions, Programs, load};
use sensor::engine::kernel::preflight::Host;
use sensor::engine::settings::for_ports;
use sensor_common::names::{PROGRAM_EGRESS, PROGRAM_INGRESS, PROGRAM_XDP};
use sensor_common::settings::Settings;
use serde::Deserialize;

/// Instructions of each program on each kernel that was tried.
const BASELINE: &str = include_str!("../bpf/verified.toml");
/// Growth over the baseline that needs no new one, in per cent.
const GROWTH: u32 = 15;
/// Most on a kernel without a baseline: a quarter less than the verifier is willing to follow.
const MOST: u32 = 750_000;

const PROGRAMS: [&str; 3] = [PROGRAM_XDP, PROGRAM_INGRESS, PROGRAM_EGRESS];

/// Instructions that the verifier followed, over all settings.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Verified {
    least: u32,
    most: u32,
}

impl Verified {
    fn within(self, baseline: Self) -> bool {
        let at_most = |count: u32| count + count * GROWTH / 100;
        self.least <= at_most(baseline.least) && self.most <= at_most(baseline.most)
    }
}

/// By kernel (major and minor) and program.
type Baseline = BTreeMap<String, BTreeMap<String, Verified>>;

/// Each setting is another program to the verifier: it drops what settings switch off.
fn every_setting() -> Vec<LoadOptions> {
    let several = for_ports(&[53, 5353]).expect("two ports");
    let mut all = Vec::new();
    for (ports, probe_port) in [(Box::new(Settings::DEFAULT), 0), (several, 0x1234)] {
        for slot_multiplier in [0, 0x9e37_79b1] {
            for layer3_slots in [0, 0xffff] {
                for log_level in [None, Some(log::Level::Trace)] {
                    let settings = Box::new(Settings {
                        slot_multiplier,
                        layer3_slots,
                        lanes: 32,
                        probe_port,
                        ..*ports
                    });
                    all.push(LoadOptions {
                        programs: Programs::ALL,
                        settings,
                        log_level,
                    });
                }
            }
        }
    }
    all
}

#[test]
#[ignore = "needs a kernel"]
fn the_verifier_accepts_every_setting_and_follows_no_more_than_it_did() {
    let mut counts: BTreeMap<&str, Verified> = BTreeMap::new();
    for options in every_setting() {
        let loaded = load(options.clone()).unwrap_or_else(|error| panic!("{options:?}: {error}"));
        for program in PROGRAMS {
            let program_info = loaded.ebpf.program(program).expect(program).info();
            let count = program_info.expect("loaded").verified_instruction_count();
            let count = count.expect("Linux 5.16 and later tell");
            let verified = counts.entry(program).or_insert(Verified {
                least: count,
                most: count,
            });
            verified.least = verified.least.min(count);
            verified.most = verified.most.max(count);
        }
    }
    // Read by `cargo xtask kernels`.
    for (program, Verified { least, most }) in &counts {
        println!("verified {program} {least} {most}");
    }
    let (major, minor) = Host::look().kernel;
    let baseline: Baseline = toml::from_str(BASELINE).expect("verified.toml");
    let baseline = baseline.get(&format!("{major}.{minor}"));
    for (program, verified) in counts {
        match baseline.and_then(|kernel| kernel.get(program)) {
            Some(baseline) => assert!(
                verified.within(*baseline),
                "{program}: {verified:?}, and the baseline is {baseline:?}; if that is meant, \
                 `cargo xtask kernels --record` writes a new one"
            ),
            None => assert!(verified.most <= MOST, "{program}: {verified:?}"),
        }
    }
}

#[test]
fn growth_beyond_the_baseline_is_noticed() {
    let baseline = Verified {
        least: 100_000,
        most: 200_000,
    };
    let grown = |least, most| Verified { least, most }.within(baseline);
    assert!(grown(115_000, 230_000));
    assert!(!grown(115_001, 200_000));
    assert!(!grown(100_000, 230_001));
}

#[test]
fn the_baseline_has_every_program_on_every_kernel() {
    let baseline: Baseline = toml::from_str(BASELINE).expect("verified.toml");
    assert!(baseline.len() >= 3, "{baseline:?}");
    for (kernel, programs) in baseline {
        for program in PROGRAMS {
            assert!(programs.contains_key(program), "{program} on {kernel}");
        }
    }
}
