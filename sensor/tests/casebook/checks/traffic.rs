//! Who sends what, and when.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sensor::engine::replay::host_engine::HostEngine;
use sensor::engine::settings::for_ports;
use sensor_common::class::Class;
use sensor_common::totals::Totals;
use sensor_ebpf::parse::Link;

use super::Check;
use crate::format::Situation;
use crate::frames::Frame;
use crate::load;
use crate::pcap::BEGIN;
use crate::traffic::frames;

pub fn all() -> Vec<Check> {
    vec![
        ("what is asked is counted as queries and answers", counted),
        ("random times keep the rate", rates),
        ("points of a rate are reached", points),
        (
            "an unanswered query is sent again, the same, when it should be",
            copies,
        ),
        ("of the fates that match the last one decides", last_decides),
        ("a pause is answered when it is over, in order", pause),
        ("a limit of errors is kept for each destination", limits),
        ("a server has the capacity that it has", capacity),
        (
            "a resolver asks others for what it does not know",
            recursion,
        ),
        (
            "a client comes over TCP after a truncated answer",
            truncation,
        ),
        ("the same over IPv6 is the same", over_ipv6),
        ("a run is like every other", repeatable),
    ]
}

fn situations(body: &str) -> Result<Vec<Situation>> {
    let head = "title = \"test\"\nlasts = \"60s\"\n[expect]\nfirst_cause = [\"none\"]\n";
    load::situations(&format!("{head}{body}"))
}

fn run(body: &str) -> Result<Vec<Frame>> {
    let situations = situations(body)?;
    Ok(frames(situations.first().context("one")?))
}

/// What the engine counts.
fn totals(frames: &[Frame]) -> Result<Totals> {
    let mut engine = HostEngine::new("check", for_ports(&[53])?);
    for frame in frames {
        engine.set_time(BEGIN + frame.at);
        engine.count(&frame.bytes, Link::Ethernet);
    }
    Ok(*engine.totals())
}

/// Class, and how many of them.
fn class(totals: &Totals, class: Class) -> u64 {
    totals.classes[class as usize]
}

const ASK: &str = "[[ask]]\nclients = \"198.51.100.10 x4\"\nservers = \"192.0.2.53\"\n";

fn counted() -> Result<()> {
    let frames = run(&format!("{ASK}rate = 10\nregular = true\n"))?;
    let totals = totals(&frames)?;
    ensure!(class(&totals, Class::DnsQuery) == 600);
    ensure!(class(&totals, Class::DnsResponse) == 600);
    ensure!(totals.seen == 1_200, "{}", totals.seen);
    ensure!(frames.is_sorted_by_key(|frame| frame.at));
    Ok(())
}

fn rates() -> Result<()> {
    for rate in [2_u64, 50, 2_000] {
        let frames = run(&format!("{ASK}rate = {rate}\n"))?;
        let queries = class(&totals(&frames)?, Class::DnsQuery);
        let deviation = (rate * 60).isqrt() * 4;
        let usual = rate * 60 - deviation..rate * 60 + deviation;
        ensure!(usual.contains(&queries), "{queries} at {rate} a second");
    }
    Ok(())
}

fn points() -> Result<()> {
    let rate = "rate = [[\"0s\", 0], [\"20s\", 100], [\"20s\", 0], [\"40s\", 0], [\"40s\", 10], [\"60s\", 10]]\n";
    let frames = run(&format!("{ASK}{rate}regular = true\n"))?;
    let within = |from: u64, to: u64| {
        let span = Duration::from_secs(from)..Duration::from_secs(to);
        frames
            .iter()
            .filter(|frame| span.contains(&frame.at))
            .count()
            / 2
    };
    ensure!((990..=1_010).contains(&within(0, 20)), "{}", within(0, 20));
    ensure!(within(21, 40) == 0);
    ensure!((198..=201).contains(&within(40, 60)), "{}", within(40, 60));
    Ok(())
}

fn copies() -> Result<()> {
    let frames = run(&format!(
        "{ASK}count = 1\nat = \"1s..2s\"\nretry = [\"2s\", \"5s\"]\n[[fate]]\ndrop = true\n"
    ))?;
    let times: Vec<u64> = frames.iter().map(|frame| frame.at.as_secs()).collect();
    ensure!(times == [1, 3, 8], "{times:?}");
    ensure!(
        frames[0].bytes[34..] == frames[2].bytes[34..],
        "another id or port"
    );
    let frames = run(&format!(
        "{ASK}count = 1\nat = \"1s..2s\"\nretry = [\"2s\"]\n[[fate]]\ncopy = 1\ndrop = true\n"
    ))?;
    ensure!(frames.len() == 3, "the second copy is answered");
    Ok(())
}

