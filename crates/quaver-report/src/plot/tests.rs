use super::*;

fn check_drawable(chart: impl Into<Chart>) -> Drawing {
    let mut drawing = chart.into().draw(false);
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
    let ecdf = EcdfChart::new(x()).group("a", odd.to_vec()).gap();
    let manhattan = ManhattanChart::new(x()).block("a", odd.iter().map(|value| (*value, "")));
    let charts: [Chart; 5] = [
        line.into(),
        scatter.into(),
        histogram.into(),
        ecdf.into(),
        manhattan.into(),
    ];
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
    check_drawable(EcdfChart::new(Axis::log("x")));
    check_drawable(EcdfChart::new(linear()).group("empty", vec![]).gap());
    check_drawable(BoxPlot::new(linear(), ["a"]));
    check_drawable(BoxPlot::new(Axis::log("x"), ["a", "b"]).group("g", [vec![], vec![0.0]]));
    check_drawable(GroupedBarChart::new("x", Vec::<String>::new()).group("g", []));
    check_drawable(GroupedBarChart::new("x", ["a", "b"]).group("g", [None]));
    check_drawable(ManhattanChart::new(linear()));
    check_drawable(ManhattanChart::new(Axis::log("y")).block::<&str>("empty", []));
    check_drawable(BarChart::new("x"));
    check_drawable(BarChart::new("x").bar("a", f64::INFINITY).bar("b", -1.0));
    check_drawable(LineChart::new(linear(), linear()).series("one", vec![(3.0, 3.0)]));
}

#[test]
fn infinite_ends_are_cut_and_said() {
    let infinite = f64::INFINITY;
    let boxes = BoxPlot::new(Axis::linear("x"), ["a"])
        .group("g", [vec![1.0, 2.0, infinite]])
        .group("h", [vec![infinite; 3]]);
    let drawing = check_drawable(boxes);
    assert!(drawing.notes.concat().contains('2'), "{:?}", drawing.notes);
    let bar = Interval {
        low: 0.5,
        value: 1.0,
        high: infinite,
    };
    let bars = GroupedBarChart::new("x", ["a"]).group("g", [Some(bar)]);
    check_drawable(bars.clone());
    check_drawable(bars.logarithmic());
}

#[test]
fn many_rows_are_cut_and_said() {
    let mut bars = GroupedBarChart::new("x", ["a", "b"]);
    let mut boxes = BoxPlot::new(Axis::linear("x"), ["a"]);
    for k in 0..70 {
        let value = Interval::point(f64::from(k));
        bars = bars.group(format!("g{k}"), [Some(value), Some(value)]);
        boxes = boxes.group(format!("g{k}"), [vec![f64::from(k)]]);
    }
    for chart in [Chart::from(bars), Chart::from(boxes)] {
        let drawing = check_drawable(chart);
        assert!(drawing.notes[0].starts_with("The first 60 of 70"));
    }
}

