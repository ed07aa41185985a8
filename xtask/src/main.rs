//! Chores of the workspace. `cargo xtask --help` lists them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod bpf;
mod casebook;
mod compare;
mod fuzz;
mod kernels;
#[path = "../../sensor/build/lock.rs"]
mod lock;
mod pictures;
mod process;
mod scenarios;
mod setup;
mod test;
mod toolchain;
mod workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the sensor workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test; as root also those that need a kernel.
    Test(test::Options),
    /// Measure what a packet costs in the kernel, against an empty program. Needs root.
    Bench(bench::Options),
    /// Judge the situations of `sensor/casebook` and print the score.
    Casebook(casebook::Options),
    /// Count captures with both engines and tshark, and name each packet on which they differ. As root with the kernel's.
    Compare(compare::Options),
    /// Give any bytes to the readers of captures, the packet parser, the dossier decoder and the casebook's format.
    Fuzz(fuzz::Options),
    /// Stage failures and floods on private networks and score what the sensor says. Needs root.
    Scenarios(scenarios::Options),
    /// Boot the kernels that people have, in qemu, and run the tests that need one on each.
    Kernels(kernels::Options),
    /// Run the demo in a pseudo-terminal and write its screen as the picture of README.md.
    Pictures,
    /// Install what building the BPF object needs, and say so first.
    Setup,
    /// Build the BPF object and its lock from the sources.
    BuildEbpf,
    /// Rebuild the BPF object and compare it with the committed one.
    VerifyEbpf,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test(options) => test::run_tests(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Casebook(options) => casebook::run(&options),
        Task::Compare(options) => compare::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Scenarios(options) => scenarios::run(&options),
        Task::Kernels(options) => kernels::run(&options),
        Task::Pictures => pictures::run(),
        Task::Setup => setup::run(),
        Task::BuildEbpf => bpf::build(),
        Task::VerifyEbpf => bpf::verify(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<kernels::NotHere>() {
                return ExitCode::from(kernels::NotHere::EXIT);
            }
            ExitCode::FAILURE
        }
    }
}
