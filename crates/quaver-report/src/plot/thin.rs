//! Fewer points for the same picture: a page must not weigh megabytes because a curve has a point per sample.

use std::collections::HashSet;

/// A curve in page units with at most `limit` points, its ends kept.
///
/// Points go where leaving them out moves the curve least (Ramer, Douglas and Peucker), first by less than can be
/// seen and then by as much as the limit needs.
pub(super) fn thin_curve(points: &[(f64, f64)], limit: usize) -> Vec<(f64, f64)> {
    let points = extremes(points, 20 * limit);
    let mut tolerance = 0.05;
    loop {
        let kept = simplified(&points, tolerance);
        if kept.len() <= limit.max(2) {
            return kept;
        }
        tolerance *= 2.0;
    }
}

/// A staircase in page units, given by its corners from left to right, with at most `limit` of them: steps closer together
/// than can be seen become one, so that it stays a staircase and says no height that it does not have.
pub(super) fn thin_stairs(corners: &[(f64, f64)], limit: usize) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (corners.first(), corners.last()) else {
        return Vec::new();
    };
    if corners.len() <= limit {
        return corners.to_vec();
    }
    let cell = (last.0 - first.0) / (limit / 2 - 2) as f64;
    let cell_of = |corner: &(f64, f64)| ((corner.0 - first.0) / cell) as usize;
    let mut kept = vec![*first];
    let mut height = first.1;
    for steps in corners.chunk_by(|a, b| cell_of(a) == cell_of(b)) {
        let to = steps[steps.len() - 1].1;
        if to != height {
            // The first step of the cell that goes anywhere.
            let at = steps.iter().find(|step| step.1 != height).unwrap_or(last).0;
            kept.extend([(at, height), (at, to)]);
            height = to;
        }
    }
    kept.push(*last);
    kept
}

