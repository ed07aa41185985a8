//! The page in a real browser.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::chromium::Chromium;
use crate::client::{Served, serve};
use crate::tools::is_there;
use crate::views::{SERVER, failing, healthy, now_ms};

const CONTRAST: &str = include_str!("contrast.js");
/// Contrast of text that is not large (WCAG 2.2, 1.4.3).
const ENOUGH: f64 = 4.5;
const SCHEMES: [&str; 2] = ["light", "dark"];
const HEADING: &str = "document.querySelector('#verdict h1').innerText";

fn open(name: &str, served: &Served) -> Option<Chromium> {
    is_there("chromium", "chromium").then(|| {
        let browser = Chromium::start(name);
        browser.show(1200, 900, "light");
        browser.open(&origin(served));
        browser
    })
}

fn origin(served: &Served) -> String {
    format!("http://{}/", served.address)
}

/// Where pictures are kept.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/pictures")
}

/// The picture in README.md: `SENSOR_PICTURES=write` writes it anew.
#[test]
fn the_picture_of_the_documents_is_there_and_small() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures/page.png");
    if std::env::var_os("SENSOR_PICTURES").is_some_and(|what| what == "write") {
        let served = serve(failing(3, now_ms()));
        let browser = open("picture", &served).expect("chromium");
        browser.show(1040, 720, "light");
        browser.wait_for("innerWidth === 1040");
        browser.picture(&path);
    }
    let size = std::fs::metadata(path).expect("a picture").len();
    assert!((1_000..150_000).contains(&size), "{size} bytes");
}

