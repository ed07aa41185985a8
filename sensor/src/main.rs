//! The program: parses the command line, runs one command, turns its result into an exit code.

#![cfg_attr(not(test), deny(clippy::print_stderr, clippy::print_stdout))]

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use sensor::cli::{Arguments, Command};
use sensor::command::screen::log::Log;
use sensor::command::usage::is_usage;
use sensor::command::{Outcome, causes, demo, doctor, replay, report, rules, run, status, watch};

/// Wrong usage, apart from every result of a command (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where nobody reads it there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                // Help and version were asked for.
                ExitCode::SUCCESS
            };
        }
    };
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
            // Where nobody reads it there is nobody to tell.
            let _ = writeln!(io::stderr().lock(), "error: {error:#}");
            if is_usage(&error) {
                ExitCode::from(USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
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
