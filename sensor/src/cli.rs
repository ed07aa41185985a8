//! The command line, and nothing else.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::detect::RULES;
use crate::engine::kernel::hook::HookChoice;
use crate::engine::settings::TIMEOUTS;
use crate::incident::Cause;
use crate::measure::address;
use crate::measure::sketch::Prefix;
use crate::present::output::Format;
use crate::serve::listen::Listen;

/// Stands for incidents whose cause is unknown.
pub const UNKNOWN_CAUSE: &str = "unknown";
/// Where running sensors are found.
const RUN_DIRECTORY: &str = "/run/sensor";

/// Distinguishes DNS failures from DNS floods, on a live interface or in a capture, and names the likely cause.
#[derive(Debug, Parser)]
#[command(
    name = "sensor",
    version,
    after_help = "\
Try it:
  sensor demo                  a DNS outage on a private network, detected and reported (as root)
  sensor watch -i eth0         live counters and incidents of an interface (as root)
  sensor status                one line and an exit code
  sensor replay incident.pcap  the same over a capture
  sensor report                the newest incident as a report

Exit codes: 0 fine, 1 failed, 3 an incident with `replay --fail-on-incident`, 64 wrong usage.
`status` has its own: 0 ok, 1 failing or flooded, 2 degraded, 3 cannot tell, 64 wrong usage."
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Level of log lines on standard error. From debug on, each malformed packet is logged.
    #[arg(long, global = true, default_value = "warn", value_name = "LEVEL",
          value_parser = levels())]
    pub log: log::LevelFilter,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Stage a DNS outage on a private network, watch it live and report it.
    ///
    /// Makes two network namespaces with a DNS server and its clients, attaches the sensor, and
    /// stops the server after a while: the kernel then answers queries with ICMP "port
    /// unreachable". Ends by itself within 30 seconds with the report of the incident, leaves
    /// nothing behind and touches no interface of this host. Without the privileges it plays a
    /// capture of the same outage.
    #[command(after_help = "Example:\n  sudo sensor demo")]
    Demo(DemoArguments),

    /// Watch one or more interfaces live: a full screen on a terminal, lines otherwise.
    #[command(after_help = "\
Examples:
  sensor watch -i eth0                        the full screen; ? shows its keys
  sensor watch -i eth0 --plain                one line a second, as into a pipe
  sensor watch -i eth0 -i eth1 --plain --interval 5
  sensor watch -i eth0 --plain --details      with latency, sources and names
  sensor watch -i eth0 --output json | jq 'select(.kind == \"totals\").classes'
  sensor watch -i eth0 --on-incident 'jq -r .summary >> incidents'
  sensor watch -i eth0 --listen 127.0.0.1:9053  the page and /metrics there
  sensor watch -i eth0 --port 53 --port 5353  other ports than 53")]
    Watch(WatchArguments),

    /// Watch interfaces as a service, without a screen: changes of incidents and links go to standard error.
    ///
    /// Ends cleanly on SIGTERM and SIGINT.
    #[command(after_help = "\
Examples:
  sensor run -i eth0
  sensor run -i eth0 --webhook https://hooks.example.org/dns --journal")]
    Run(RunArguments),

    /// Report in one line whether DNS is all right.
    ///
    /// Asks the sensors that run on this host: as root, or as a member of the group that --run-dir belongs to. Where none
    /// runs, -i NAME measures there for three seconds (as root). Exit codes: 0 ok, 1 failing or flooded, 2 degraded, 3
    /// cannot tell, 64 wrong usage.
    #[command(after_help = "\
Examples:
  sensor status
  sensor status -i eth0 --output json")]
    Status(StatusArguments),

    /// Detect incidents in a capture file (pcap or pcapng).
    #[command(after_help = "\