/// No request went elsewhere, and the console is silent.
fn is_at_peace(browser: &Chromium, served: &Served) {
    let (asked, complaints) = browser.asked_and_complaints();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(asked.len() >= 4, "{asked:?}");
    let origin = origin(served);
    let elsewhere: Vec<&String> = asked
        .iter()
        .filter(|url| !url.starts_with(&origin))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn a_staged_incident_shows_within_two_seconds_and_is_spoken_once() {
    let served = serve(healthy(3, now_ms()));
    let Some(browser) = open("staged", &served) else {
        return;
    };
    browser.wait_for(&format!("{HEADING}.includes('DNS is all right')"));
    let start = Instant::now();
    served.view.send_replace(Arc::new(failing(3, now_ms())));
    browser.wait_for(&format!("{HEADING}.includes('DNS FAILS at {SERVER}')"));
    let took = start.elapsed();
    println!("the staged incident showed after {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(browser.value("verdict.getAttribute('aria-live')"), "polite");
    assert_eq!(browser.value("document.title"), "\u{2717} FAILING - sensor");
    let row = "document.querySelector('#rows tr').innerText";
    assert!(
        browser
            .value(row)
            .as_str()
            .is_some_and(|row| row.contains("FAILING"))
    );
    // Numbers change, the verdict does not: nothing is spoken.
    let mut next = failing(3, now_ms());
    next.incidents = served.view.borrow().incidents.clone();
    let id = next.incidents[0].id.clone();
    let mut first = (*next.servers[0]).clone();
    first.now.queries = 99.0;
    first.incident = Some(id);
    next.servers[0] = Arc::new(first);
    served.view.send_replace(Arc::new(next));
    browser.wait_for(&format!("{HEADING}.includes('99 q/s')"));
    assert_eq!(browser.value("verdict.getAttribute('aria-live')"), "off");
    served.view.send_replace(Arc::new(healthy(3, now_ms())));
    browser.wait_for(&format!("{HEADING}.includes('DNS is all right')"));
    assert_eq!(browser.value("verdict.getAttribute('aria-live')"), "polite");
    is_at_peace(&browser, &served);
}

#[test]
fn text_can_be_read_in_both_schemes_and_nothing_is_cut_off_at_360_pixels() {
    let view = failing(12, now_ms());
    let id = view.incidents[0].id.clone();
    let served = serve(view);
    let Some(browser) = open("looks", &served) else {
        return;
    };
    for (page, path) in [
        ("page", String::new()),
        ("report", format!("incidents/{id}")),
    ] {
        browser.open(&format!("{}{path}", origin(&served)));
        for scheme in SCHEMES {
            for (width, height) in [(360, 740), (1200, 900)] {
                browser.show(width, height, scheme);
                let dark = format!("matchMedia('(prefers-color-scheme: {scheme})').matches");
                browser.wait_for(&format!("innerWidth === {width} && {dark}"));
                let what = format!("{page}-{scheme}-{width}");
                browser.picture(&pictures().join(format!("{what}.png")));
                let wide = browser.value("document.documentElement.scrollWidth");
                assert_eq!(wide, width, "{what} is wider than its window");
                let worst = browser.value(CONTRAST);
                println!("{what}: least contrast {worst}");
                assert!(worst["checked"].as_u64() > Some(20), "{what}: {worst}");
                assert!(worst["ratio"].as_f64() >= Some(ENOUGH), "{what}: {worst}");
            }
        }
    }
    is_at_peace(&browser, &served);
}

#[test]
fn all_can_be_done_with_the_keyboard_alone() {
    let served = serve(failing(3, now_ms()));
    let Some(browser) = open("keyboard", &served) else {
        return;
    };
    let focused = "(document.activeElement.innerText || '').trim()";
    let tab_to = |name: &str| {
        for _ in 0..30 {
            browser.press("Tab");
            if browser.value(focused) == name {
                return;
            }
        }
        panic!("no way to {name:?} by the Tab key");
    };
    browser.press("Tab");
    assert_eq!(browser.value(focused), "Skip to the servers");
    let column = "[...document.querySelectorAll('#rows tr')].map((row) => row.cells[0].innerText.trim()).join(' ')";
    assert_eq!(browser.value(column), "192.0.2.53 192.0.2.54 192.0.2.55");
    tab_to("q/s");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.value(outline), "solid", "focus cannot be seen");
    browser.press("Enter");
    assert_eq!(browser.value(column), "192.0.2.55 192.0.2.54 192.0.2.53");
    let sort = "document.activeElement.parentElement.getAttribute('aria-sort')";
    assert_eq!(browser.value(sort), "descending");
    // The order outlasts an update, and so does focus.
    let mut next = (**served.view.borrow()).clone();
    let mut last = (*next.servers[2]).clone();
    last.now.queries = 1.0;
    next.servers[2] = Arc::new(last);
    served.view.send_replace(Arc::new(next));
    let moved = format!("{column} === '192.0.2.54 192.0.2.53 192.0.2.55'");
    browser.wait_for(&moved);
    assert_eq!(browser.value(focused), "q/s");
    browser.press("Enter");
    assert_eq!(browser.value(sort), "ascending");
    tab_to(SERVER);
    browser.press("Enter");
    browser.wait_for("document.querySelector('h1').innerText.startsWith('DNS incident')");
    tab_to("HTML");
    let kept = browser.value("document.activeElement.getAttribute('href')");
    let path = format!("/incidents/{}", kept.as_str().expect("a link"));
    let answer = served.get(&path);
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment; filename=\"sensor-")
    );
    assert!(answer.body.contains("<style>"));
    tab_to("All servers");
    browser.press("Enter");
    browser.wait_for("document.getElementById('rows')");
    is_at_peace(&browser, &served);
}

#[test]
fn without_a_script_it_is_a_snapshot_that_refreshes() {
    let served = serve(healthy(3, now_ms()));
    let Some(browser) = open("snapshot", &served) else {
        return;
    };
    let off = serde_json::json!({ "value": true });
    browser.call("Emulation.setScriptExecutionDisabled", &off);
    browser.open(&origin(&served));
    browser.wait_for(&format!("{HEADING}.includes('DNS is all right')"));
    served.view.send_replace(Arc::new(failing(3, now_ms())));
    let took = browser.wait_for(&format!("{HEADING}.includes('DNS FAILS')"));
    println!("the snapshot was refreshed after {took:?}");
    assert_eq!(
        browser.value("document.querySelectorAll('#rows tr').length"),
        3
    );
    is_at_peace(&browser, &served);
}

#[test]
fn a_name_from_the_network_cannot_become_markup() {
    let mut view = failing(1, now_ms());
    let mut record = (*view.incidents[0]).clone();
    let bad = "<img src=x onerror=alert(1)>{rows}";
    record.symptoms[0].detail = bad.into();
    record.symptoms[0].title = bad.into();
    record.server = Some(bad.into());
    view.incidents = vec![Arc::new(record)];
    view.lost_hooks = vec![bad.into()];
    let served = serve(view);
    let page = served.get("/").body;
    assert!(!page.contains("<img") && page.contains("&lt;img"));
    // A part is filled in once, whatever stands in the data.
    assert_eq!(page.matches("data-server=").count(), 1);
}
