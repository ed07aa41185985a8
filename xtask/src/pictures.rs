//! `cargo xtask pictures`: the full screen of a real session, as the picture in README.md.
//!
//! The demo runs in a pseudo-terminal; what a terminal would show of it is written as SVG, a row of text each.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::num::NonZero;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::process;
use crate::workspace;

const COLUMNS: NonZero<u16> = NonZero::new(100).expect("not 0");
const ROWS: NonZero<u16> = NonZero::new(18).expect("not 0");
/// A cell, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 14.0;
/// The demo ends in 20 s.
const LONGEST: Duration = Duration::from_secs(40);
const PATH: &str = "sensor/docs/pictures/screen.svg";
/// The 16 colours of xterm(1), muted for a dark background.
const COLOURS: [&str; 16] = [
    "#1c1f26", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0",
    "#5c6370", "#ff7b86", "#b5e890", "#ffd787", "#7cc5ff", "#dd8ff0", "#6fd3df", "#ffffff",
];
const FOREGROUND: &str = "#d7dae0";
const BACKGROUND: &str = "#1c1f26";

/// Runs the task.
///
/// # Errors
/// The demo cannot run, or shows no outage.
pub fn run() -> Result<()> {
    let root = workspace::root();
    let mut build = Command::new("cargo");
    build
        .current_dir(&root)
        .args(["build", "--package", "sensor"]);
    process::run(&mut build)?;
    let screen = session(&root.join("target/debug/sensor").display().to_string())?;
    let path = root.join(PATH);
    fs::create_dir_all(path.parent().context("a folder")?)?;
    fs::write(&path, svg(&screen)).with_context(|| format!("cannot write {PATH}"))?;
    println!("{PATH}");
    Ok(())
}

/// The screen of the demo, three seconds after it says that DNS fails.
fn session(sensor: &str) -> Result<vt100::Screen> {
    let size = PtySize {
        rows: ROWS.get(),
        cols: COLUMNS.get(),
        pixel_width: 0,
        pixel_height: 0,
    };
    let pty = native_pty_system().openpty(size)?;
    let mut command = CommandBuilder::new(sensor);
    command.arg("demo");
    command.env("TERM", "xterm-256color");
    command.env("LC_ALL", "C.UTF-8");
    command.env_remove("NO_COLOR");
    let mut child = pty.slave.spawn_command(command)?;
    drop(pty.slave);
    let mut out = pty.master.try_clone_reader()?;
    let parser = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
    let shown = parser.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(many @ 1..) = out.read(&mut bytes) {
            let mut parser = shown.lock().unwrap_or_else(PoisonError::into_inner);
            parser.process(&bytes[..many]);
        }
    });
    let look = || {
        let parser = parser.lock().unwrap_or_else(PoisonError::into_inner);
        parser.screen().clone()
    };
    let begun = Instant::now();
    let mut fails = None;
    let screen = loop {
        let screen = look();
        if fails.is_none() && screen.contents().contains("DNS FAILS") {
            fails = Some(Instant::now());
        }
        if fails.is_some_and(|since: Instant| since.elapsed() > Duration::from_secs(3)) {
            break screen;
        }
        if begun.elapsed() > LONGEST {
            child.kill()?;
            bail!(
                "the demo has shown no outage in {LONGEST:?}:\n{}",
                screen.contents()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    child.kill()?;
    child.wait()?;
    Ok(screen)
}

fn svg(screen: &vt100::Screen) -> String {
    let (wide, high) = (
        f64::from(COLUMNS.get()) * CELL.0 + 2.0 * MARGIN,
        f64::from(ROWS.get()) * CELL.1 + 2.0 * MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide:.0} {high:.0}\" role=\"img\" \
         aria-label=\"The full screen of sensor during a DNS outage\" font-family=\"ui-monospace, 'DejaVu Sans Mono', \
         Menlo, Consolas, monospace\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" \
         fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..ROWS.get() {
        let mut column = 0;
        while column < COLUMNS.get() {
            let style = style(screen.cell(row, column));
            let mut text = String::new();
            let from = column;
            while column < COLUMNS.get() && self::style(screen.cell(row, column)) == style {
                let cell = screen.cell(row, column);
                let shown = cell.filter(|cell| cell.has_contents());
                text.push_str(shown.map_or(" ", vt100::Cell::contents));
                column += 1;
            }
            run_of(&mut svg, (row, from, column), &style, &text);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Colours, bold, dim.
type Style = (String, Option<String>, bool, bool);

fn style(cell: Option<&vt100::Cell>) -> Style {
    let Some(cell) = cell else {
        return (FOREGROUND.into(), None, false, false);
    };
    let colour = |colour: vt100::Color, default: &str| match colour {
        vt100::Color::Default => default.to_owned(),
        vt100::Color::Idx(at) => COLOURS
            .get(usize::from(at))
            .map_or(default, |known| known)
            .to_owned(),
        vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
    };
    let fore = colour(cell.fgcolor(), FOREGROUND);
    if cell.inverse() {
        return (BACKGROUND.into(), Some(fore), cell.bold(), cell.dim());
    }
    (fore, None, cell.bold(), cell.dim())
}

/// Text of one style in a row. Its length is told, so that another font moves nothing.
fn run_of(svg: &mut String, (row, from, to): (u16, u16, u16), style: &Style, text: &str) {
    let (fore, back, bold, dim) = style;
    let x = MARGIN + f64::from(from) * CELL.0;
    let y = MARGIN + f64::from(row) * CELL.1;
    let wide = f64::from(to - from) * CELL.0;
    // Writing to a string cannot fail.
    if let Some(back) = back {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{}\" fill=\"{back}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if *bold { " font-weight=\"bold\"" } else { "" };
    let opacity = if *dim { " opacity=\"0.65\"" } else { "" };
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" \
         fill=\"{fore}\"{weight}{opacity}>{text}</text>",
        y + 13.5
    );
}