#[test]
fn blocks_side_by_side_are_thinned_alike() {
    let mut chart = ManhattanChart::new(Axis::log("y"));
    for block in 0..200 {
        let values = (0..1000).map(|k| (1.0 + f64::from(k * block % 97), format!("sample {k}")));
        chart = chart.block(format!("/a/very/long/name/of/a/layer/{block}"), values);
    }
    let drawing = check_drawable(chart);
    assert!(drawing.notes[0].contains("of 200,000 points are drawn"));
    let svg = drawing.svg.finish();
    let n_drawn = svg.matches("&lt;title&gt;").count();
    assert!((200..=2_500).contains(&n_drawn), "{n_drawn}");
    let n_names = svg.matches("rotate(").count();
    assert!((10..=40).contains(&n_names), "{n_names}");
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

/// The `x` of the texts, escaped as [`check_drawable`] leaves them, that end with what is asked for.
fn places(svg: &str, ending: &str) -> Vec<f64> {
    let texts = svg.split("&lt;text ");
    let with = texts.filter(|text| {
        let said = text.split_once("&lt;/text").map_or("", |parts| parts.0);
        said.ends_with(ending)
    });
    let place = |text: &str| {
        let (_, rest) = text.split_once("x=&quot;").unwrap();
        rest.split("&quot;").next().unwrap().parse().unwrap()
    };
    with.map(place).collect()
}

#[test]
fn a_value_does_not_stand_at_the_end_of_its_interval() {
    let interval = |low, value, high| Some(Interval { low, value, high });
    let chart = |high| {
        let bars = [interval(0.125, 0.25, high), interval(0.375, 0.375, 0.375)];
        GroupedBarChart::new("x", ["a", "b"]).group("g", bars)
    };
    let svg = |high| check_drawable(chart(high)).svg.finish();
    let (column, other) = (places(&svg(0.75), "0.250"), places(&svg(0.5), "0.250"));
    assert_eq!((column.len(), &column), (1, &other));
    assert_eq!(places(&svg(0.75), "0.375"), column);
    // Without any interval they stand where their bars end.
    let plain = [Interval::point(0.25), Interval::point(0.375)].map(Some);
    let plain = GroupedBarChart::new("x", ["a", "b"]).group("g", plain);
    let plain = check_drawable(plain).svg.finish();
    assert!(places(&plain, "0.250") < places(&plain, "0.375"));
}

#[test]
fn lines_of_the_grid_leave_out_names() {
    let chart = |name: &str| {
        let bars = BarChart::new("x").bar("a", -1.0).bar(name, 1.0);
        check_drawable(bars).svg.finish()
    };
    let pieces = |svg: &str| {
        let (_, grid) = svg.split_once("class=&quot;grid&quot; d=&quot;").unwrap();
        grid.split("&quot;").next().unwrap().matches('M').count()
    };
    let (short, long) = (
        pieces(&chart("b")),
        pieces(&chart("a name as long as the half")),
    );
    assert!(short < long, "{short} {long}");
}

#[test]
fn a_wide_plot_of_blocks_is_wider_and_no_higher() {
    let chart = ManhattanChart::new(Axis::linear("y")).block("a", [(1.0, ""), (2.0, "")]);
    let chart = Chart::from(chart);
    let (half, whole) = (chart.draw(false), chart.draw(true));
    assert!(whole.width > 1.8 * half.width && whole.height <= half.height);
}

#[test]
fn steps_and_measured_points_are_said_to_the_script() {
    let linear = || Axis::linear("x");
    let stairs = vec![(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)];
    let curves = LineChart::new(linear(), linear()).series("a", stairs.clone());
    let svg = |chart: Chart| check_drawable(chart).svg.finish();
    assert!(!svg(curves.clone().into()).contains("data-steps"));
    assert!(svg(curves.clone().stairs().into()).contains("data-steps=&quot;&quot;"));
    assert!(!svg(curves.clone().into()).contains("data-measured"));
    assert!(svg(curves.marked(stairs).into()).contains("data-measured"));
    let ecdf = EcdfChart::new(linear()).group("a", vec![1.0, 2.0, 2.0]);
    assert!(svg(ecdf.into()).contains("data-steps=&quot;3&quot;"));
}

#[test]
fn long_labels_of_an_axis_stay_apart() {
    let interval = |value| Some(Interval::point(value));
    let chart = |largest| {
        let bars = [interval(0.0), interval(largest)];
        GroupedBarChart::new("x", ["a", "b"]).group("g", bars)
    };
    let ends = |largest, ending| {
        let svg = check_drawable(chart(largest)).svg.finish();
        places(&svg, ending)
    };
    // Of 0.2, 0.4, 0.6 and so on every mark has a label, of 0.2×10⁻⁶ and so on every second or third.
    assert_eq!(ends(1.3, "0.2").len(), 1);
    assert_eq!(ends(1.3e-6, "0.2×10").len(), 0);
}
