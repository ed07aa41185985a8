//! What a guest said, read.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::PROGRAMS;
use super::baseline::{Programs, Verified};
use super::guest::{DONE, END, STEP};

/// Of one kernel.
#[derive(Default)]
pub struct Results {
    /// Steps that did not end with 0.
    pub failed_steps: Vec<String>,
    /// Tests that passed.
    pub passed: usize,
    /// Names of those that did not.
    pub failed: Vec<String>,
    /// Instructions by program.
    pub verified: Programs,
    /// How an interface was watched, in the words of `watch`.
    pub hooks: BTreeMap<String, String>,
}

impl Results {
    /// Reads what the steps printed: the lines of Rust's test harness, and those that tests print for
    /// this.
    pub fn read(text: &str) -> Self {
        let mut results = Self::default();
        let mut step = "";
        for line in text.lines() {
            let line = line.trim();
            if let Some(name) = line.strip_prefix(STEP) {
                step = name.trim();
            } else if let Some(code) = line.strip_prefix(END) {
                if code.trim() != "0" {
                    results.failed_steps.push(step.into());
                }
                step = "";
            } else if let Some(test) = line.strip_prefix("test ") {
                results.test(test);
            } else if let Some(of) = line.strip_prefix("verified ") {
                results.verified(of);
            } else if let Some((interface, hook)) = line
                .strip_prefix("hook of ")
                .and_then(|of| of.split_once(": "))
            {
                results.hooks.insert(interface.into(), hook.into());
            }
        }
        if !text.contains(DONE) {
            let at = if step.is_empty() { "the guest" } else { step };
            results.failed_steps.push(format!("{at} (it did not end)"));
        }
        results
    }

    /// `name ... ok`. What a test prints itself may stand in between.
    fn test(&mut self, line: &str) {
        let Some((name, result)) = line.split_once(" ... ") else {
            return;
        };
        if result.ends_with("ok") {
            self.passed += 1;
        } else if result.ends_with("FAILED") {
            self.failed.push(name.into());
        }
    }

    /// `program least most`.
    fn verified(&mut self, line: &str) {
        let mut words = line.split(' ');
        let program = words.next().unwrap_or_default();
        let mut number = || words.next()?.parse().ok();
        if let (Some(least), Some(most)) = (number(), number()) {
            let verified = Verified { least, most };
            self.verified.insert(program.into(), verified);
        }
    }

    /// Whether all went well.
    pub fn are_fine(&self) -> bool {
        self.failed_steps.is_empty() && self.failed.is_empty()
    }
}

/// What all kernels said, as a table in Markdown.
pub fn table(all: &[(String, Results)]) -> String {
    let mut text = format!("| kernel | {} | hooks | tests |\n", PROGRAMS.join(" | "));
    text.push_str("| --- | ---: | ---: | ---: | --- | --- |\n");
    for (kernel, results) in all {
        let instructions = PROGRAMS.map(|program| {
            let verified = results.verified.get(program);
            verified.map_or_else(|| "-".into(), Verified::to_string)
        });
        let hooks: Vec<String> = results
            .hooks
            .iter()
            .map(|(interface, hook)| format!("{interface}: {hook}"))
            .collect();
        let tests = match results.failed.len() {
            0 => format!("{} passed", results.passed),
            failed => format!("{} passed, {failed} failed", results.passed),
        };
        let _ = writeln!(
            text,
            "| {kernel} | {} | {} | {tests} |",
            instructions.join(" | "),
            hooks.join("; ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
@@up
@@step doctor
ok    kernel        6.1.0-56-cloud-amd64
@@end 0
@@step kernel_frames
running 3 tests
test xdp_counts_as_the_host_does ... ok
test tc_counts_as_the_host_does ... FAILED
test in_a_module::it_is_ignored ... ignored
verified sensor_xdp 134000 191000
hook of veth, auto: TC ingress and egress
test result: FAILED. 1 passed; 1 failed
@@end 101
@@step kernel_program
";

    #[test]
    fn what_a_guest_said_is_read() {
        let results = Results::read(SAID);
        assert_eq!(results.passed, 1);
        assert_eq!(results.failed, ["tc_counts_as_the_host_does"]);
        let failed = ["kernel_frames", "kernel_program (it did not end)"];
        assert_eq!(results.failed_steps, failed);
        let verified = results.verified["sensor_xdp"];
        assert_eq!((verified.least, verified.most), (134_000, 191_000));
        assert!(!results.are_fine());
        let table = table(&[("6.1".into(), results)]);
        assert!(
            table.contains(
                "| 6.1 | 134,000 to 191,000 | - | - | veth, auto: TC ingress and egress | 1 passed, 1 failed |"
            ),
            "{table}"
        );
    }
}