Examples:
  sensor replay incident.pcap
  sensor replay incident.pcap --screen          on the full screen, in its own time
  sensor replay incident.pcap --report          each incident as a report in Markdown
  sensor replay incident.pcap --host 192.0.2.53 it was captured on the host with that address
  sensor replay incident.pcap --output json
  sensor replay day.pcap.zst --from 2026-11-26T10:00:00Z --until 2026-11-26T10:30:00Z
  sensor replay ring.pcap0 ring.pcap1           several files as one, in the order of time
  sensor replay --follow running.pcap           while tcpdump or dumpcap writes it
  tcpdump -i eth0 -w - 'port 53 or icmp or icmp6' | sensor replay -
  sensor replay incident.pcap --engine kernel   through the kernel's program (as root)")]
    Replay(ReplayArguments),

    /// Write an incident as a report.
    ///
    /// Of those kept by `sensor watch` and `sensor run`; `sensor replay --report` writes those of a capture.
    #[command(after_help = "\
Examples:
  sensor report                         the newest, in Markdown
  sensor report --list --since 7d --cause service_down --sort length
  sensor report ID --output html > incident.html
  sensor report ID --redact --output json")]
    Report(ReportArguments),

    /// Show how causes are weighed: the table of weights, or the arithmetic of an incident.
    #[command(after_help = "\
Examples:
  sensor causes                         what each finding adds to each cause
  sensor causes ID                      why this cause, and why not another")]
    Causes(CausesArguments),

    /// Show every rule and what it compares with; for an interface or a capture also its reading, the usual value,
    /// its thresholds and its state.
    #[command(after_help = "\
Examples:
  sensor rules                          what each rule looks for
  sensor rules -i eth0                  what they read now, every 5 seconds (as root)
  sensor rules --capture incident.pcap  what they read at the end of a capture
  sensor rules --capture incident.pcap --host 192.0.2.53
                                        it was captured on the host with that address
  sensor rules --toml > thresholds.toml")]
    Rules(RulesArguments),

    /// Check whether and how this host can run the sensor, and what attaching would change.
    #[command(after_help = "\
Examples:
  sensor doctor
  sensor doctor -i eth0 --output json
  sensor doctor --webhook https://hooks.example.org/dns
  sensor doctor --clean                 after a sensor was killed (SIGKILL, out of memory)
  sensor doctor --cost                  while `sensor watch` runs beside it")]
    Doctor(DoctorArguments),
}

/// A moment, of a capture or of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Since 1970.
    At(Duration),
    /// Since the first packet of a capture; before now where incidents are listed.
    After(Duration),
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(after) = humantime::parse_duration(text) {
        return Ok(Moment::After(after));
    }
    let at = humantime::parse_rfc3339_weak(text).ok();
    let since = at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let since =
        since.ok_or("expected a time such as 2026-11-26T10:00:00Z (UTC), or a span since the first packet such as 90s")?;
    Ok(Moment::At(since))
}

/// The same, of incidents.
fn moment_or_ago(text: &str) -> Result<Moment, String> {
    let wrong =
        "expected a time such as 2026-11-26T10:00:00Z (UTC), or how long ago, such as 90m or 7d";
    moment(text).map_err(|_| wrong.into())
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Write lines instead of the full screen, on a terminal too.
    #[arg(long)]
    pub plain: bool,

    /// Use only ASCII on the screen, whatever the locale.
    #[arg(long)]
    pub ascii: bool,

    /// Play the recorded outage even where a live one could be staged.
    #[arg(long)]
    pub recorded: bool,
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// What to watch, and how.
    #[command(flatten)]
    pub live: LiveArguments,

    /// Show servers, sources, names and the sensor's own cost as well, in lines.
    #[arg(long)]
    pub details: bool,

    /// Write lines instead of the full screen, on a terminal too; a pipe, `--output json` and TERM=dumb imply it.
    #[arg(long)]
    pub plain: bool,

    /// Use only ASCII on the screen, whatever the locale.
    #[arg(long)]
    pub ascii: bool,

    /// Seconds between lines.
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds,
          allow_negative_numbers = true)]
    pub interval: f64,

    /// How to write.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// What to watch, and how.
    #[command(flatten)]
    pub live: LiveArguments,
}

