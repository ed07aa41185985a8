//! What the commands that detect have in common.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};

use crate::alerts::{Alerts, Receivers, journal};
use crate::cli::{AlertArguments, DetectionArguments};
use crate::detect::{Place, Rule, Thresholds};
use crate::incident::book::About;
use crate::incident::store::Store;
use crate::monitor::MonitorOptions;

/// For the records.
pub fn about(ports: &[u16], watched: Vec<String>) -> About {
    let ports = if ports.is_empty() { &[53] } else { ports };
    About {
        ports: ports.to_vec(),
        watched,
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
    host: bool,
) -> Result<MonitorOptions> {
    Ok(MonitorOptions {
        thresholds: thresholds(arguments)?,
        place: Place {
            trusted: arguments.trusted.clone(),
            ..place
        },
        about,
        shadow: shadow(arguments),
        host,
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
    let does_not_fit = || {
        format!(
            "{} has a threshold that does not fit; `sensor rules --toml` writes all of them",
            path.display()
        )
    };
    let thresholds: Thresholds = toml::from_str(&text).with_context(does_not_fit)?;
    thresholds.validate().with_context(does_not_fit)?;
    Ok(thresholds)
}

fn shadow(arguments: &DetectionArguments) -> BTreeSet<Rule> {
    let named = |rule: &&Rule| {
        let names = arguments.shadow.iter();
        names
            .clone()
            .any(|name| name == rule.name() || name == "all")
    };
    Rule::ALL.iter().filter(named).copied().collect()
}

/// Whom the command line wants to be told.
///
/// # Errors
/// A thread cannot be started.
pub fn alerts(arguments: &AlertArguments) -> Result<Alerts> {
    let receivers = Receivers {
        store: Some(Store::new(arguments.state.as_deref())),
        file: arguments.alerts.clone(),
        commands: arguments.on_incident.clone(),
        webhooks: arguments.webhook.clone(),
        journal: arguments.journal.then(|| journal::SOCKET.into()),
    };
    Alerts::new(receivers).context("cannot start a thread for alerts")
}
