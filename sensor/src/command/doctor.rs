//! `sensor doctor`: can this host run it, how, and what would it change.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::Outcome;
use crate::cli::DoctorArguments;
use crate::engine::kernel::attach::plan;
use crate::engine::kernel::cost::ProgramCost;
use crate::engine::kernel::hook::{HookChoice, TcFlavour};
use crate::engine::kernel::interface::{Interface, Kind};
use crate::engine::kernel::leftover::Leftover;
use crate::engine::kernel::load::{
    LoadError, LoadOptions, Loaded, OBJECT_SHA256, Programs, load, map_bytes, tells_cgroups,
};
use crate::engine::kernel::preflight::{Host, NEEDED, tried_kernels};
use crate::engine::status::LinkState;
use crate::host::drops::Drops;
use crate::measure::counted::counted;
use crate::notify::webhook::{self, Found};
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
    if arguments.clean {
        return clean(arguments.output).await;
    }
    // The verdict that counts is the verifier's: load it, attach nothing.
    let loaded = load(LoadOptions {
        programs: Programs::ALL,
        settings: Box::new(Settings::DEFAULT),
        log_level: None,
    });
    let tc = TcFlavour::probe();
    let mut checks = host_checks(&loaded, tc);
    let interfaces = if arguments.interfaces.is_empty() {
        Interface::all().await?
    } else {
        Interface::find(&arguments.interfaces).await?
    };
    let no_xdp = loaded
        .as_ref()
        .ok()
        .and_then(|loaded| loaded.no_xdp.as_deref());
    for interface in &interfaces {
        checks.push(interface_check(interface, no_xdp, tc));
    }
    checks.extend(leftover_checks(&interfaces));
    let can_run = checks.iter().all(|check| check.ok);
    checks.extend(arguments.webhook.iter().map(|url| webhook_check(url)));
    let outcome = if checks.iter().all(|check| check.ok) {
        Outcome::Fine
    } else {
        Outcome::NotFine
    };
    for check in &checks {
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
        _ if can_run => "this host can run sensor, but alerts to a webhook may be lost (see above)",
        _ => {
            "sensor cannot run live here, by this user (see above); captures can still be read: `sensor replay FILE`"
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

fn host_checks(loaded: &Result<Loaded, LoadError>, tc: Option<TcFlavour>) -> Vec<Check> {
    let host = Host::look();
    let mut checks = vec![
        kernel_check(&host, loaded),
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
    if !host.btf {
        checks.push(Check::new(
            "btf",
            true,
            "this kernel does not describe its types (CONFIG_DEBUG_INFO_BTF): tried without",
        ));
    }
    checks.push(match loaded {
        Ok(loaded) => Check::new(
            "load",
            true,
            format!(
                "the kernel accepts the programs; maps take {} KiB for {} (128 CPUs: {} MiB)",
                map_bytes(loaded.cpus, loaded.settings.lanes) / 1024,
                counted(loaded.cpus.into(), "CPU"),
                map_bytes(128, loaded.settings.lanes) / 1024 / 1024
            ),
        ),
        Err(error) => Check::new("load", false, error.to_string()),
    });
    if let Some(reason) = loaded
        .as_ref()
        .ok()
        .and_then(|loaded| loaded.no_xdp.as_ref())
    {
        checks.push(Check::new(
            "xdp",
            true,
            format!("none: {reason}; TC serves instead"),
        ));
    }
    checks.push(drops_check());
    let asks = if tells_cgroups() {
        "the unit, container or pod of this host, of sampled queries that leave"
    } else {
        "none: this kernel does not tell the cgroup of a packet (bpf_skb_cgroup_id); who asks is left out"
    };
    checks.push(Check::new("who asks", true, asks));
    checks.extend(tc.map(|tc| {
        let finding = match tc {
            TcFlavour::Tcx => "TCX: any number of sensors on an interface",
            TcFlavour::Clsact => {
                "clsact, as this kernel has no TCX: one sensor in each direction of an interface"
            }
        };
        Check::new("tc", true, finding)
    }));
    checks
}

/// A receiver that is found by DNS alone may not be found in the outage that it is told of.
fn webhook_check(url: &str) -> Check {
    let of = "webhook";
    match webhook::look_up(url) {
        Ok(Found::Address) => {
            Check::new(of, true, format!("{url}: an address, which needs no DNS"))
        }
        Ok(Found::Name(name, addresses)) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Check::new(
                of,
                true,
                format!(
                    "{url}: warning: {name} is a name (now {}). A running sensor keeps its last addresses, but one that starts \
                     during a DNS outage cannot look it up: give an address, or name it in /etc/hosts",
                    addresses.join(", ")
                ),
            )
        }
        Ok(Found::Missing(name, error)) => Check::new(
            of,
            false,
            format!(
                "{url}: {name} cannot be looked up ({error}): alerts wait until it can; give an address, or name it in \
                 /etc/hosts"
            ),
        ),
        Err(error) => Check::new(of, false, format!("{url:?} cannot be posted to: {error}")),
    }
}

/// Not being able to is no failure: only that evidence is lost.
fn drops_check() -> Check {
    let finding = match Drops::attach(&[53]) {
        Ok(_) => "the kernel says of each dropped packet why".into(),
        Err(error) => format!("none: {error}; what the kernel drops is left out"),
    };
    Check::new("drop reasons", true, finding)
}

/// The kernel fails where it is the reason why nothing can be loaded.
fn kernel_check(host: &Host, loaded: &Result<Loaded, LoadError>) -> Check {
    let is_tried = !matches!(
        loaded,
        Err(LoadError::Preflight(_) | LoadError::Forbidden(_))
    );
    let release = &host.release;
    let object = &OBJECT_SHA256[..12];
    let tried = tried_kernels();
    let finding = if host.is_older_than_tried() {
        format!("{release} with the object {object}: older than those that were tried ({tried})")
    } else {
        format!("{release} with the object {object}; tried kernels: {tried}")
    };
    Check::new("kernel", loaded.is_ok() || !is_tried, finding)
}

/// Filters of killed sensors.
fn leftover_checks(interfaces: &[Interface]) -> Vec<Check> {
    let leftovers = Leftover::all(interfaces).unwrap_or_default();
    let told = |leftover: &Leftover| {
        let advice = "`sensor doctor --clean` removes it, and so does the next sensor that starts";
        Check::new(
            "leftover",
            true,
            format!("{leftover}: of a sensor that was killed; {advice}"),
        )
    };
    leftovers.iter().map(told).collect()
}

/// Removes filters of killed sensors.
async fn clean(format: Format) -> Result<Outcome> {
    let leftovers = Leftover::all(&Interface::all().await?)
        .context("cannot ask the kernel for filters of killed sensors")?;
    for leftover in &leftovers {
        leftover
            .remove()
            .with_context(|| format!("cannot remove {leftover}"))?;
        match format {
            Format::Json => output::json(&Check::new("removed", true, leftover.to_string()))?,
            Format::Text => output::line(&format!("removed {leftover}"))?,
        };
    }
    if leftovers.is_empty() && format == Format::Text {
        output::line("nothing to remove: no filter of a killed sensor on any interface")?;
    }
    Ok(Outcome::Fine)
}

fn interface_check(interface: &Interface, no_xdp: Option<&str>, tc: Option<TcFlavour>) -> Check {
    let (hook, reason) = plan(interface, HookChoice::Auto, no_xdp);
    let ingress = match hook {
        HookChoice::Xdp | HookChoice::Auto => "native XDP, or TC ingress if the driver refuses",
        HookChoice::Tc => "TC ingress",
    };
    let egress = match (&interface.kind, tc) {
        (Kind::Loopback, _) => "nothing on egress",
        (_, Some(TcFlavour::Clsact)) => "TC egress (adds a clsact queueing discipline)",
        _ => "TC egress",
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
