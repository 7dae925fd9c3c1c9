//! Many tests at once.

/// The p values corrected for their number by Holm's step-down (1979): the j-th smallest of m times m − j + 1, at least as
/// large as those of smaller ones, at most 1. If those of at most α are called differences, the probability that any of
/// them is none is at most α, however the tests depend on each other; the measures of one network do, strongly.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut largest = 0.0f64;
    for (smaller, &at) in order.iter().enumerate() {
        let n_left = (p_values.len() - smaller) as f64;
        largest = largest.max((n_left * p_values[at]).min(1.0));
        corrected[at] = largest;
    }
    corrected
}
