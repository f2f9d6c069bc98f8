//! Symmetric positive definite systems, small and dense.

/// Solves `A x = b` in place by Cholesky's method without roots (`A = L D L'`).
///
/// `matrix` is row by row, `n` by `n`; only its lower triangle is read; it is overwritten. `rhs` becomes `x`.
/// A pivot that is not positive belongs to a node that nothing ties down: its unknown is set to zero.
pub(crate) fn solve(matrix: &mut [f64], rhs: &mut [f64]) {
    let n = rhs.len();
    for j in 0..n {
        let mut pivot = matrix[j * n + j];
        for k in 0..j {
            pivot -= matrix[j * n + k] * matrix[j * n + k] * matrix[k * n + k];
        }
        let tied = pivot > f64::MIN_POSITIVE;
        matrix[j * n + j] = if tied { pivot } else { f64::INFINITY };
        for i in j + 1..n {
            let mut value = matrix[i * n + j];
            for k in 0..j {
                value -= matrix[i * n + k] * matrix[j * n + k] * matrix[k * n + k];
            }
            matrix[i * n + j] = if tied { value / pivot } else { 0.0 };
        }
        if !tied {
            // An infinite pivot times a zero column would be NaN in later sums: keep the column zero, the pivot huge.
            matrix[j * n + j] = f64::MAX;
        }
    }
    for i in 0..n {
        for k in 0..i {
            rhs[i] -= matrix[i * n + k] * rhs[k];
        }
    }
    for i in 0..n {
        rhs[i] /= matrix[i * n + i];
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            rhs[i] -= matrix[k * n + i] * rhs[k];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_a_system_worked_by_hand() {
        // [4 1; 1 3] x = [1; 2]  ->  x = [1/11; 7/11]
        let mut matrix = [4.0, 0.0, 1.0, 3.0];
        let mut rhs = [1.0, 2.0];
        solve(&mut matrix, &mut rhs);
        assert!((rhs[0] - 1.0 / 11.0).abs() < 1e-15 && (rhs[1] - 7.0 / 11.0).abs() < 1e-15, "{rhs:?}");
    }

    #[test]
    fn an_untied_node_is_zero_and_spoils_nothing() {
        let mut matrix = [0.0, 0.0, 0.0, 2.0];
        let mut rhs = [5.0, 3.0];
        solve(&mut matrix, &mut rhs);
        assert!(rhs[0].abs() < 1e-300 && rhs[1] == 1.5, "{rhs:?}");
    }

    #[test]
    fn nothing_to_solve_is_no_error() {
        solve(&mut [], &mut []);
    }
}