/// What `watch` and `run` have in common.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct LiveArguments {
    /// Interface to watch; may be given up to eight times.
    #[arg(short, long = "interface", value_name = "NAME", required = true)]
    pub interfaces: Vec<String>,

    /// Where to count received packets.
    #[arg(long, value_enum, default_value = "auto")]
    pub hook: HookChoice,

    /// Count received packets only. Whether queries are answered is then unknown.
    #[arg(long)]
    pub ingress_only: bool,

    /// Replace another sensor on the interface. Without TCX (Linux 6.6) there is room for one in each direction.
    #[arg(long)]
    pub take_over: bool,

    /// DNS port; may be given up to eight times. 53 if not given.
    #[arg(long = "port", value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,

    /// Seconds after which a query is unanswered, 0.1 to 5.
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = timeout,
          allow_negative_numbers = true)]
    pub timeout: Duration,

    /// How to detect.
    #[command(flatten)]
    pub detection: DetectionArguments,

    /// Who is notified.
    #[command(flatten)]
    pub alerts: AlertArguments,

    /// What to serve.
    #[command(flatten)]
    pub serve: ServeArguments,

    /// Probe a failing server directly over UDP and TCP, at most once a minute and never during a flood.
    #[arg(long)]
    pub verify: bool,

    /// Do not count the packets that this host's kernel drops, nor read its reasons.
    #[arg(long)]
    pub no_drops: bool,

    /// Directory in which `sensor status` finds this sensor.
    #[arg(long, value_name = "DIR", default_value = RUN_DIRECTORY)]
    pub run_dir: PathBuf,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Interface; all that running sensors watch if not given.
    #[arg(short, long = "interface", value_name = "NAME")]
    pub interface: Option<String>,

    /// Directory in which running sensors are found.
    #[arg(long, value_name = "DIR", default_value = RUN_DIRECTORY)]
    pub run_dir: PathBuf,

    /// How to write.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct ReplayArguments {
    /// The capture, or several that are read as one in the order of time; `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Leave out what was captured before: a time such as 2026-11-26T10:00:00Z, or a span since the first packet such as 90s or "1h 30m".
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub from: Option<Moment>,

    /// Leave out what was captured later; in the form of --from.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Moment>,

    /// Read on as the file is written, and write incidents as they change, until SIGINT or SIGTERM.
    #[arg(long, conflicts_with_all = ["from", "until", "screen"])]
    pub follow: bool,

    /// Which engine counts; `auto` is the host's, which needs no privileges.
    #[arg(long, value_enum, default_value = "auto")]
    pub engine: EngineChoice,

    /// DNS port; may be given up to eight times. 53 if not given.
    #[arg(long = "port", value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,

    /// Seconds after which a query is unanswered, 0.1 to 5.
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = timeout,
          allow_negative_numbers = true)]
    pub timeout: Duration,

    /// Write each incident as a report instead.
    #[arg(long)]
    pub report: bool,

    /// Play it on the full screen at its own pace; keys pause, change the speed and seek.
    #[arg(long, conflicts_with_all = ["report", "fail_on_incident", "engine", "output"])]
    pub screen: bool,

    /// Use only ASCII on the screen, whatever the locale.
    #[arg(long, requires = "screen")]
    pub ascii: bool,

    /// Exit with status 3 if there was an incident.
    #[arg(long)]
    pub fail_on_incident: bool,

    /// Address of the capturing host; may be given several times. Some rules need it.
    #[arg(long = "host", value_name = "ADDRESS")]
    pub hosts: Vec<IpAddr>,

    /// How to detect.
    #[command(flatten)]
    pub detection: DetectionArguments,

    /// How to write.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
}

/// Options of detection.
#[derive(Clone, Debug, Default, Args)]
pub struct DetectionArguments {
    /// A file (TOML) with thresholds of the rules; `sensor rules --toml` writes all of them.
    #[arg(long, value_name = "FILE")]
    pub thresholds: Option<PathBuf>,

