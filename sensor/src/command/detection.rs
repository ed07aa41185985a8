//! What the commands that detect have in common.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::cli::{AlertArguments, DetectionArguments};
use crate::detect::RULES;
use crate::detect::{Place, Rule, Thresholds};
use crate::engine::Engine;
use crate::engine::kernel::engine::KernelEngine;
use crate::incident::record::Placed;
use crate::incident::store::Store;
use crate::incident::{About, Past};
use crate::monitor::MonitorOptions;
use crate::notify::keep::{PATIENCE, now_ms};
use crate::notify::{Alerts, Receivers, command, file, journal, webhook};

/// For the records.
pub fn about(ports: &[u16], watched: Vec<String>) -> About {
    let ports = if ports.is_empty() { &[53] } else { ports };
    About {
        ports: ports.to_vec(),
        watched,
        placed: Placed::Live,
    }
}

/// The same of a capture; `given` says whether addresses of the capturing host are known.
pub fn about_capture(ports: &[u16], name: String, given: bool) -> About {
    About {
        placed: if given {
            Placed::Given
        } else {
            Placed::Assumed
        },
        ..about(ports, vec![name])
    }
}

/// Where a live sensor stands.
pub fn place(engine: &KernelEngine, ingress_only: bool) -> Place {
    Place {
        addresses: (*engine.status().addresses).clone(),
        one_direction: ingress_only && !engine.is_loopback(),
        ..Place::default()
    }
}

/// From the command line and the files that it names.
///
/// # Errors
/// A file cannot be read.
pub fn options(
    arguments: &DetectionArguments,
    place: Place,
    about: About,
) -> Result<MonitorOptions> {
    Ok(MonitorOptions {
        thresholds: thresholds(arguments)?,
        place: Place {
            trusted: arguments.trusted.clone(),
            ..place
        },
        about,
        shadow: shadow(arguments),
    })
}

/// The defaults, or those of the file.
///
/// # Errors
/// It cannot be read.
pub fn thresholds(arguments: &DetectionArguments) -> Result<Thresholds> {
    let Some(path) = &arguments.thresholds else {
        return Ok(Thresholds::default());
    };
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = toml::from_str(&text).with_context(|| {
        format!(
            "{} is not valid TOML; `sensor rules --toml` writes an example",
            path.display()
        )
    })?;
    let read = || -> Result<Thresholds> {
        let thresholds = merged(file)?;
        thresholds.validate()?;
        Ok(thresholds)
    };
    read().with_context(|| {
        format!(
            "{} has a threshold that does not fit; `sensor rules --toml` writes all of them, with their \
             units",
            path.display()
        )
    })
}

/// The defaults with what a file says instead, which may be a part of a pair.
fn merged(file: toml::Table) -> Result<Thresholds> {
    let mut all = toml::Table::try_from(Thresholds::default())?;
    // The only one without a default.
    let optional = "flood_ceiling";
    for (name, value) in file {
        match (all.get_mut(&name), value) {
            (Some(toml::Value::Table(levels)), toml::Value::Table(some)) => levels.extend(some),
            (Some(known), value) => *known = value,
            (None, value) if name == optional => {
                all.insert(name, value);
            }
            (None, _) => {
                bail!(
                    "no threshold is called {name:?}{}",
                    meant(&name, all.keys())
                );
            }
        }
    }
    Ok(all.try_into()?)
}

/// The threshold of a name that is nearly so; nothing where none is.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}

fn shadow(arguments: &DetectionArguments) -> BTreeSet<Rule> {
    let named = |rule: &&Rule| {
        let names = arguments.shadow.iter();
        names
            .clone()
            .any(|name| name == rule.name() || name == "all")
    };
    let rules = RULES.iter().map(|spec| spec.rule);
    rules.filter(|rule| named(&rule)).collect()
}

/// Whom the command line wants to be told, and what is known of earlier incidents of what is watched. What can be known to
/// fail fails now, and not in the middle of an incident.
///
/// # Errors
/// One of them cannot be told, or a thread cannot be started.
pub fn alerts(arguments: &AlertArguments, watched: &[String]) -> Result<(Alerts, Past)> {
    let store = Store::new(arguments.state.as_deref());
    match store.prepare() {
        Ok(()) => {}
        Err(error) if arguments.state.is_some() => {
            return Err(error).context("incidents cannot be kept (--state)");
        }
        Err(error) => log::warn!(
            "incidents cannot be kept: {:#}; --state DIR names another directory",
            anyhow::Error::from(error)
        ),
    }
    if let Some(path) = &arguments.alerts {
        file::check(path)
            .with_context(|| format!("cannot write alerts to {} (--alerts)", path.display()))?;
    }
    for line in &arguments.on_incident {
        command::check(line).with_context(|| format!("--on-incident {line:?} cannot be run"))?;
    }
    for url in &arguments.webhook {
        webhook::check(url).with_context(|| format!("--webhook {url:?} cannot be posted to"))?;
    }
    if arguments.journal {
        ensure!(
            Path::new(journal::SOCKET).exists(),
            "there is no journal here (--journal): {} does not exist",
            journal::SOCKET
        );
    }
    let left = store.left_open(watched);
    let ids = store.ids().unwrap_or_default().into_iter().collect();
    let records = left.iter().map(|left| left.record.clone()).collect();
    let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    let past = Past::new(ids, records, now_ms().saturating_add(patience));
    let receivers = Receivers {
        store: Some(store),
        left,
        file: arguments.alerts.clone(),
        commands: arguments.on_incident.clone(),
        webhooks: arguments.webhook.clone(),
        journal: arguments.journal.then(|| journal::SOCKET.into()),
    };
    let alerts = Alerts::new(receivers).context("cannot start a thread for alerts")?;
    Ok((alerts, past))
}
