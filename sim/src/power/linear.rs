//! Linear equations, dense: a nine-bus system has at most a dozen unknowns, and a sparse solver would cost more than it saves.

use std::ops::{Div, Mul, Sub};

use num_complex::Complex64;

/// A number that elimination works on.
pub(crate) trait Scalar:
    Copy + PartialEq + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// A measure of size, for the choice of pivots.
    fn size(self) -> f64;
}

impl Scalar for f64 {
    fn size(self) -> f64 {
        self.abs()
    }
}

impl Scalar for Complex64 {
    fn size(self) -> f64 {
        self.norm_sqr()
    }
}

/// Solves `A X = B` in place: `rows` holds `[A | B]`, one row after the other, each `n` + `columns` long; afterwards the
/// right part holds X. False where A is singular.
///
/// Gauss-Jordan elimination with partial pivoting (Golub and Van Loan, *Matrix Computations*, 3.4).
pub(crate) fn solve<T: Scalar>(rows: &mut [T], n: usize, columns: usize) -> bool {
    let width = n + columns;
    for pivot in 0..n {
        let size = |row: usize, rows: &[T]| rows[row * width + pivot].size();
        let mut best = pivot;
        for row in pivot + 1..n {
            if size(row, rows) > size(best, rows) {
                best = row;
            }
        }
        if size(best, rows) < 1e-24 || size(best, rows).is_nan() {
            return false;
        }
        if best != pivot {
            for column in 0..width {
                rows.swap(best * width + column, pivot * width + column);
            }
        }
        let head = rows[pivot * width + pivot];
        for column in pivot..width {
            rows[pivot * width + column] = rows[pivot * width + column] / head;
        }
        for row in (0..n).filter(|row| *row != pivot) {
            let factor = rows[row * width + pivot];
            if factor.size() == 0.0 {
                continue;
            }
            for column in pivot..width {
                rows[row * width + column] =
                    rows[row * width + column] - factor * rows[pivot * width + column];
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_needs_its_rows_swapped_is_solved() {
        // 2y = 4, x + y = 5
        let mut rows = [0.0, 2.0, 4.0, 1.0, 1.0, 5.0];
        assert!(solve(&mut rows, 2, 1));
        assert_eq!((rows[2], rows[5]), (3.0, 2.0));
    }

    #[test]
    fn a_complex_inverse_times_its_matrix_is_one() {
        let i = Complex64::i();
        let one = Complex64::new(1.0, 0.0);
        let zero = Complex64::new(0.0, 0.0);
        let (a, b, c, d) = (one + i, one * 2.0, -i, one * 3.0 - i);
        let mut rows = [a, b, one, zero, c, d, zero, one];
        assert!(solve(&mut rows, 2, 2));
        let product = a * rows[2] + b * rows[6];
        assert!((product - one).norm_sqr() < 1e-24, "{product}");
    }

    #[test]
    fn a_singular_system_is_refused() {
        assert!(!solve(&mut [1.0, 2.0, 1.0, 2.0, 4.0, 1.0], 2, 1));
        assert!(!solve(&mut [f64::NAN, 1.0], 1, 1));
    }
}
