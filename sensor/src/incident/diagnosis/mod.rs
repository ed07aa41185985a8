//! Why it happened: findings, weighed by one table and summed up, so that no order can matter.

pub mod cause;
pub mod contrast;
pub mod drop_class;
pub mod finding;
pub mod kind;
pub mod rank;
pub mod weights;

pub use cause::Cause;
pub use contrast::Contrast;
pub use drop_class::DropClass;
pub use finding::Finding;
pub use rank::Ranked;

#[cfg(test)]
mod tests {
    use super::kind::Kind;
    use super::*;

    #[test]
    fn each_kind_of_finding_has_one_row_and_each_cause_can_win() {
        let mut kinds: Vec<Kind> = weights::WEIGHTS.iter().map(|(kind, _)| *kind).collect();
        kinds.sort();
        let many = kinds.len();
        kinds.dedup();
        assert_eq!(kinds.len(), many);
        assert_eq!(
            many,
            Kind::ProbeRefused as usize + 1,
            "a kind without a row"
        );
        for cause in Cause::ALL {
            let most = weights::WEIGHTS
                .iter()
                .flat_map(|(_, row)| row.iter())
                .filter(|(of, _)| *of == cause)
                .map(|(_, weight)| *weight)
                .max();
            assert!(most.is_some_and(|most| most > 0), "{}", cause.code());
        }
    }

    #[test]
    fn no_order_of_the_findings_changes_the_sums() {
        let mut findings = vec![
            Finding::PortUnreachable { errors: 5 },
            Finding::TcpAccepted,
            Finding::FloodFirst,
            Finding::Silence {
                failed: 5,
                decided: 9,
            },
        ];
        let sums = |findings: &[Finding]| -> Vec<(Cause, i32)> {
            let ranked = rank::rank(findings);
            ranked
                .iter()
                .map(|ranked| (ranked.cause, ranked.weight))
                .collect()
        };
        let expected = sums(&findings);
        for turn in 0..24 {
            let at = turn % findings.len();
            findings.swap(0, at);
            findings.rotate_left(turn % 3);
            assert_eq!(sums(&findings), expected);
        }
    }
}
