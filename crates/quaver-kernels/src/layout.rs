//! Channels-first to channels-last and back.

use crate::Scalar;

/// Square blocks that both sides of a transposition keep in cache.
const BLOCK: usize = 8;

/// y (N × columns × rows) ← x (N × rows × columns), each matrix transposed.
///
/// # Panics
/// If x and y differ in length.
pub fn transpose<T: Scalar>(rows: usize, columns: usize, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "a transposition keeps every element");
    if rows == 0 || columns == 0 {
        return;
    }
    let matrices = x.chunks_exact(rows * columns);
    for (x, y) in matrices.zip(y.chunks_exact_mut(rows * columns)) {
        transpose_apart(rows, columns, x, y, rows);
    }
}

/// y ← xᵀ for one matrix x (rows × columns), the rows of y starting `stride` apart.
pub(crate) fn transpose_apart<T: Scalar>(
    rows: usize,
    columns: usize,
    x: &[T],
    y: &mut [T],
    stride: usize,
) {
    for row in (0..rows).step_by(BLOCK) {
        for column in (0..columns).step_by(BLOCK) {
            // Runs along what is written: scattered writes cost more than scattered reads.
            for j in column..(column + BLOCK).min(columns) {
                let to = &mut y[j * stride + row..j * stride + (row + BLOCK).min(rows)];
                let from = x[row * columns + j..].iter().step_by(columns);
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_lands_where_its_indices_say() {
        for &(rows, columns) in &[(1, 5), (3, 17), (33, 16), (0, 4)] {
            let x: Vec<f32> = (0..2 * rows * columns).map(|i| i as f32).collect();
            let mut y = vec![0.0; x.len()];
            transpose(rows, columns, &x, &mut y);
            for n in 0..2 {
                for i in 0..rows {
                    for j in 0..columns {
                        assert_eq!(
                            y[(n * columns + j) * rows + i].to_bits(),
                            x[(n * rows + i) * columns + j].to_bits()
                        );
                    }
                }
            }
        }
    }
}
