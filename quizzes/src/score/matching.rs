//! The assignment of calls to steps, one to one: most credit, then most matches, then the lower call ids.
//!
//! # Theory of operation
//! Each possible match gets one whole number that orders matches as the law does: credit in billionths first, then the
//! match itself, then the call's rank by id (lower is better), and last a term that decides who gets which where all
//! else is equal. The sum is then made as large as possible by the Hungarian method (Kuhn 1955, in the form with
//! potentials and shortest augmenting paths), which is exact. Steps are few and calls may be thousands, so steps are
//! the rows: the work is steps squared times calls.

/// One call that may be matched to one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Row: number of the step.
    pub(crate) step: usize,
    /// Column: number of the call, in ascending order of call id.
    pub(crate) call: usize,
    /// What the match would earn.
    pub(crate) credit: f64,
}

const BILLION: f64 = 1e9;
const CREDIT: i128 = 1 << 76;
const MATCH: i128 = 1 << 66;
const RANK: i128 = 1 << 38;

/// For each step, the call that it is matched to.
pub(crate) fn assign(steps: usize, candidates: &[Candidate]) -> Vec<Option<usize>> {
    let mut columns: Vec<usize> = candidates.iter().map(|candidate| candidate.call).collect();
    columns.sort_unstable();
    columns.dedup();
    // One spare column per step stands for "matched to nothing".
    let width = columns.len() + steps;
    let mut value = vec![vec![0_i128; width]; steps];
    for candidate in candidates {
        let Ok(column) = columns.binary_search(&candidate.call) else { continue };
        let credit = (candidate.credit * BILLION).round() as i128;
        let order = candidate.call as i128 * RANK + (candidate.call * (candidate.step + 1)) as i128;
        value[candidate.step][column] = credit * CREDIT + MATCH - order;
    }
    largest_sum(&value, width)
        .into_iter()
        .enumerate()
        .map(|(step, column)| columns.get(column).copied().filter(|_| value[step][column] != 0))
        .collect()
}

/// For each row the column it takes so that the sum of values is largest. Rows are at most as many as columns.
fn largest_sum(value: &[Vec<i128>], width: usize) -> Vec<usize> {
    let rows = value.len();
    // Row and column 0 are the method's own; everything real counts from 1.
    let mut row_potential = vec![0_i128; rows + 1];
    let mut column_potential = vec![0_i128; width + 1];
    let mut row_of = vec![0_usize; width + 1];
    let mut previous = vec![0_usize; width + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut slack = vec![i128::MAX; width + 1];
        let mut visited = vec![false; width + 1];
        while row_of[column] != 0 {
            visited[column] = true;
            let current = row_of[column];
            let mut step = i128::MAX;
            let mut next = 0;
            for other in 1..=width {
                if visited[other] {
                    continue;
                }
                let reduced =
                    -value[current - 1][other - 1] - row_potential[current] - column_potential[other];
                if reduced < slack[other] {
                    slack[other] = reduced;
                    previous[other] = column;
                }
                if slack[other] < step {
                    step = slack[other];
                    next = other;
                }
            }
            for other in 0..=width {
                if visited[other] {
                    row_potential[row_of[other]] += step;
                    column_potential[other] -= step;
                } else {
                    slack[other] = slack[other].saturating_sub(step);
                }
            }
            column = next;
        }
        while column != 0 {
            let before = previous[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut taken = vec![0; rows];
    for column in 1..=width {
        if row_of[column] != 0 {
            taken[row_of[column] - 1] = column - 1;
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidates(list: &[(usize, usize, f64)]) -> Vec<Candidate> {
        list.iter().map(|&(step, call, credit)| Candidate { step, call, credit }).collect()
    }

    #[test]
    fn most_credit_beats_first_come() {
        let list = candidates(&[(0, 0, 1.0), (0, 1, 0.9), (1, 0, 0.9)]);
        assert_eq!(assign(2, &list), [Some(1), Some(0)], "1.8 beats 1.0");
    }

    #[test]
    fn with_equal_credit_most_matches_win() {
        let list = candidates(&[(0, 0, 0.5), (1, 0, 0.5), (1, 1, 0.0)]);
        assert_eq!(assign(2, &list), [Some(0), Some(1)]);
    }

    #[test]
    fn with_all_else_equal_the_lower_call_wins() {
        assert_eq!(assign(1, &candidates(&[(0, 3, 0.5), (0, 1, 0.5), (0, 2, 0.5)])), [Some(1)]);
    }

    #[test]
    fn nothing_to_match_is_matched_to_nothing() {
        assert_eq!(assign(2, &[]), [None, None]);
        assert!(assign(0, &[]).is_empty());
    }

    /// Every way to match, tried one by one.
    fn best_by_trying(step: usize, steps: usize, taken: &mut Vec<usize>, list: &[Candidate]) -> (i64, usize) {
        if step == steps {
            return (0, 0);
        }
        let mut best = best_by_trying(step + 1, steps, taken, list);
        for candidate in list.iter().filter(|candidate| candidate.step == step) {
            if !taken.contains(&candidate.call) {
                taken.push(candidate.call);
                let (credit, count) = best_by_trying(step + 1, steps, taken, list);
                taken.pop();
                best = best.max((credit + (candidate.credit * BILLION).round() as i64, count + 1));
            }
        }
        best
    }

    proptest! {
        #[test]
        fn it_is_the_best_there_is(cells in proptest::collection::btree_map((0_usize..4, 0_usize..5), 0_u8..8, 0..16)) {
            let list: Vec<Candidate> = cells
                .iter()
                .map(|(&(step, call), &tenths)| Candidate { step, call, credit: f64::from(tenths) / 10.0 })
                .collect();
            let found = assign(4, &list);
            let matched: Vec<&Candidate> = list.iter().filter(|c| found[c.step] == Some(c.call)).collect();
            let sum: i64 = matched.iter().map(|c| (c.credit * BILLION).round() as i64).sum();
            prop_assert_eq!((sum, matched.len()), best_by_trying(0, 4, &mut Vec::new(), &list));
            let mut calls: Vec<_> = found.iter().flatten().collect();
            calls.sort();
            calls.dedup();
            prop_assert_eq!(calls.len(), matched.len(), "a call is matched once");
        }
    }
}
