//! TC programs as clsact filters, as on kernels without TCX: what belongs to whom, and what happens when
//! somebody else removes or replaces a filter. Every kernel has clsact, so this runs on all of them.

mod support;

use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use aya::programs::tc::{self, NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::{SchedClassifier, TcAttachType};
use sensor::engine::Engine;
use sensor::engine::kernel::clsact::{Clsact, ClsactError};
use sensor::engine::kernel::engine::{KernelEngine, KernelError, WatchOptions};
use sensor::engine::kernel::hook::{AttachError, HookChoice};
use sensor::engine::kernel::interface::Interface;
use sensor::engine::kernel::leftover::Leftover;
use sensor::engine::kernel::load::{LoadOptions, Loaded, Programs, load};
use sensor::engine::settings::for_ports;
use sensor::engine::status::LinkState;
use sensor::stage::namespace::Namespace;
use sensor_common::names::PROGRAM_INGRESS;
use sensor_common::settings::Direction;
use support::clsact::{clsact, filters, handles, has_clsact, remove_filters};
use support::exchange::{QUERIES, counted, detached, exchange, look};
use support::lab::{Pair, SERVER_DEVICE, options, watch};

const SENSOR: &str = env!("CARGO_BIN_EXE_sensor");

fn interfaces(namespace: &Namespace) -> Vec<Interface> {
    let all = namespace.block_on(Interface::all).expect("entered");
    all.expect("told")
}

fn program_id(engine: &mut KernelEngine) -> u32 {
    let program = engine
        .loaded()
        .ebpf
        .program(PROGRAM_INGRESS)
        .expect("it is in the object");
    program.info().expect("it is loaded").id()
}

#[test]
#[ignore = "needs a kernel"]
fn clsact_counts_both_directions_and_leaves_nothing_behind() {
    let pair = Pair::new();
    assert!(!has_clsact(&pair.server));
    let mut engine = watch(&pair.server, &clsact(HookChoice::Tc)).expect("watching");
    assert_eq!(filters(&pair.server), 2);
    let reason = &engine.attached()[0].reason;
    assert!(
        reason.contains("clsact"),
        "it is told at the start: {reason}"
    );
    exchange(&pair);
    assert_eq!(counted(&mut engine), (QUERIES, QUERIES));
    look(&mut engine, LinkState::Up);
    assert_eq!(engine.status().lost, [""; 0]);
    // Also from a thread in another namespace: this one.
    drop(engine);
    assert!(!has_clsact(&pair.server), "the qdisc that it added");
}

#[test]
#[ignore = "needs a kernel"]
fn a_second_sensor_is_refused_with_who_holds_the_interface() {
    for (first_hook, second_hook) in [
        (HookChoice::Tc, HookChoice::Tc),
        // Of these, one wants ingress alone for itself, but both want egress.
        (HookChoice::Xdp, HookChoice::Tc),
        (HookChoice::Tc, HookChoice::Xdp),
    ] {
        let pair = Pair::new();
        let mut first = watch(&pair.server, &clsact(first_hook)).expect("the first");
        let filters_of_first = filters(&pair.server);
        let refused = watch(&pair.server, &clsact(second_hook)).err();
        let refused = refused.expect("there is one place in each direction");
        assert!(
            matches!(
                &refused,
                KernelError::Attach(AttachError::Clsact {
                    source: ClsactError::Held { .. },
                    ..
                })
            ),
            "{refused}"
        );
        let text = refused.to_string();
        assert!(
            text.contains("--take-over") && text.contains("0x53"),
            "{text}"
        );
        assert!(
            text.contains(&format!("pid {}", std::process::id())),
            "{text}"
        );
        if first_hook == HookChoice::Tc && second_hook == HookChoice::Tc {
            let id = program_id(&mut first);
            assert!(text.contains(&format!("program id {id}")), "{text}");
        }
        // The first has lost nothing.
        assert_eq!(filters(&pair.server), filters_of_first);
        exchange(&pair);
        assert_eq!(counted(&mut first), (QUERIES, QUERIES), "{first_hook:?}");
        look(&mut first, LinkState::Up);
        assert_eq!(detached(&first), []);
    }
}

#[test]
#[ignore = "needs a kernel"]
fn taking_over_is_told_to_the_one_that_loses_its_place() {
    let pair = Pair::new();
    let mut first = watch(&pair.server, &clsact(HookChoice::Tc)).expect("the first");
    let take_over = WatchOptions {
        take_over: true,
        ..clsact(HookChoice::Tc)
    };
    let mut second = watch(&pair.server, &take_over).expect("the second");
    exchange(&pair);
    assert_eq!(counted(&mut second), (QUERIES, QUERIES));
    look(&mut first, LinkState::Detached);
    assert_eq!(detached(&first), [Direction::Ingress, Direction::Egress]);
    let lost = first.status().lost.clone();
    assert_eq!(lost.len(), 2, "{lost:?}");
    let id = program_id(&mut second);
    let who = format!(
        "replaced by program id {id} (a sensor, pid {})",
        std::process::id()
    );
    assert!(lost[0].contains(&who), "{lost:?}");
    // It is told once.
    look(&mut first, LinkState::Detached);
    assert_eq!(first.status().lost, lost);
    // And it does not remove what is no longer its own.
    drop(first);
    exchange(&pair);
    assert_eq!(counted(&mut second), (2 * QUERIES, 2 * QUERIES));
    look(&mut second, LinkState::Up);
    assert_eq!(detached(&second), []);
    drop(second);
    assert!(
        !has_clsact(&pair.server),
        "added for the first, it went with the last"
    );
}

#[test]
#[ignore = "needs a kernel"]
fn a_take_over_that_cannot_be_whole_takes_nothing() {
    let pair = Pair::new();
    let mut first = watch(&pair.server, &clsact(HookChoice::Xdp)).expect("the first");
    let take_over = WatchOptions {
        take_over: true,
        ..clsact(HookChoice::Xdp)
    };
    let refused = watch(&pair.server, &take_over).err();
    let refused = refused.expect("the link of the first cannot be taken");
    assert!(
        matches!(&refused, KernelError::Attach(AttachError::XdpTaken { .. })),
        "{refused}"
    );
    look(&mut first, LinkState::Up);
    assert_eq!(detached(&first), []);
    exchange(&pair);
    assert_eq!(counted(&mut first), (QUERIES, QUERIES));
}

#[test]
#[ignore = "needs a kernel"]
fn a_filter_that_was_removed_is_told_in_its_direction_alone() {
    for (hook, direction) in [
        (HookChoice::Tc, Direction::Ingress),
        (HookChoice::Tc, Direction::Egress),
        (HookChoice::Xdp, Direction::Egress),
    ] {
        let pair = Pair::new();
        let mut engine = watch(&pair.server, &clsact(hook)).expect("watching");
        remove_filters(&pair.server, direction);
        look(&mut engine, LinkState::Up);
        assert_eq!(detached(&engine), [direction], "{hook:?}");
        assert!(engine.status().is_partly_blind());
        // Half of it is still there.
        let lost = &engine.status().lost;
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert!(
            lost[0].contains("is detached: its filter was removed"),
            "{lost:?}"
        );
        exchange(&pair);
        let expected = match direction {
            Direction::Ingress => (0, QUERIES),
            Direction::Egress => (QUERIES, 0),
        };
        assert_eq!(counted(&mut engine), expected, "{hook:?}");
    }
}

#[test]
#[ignore = "needs a kernel"]
fn a_deleted_interface_is_gone_and_nothing_on_it_is_missed() {
    for hook in [HookChoice::Tc, HookChoice::Xdp] {
        let pair = Pair::new();
        let mut engine = watch(&pair.server, &clsact(hook)).expect("watching");
        pair.server.delete(SERVER_DEVICE).expect("deleted");
        look(&mut engine, LinkState::Gone);
        assert_eq!(
            detached(&engine),
            [Direction::Ingress, Direction::Egress],
            "{hook:?}"
        );
    }
}

#[test]
#[ignore = "needs a kernel"]
fn a_queueing_discipline_of_others_and_their_filters_stay() {
    // Added by somebody else before us.
    let pair = Pair::new();
    let added = pair.server.enter(|| tc::qdisc_add_clsact(SERVER_DEVICE));
    added.expect("entered").expect("added");
    drop(watch(&pair.server, &clsact(HookChoice::Tc)).expect("watching"));
    assert!(has_clsact(&pair.server));
    assert_eq!(filters(&pair.server), 0);

    // Added by us, and used by somebody else since.
    let pair = Pair::new();
    let engine = watch(&pair.server, &clsact(HookChoice::Tc)).expect("watching");
    let other = other_filter(&pair, TcAttachType::Ingress, 7, TcHandle::AUTO_ASSIGN);
    drop(engine);
    assert!(has_clsact(&pair.server));
    assert_eq!(filters(&pair.server), 1);
    pair.server.enter(|| drop(other)).expect("entered");
}

/// Programs of a sensor that are attached to nothing.
fn loaded() -> Loaded {
    let settings = for_ports(&[]).expect("port 53");
    let log_level = None;
    load(LoadOptions {
        programs: Programs {
            ingress: true,
            ..Programs::default()
        },
        settings,
        log_level,
    })
    .expect("a kernel")
}

/// A filter that is no sensor's, as aya adds them. It goes when its link is dropped in the namespace.
fn other_filter(
    pair: &Pair,
    direction: TcAttachType,
    priority: u16,
    handle: TcHandle,
) -> SchedClassifierLink {
    let mut loaded = loaded();
    let program = loaded.ebpf.program_mut(PROGRAM_INGRESS);
    let program: &mut SchedClassifier = program.expect("a program").try_into().expect("of TC");
    let options = TcAttachOptions::Netlink(NlOptions {
        priority,
        handle,
        ..NlOptions::default()
    });
    let attached = pair.server.enter(|| {
        let id = program.attach_with_options(SERVER_DEVICE, direction, options);
        // Otherwise it would go with the program.
        program.take_link(id.expect("attached")).expect("ours")
    });
    attached.expect("entered")
}

#[test]
#[ignore = "needs a kernel"]
fn a_filter_of_others_at_our_priority_runs_behind() {
    let pair = Pair::new();
    let first = watch(&pair.server, &clsact(HookChoice::Tc)).expect("watching");
    let other = other_filter(&pair, TcAttachType::Ingress, 1, TcHandle::AUTO_ASSIGN);
    drop(first);
    let engine = watch(&pair.server, &clsact(HookChoice::Tc)).expect("watching");
    let handles = handles(&pair.server, Direction::Ingress);
    assert_eq!(handles.len(), 2);
    assert_eq!(handles[0], 0x53, "the newest of a priority runs first");
    drop(engine);
    pair.server.enter(|| drop(other)).expect("entered");
}

#[test]
#[ignore = "needs a kernel"]
fn a_place_that_is_taken_by_others_is_not_taken_over() {
    let pair = Pair::new();
    // Where a sensor's would be, with a name that is no sensor's.
    let engine = watch(&pair.server, &clsact(HookChoice::Tc)).expect("watching");
    remove_filters(&pair.server, Direction::Egress);
    let other = other_filter(&pair, TcAttachType::Egress, 1, TcHandle::new(0, 0x53));
    drop(engine);
    let take_over = WatchOptions {
        take_over: true,
        ..clsact(HookChoice::Tc)
    };
    let refused = watch(&pair.server, &take_over).err().expect("it is taken");
    let text = refused.to_string();
    assert!(text.contains("tc filter del dev server0 egress"), "{text}");
    assert_eq!(filters(&pair.server), 1, "{text}");
    pair.server.enter(|| drop(other)).expect("entered");
}

/// Tells the test that it is a process of its own, to be killed.
const TO_BE_KILLED: &str = "SENSOR_TEST_TO_BE_KILLED";

/// Starts a process that watches with clsact filters, in the namespace of the server, and kills it.
fn kill_a_sensor(pair: &Pair) {
    let spawned = pair.server.enter(|| {
        Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("what_a_killed_sensor_leaves_is_removed")
            .env(TO_BE_KILLED, "")
            .stdout(Stdio::piped())
            .spawn()
    });
    let mut child: Child = spawned.expect("entered").expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let attached = lines.any(|line| line.expect("text").ends_with("attached"));
    assert!(attached, "it never attached");
    // It runs, so nothing is left behind yet.
    assert_eq!(leftovers(pair), []);
    child.kill().expect("killed");
    child.wait().expect("it ended");
}

fn leftovers(pair: &Pair) -> Vec<Leftover> {
    let all = interfaces(&pair.server);
    let found = pair.server.enter(|| Leftover::all(&all));
    found.expect("entered").expect("told")
}

#[test]
#[ignore = "needs a kernel"]
fn what_a_killed_sensor_leaves_is_removed() {
    if std::env::var_os(TO_BE_KILLED).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let options = clsact(HookChoice::Tc);
        let _engine = runtime
            .block_on(KernelEngine::watch(&options))
            .expect("watching");
        println!("attached");
        loop {
            std::thread::park();
        }
    }
    let pair = Pair::new();
    kill_a_sensor(&pair);
    assert_eq!(filters(&pair.server), 2);
    assert_eq!(leftovers(&pair).len(), 2);

    // By `doctor`, which tells of them without `--clean`.
    let doctor = |argument: &str| {
        let run = pair
            .server
            .enter(|| Command::new(SENSOR).args(["doctor", argument]).output());
        let output = run.expect("entered").expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = doctor("--output=text");
    assert!(
        text.contains("leftover") && text.contains("doctor --clean"),
        "{text}"
    );
    assert_eq!(filters(&pair.server), 2);
    let text = doctor("--clean");
    assert!(text.contains("removed server0 ingress"), "{text}");
    assert!(text.contains("removed server0 egress"), "{text}");
    assert!(!has_clsact(&pair.server), "the qdisc that it had added");
    assert!(doctor("--clean").contains("nothing to remove"));

    // By the next sensor on that interface.
    kill_a_sensor(&pair);
    let mut engine = watch(&pair.server, &clsact(HookChoice::Tc)).expect("its place is free");
    exchange(&pair);
    assert_eq!(counted(&mut engine), (QUERIES, QUERIES));
    assert_eq!(filters(&pair.server), 2);
    drop(engine);
    assert!(!has_clsact(&pair.server));

    // By the next sensor on another one.
    kill_a_sensor(&pair);
    pair.server.up("lo").expect("loopback");
    drop(watch(&pair.server, &options("lo", HookChoice::Tc)).expect("watching"));
    assert!(!has_clsact(&pair.server));
}

#[test]
#[ignore = "needs a kernel"]
fn what_was_left_between_start_and_attach_is_removed_too() {
    let pair = Pair::new();
    kill_a_sensor(&pair);
    let all = interfaces(&pair.server);
    let server = all.iter().find(|interface| interface.name == SERVER_DEVICE);
    let server = server.expect("the device");
    let mut loaded = loaded();
    let program = loaded.ebpf.program_mut(PROGRAM_INGRESS).expect("a program");
    let id = program.info().expect("it is loaded").id();
    let attached = pair.server.enter(|| {
        let mut clsact = Clsact::new(server).expect("netlink");
        clsact
            .vacate(Direction::Ingress, false)
            .expect("its owner is dead");
        let fd = program.fd().expect("it is loaded").as_fd();
        clsact
            .attach(Direction::Ingress, fd, id)
            .expect("the place is free");
        clsact
    });
    let clsact = attached.expect("entered");
    assert_eq!(clsact.lost(Direction::Ingress).expect("told"), None);
}
