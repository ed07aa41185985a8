//! Two sensors on one interface, in any mix of hooks and order: both count everything, or the second is
//! refused and the first loses nothing.

mod support;

use sensor::engine::kernel::clsact::ClsactError;
use sensor::engine::kernel::engine::{KernelEngine, KernelError, WatchOptions};
use sensor::engine::kernel::hook::{AttachError, HookChoice, TcFlavour};
use support::exchange::{QUERIES, counted, detached, exchange};
use support::lab::{Pair, SERVER_DEVICE, options, watch};

/// How a sensor attaches: its ingress hook, and how TC programs are held.
type Way = (HookChoice, TcFlavour);

/// All ways of this kernel.
fn ways() -> Vec<Way> {
    let flavours = match TcFlavour::probe().expect("it may be asked") {
        TcFlavour::Tcx => vec![TcFlavour::Tcx, TcFlavour::Clsact],
        TcFlavour::Clsact => vec![TcFlavour::Clsact],
    };
    let hooks = [HookChoice::Xdp, HookChoice::Tc];
    let with = |hook| flavours.iter().map(move |flavour| (hook, *flavour));
    hooks.into_iter().flat_map(with).collect()
}

fn start(pair: &Pair, (hook, flavour): Way) -> Result<KernelEngine, KernelError> {
    let options = WatchOptions {
        tc: Some(flavour),
        ..options(SERVER_DEVICE, hook)
    };
    watch(&pair.server, &options)
}

/// Whether two cannot be on one interface: it has one place for XDP, and one for a filter in each direction.
fn collide(first: Way, second: Way) -> bool {
    let both_xdp = first.0 == HookChoice::Xdp && second.0 == HookChoice::Xdp;
    // Each wants egress, and that is TC.
    let both_clsact = first.1 == TcFlavour::Clsact && second.1 == TcFlavour::Clsact;
    both_xdp || both_clsact
}

/// Both directions of an exchange were counted, and nothing is detached.
fn sees_all(pair: &Pair, engine: &mut KernelEngine, what: &str) {
    let (queries, responses) = counted(engine);
    exchange(pair);
    assert_eq!(
        counted(engine),
        (queries + QUERIES, responses + QUERIES),
        "{what}"
    );
    engine.look_at_hooks();
    assert_eq!(detached(engine), [], "{what}");
}

#[test]
#[ignore = "needs a kernel"]
fn two_sensors_on_an_interface_never_blind_each_other() {
    let (mut together, mut refused) = (0, 0);
    for first_way in ways() {
        let pair = Pair::new();
        let mut first = start(&pair, first_way).expect("nobody else is there");
        let mut last = None;
        for second_way in ways() {
            let what = format!("first {first_way:?}, second {second_way:?}");
            // The one that stays sees on when the other ends.
            if last.take().is_some() {
                sees_all(&pair, &mut first, &format!("{what}: the first alone"));
            }
            match start(&pair, second_way) {
                Ok(mut second) => {
                    assert!(!collide(first_way, second_way), "{what}");
                    sees_all(&pair, &mut first, &format!("{what}: the first"));
                    sees_all(&pair, &mut second, &format!("{what}: the second"));
                    last = Some(second);
                    together += 1;
                }
                Err(error) => {
                    assert!(collide(first_way, second_way), "{what}: {error}");
                    assert!(
                        matches!(
                            &error,
                            KernelError::Attach(
                                AttachError::XdpTaken { .. }
                                    | AttachError::Clsact {
                                        source: ClsactError::Held { .. },
                                        ..
                                    }
                            )
                        ),
                        "{what}: {error}"
                    );
                    sees_all(&pair, &mut first, &what);
                    refused += 1;
                }
            }
        }
        drop(first);
        if let Some(second) = &mut last {
            sees_all(&pair, second, &format!("first {first_way:?}, which ended"));
        }
    }
    // With TCX: 16 mixes, of which XDP twice is 4, clsact twice is 4, and both is 1. Without: 4 mixes.
    let expected = match TcFlavour::probe().expect("it may be asked") {
        TcFlavour::Tcx => (9, 7),
        TcFlavour::Clsact => (0, 4),
    };
    assert_eq!((together, refused), expected);
}