    /// Address or network whose query rate never alarms: a resolver, an address translator. May be given several
    /// times.
    #[arg(long, value_name = "NETWORK", value_parser = address::network)]
    pub trusted: Vec<Prefix>,

    /// Rule in shadow mode: reported when it fires, but opens no incident and sends no alert; `all` for every rule. May
    /// be given several times.
    #[arg(long, value_name = "RULE", value_parser = rule_names())]
    pub shadow: Vec<String>,
}

/// Where incidents are kept, and who is notified of them.
#[derive(Clone, Debug, Default, Args)]
pub struct AlertArguments {
    /// Directory in which incidents are kept for `sensor report`. /var/lib/sensor for root, else
    /// below ~/.local/state.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Append each change of an incident to a file, as a line of JSON; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,

    /// Run a command (by sh) on each change of an incident, with the incident as JSON on its standard input, for at
    /// most 10 s. May be given several times.
    #[arg(long, value_name = "COMMAND")]
    pub on_incident: Vec<String>,

    /// Post each change as JSON to this URL. May be given several times.
    #[arg(long, value_name = "URL")]
    pub webhook: Vec<String>,

    /// Write each change to the system's journal.
    #[arg(long)]
    pub journal: bool,
}

/// Where the page, /metrics and /api/v1 are served; nowhere if not given.
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArguments {
    /// Serve the page, /metrics and /api/v1 at this address, such as 127.0.0.1:9053, or unix:PATH; may be given several
    /// times. An address that other hosts can reach needs --listen-token.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Vec<Listen>,

    /// File with a token that clients over TCP must send, as a bearer token or as the password of any user: one line, 128
    /// bits or more, mode 0600.
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub listen_token: Option<PathBuf>,

    /// Name of this host under which clients reach it, beside localhost and its address; may be given several times.
    #[arg(long, value_name = "NAME", requires = "listen")]
    pub listen_name: Vec<String>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Which incident; the newest if not given.
    pub id: Option<String>,

    /// List what is kept instead.
    #[arg(long, conflicts_with = "id")]
    pub list: bool,

    /// List what went on then or later: a time such as 2026-11-26T10:00:00Z, or how long ago, such as 90m or 7d.
    #[arg(long, requires = "list", value_name = "TIME", value_parser = moment_or_ago)]
    pub since: Option<Moment>,

    /// List incidents of this server.
    #[arg(long, requires = "list", value_name = "ADDRESS")]
    pub server: Option<IpAddr>,

    /// List incidents with this likely cause; `unknown` for those without one.
    #[arg(long, requires = "list", value_name = "CAUSE", value_parser = causes(), hide_possible_values = true)]
    pub cause: Option<String>,

    /// What comes first in the list; `time` has the newest last.
    #[arg(long, requires = "list", value_enum, default_value = "time")]
    pub sort: SortBy,

    /// Mask addresses and names.
    #[arg(long)]
    pub redact: bool,

    /// Directory in which incidents are kept. /var/lib/sensor for root, else below ~/.local/state.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// How to write. `--list` writes a line for each incident, or with `json` an object.
    #[arg(long, value_enum, default_value = "md")]
    pub output: ReportFormat,
}

/// The order of a list of incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// By the time of detection, the newest last.
    #[default]
    Time,
    /// The worst first.
    Level,
    /// The longest first.
    Length,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Markdown.
    #[default]
    Md,
    /// One HTML file with a plot, for a browser, a phone or a printer.
    Html,
    /// The record, with all facts that the report is made of.
    Json,
}

/// Arguments of `causes`.
#[derive(Debug, Args)]
pub struct CausesArguments {
    /// An incident; the table of weights if not given.
    pub id: Option<String>,

    /// Directory in which incidents are kept. /var/lib/sensor for root, else below ~/.local/state.
    #[arg(long, value_name = "DIR", requires = "id")]
    pub state: Option<PathBuf>,

    /// How to write.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
}