/// At most `limit` points, and all where the curve turns furthest: of each run of points the first, the last and the
/// extremes. It bounds the work of what follows, whose worst case is quadratic.
fn extremes(points: &[(f64, f64)], limit: usize) -> Vec<(f64, f64)> {
    if points.len() <= limit {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(limit);
    let run = points.len().div_ceil((limit / 6).max(1));
    for (number, run_points) in points.chunks(run).enumerate() {
        let mut indices = vec![0, run_points.len() - 1];
        for key in [|p: &(f64, f64)| p.0, |p: &(f64, f64)| p.1] {
            let by = |a: &usize, b: &usize| key(&run_points[*a]).total_cmp(&key(&run_points[*b]));
            indices.extend((0..run_points.len()).min_by(by));
            indices.extend((0..run_points.len()).max_by(by));
        }
        indices.sort_unstable();
        indices.dedup();
        debug_assert!(number * run < points.len());
        kept.extend(indices.into_iter().map(|index| run_points[index]));
    }
    kept
}

fn simplified(points: &[(f64, f64)], tolerance: f64) -> Vec<(f64, f64)> {
    if points.len() < 3 {
        return points.to_vec();
    }
    let mut keep = vec![false; points.len()];
    keep[0] = true;
    keep[points.len() - 1] = true;
    let mut open = vec![(0, points.len() - 1)];
    while let Some((first, last)) = open.pop() {
        let distance = |index: &usize| distance(points[*index], points[first], points[last]);
        let between = first + 1..last;
        let furthest = between.max_by(|a, b| distance(a).total_cmp(&distance(b)));
        if let Some(furthest) = furthest.filter(|index| distance(index) > tolerance) {
            keep[furthest] = true;
            open.push((first, furthest));
            open.push((furthest, last));
        }
    }
    let kept = points.iter().zip(keep).filter(|(_, keep)| *keep);
    kept.map(|(point, _)| *point).collect()
}

/// From a point to the line segment between two others.
fn distance(point: (f64, f64), from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (px, py) = (point.0 - from.0, point.1 - from.1);
    let length = dx * dx + dy * dy;
    let along = match length > 0.0 {
        true => ((px * dx + py * dy) / length).clamp(0.0, 1.0),
        false => 0.0,
    };
    (px - along * dx).hypot(py - along * dy)
}

/// The indices of at most `limit` points in page units, in order.
///
/// Of the points in one cell of a grid the first stays, and the cells grow until there are few enough: what goes is
/// hidden by a neighbour, and a lone outlier never goes.
pub(super) fn thin_cloud(points: &[(f64, f64)], limit: usize) -> Vec<usize> {
    if points.len() <= limit {
        return (0..points.len()).collect();
    }
    let mut cell = 0.5;
    loop {
        let mut taken = HashSet::new();
        let kept: Vec<usize> = (0..points.len())
            .filter(|index| {
                let (x, y) = points[*index];
                taken.insert(((x / cell).floor() as i64, (y / cell).floor() as i64))
            })
            .collect();
        if kept.len() <= limit.max(1) {
            return kept;
        }
        cell *= 1.25;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The furthest that any point of `points` lies from the thinned curve.
    fn furthest(points: &[(f64, f64)], thinned: &[(f64, f64)]) -> f64 {
        let to_curve = |point: &(f64, f64)| {
            let pieces = thinned
                .windows(2)
                .map(|ends| distance(*point, ends[0], ends[1]));
            pieces.fold(f64::INFINITY, f64::min)
        };
        points.iter().map(to_curve).fold(0.0, f64::max)
    }

    #[test]
    fn curves_keep_their_shape() {
        let wave = |n: usize| -> Vec<(f64, f64)> {
            let at = |k: usize| 450.0 * k as f64 / (n - 1) as f64;
            (0..n)
                .map(|k| (at(k), 100.0 * (at(k) / 40.0).sin()))
                .collect()
        };
        let steps: Vec<(f64, f64)> = (0..9000u32)
            .map(|k| (f64::from(k / 2) / 10.0, f64::from(k.div_ceil(2)) / 20.0))
            .collect();
        for points in [wave(3000), wave(200_000), steps, vec![(0.0, 0.0); 5000]] {
            let thinned = thin_curve(&points, 500);
            assert!(thinned.len() <= 500);
            assert_eq!(thinned.first(), points.first());
            assert_eq!(thinned.last(), points.last());
            assert!(furthest(&points, &thinned) < 0.25);
        }
        assert!(thin_curve(&[], 500).is_empty());
    }

    #[test]
    fn staircases_stay_staircases() {
        let mut corners = vec![(0.0, 100.0)];
        for k in 0..5000 {
            let (x, y) = (0.1 * f64::from(k * k % 5000), f64::from(k));
            corners.push((x, y));
        }
        corners.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut stairs = vec![(0.0, 0.0)];
        for (number, (x, _)) in corners.iter().enumerate() {
            stairs.extend([(*x, number as f64), (*x, number as f64 + 1.0)]);
        }
        stairs.push((500.0, corners.len() as f64));
        let thinned = thin_stairs(&stairs, 800);
        assert!((400..=800).contains(&thinned.len()), "{}", thinned.len());
        assert_eq!(thinned.first(), stairs.first());
        assert_eq!(thinned.last(), stairs.last());
        let is_step = |ends: &[(f64, f64)]| ends[0].0 == ends[1].0 || ends[0].1 == ends[1].1;
        assert!(thinned.windows(2).all(is_step));
        assert!(thinned.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
        assert_eq!(thin_stairs(&stairs[..7], 800), stairs[..7]);
        assert!(thin_stairs(&[], 800).is_empty());
    }

    #[test]
    fn clouds_keep_their_outliers() {
        let mut points: Vec<(f64, f64)> = (0..50_000)
            .map(|k| (f64::from(k % 251), f64::from(k % 241)))
            .collect();
        points.push((900.0, 900.0));
        let kept = thin_cloud(&points, 1000);
        assert!((200..=1000).contains(&kept.len()), "{}", kept.len());
        assert!(kept.contains(&50_000));
        assert!(kept.is_sorted());
    }
}
