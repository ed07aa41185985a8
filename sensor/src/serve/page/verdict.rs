//! The three rows of the screen as a heading and two paragraphs.

use crate::present::number::{lasting, plain, short};
use crate::present::report::escaped;
use crate::present::verdict::Verdict;
use crate::view::View;

/// Whether DNS is all right, why not, and what watches it.
pub fn html(view: &View, verdict: &Verdict) -> String {
    let state = view.network.state.name();
    let headline = escaped(&verdict.headline);
    let why = verdict.why.as_deref().unwrap_or("nothing is wrong");
    format!(
        "<h1 class=\"state {state}\"><span aria-hidden=\"true\">{}</span> {headline}</h1>\n<p><strong>Why</strong> {}</p>\n\
         <p class=\"soft\">{}</p>",
        verdict.glyph,
        escaped(why),
        escaped(&watched(view)),
    )
}

/// `eth0 xdp+tcx, 3d04h, 5.3k q/s, own 0.4 % of a core, lost 0`.
fn watched(view: &View) -> String {
    let interfaces = view
        .interfaces
        .iter()
        .map(|interface| match interface.link {
            "up" => format!("{} {}", interface.name, interface.hook),
            link => format!("{} {} ({link})", interface.name, interface.hook),
        });
    let mut words: Vec<String> = interfaces.collect();
    let uptime = u64::try_from(view.uptime.as_millis()).unwrap_or(u64::MAX);
    words.push(format!("for {}", lasting(uptime)));
    words.push(format!("{} q/s", short(view.network.now.queries)));
    if let Some(usual) = view.network.usual.queries {
        words.push(format!("usual {}", short(usual)));
    }
    words.push(format!(
        "own {} % of a core",
        plain(view.sensor.cpu_percent)
    ));
    words.push(format!("lost {}", view.sensor.lost()));
    words.extend(view.lost_hooks.iter().cloned());
    words.join(", ")
}

/// What makes it another verdict: the state, and which incident is the worst.
pub fn key(view: &View, verdict: &Verdict) -> String {
    let troubles = view.troubles();
    let worst = troubles.first().map_or("", |trouble| &trouble.record.id);
    format!("{} {worst} {}", verdict.state.name(), troubles.len())
}
