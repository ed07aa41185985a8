//! What the sensor itself spends and loses.

use std::fmt::Write;

use crate::present::number::{bytes, count, plain};
use crate::present::report::escaped;
use crate::view::View;

/// A list of names and values.
pub fn html(view: &View) -> String {
    let sensor = &view.sensor;
    let mut rows = vec![
        ("Counted in".to_owned(), format!("the {}", sensor.engine)),
        (
            "CPU of the loader, last 10 s".into(),
            format!("{} % of a core", plain(sensor.cpu_percent)),
        ),
        ("Memory of the loader".into(), bytes(sensor.rss_bytes)),
        ("Memory of the maps".into(), bytes(sensor.map_bytes)),
        ("Outcomes counted of".into(), one_in(sensor.one_in)),
        ("Packets sampled of".into(), one_in(sensor.samples_one_in)),
        (
            "Places for servers taken".into(),
            format!("{} of {}", sensor.server_places.0, sensor.server_places.1),
        ),
        ("Lost in all".into(), count(sensor.lost())),
    ];
    let lost = sensor.lost.iter().filter(|(_, count)| *count > 0);
    rows.extend(
        lost.map(|(what, many)| (format!("Lost: {}", what.replace('_', " ")), count(*many))),
    );
    if sensor.incidents_unfollowed > 0 {
        let many = sensor.incidents_unfollowed.to_string();
        rows.push(("Symptoms not followed, too many incidents".into(), many));
    }
    rows.extend(sensor.alerts.iter().map(|alerts| {
        let text = format!(
            "{} sent, {} failed",
            count(alerts.sent),
            count(alerts.failed)
        );
        (format!("Alerts by {}", alerts.way), text)
    }));
    let mut html = String::from("<dl>\n");
    for (name, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(
            html,
            "<dt>{}</dt><dd>{}</dd>",
            escaped(&name),
            escaped(&value)
        );
    }
    html.push_str("</dl>");
    html
}

fn one_in(many: u64) -> String {
    match many {
        0 | 1 => "every transaction".into(),
        many => format!("one transaction in {}", count(many)),
    }
}
