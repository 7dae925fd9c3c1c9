//! Where the name of a curve goes: beside the curve itself, where it covers nothing.

/// A rectangle on the page: left, top, right, lower edge.
type Rectangle = [f64; 4];

/// A name and where it is written.
pub(super) struct Label {
    pub(super) text: String,
    /// The left end of the line of text.
    pub(super) x: f64,
    /// Its baseline.
    pub(super) y: f64,
}

const LETTER_WIDTH: f64 = 6.6;
const TEXT_HEIGHT: f64 = 12.0;
const LONGEST: usize = 26;
/// Free space around a label.
const MARGIN: f64 = 4.0;

/// A place for each curve's name, or none where everything is full: the legend has it in any case.
///
/// `curves` and `obstacles` are in page units. Places along the curve are tried above, below, left and right of it;
/// the one that is clearest of everything wins, the first among equals, so that the result is always the same.
pub(super) fn place_labels(
    curves: &[(&str, &[(f64, f64)])],
    obstacles: &[Vec<(f64, f64)>],
    edges: Rectangle,
) -> Vec<Option<Label>> {
    let mut lines: Vec<Vec<(f64, f64)>> =
        curves.iter().map(|(_, curve)| along(curve, 4.0)).collect();
    lines.extend(obstacles.iter().map(|line| along(line, 4.0)));
    let mut taken: Vec<Rectangle> = Vec::new();
    let mut labels = Vec::new();
    for (number, (name, _)) in curves.iter().enumerate() {
        let text = shortened(name);
        let width = text.chars().count() as f64 * LETTER_WIDTH;
        let mut best: Option<(f64, Rectangle)> = None;
        for anchor in lines[number].iter().step_by(3) {
            for place in around(*anchor, width) {
                let clearance = clearance(place, &lines, &taken, number);
                if !inside(place, edges) || clearance < MARGIN {
                    continue;
                }
                let score = clearance - off_centre(place, edges);
                if best.is_none_or(|(best, _)| score > best + 0.5) {
                    best = Some((score, place));
                }
            }
        }
        taken.extend(best.map(|(_, place)| place));
        labels.push(best.map(|(_, [x, top, _, _])| Label {
            text,
            x,
            y: top + TEXT_HEIGHT - 2.5,
        }));
    }
    labels
}

/// The four places for a text beside a point.
fn around((x, y): (f64, f64), width: f64) -> [Rectangle; 4] {
    let gap = MARGIN + 2.0;
    let at = |left: f64, top: f64| [left, top, left + width, top + TEXT_HEIGHT];
    [
        at(x + gap, y + gap),
        at(x + gap, y - TEXT_HEIGHT / 2.0),
        at(x - gap - width, y - TEXT_HEIGHT - gap),
        at(x - gap - width, y - TEXT_HEIGHT / 2.0),
    ]
}

/// How far the nearest other line or label is, at most 24: further is no better. It is nothing where the text would
/// lie on its own curve, or as close to another one, whose name it would then seem to be.
fn clearance(place: Rectangle, lines: &[Vec<(f64, f64)>], taken: &[Rectangle], own: usize) -> f64 {
    let to_line = |line: &Vec<(f64, f64)>| {
        let distances = line.iter().map(|point| from_rectangle(*point, place));
        distances.fold(f64::INFINITY, f64::min)
    };
    let to_own = to_line(&lines[own]);
    let mut nearest = 24.0f64;
    for (_, line) in lines
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != own)
    {
        nearest = nearest.min(to_line(line));
    }
    for other in taken {
        nearest = nearest.min(between(place, *other));
    }
    match to_own >= MARGIN && nearest >= to_own + MARGIN {
        true => nearest,
        false => 0.0,
    }
}

/// Points along a curve at most `step` apart, in page units.
fn along(curve: &[(f64, f64)], step: f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for ends in curve.windows(2) {
        let (from, to) = (ends[0], ends[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let n = (length / step).ceil().max(1.0);
        for k in 0..n as usize {
            let share = k as f64 / n;
            points.push((
                from.0 + share * (to.0 - from.0),
                from.1 + share * (to.1 - from.1),
            ));
        }
    }
    points.extend(curve.last());
    points
}

fn shortened(name: &str) -> String {
    match name.chars().count() <= LONGEST {
        true => name.to_owned(),
        false => name.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}

fn from_rectangle((x, y): (f64, f64), [left, top, right, lower]: Rectangle) -> f64 {
    let dx = (left - x).max(x - right).max(0.0);
    let dy = (top - y).max(y - lower).max(0.0);
    dx.hypot(dy)
}

fn inside(place: Rectangle, edges: Rectangle) -> bool {
    place[0] >= edges[0] && place[1] >= edges[1] && place[2] <= edges[2] && place[3] <= edges[3]
}

/// How much a place loses for lying near the left or right edge, where curves begin, end and crowd.
fn off_centre(place: Rectangle, edges: Rectangle) -> f64 {
    let middle = (edges[0] + edges[2]) / 2.0;
    let off = ((place[0] + place[2]) / 2.0 - middle).abs();
    12.0 * off / (edges[2] - middle)
}

fn between(a: Rectangle, b: Rectangle) -> f64 {
    let dx = (a[0] - b[2]).max(b[0] - a[2]).max(0.0);
    let dy = (a[1] - b[3]).max(b[1] - a[3]).max(0.0);
    dx.hypot(dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_lie_beside_their_curves() {
        let low: Vec<(f64, f64)> = vec![(0.0, 300.0), (400.0, 200.0)];
        let high: Vec<(f64, f64)> = vec![(0.0, 100.0), (400.0, 50.0)];
        let curves = [("low", &low[..]), ("high", &high[..])];
        let labels = place_labels(&curves, &[], [0.0, 0.0, 400.0, 320.0]);
        let y = |index: usize| labels[index].as_ref().map(|label| label.y).unwrap();
        assert!(y(0) > 180.0 && y(1) < 130.0);
    }

    #[test]
    fn no_place_is_no_label() {
        let line = vec![(0.0, 5.0), (20.0, 5.0)];
        let labels = place_labels(&[("a long name", &line)], &[], [0.0, 0.0, 20.0, 10.0]);
        assert!(labels[0].is_none());
        assert!(place_labels(&[("x", &[])], &[], [0.0, 0.0, 20.0, 10.0])[0].is_none());
    }
}
