//! What the sensor itself watches, spends and loses.

use ratatui::text::{Line, Span};
use sensor_common::settings::Direction;

use super::super::number::{bytes, count, lasting, percent};
use super::look::Look;
use super::text::{left, paragraph, right};
use super::ui::UiState;
use crate::view::View;

/// Its lines, of at most so many columns.
#[must_use]
pub fn lines(view: &View, ui: &UiState, columns: usize) -> Vec<Line<'static>> {
    let look = ui.look;
    let mut lines = Vec::new();
    for hook in &view.lost_hooks {
        let mark = Span::styled("LOST HOOK: ", look.alarm());
        paragraph(&mut lines, mark, hook, columns, look);
    }
    interfaces(&mut lines, view, look);
    lines.push(Line::default());
    facts(&mut lines, view, look);
    alerts(&mut lines, view, look);
    lost(&mut lines, view, look);
    lines
}

fn interfaces(lines: &mut Vec<Line<'static>>, view: &View, look: Look) {
    lines.push(Line::styled(
        format!(
            "{} {} {} {}",
            left("interface", 18, look),
            left("hook", 14, look),
            left("link", 11, look),
            "packets in / out"
        ),
        look.heading(),
    ));
    for interface in &view.interfaces {
        let seen = |direction: Direction| {
            let of = |(lane, _): &&(Direction, _)| *lane == direction;
            let totals = interface.totals.iter().find(of);
            totals.map_or_else(|| "-".into(), |(_, totals)| count(totals.seen))
        };
        let style = if interface.link == "up" && interface.detached.is_none() {
            ratatui::style::Style::new()
        } else {
            look.alarm()
        };
        let link = match interface.detached {
            Some(Direction::Ingress) => "no ingress".into(),
            Some(Direction::Egress) => "no egress".into(),
            None => interface.link.replace('_', " "),
        };
        lines.push(Line::styled(
            format!(
                "{} {} {} {} / {}",
                left(&interface.name, 18, look),
                left(&interface.hook, 14, look),
                left(&link, 11, look),
                seen(Direction::Ingress),
                seen(Direction::Egress)
            ),
            style,
        ));
    }
}

fn facts(lines: &mut Vec<Line<'static>>, view: &View, look: Look) {
    let sensor = &view.sensor;
    let uptime = u64::try_from(view.uptime.as_millis()).unwrap_or(u64::MAX);
    let (taken, all) = sensor.server_places;
    #[expect(clippy::cast_precision_loss, reason = "a share with three digits")]
    let fill = percent(taken as f64 / all.max(1) as f64);
    let mut facts = vec![
        (
            "engine",
            format!("{}, running for {}", sensor.engine, lasting(uptime)),
        ),
        (
            "transactions",
            match sensor.one_in {
                0 | 1 => "all are followed: outcomes are exact".into(),
                many => format!("1 in {many} followed: outcomes are estimates (~)"),
            },
        ),
        (
            "samples",
            format!("1 in {} transactions", sensor.samples_one_in.max(1)),
        ),
        (
            "incidents",
            format!(
                "{} opened as warning, {} as critical",
                sensor.opened[0], sensor.opened[1]
            ),
        ),
    ];
    // A capture costs nothing that would say how dear watching is, and its table has no bounds.
    if sensor.rss_bytes > 0 {
        let cost = format!(
            "{:.2} % of a core, {} resident, {} of maps",
            sensor.cpu_percent,
            bytes(sensor.rss_bytes),
            bytes(sensor.map_bytes)
        );
        facts.push(("cost", cost));
    }
    if all > 0 {
        facts.push(("server table", format!("{taken} of {all} places ({fill})")));
    }
    for (name, fact) in facts {
        lines.push(Line::from(vec![
            Span::styled(left(name, 14, look), look.heading()),
            fact.into(),
        ]));
    }
}

fn alerts(lines: &mut Vec<Line<'static>>, view: &View, look: Look) {
    for alert in &view.sensor.alerts {
        let failed = if alert.failed > 0 {
            look.alarm()
        } else {
            look.muted()
        };
        lines.push(Line::from(vec![
            Span::styled(left("alerts", 14, look), look.heading()),
            format!("{}: {} sent, ", alert.way, count(alert.sent)).into(),
            Span::styled(format!("{} failed", count(alert.failed)), failed),
        ]));
    }
}

fn lost(lines: &mut Vec<Line<'static>>, view: &View, look: Look) {
    let sensor = &view.sensor;
    lines.push(Line::default());
    let lost = sensor.lost();
    let title = format!("lost since the start: {}", count(lost));
    lines.push(Line::styled(
        title,
        if lost > 0 {
            look.alarm()
        } else {
            look.heading()
        },
    ));
    for (what, many) in &sensor.lost {
        let style = if *many > 0 {
            look.alarm()
        } else {
            look.muted()
        };
        lines.push(Line::styled(
            format!(
                "  {} {}",
                left(&what.replace('_', " "), 32, look),
                right(&count(*many), 12, look)
            ),
            style,
        ));
    }
}
