//! The program: parses the command line, runs one command, turns its result into an exit code.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use sensor::cli::{Arguments, Command};
use sensor::command::screen::log::Log;
use sensor::command::{Outcome, causes, demo, doctor, replay, report, rules, run, status, watch};
use sensor::engine::kernel::engine::KernelError;
use sensor::engine::kernel::interface::InterfaceError;
use sensor::engine::settings::SettingsError;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    env_logger::Builder::new()
        .filter_level(arguments.log)
        // It warns of every netlink attribute that the kernel has since made longer.
        .filter_module("netlink_packet_route", log::LevelFilter::Error)
        // Below a warning they describe each relocation and each system call.
        .filter_module("aya_obj", log::LevelFilter::Warn)
        .filter_module("aya", log::LevelFilter::Warn)
        .filter_module("netlink_proto", log::LevelFilter::Warn)
        .format_timestamp(None)
        .target(env_logger::Target::Pipe(Box::new(Log)))
        .init();
    match dispatch(&arguments) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::NotFine) => ExitCode::FAILURE,
        Ok(Outcome::Degraded) => ExitCode::from(2),
        Ok(Outcome::Incident | Outcome::CannotTell) => ExitCode::from(3),
        Err(error) => {
            eprintln!("error: {error:#}");
            if is_usage(&error) {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Whether the command line asked for something impossible, in a way that clap does not see.
fn is_usage(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(<dyn std::error::Error>::is::<SettingsError>)
        || matches!(
            error.downcast_ref(),
            Some(
                KernelError::Settings(_)
                    | KernelError::Interface(
                        InterfaceError::Twice(_) | InterfaceError::Stacked { .. }
                    )
            )
        )
}

fn dispatch(arguments: &Arguments) -> Result<Outcome> {
    // One thread: what is awaited here is slow, and network namespaces belong to threads.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    match &arguments.command {
        Command::Demo(arguments) => runtime.block_on(demo::run(arguments)),
        Command::Watch(arguments) => runtime.block_on(watch::run(arguments)),
        Command::Run(arguments) => runtime.block_on(run::run(arguments)),
        Command::Status(arguments) => runtime.block_on(status::run(arguments)),
        Command::Replay(arguments) => runtime.block_on(replay::run(arguments)),
        Command::Report(arguments) => report::run(arguments),
        Command::Causes(arguments) => causes::run(arguments),
        Command::Rules(arguments) => runtime.block_on(rules::run(arguments)),
        Command::Doctor(arguments) => runtime.block_on(doctor::run(arguments)),
    }
}
