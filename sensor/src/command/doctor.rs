//! `sensor doctor`: can this host run it, how, and what would it change.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::Outcome;
use crate::cli::DoctorArguments;
use crate::engine::kernel::attach::{AttachOptions, HookChoice, TcFlavour, plan};
use crate::engine::kernel::cost::ProgramCost;
use crate::engine::kernel::interface::{Interface, Kind};
use crate::engine::kernel::load::{LoadOptions, OBJECT_SHA256, load, map_bytes};
use crate::engine::kernel::preflight::{Host, NEEDED};
use crate::engine::status::LinkState;
use crate::present::details;
use crate::present::objects::CostObject;
use crate::present::output::{self, Format};
use crate::present::schema::SCHEMA;
use sensor_common::settings::Settings;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    schema: u32,
    kind: &'static str,
    #[serde(rename = "check")]
    of: String,
    ok: bool,
    finding: String,
}

impl Check {
    fn new(check: impl Into<String>, ok: bool, finding: impl Into<String>) -> Self {
        Self {
            schema: SCHEMA,
            kind: "check",
            of: check.into(),
            ok,
            finding: finding.into(),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// An interface that was asked about does not exist.
pub async fn run(arguments: &DoctorArguments) -> Result<Outcome> {
    if let Some(seconds) = arguments.cost {
        return cost(Duration::from_secs(seconds.into()), arguments.output).await;
    }
    let mut checks = host_checks();
    let interfaces = if arguments.interfaces.is_empty() {
        Interface::all().await?
    } else {
        Interface::find(&arguments.interfaces).await?
    };
    for interface in &interfaces {
        checks.push(interface_check(interface));
    }
    let mut outcome = Outcome::Fine;
    for check in &checks {
        if !check.ok {
            outcome = Outcome::NotFine;
        }
        match arguments.output {
            Format::Json => output::json(check)?,
            Format::Text => output::line(&format!(
                "{}  {:<12}  {}",
                if check.ok { "ok  " } else { "FAIL" },
                check.of,
                check.finding
            ))?,
        };
    }
    let verdict = match outcome {
        Outcome::Fine => "this host can run sensor: try `sensor watch -i INTERFACE`",
        Outcome::NotFine | Outcome::Incident => {
            "this host cannot run sensor live; captures can still be read: `sensor replay FILE`"
        }
    };
    match arguments.output {
        Format::Text => output::line(verdict)?,
        Format::Json => output::json(&Check {
            kind: "verdict",
            ..Check::new("host", outcome == Outcome::Fine, verdict)
        })?,
    };
    Ok(outcome)
}

/// What the programs of running sensors cost.
async fn cost(time: Duration, format: Format) -> Result<Outcome> {
    let costs = ProgramCost::measure(time).await.context(
        "the kernel does not measure BPF programs (it wants CAP_SYS_ADMIN: run as root)",
    )?;
    if costs.is_empty() {
        output::line("no program of a sensor is loaded: start `sensor watch` beside this")?;
        return Ok(Outcome::NotFine);
    }
    for cost in &costs {
        match format {
            Format::Json => output::json(&CostObject::new(cost))?,
            Format::Text => output::line(&details::program_cost(cost))?,
        };
    }
    Ok(Outcome::Fine)
}

fn host_checks() -> Vec<Check> {
    let host = Host::look();
    let mut checks = vec![
        Check::new(
            "kernel",
            true,
            format!("{} with the object {}", host.release, &OBJECT_SHA256[..12]),
        ),
        Check::new(
            "privileges",
            host.missing.is_empty(),
            if host.missing.is_empty() {
                NEEDED.map(|capability| capability.name).join(", ")
            } else {
                let missing: Vec<_> = host.missing.iter().map(|c| c.name).collect();
                format!("missing {}", missing.join(", "))
            },
        ),
    ];
    if host.jit == Some(false) {
        checks.push(Check::new(
            "jit",
            true,
            "off: each packet costs several times more; set net.core.bpf_jit_enable=1",
        ));
    }
    // The verdict that counts is the verifier's: load it, attach nothing.
    let loaded = load(LoadOptions {
        settings: Box::new(Settings::DEFAULT),
        log_level: None,
    });
    checks.push(match loaded {
        Ok(loaded) => Check::new(
            "load",
            true,
            format!(
                "the kernel accepts the programs; maps take {} KiB for {} CPUs (128 CPUs: {} MiB)",
                map_bytes(loaded.cpus, loaded.settings.lanes) / 1024,
                loaded.cpus,
                map_bytes(128, loaded.settings.lanes) / 1024 / 1024
            ),
        ),
        Err(error) => Check::new("load", false, error.to_string()),
    });
    checks
}

fn interface_check(interface: &Interface) -> Check {
    let kernel = Host::look().kernel;
    let options = AttachOptions {
        hook: HookChoice::Auto,
        ingress_only: false,
        tc: TcFlavour::of(kernel),
        kernel,
    };
    let (hook, reason) = plan(interface, &options);
    let ingress = match hook {
        HookChoice::Xdp | HookChoice::Auto => "native XDP, or TC ingress if the driver refuses",
        HookChoice::Tc => "TC ingress",
    };
    let egress = match (&interface.kind, options.tc) {
        (Kind::Loopback, _) => "nothing on egress",
        (_, TcFlavour::Tcx) => "TC egress",
        (_, TcFlavour::Clsact) => "TC egress (adds a clsact queueing discipline)",
    };
    let change = match hook {
        HookChoice::Xdp | HookChoice::Auto => {
            "a driver may reset its queues for a moment when XDP is attached"
        }
        HookChoice::Tc => "changes nothing of the device",
    };
    let state = match interface.state {
        LinkState::Up => String::new(),
        other => format!(" ({})", other.words()),
    };
    Check::new(
        interface.name.clone(),
        true,
        format!(
            "{}{state}, MTU {}: {ingress}, {egress}; {reason}; {change}",
            interface.kind, interface.mtu
        ),
    )
}
