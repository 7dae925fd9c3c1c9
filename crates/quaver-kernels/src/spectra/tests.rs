use super::*;

/// A linear congruence: numbers in (−1, 1), the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Eigenvalues and the last components of the eigenvectors by cyclic Jacobi rotations: nothing in common with QL.
fn jacobi(mut a: Vec<Vec<f64>>) -> Vec<(f64, f64)> {
    let n = a.len();
    let mut v: Vec<Vec<f64>> = (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    for _ in 0..60 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in &mut *a {
                    let (x, y) = (row[p], row[q]);
                    (row[p], row[q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p][k], a[q][k]);
                    (a[p][k], a[q][k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (v[k][p], v[k][q]);
                    (v[k][p], v[k][q]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    (0..n).map(|i| (a[i][i], v[n - 1][i])).collect()
}

/// Σ over `rank` random vectors whose components fall off by `decay`.
fn matrix(numbers: &mut Numbers, n: usize, rank: usize, decay: f64, scale: f64) -> Vec<Vec<f64>> {
    let mut m = vec![vec![0.0; n]; n];
    for _ in 0..rank {
        let x: Vec<f64> = (0..n)
            .map(|i| scale * decay.powi(i as i32) * numbers.next())
            .collect();
        for i in 0..n {
            for j in 0..n {
                m[i][j] += x[i] * x[j];
            }
        }
    }
    m
}

/// A row of matrices, entry by entry.
fn planes_of(matrices: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let (n, width) = (matrices[0].len(), matrices.len());
    let mut planes = vec![0.0; n_packed(n) * width];
    for (x, m) in matrices.iter().enumerate() {
        for i in 0..n {
            for j in 0..=i {
                planes[at(i, j) * width + x] = m[i][j];
            }
        }
    }
    planes
}

fn of_row(planes: &[f64], n: usize, width: usize, question: Question) -> Shares {
    let mut spectra = Spectra::new(n, question, width);
    spectra.row(planes, 0);
    spectra.finish()
}

/// How many matrices rounding cannot have decided, on every instruction set.
fn check(matrices: &[Vec<Vec<f64>>], question: Question, tolerance: f64) -> usize {
    let isas = Isa::available();
    let compared = isas
        .iter()
        .map(|&isa| check_on(isa, matrices, question, tolerance));
    compared.min().unwrap()
}

fn check_on(isa: Isa, matrices: &[Vec<Vec<f64>>], question: Question, tolerance: f64) -> usize {
    let (n, width) = (matrices[0].len(), matrices.len());
    let planes = planes_of(matrices);
    let mut spectra = Spectra::on(isa, n, question, width);
    spectra.row(&planes, 0);
    let found = spectra.finish();
    let mut n_compared = 0;
    for (x, m) in matrices.iter().enumerate() {
        let pairs = jacobi(m.clone());
        let largest = pairs.iter().fold(0.0f64, |max, (theta, _)| max.max(*theta));
        let budgeted: f64 = pairs
            .iter()
            .map(|(theta, e)| e * e * theta.max(0.0) / (theta.max(0.0) + question.lambda))
            .sum();
        assert!(
            (found.budgeted[x] - budgeted).abs() <= tolerance * budgeted + 1e-14,
            "matrix {x}: {} {budgeted}",
            found.budgeted[x]
        );
        let cut = question.rtol * largest;
        if pairs
            .iter()
            .any(|(theta, _)| *theta > 0.99 * cut && *theta < 1.01 * cut)
        {
            continue; // rounding may decide
        }
        n_compared += 1;
        let above = pairs.iter().filter(|(theta, _)| *theta > cut);
        let (rank, kept) = above.fold((0, 0.0), |(r, k), (_, e)| (r + 1, k + e * e));
        assert_eq!(found.rank[x], rank, "matrix {x}: {pairs:?}");
        assert!(
            (found.kept[x] - kept).abs() <= tolerance * kept + 1e-13,
            "matrix {x}: {} {kept}",
            found.kept[x]
        );
    }
    n_compared
}

#[test]
fn agrees_with_jacobi_rotations() {
    let mut numbers = Numbers(1);
    let mut n_compared = 0;
    for n in [1, 2, 3, 5, 9, 14] {
        for decay in [1.0, 0.3, 0.05] {
            for rtol in [1e-6, 1e-3] {
                // Below, at and above full rank, side by side, and not a multiple of the lanes.
                let matrices: Vec<_> = (0..21)
                    .map(|x| matrix(&mut numbers, n, 1 + x % (n + 2), decay, 10.0))
                    .collect();
                for lambda in [1e-3, 1.0, 1e4] {
                    n_compared += check(&matrices, Question { rtol, lambda }, 1e-9);
                }
            }
        }
    }
    assert!(n_compared > 1500, "{n_compared}");
}

/// The same matrices by the vectors they sum: of full rank, with a vector twice, with one that is zero.
#[test]
fn few_vectors_say_the_same() {
    let mut numbers = Numbers(3);
    let (n, width) = (9, 13);
    for m in 1..=4 {
        for lambda in [1e-3, 1.0, 1e4, f64::INFINITY] {
            let mut vectors: Vec<Vec<f64>> = (0..m)
                .map(|_| (0..n * width).map(|_| numbers.next()).collect())
                .collect();
            for i in 0..n {
                vectors[0][i * width + 1] = vectors[m - 1][i * width + 1];
                vectors[0][i * width + 2] = 0.0;
            }
            let mut planes = vec![0.0; n_packed(n) * width];
            for vector in &vectors {
                for i in 0..n {
                    for j in 0..=i {
                        for x in 0..width {
                            planes[at(i, j) * width + x] +=
                                vector[i * width + x] * vector[j * width + x];
                        }
                    }
                }
            }
            let question = Question { rtol: 1e-6, lambda };
            let all = of_row(&planes, n, width, question);
            let mut few = Spectra::new(n, question, width);
            few.row_of_few(&vectors, &planes, 0);
            let few = few.finish();
            assert_eq!(few.rank, all.rank);
            let expected: Vec<u32> = (0..width)
                .map(|x| m as u32 - u32::from(x == 2 || (x == 1 && m > 1)))
                .collect();
            assert_eq!(few.rank, expected);
            for x in 0..width {
                assert!((few.kept[x] - all.kept[x]).abs() < 1e-12);
                assert!((few.budgeted[x] - all.budgeted[x]).abs() < 1e-12);
            }
        }
    }
}

/// Who is decomposed with whom, and when, changes no bit.
#[test]
fn what_waits_for_others_comes_out_the_same() {
    let mut numbers = Numbers(5);
    let n = 9;
    let question = Question {
        rtol: 1e-6,
        lambda: 1e-2,
    };
    // Of full rank, below it, nothing at all: every third, so that parts of a row are full, open, and both.
    let all: Vec<_> = (0..100)
        .map(|x| match (x / 16 % 2, x % 3) {
            (0, 0) => vec![vec![0.0; n]; n],
            (0, 1) => matrix(&mut numbers, n, 12, 1.0, 1.0),
            _ => matrix(&mut numbers, n, 4, 0.3, 1.0),
        })
        .collect();
    let alone: Vec<Shares> = all
        .iter()
        .map(|m| of_row(&planes_of(std::slice::from_ref(m)), n, 1, question))
        .collect();
    for width in [1, 5, 16, 33, 100] {
        let mut spectra = Spectra::new(n, question, all.len());
        for (row, matrices) in all.chunks(width).enumerate() {
            spectra.row(&planes_of(matrices), row * width);
        }
        let found = spectra.finish();
        for (x, alone) in alone.iter().enumerate() {
            assert_eq!(found.rank[x], alone.rank[0], "{width} {x}");
            assert_eq!(found.kept[x].to_bits(), alone.kept[0].to_bits());
            assert_eq!(found.budgeted[x].to_bits(), alone.budgeted[0].to_bits());
        }
        let n_open = found.rank.iter().filter(|&&rank| rank == 4).count();
        assert!(n_open > 50, "{n_open} are decomposed");
    }
}

#[test]
fn one_vector_by_hand() {
    // f = (3, 4): M = f fᵀ, θ = 25 along f/5, whose last component is 4/5.
    let found = |lambda| {
        let question = Question { rtol: 1e-6, lambda };
        let found = of_row(&[9.0, 12.0, 16.0], 2, 1, question);
        let mut one = Spectra::new(2, question, 1);
        one.row_of_one(&[25.0], &[16.0], 0);
        let one = one.finish();
        assert_eq!(one.rank, found.rank);
        assert!((one.kept[0] - found.kept[0]).abs() < 1e-15);
        assert!((one.budgeted[0] - found.budgeted[0]).abs() < 1e-15);
        found
    };
    let once = found(25.0);
    assert_eq!(once.rank, [1]);
    assert!((once.kept[0] - 0.64).abs() < 1e-15);
    assert!((once.budgeted[0] - 0.32).abs() < 1e-15);
    // A budget far below what a Cholesky factor resolves, and no budget at all.
    assert!((found(1e-30).budgeted[0] - 0.64).abs() < 1e-15);
    assert_eq!(found(f64::INFINITY).budgeted[0], 0.0);
}

#[test]
fn nothing_moves() {
    let question = Question {
        rtol: 1e-6,
        lambda: 1.0,
    };
    let mut spectra = Spectra::new(2, question, 6);
    spectra.row(&[0.0; 12], 0);
    spectra.row_of_one(&[0.0; 2], &[0.0; 2], 4);
    let found = spectra.finish();
    assert_eq!((found.rank, found.kept), (vec![0; 6], vec![0.0; 6]));
    assert_eq!(found.budgeted, [0.0; 6]);
}

/// A spectrum over twenty decades, of which the cut leaves part: what a confident network gives.
#[test]
fn graded_matrices() {
    let mut numbers = Numbers(7);
    let matrices: Vec<_> = (0..40)
        .map(|_| {
            // The large components last, where e is, and first.
            let m = matrix(&mut numbers, 9, 12, 0.1, 1.0);
            let flipped = (0..9)
                .map(|i| (0..9).map(|j| m[8 - i][8 - j]).collect())
                .collect();
            [m, flipped]
        })
        .flat_map(|pair: [Vec<Vec<f64>>; 2]| pair)
        .collect();
    let question = Question {
        rtol: 1e-6,
        lambda: 1e-4,
    };
    assert!(check(&matrices, question, 1e-7) > 60);
}
