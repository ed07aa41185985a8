//! The full screen as a user has it: the real program in a pseudo-terminal.

#[path = "support/screen.rs"]
mod screen;

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use regex::Regex;
use screen::Screen;

/// Longer than it takes on a busy machine; then the screen says what is missing.
const LONG: Duration = Duration::from_secs(30);

fn has(part: &'static str) -> impl Fn(&[String]) -> bool {
    move |rows| rows.iter().any(|row| row.contains(part))
}

/// Rows 2 and 3 tell the outage. For its first ten seconds it is below paging level, and called degraded.
fn told(rows: &[String]) -> bool {
    rows[1].contains(" at 192.0.2.53 ") && rows[2].contains("service down")
}

/// What rows 1 to 3 must tell of an outage, wherever it comes from.
fn reads_the_outage(rows: &[String]) {
    let head = rows[..3].join("\n");
    let verdict = Regex::new(
        r"(?m)^. DNS (?:FAILS|is degraded) at (?<server>\S+) for (?<since>\d+m?\d*s): (?<rest>.*)",
    );
    let found = verdict.expect("a pattern");
    let found = found.captures(&head).unwrap_or_else(|| panic!("{head}"));
    assert_eq!(&found["server"], "192.0.2.53", "{head}");
    let much = Regex::new(r"[\d.]+ % of (the last )?\d+").expect("a pattern");
    assert!(much.is_match(&found["rest"]), "{head}");
    let symptom = Regex::new("ICMP port unreach").expect("a pattern");
    assert!(symptom.is_match(&found["rest"]), "{head}");
    let why = Regex::new(r"(?m)^  why (?<cause>[a-z ]+) \((?<weight>\d+)").expect("a pattern");
    let why = why.captures(&head).unwrap_or_else(|| panic!("{head}"));
    assert_eq!(&why["cause"], "service down", "{head}");
    assert!(why["weight"].parse::<u32>().expect("a number") >= 10);
    assert!(rows[0].contains("lost 0"), "{head}");
}

#[test]
fn the_recorded_outage_is_read_from_the_first_three_rows_and_reported_at_the_end() {
    let mut screen = Screen::start(&["demo", "--recorded"], 120, 30);
    let first = screen.wait("a verdict", LONG, |rows| {
        rows.get(1).is_some_and(|row| row.contains("too early"))
    });
    println!("first verdict after {first:?}");
    screen.wait("the cause", LONG, told);
    assert!(screen.is_full());
    reads_the_outage(&screen.rows());
    screen.wait("the report", LONG, has("## Likely cause"));
    assert!(screen.ends(LONG));
    assert!(!screen.is_full());
}

/// As above, on a live private network.
#[test]
#[ignore = "needs a kernel and its privileges"]
fn the_staged_outage_is_read_from_the_first_three_rows() {
    let mut screen = Screen::start(&["demo"], 120, 30);
    screen.wait("the cause", LONG, told);
    reads_the_outage(&screen.rows());
    assert!(screen.rows()[0].contains("xdp"), "{}", screen.rows()[0]);
    screen.press("q");
    assert!(screen.ends(LONG));
}

#[test]
fn a_capture_is_played_stopped_and_sought() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.pcap");
    let mut screen = Screen::start(&["replay", capture, "--screen"], 120, 24);
    screen.wait("it plays", LONG, has("playing x1"));
    screen.press(" ");
    screen.wait("it stands still", LONG, has("stopped x1"));
    let at = screen.rows().last().cloned();
    // Forward, while it stands still: all up to there is counted at once.
    screen.press("\x1b[C");
    screen.wait("the outage", LONG, told);
    assert_ne!(screen.rows().last().cloned(), at);
    // Back: played from the start again.
    screen.press("\x1b[D");
    screen.wait("before the outage", LONG, |rows| {
        !told(rows) && rows[23].contains("stopped")
    });
    screen.press("+");
    screen.wait("faster", LONG, has("x2"));
    screen.press(" ");
    screen.wait("its end", LONG, has("at its end"));
    reads_the_outage(&screen.rows());
    screen.press("q");
    assert!(screen.ends(LONG));
    assert!(!screen.is_full());
}

#[test]
fn a_key_is_answered_within_50_ms() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.pcap");
    let mut screen = Screen::start(&["replay", capture, "--screen"], 80, 24);
    screen.wait("it plays", LONG, has("192.0.2.53"));
    let mut times = Vec::new();
    for _ in 0..10 {
        for (key, shows, hides) in [("6", "lost since", "trend"), ("1", "trend", "lost since")] {
            screen.press(key);
            // A frame may be half written.
            let whole = |rows: &[String]| has(shows)(rows) && !has(hides)(rows);
            times.push(screen.wait("the tab", LONG, whole));
        }
    }
    times.sort();
    println!("median {:?}, worst {:?}", times[10], times[19]);
    // The median: other work runs beside the tests.
    assert!(times[10] < Duration::from_millis(50), "{times:?}");
}

#[test]
fn the_terminal_is_given_back_whatever_ends_it() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut screen = Screen::start(&["demo", "--recorded"], 80, 24);
        screen.wait("the screen", LONG, has("1 Servers"));
        kill(Pid::from_raw(screen.pid()), signal).expect("sent");
        assert!(screen.ends(LONG), "{signal}");
        assert!(!screen.is_full(), "{signal}");
    }
}

#[test]
fn a_terminal_that_does_not_read_keeps_nobody() {
    let mut deaf = Screen::deaf(&["demo", "--recorded"], 120, 30);
    deaf.press_until_blocked("61", LONG);
    kill(Pid::from_raw(deaf.pid()), Signal::SIGTERM).expect("sent");
    assert!(deaf.ends(Duration::from_secs(10)));
}

#[test]
fn capital_q_leaves_the_last_screen_behind() {
    let mut screen = Screen::start(&["demo", "--recorded"], 80, 24);
    screen.wait("the screen", LONG, has("192.0.2.53"));
    screen.press("Q");
    assert!(screen.ends(LONG));
    screen.wait("the last screen", LONG, has("1 Servers"));
    assert!(!screen.is_full());
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let screen = Screen::start(&["demo", "--recorded"], 120, 30);
    screen.wait("the wide screen", LONG, has("sources"));
    screen.resize(40, 6);
    screen.wait("the small screen", LONG, |rows| {
        !has("Servers")(rows)
            && rows
                .iter()
                .any(|row| row.contains("early") || row.contains("DNS"))
    });
    screen.resize(1, 1);
    screen.resize(80, 24);
    screen.wait("the common screen", LONG, has("1 Servers"));
}

#[test]
fn it_is_drawn_anew_when_a_stopped_process_goes_on() {
    let mut screen = Screen::start(&["demo", "--recorded"], 80, 24);
    screen.wait("the screen", LONG, has("1 Servers"));
    let pid = Pid::from_raw(screen.pid());
    kill(pid, Signal::SIGSTOP).expect("sent");
    screen.scribble();
    assert!(!has("1 Servers")(&screen.rows()));
    kill(pid, Signal::SIGCONT).expect("sent");
    screen.wait("the screen again", LONG, has("1 Servers"));
    screen.press("q");
    assert!(screen.ends(LONG));
}

#[test]
fn a_dumb_terminal_and_plain_have_lines() {
    let mut screen = Screen::start(&["demo", "--recorded", "--plain"], 120, 30);
    screen.wait("lines", LONG, has("queries"));
    assert!(!screen.is_full());
    screen.press("\x03");
    assert!(screen.ends(LONG));
}