/// Arguments of `rules`.
#[derive(Debug, Args)]
pub struct RulesArguments {
    /// Interface to read; may be given several times. Without it the rules are only listed.
    #[arg(short, long = "interface", value_name = "NAME")]
    pub interfaces: Vec<String>,

    /// Capture to read instead.
    #[arg(long, value_name = "FILE", conflicts_with = "interfaces")]
    pub capture: Option<PathBuf>,

    /// Address of the capturing host; may be given several times. Some rules need it.
    #[arg(long = "host", value_name = "ADDRESS", requires = "capture")]
    pub hosts: Vec<IpAddr>,

    /// Write all thresholds as TOML, for `--thresholds`.
    #[arg(long, conflicts_with_all = ["interfaces", "capture"])]
    pub toml: bool,

    /// DNS port; may be given up to eight times. 53 if not given.
    #[arg(long = "port", value_name = "PORT", value_parser = value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,

    /// Replace another sensor on the interface. Without TCX (Linux 6.6) there is room for one in each direction.
    #[arg(long, requires = "interfaces")]
    pub take_over: bool,

    /// Seconds between two readings of an interface.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds,
          allow_negative_numbers = true)]
    pub interval: f64,

    /// How to detect.
    #[command(flatten)]
    pub detection: DetectionArguments,

    /// How to write.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Measure for this time what the attached programs of a running sensor cost. The kernel then times every BPF
    /// program of this host, which slows all of them a little.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "3",
          value_parser = value_parser!(u32).range(1..=60))]
    pub cost: Option<u32>,

    /// Only remove filters that killed sensors have left on interfaces.
    #[arg(long, conflicts_with_all = ["cost", "interfaces"])]
    pub clean: bool,

    /// Interface to check; all of them if not given.
    #[arg(short, long = "interface", value_name = "NAME")]
    pub interfaces: Vec<String>,

    /// Receiver of alerts to check, as `--webhook` of `watch` and `run`: whether it is found while DNS is down. May be given
    /// several times.
    #[arg(long, value_name = "URL", conflicts_with_all = ["cost", "clean"])]
    pub webhook: Vec<String>,

    /// How to write.
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
}

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    /// Whichever fits the command.
    Auto,
    /// The program in the kernel.
    Kernel,
    /// The same program in this process.
    Host,
}

/// The levels of the `log` crate, by name.
fn levels() -> impl TypedValueParser<Value = log::LevelFilter> {
    PossibleValuesParser::new(["off", "error", "warn", "info", "debug", "trace"])
        .map(|level| level.parse().unwrap_or(log::LevelFilter::Warn))
}

/// Codes of causes.
fn causes() -> PossibleValuesParser {
    let codes = Cause::ALL.iter().map(|cause| cause.code());
    PossibleValuesParser::new(codes.chain([UNKNOWN_CAUSE]))
}

/// Names of the rules.
fn rule_names() -> PossibleValuesParser {
    let names = RULES.iter().map(|spec| spec.name);
    PossibleValuesParser::new(names.chain(["all"]))
}

/// A time-out in seconds.
fn timeout(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number"))?;
    let timeout = Duration::try_from_secs_f64(seconds).ok();
    timeout
        .filter(|timeout| TIMEOUTS.contains(timeout))
        .ok_or_else(|| "expected 0.1 to 5 seconds".into())
}

/// Seconds from a tenth to an hour.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number"))?;
    if (0.1..=3600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("expected 0.1 to 3600 seconds".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Arguments::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            assert!(
                help.is_some_and(|help| help.contains("Example")),
                "{} teaches nothing",
                command.get_name()
            );
        }
    }

    #[test]
    fn intervals_are_bounded() {
        assert_eq!(seconds("0.5"), Ok(0.5));
        assert!(seconds("0").is_err());
        assert!(seconds("nan").is_err());
        assert!(seconds("soon").is_err());
        assert_eq!(timeout("0.5"), Ok(Duration::from_millis(500)));
        assert!(timeout("-1").is_err() && timeout("6").is_err() && timeout("nan").is_err());
    }
}
