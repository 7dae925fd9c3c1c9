use super::*;

fn check_drawable(chart: impl Into<Chart>) -> Drawing {
    let mut drawing = chart.into().draw();
    let svg = std::mem::take(&mut drawing.svg).finish();
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    drawing.svg.text(&svg);
    drawing
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let x = || Axis::log("x");
    let odd = [0.0, -1.0, f64::INFINITY, 1e200, 2.0];
    let points: Vec<(f64, f64)> = odd.iter().map(|value| (*value, 1.0)).collect();
    let line = LineChart::new(x(), Axis::linear("y")).series("a", points.clone());
    let marks = points.iter().map(|(x, y)| Mark {
        x: *x,
        y: *y,
        title: String::new(),
    });
    let scatter = ScatterChart::new(x(), Axis::linear("y")).group("a", marks.collect());
    let histogram = Histogram::new(x())
        .group("a", odd.to_vec())
        .marker("m", 0.0);
    let charts: [Chart; 3] = [line.into(), scatter.into(), histogram.into()];
    for chart in charts {
        let drawing = check_drawable(chart);
        assert!(drawing.notes.concat().contains('4'), "{:?}", drawing.notes);
    }
}

#[test]
fn nothing_is_a_plot_too() {
    let linear = || Axis::linear("x");
    check_drawable(LineChart::new(linear(), Axis::log("y")));
    check_drawable(LineChart::new(linear(), linear()).series("empty", vec![]));
    check_drawable(ScatterChart::new(linear(), linear()).group("empty", vec![]));
    check_drawable(Histogram::new(linear()));
    check_drawable(
        Histogram::new(Axis::log("x"))
            .as_shares()
            .group("empty", vec![]),
    );
    check_drawable(BarChart::new("x"));
    check_drawable(BarChart::new("x").bar("a", f64::INFINITY).bar("b", -1.0));
    check_drawable(LineChart::new(linear(), linear()).series("one", vec![(3.0, 3.0)]));
}

#[test]
fn large_clouds_are_thinned_and_say_so() {
    let mark = |k: u32| Mark {
        x: f64::from(k % 997),
        y: f64::from(k % 991),
        title: format!("sample {k}"),
    };
    let chart = ScatterChart::new(Axis::linear("x"), Axis::linear("y"))
        .group("many", (0..40_000).map(mark).collect())
        .group("few", (0..40).map(mark).collect());
    let drawing = check_drawable(chart);
    assert!(drawing.notes[0].contains("of 40,040 points are drawn"));
    let svg = drawing.svg.finish();
    let n_drawn = svg.matches("&lt;title&gt;sample").count();
    assert!((500..=2_000).contains(&n_drawn), "{n_drawn}");
    assert!(svg.contains("sample 39&lt;"));
}