fn last_decides() -> Result<()> {
    let frames = run(&format!(
        "{ASK}rate = 10\nregular = true\n\
         [[fate]]\nanswer = {{ rcode = \"servfail\" }}\n\
         [[fate]]\nclients = \"198.51.100.10\"\nanswer = {{ rcode = \"refused\" }}\n\
         [[fate]]\nat = \"30s..\"\nshare = 0.5\ndrop = true\n"
    ))?;
    let totals = totals(&frames)?;
    let (servfail, refused) = (totals.rcode[2], totals.rcode[5]);
    ensure!(
        (310..=365).contains(&servfail),
        "{servfail} of three clients"
    );
    ensure!((95..=130).contains(&refused), "{refused} of the fourth");
    Ok(())
}

fn pause() -> Result<()> {
    let frames = run(&format!(
        "{ASK}rate = 10\nregular = true\n[[fate]]\nat = \"20s..30s\"\npause = {{ queue = 50 }}\n"
    ))?;
    let within = |from: f64, to: f64| {
        let span = Duration::from_secs_f64(from)..Duration::from_secs_f64(to);
        let is_answer = |frame: &&Frame| frame.bytes[34..36] == [0, 53];
        let all = frames.iter().filter(is_answer);
        all.filter(|frame| span.contains(&frame.at)).count()
    };
    ensure!(within(20.01, 30.0) == 0, "answers in the pause");
    let late = within(30.0, 30.05);
    ensure!((50..=51).contains(&late), "{late} late answers");
    Ok(())
}

fn limits() -> Result<()> {
    let frames = run(&format!(
        "{ASK}rate = 100\nregular = true\n[[fate]]\n\
         reject = {{ error = \"port_unreachable\", limit = {{ per_second = 1, burst = 6 }} }}\n"
    ))?;
    let errors = class(&totals(&frames)?, Class::IcmpError);
    // Four clients: six at once and one a second each.
    ensure!((4 * 64..=4 * 66).contains(&errors), "{errors}");
    Ok(())
}

fn capacity() -> Result<()> {
    let frames = run(&format!(
        "{ASK}rate = 200\n[[fate]]\nanswer = {{ capacity = 100, queue = 10 }}\n"
    ))?;
    let answers = class(&totals(&frames)?, Class::DnsResponse);
    ensure!((5_900..=6_020).contains(&answers), "{answers}");
    Ok(())
}

fn recursion() -> Result<()> {
    let body = format!(
        "{ASK}rate = 10\nregular = true\n[[fate]]\nservers = \"192.0.2.53\"\n\
         recurse = {{ servers = \"203.0.113.1 x3\", misses = 0.5, gives_up = \"4s\", fails_with = \"servfail\" }}\n"
    );
    let totals_of = |body: &str| totals(&run(body)?);
    let totals = totals_of(&body)?;
    let upstream = class(&totals, Class::DnsQuery) - 600;
    ensure!((260..=340).contains(&upstream), "{upstream} of 600");
    ensure!(class(&totals, Class::DnsResponse) == 600 + upstream);
    let dead = format!("{body}[[fate]]\nservers = \"203.0.113.1 x3\"\ndrop = true\n");
    let totals = totals_of(&dead)?;
    ensure!(totals.rcode[2] > 200, "{} SERVFAIL", totals.rcode[2]);
    Ok(())
}

fn truncation() -> Result<()> {
    let frames = run(&format!(
        "{ASK}rate = 1\nregular = true\nedns = 0\ntcp = \"after_truncation\"\n\
         [[fate]]\nanswer = {{ size = 900, after = \"3ms\" }}\n"
    ))?;
    let totals = totals(&frames)?;
    ensure!(totals.truncated == 60, "{}", totals.truncated);
    ensure!(class(&totals, Class::DnsTcp) == 60 * 8);
    Ok(())
}

fn over_ipv6() -> Result<()> {
    let all = situations(&format!(
        "{ASK}rate = 10\n[[fate]]\nat = \"30s..\"\nreject = {{ error = \"port_unreachable\" }}\n\
         [[again]]\nbut = \"over IPv6\"\nipv6 = true\n"
    ))?;
    let [four, six] = all.as_slice() else {
        anyhow::bail!("two");
    };
    let (four, six) = (totals(&frames(four))?, totals(&frames(six))?);
    ensure!(
        four.classes == six.classes,
        "{:?} {:?}",
        four.classes,
        six.classes
    );
    ensure!(class(&six, Class::Malformed) == 0);
    Ok(())
}

fn repeatable() -> Result<()> {
    let body = format!("{ASK}rate = 50\n[[fate]]\nshare = 0.5\ndrop = true\n");
    ensure!(run(&body)? == run(&body)?);
    Ok(())
}
