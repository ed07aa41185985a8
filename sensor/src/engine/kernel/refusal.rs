//! What is said where the verifier refuses a program.

use super::preflight::{TRIED_KERNELS, tried_kernels};

/// The verifier refused a program. Its whole log is a line of the log at level debug.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Refusal {
    /// Name of the program.
    pub program: &'static str,
    /// `uname -r`.
    pub release: String,
    /// Whether the kernel is older than all on which the programs were tried.
    pub older: bool,
    /// Whether the kernel describes its types.
    pub btf: bool,
    /// What the verifier has against it, in one line.
    pub verdict: String,
}

impl Refusal {
    fn sentence(&self) -> String {
        let Self {
            program,
            release,
            verdict,
            ..
        } = self;
        let log = "`sensor --log debug doctor 2> verifier.log`";
        let tried = tried_kernels();
        let mut text = if self.older {
            let (major, minor) = TRIED_KERNELS[0];
            format!(
                "kernel {release} refuses {program}: its verifier is older than those that were tried \
                 ({tried}); boot {major}.{minor} or later, or read captures: `sensor replay FILE`"
            )
        } else {
            format!(
                "kernel {release} refuses {program}; tried kernels: {tried}; please report it with the output of \
                 {log}, and read captures meanwhile: `sensor replay FILE`"
            )
        };
        if !self.btf {
            text.push_str("\nThis kernel has no BTF (CONFIG_DEBUG_INFO_BTF), which may be why.");
        }
        text.push_str("\nThe verifier says: ");
        text.push_str(verdict);
        if self.older {
            text.push_str("; all that it says: ");
            text.push_str(log);
        }
        text
    }
}

/// What the verifier has against a program: the last line of its log but for the statistics.
pub(super) fn verdict(log: &str) -> Option<&str> {
    const STATISTICS: [&str; 4] = [
        "processed ",
        "verification time",
        "stack depth",
        "mark_precise",
    ];
    let is_said =
        |line: &&str| !line.is_empty() && !STATISTICS.iter().any(|start| line.starts_with(start));
    log.lines().rev().map(str::trim).find(is_said)
}

#[cfg(test)]
mod tests {
    use sensor_common::names;

    use super::*;

    #[test]
    fn the_verdict_is_one_line_of_the_log() {
        let log = "0: R1=ctx() R10=fp0\n; exit\n12: (95) exit\nR0 !read_ok\nverification time 61 usec\n\
                   stack depth 0+0\nprocessed 13 insns (limit 1000000) max_states_per_insn 0\n\n";
        assert_eq!(verdict(log), Some("R0 !read_ok"));
        assert_eq!(verdict("\n"), None);
    }

    #[test]
    fn a_refusal_says_first_whether_the_kernel_is_older_than_those_tried() {
        let refusal = |older| Refusal {
            program: names::PROGRAM_INGRESS,
            release: "5.15.0".into(),
            older,
            btf: true,
            verdict: "R0 !read_ok".into(),
        };
        let text = refusal(true).to_string();
        let first = text.lines().next().expect("a line");
        assert!(
            first.contains("older than those that were tried (6.1, 6.12, 6.18)"),
            "{text}"
        );
        assert!(first.contains("boot 6.1 or later"), "{text}");
        let text = refusal(false).to_string();
        let first = text.lines().next().expect("a line");
        assert!(!first.contains("older"), "{text}");
        assert!(first.contains("--log debug"), "{text}");
        assert!(text.ends_with("R0 !read_ok"), "{text}");
    }
}
