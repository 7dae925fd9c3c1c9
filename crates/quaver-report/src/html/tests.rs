use super::*;
use crate::plot::*;
use crate::{Pixels, Thumbnail};
use quaver::table::{Column, Kind, Value};
use serde_json::json;

const EVIL: &str = "<script>alert(\"1\")</script>&'\u{0}";

/// A page with one of everything, every text of it `name`.
fn everything(name: &str) -> Page {
    let picture = || Thumbnail::new(2, 2, Pixels::Gray(&[0, 80, 160, 255]), name).unwrap();
    let columns = vec![
        Column::new("sample", Kind::Int, name),
        Column::new(name, Kind::Text, "text"),
        Column::new("fi", Kind::Float, "influence"),
    ];
    let rows = [
        TableRow::new(vec![1.into(), name.into(), f64::INFINITY.into()]).picture(picture()),
        TableRow::new(vec![2.into(), Value::Null, 1.25e-3.into()]).badge(Tone::Problem, name),
        TableRow::new(vec![3.into()]),
    ];
    let table = RankingTable::new(name, columns)
        .rows(rows)
        .ordered_by("fi", Order::Descending)
        .all_in(10_000, name);
    let axis = || Axis::linear(name);
    let curve = vec![(0.0, 0.0), (1.0, 1.0)];
    let mark = Mark {
        x: 1.0,
        y: 2.0,
        title: name.into(),
    };
    let charts = Section::new(name)
        .figure(
            Figure::new(
                name,
                LineChart::new(axis(), axis())
                    .series(name, curve.clone())
                    .reference(name, curve),
            )
            .caption(name)
            .how_to_read(name)
            .summary(name),
        )
        .figure(Figure::new(
            name,
            ScatterChart::new(axis(), axis()).group(name, vec![mark]),
        ))
        .figure(Figure::new(
            name,
            Histogram::new(axis())
                .group(name, vec![1.0])
                .marker(name, 1.0),
        ))
        .figure(Figure::new(name, BarChart::new(name).bar(name, 1.0)))
        .figure(Figure::new(
            name,
            EcdfChart::new(axis()).group(name, vec![1.0, f64::INFINITY]),
        ))
        .figure(Figure::new(
            name,
            BoxPlot::new(axis(), [name]).group(name, [vec![1.0, 2.0]]),
        ))
        .figure(Figure::new(
            name,
            GroupedBarChart::new(name, [name]).group(name, [Some(Interval::point(1.0))]),
        ))
        .figure(Figure::new(
            name,
            ManhattanChart::new(axis())
                .block(name, [(1.0, name)])
                .line(name, 1.0),
        ))
        .figure(Figure::pictures(name, [(picture(), name), (picture(), name)]).led())
        .figure(Figure::panels(
            name,
            [Panel::new(picture(), name)
                .note(name)
                .range(0.0, f64::INFINITY)],
        ));
    Page::new(name)
        .lead(name)
        .section(
            Section::new(name)
                .paragraph(name)
                .list([name])
                .facts([(name, name)])
                .callout(Tone::Caution, name),
        )
        .section(Section::new(name).table(table))
        .section(charts)
        .record(RunRecord::new().with(name, json!({ name: [name] })))
}

/// Checks that every tag is closed, in order, and gives back each tag with its attributes.
fn tags(html: &str) -> Vec<String> {
    const VOID: [&str; 5] = ["img", "input", "link", "meta", "!DOCTYPE"];
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in order");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap();
        tags.push(tag.to_owned());
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if name == "script" || name == "style" {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    tags
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let value = tag.split_once(&format!(" {name}=\""))?.1;
    value.split('"').next()
}

#[test]
fn is_balanced_and_escaped() {
    let harmless = tags(&everything("harmless").to_html());
    let html = everything(EVIL).to_html();
    let evil = tags(&html);
    let name = |tag: &String| tag.split([' ', '/']).next().unwrap().to_owned();
    // Long names get places to break at, of the page's own.
    let is_own = |tag: &&String| *tag == "wbr/" || *tag == "span class=\"long\"";
    let names = |tags: &[String]| {
        let others = tags.iter().filter(|tag| !is_own(tag));
        others.map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&evil), names(&harmless), "text cannot add elements");
    assert!(!html.contains("<script>alert") && !html.contains('\u{0}'));
    assert_eq!(html.matches("<script").count(), 1);
}

#[test]
fn rows_past_the_first_wait_as_data() {
    let columns = vec![
        Column::new("sample", Kind::Int, ""),
        Column::new("fi", Kind::Float, ""),
        Column::new("name", Kind::Text, ""),
    ];
    let row = |sample: i64| {
        let fi = [f64::INFINITY, 0.125][sample as usize % 2];
        TableRow::new(vec![sample.into(), fi.into(), EVIL.into()]).badge(Tone::Caution, EVIL)
    };
    let table = RankingTable::new("t", columns).rows((0..102).map(row));
    let html = Page::new("p")
        .section(Section::new("s").table(table))
        .to_html();
    tags(&html);
    assert_eq!(html.matches("<tr>").count(), 1 + 100);
    let (_, data) = html.split_once("class=\"rest\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let badge = json!([["caution", "▲", EVIL]]);
    let expected = json!([
        [[100, ["∞", "Infinity"], EVIL], 0, badge],
        [[101, ["0.1250", 0.125], EVIL], 0, badge],
    ]);
    assert_eq!(data, expected);
    assert!(!html.contains("Showing"), "all rows are in the page");
}

#[test]
fn json_gives_the_page_back() {
    for name in ["name", EVIL] {
        let page = everything(name);
        let json = page.to_json();
        let read = Page::from_json(&json).unwrap();
        assert_eq!(read.to_json(), json);
        assert_eq!(read.to_html(), page.to_html());
    }
    let json = everything("name").to_json();
    for (from, to) in [
        ("quaver page 1", "quaver page 0"),
        ("data:image/png;base64,", "data:text/html,"),
        ("\"kind\":\"float\"", "\"kind\":\"double\""),
        ("[1,\"name\",\"inf\"]", "[1.5,\"name\",\"inf\"]"),
        ("{", "["),
    ] {
        assert!(json.contains(from), "{from}");
        let error = Page::from_json(&json.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.kind(), ReportErrorKind::Format, "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}

#[test]
fn several_pages_become_one() {
    let page = Page::gathered("all", [everything("a"), everything("a"), everything("b")]);
    let html = page.to_html();
    tags(&html);
    assert_eq!(html.matches("<h1").count(), 1);
    // A heading for each page and, below it, for each of its sections; and so in the contents.
    assert_eq!(html.matches("<h2").count(), 3);
    assert_eq!(html.matches("<h3").count(), 3 * 3);
    assert_eq!(html.matches("<ul class=\"flat\">").count(), 3);
    let again = Page::gathered("twice", [page.clone(), everything("c")]);
    let again = Page::from_json(&again.to_json()).unwrap().to_html();
    tags(&again);
    assert_eq!(again.matches("<h2").count(), 2);
    assert_eq!(again.matches("<h3").count(), 3 + 3);
    let deep = (0..9).fold(everything("d"), |page, _| Page::gathered("e", [page]));
    assert!(deep.to_html().contains("<h5"));
    // A page that is read back may say anything of how deep its sections lie.
    let mut hostile: serde_json::Value = serde_json::from_str(&page.to_json()).unwrap();
    for (at, section) in hostile["sections"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        section["depth"] = (u64::MAX - 7 + at as u64 % 8).into();
    }
    let hostile = Page::from_json(&hostile.to_string()).unwrap();
    let again = Page::gathered("hostile", [hostile.clone()]);
    for page in [hostile, again] {
        tags(&page.to_html());
    }
    for key in ["a.a.a", "a (2).a.a", "b.b.b"] {
        assert!(html.contains(&format!("<dt>{key}</dt>")), "{key}");
    }
}

#[test]
fn a_page_is_saved_with_its_numbers_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    let page = everything("name");
    let beside = page.save(&path).unwrap();
    assert_eq!(beside, folder.path().join("report.json"));
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&beside), page.to_json());
    assert!(read(&path).contains("Every number on this page is in report.json."));
    let error = page.save(&beside).unwrap_err();
    assert_eq!(error.kind(), ReportErrorKind::Format);
}

#[test]
fn loads_nothing() {
    let html = everything("name").to_html();
    assert!(!html.contains("http://") && !html.contains("https://"));
    assert!(!html.contains("@import") && !html.contains("url("));
    for tag in tags(&html) {
        for name in ["src", "href", "xlink:href", "action", "srcset"] {
            let Some(target) = attribute(&tag, name) else {
                continue;
            };
            let is_inside = target.starts_with('#') || target.starts_with("data:");
            assert!(is_inside, "{tag}");
        }
    }
}

#[test]
fn every_picture_has_words() {
    let tags = tags(&everything("name").to_html());
    let pictures: Vec<&String> = tags.iter().filter(|tag| tag.starts_with("img ")).collect();
    assert_eq!(pictures.len(), 4);
    assert!(
        pictures
            .iter()
            .all(|tag| attribute(tag, "alt") == Some("name"))
    );
    for tag in tags.iter().filter(|tag| tag.starts_with("svg ")) {
        let is_hidden = attribute(tag, "aria-hidden") == Some("true");
        assert!(is_hidden || attribute(tag, "aria-label").is_some_and(|label| !label.is_empty()));
    }
}

#[test]
fn links_and_labels_have_targets() {
    let tags = tags(&everything("A name, again").to_html());
    let ids: Vec<&str> = tags.iter().filter_map(|tag| attribute(tag, "id")).collect();
    let unique: HashSet<&&str> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    assert!(ids.contains(&"a-name-again-2"), "{ids:?}");
    for tag in &tags {
        let link = attribute(tag, "href").and_then(|href| href.strip_prefix('#'));
        for target in link.into_iter().chain(attribute(tag, "aria-labelledby")) {
            assert!(ids.contains(&target), "{tag}");
        }
    }
}

#[test]
fn tables_say_how_they_are_sorted_and_what_is_missing() {
    let html = everything("name").to_html();
    let tags = tags(&html);
    let headers: Vec<(Option<&str>, Option<&str>)> = tags
        .iter()
        .filter(|tag| tag.starts_with("th "))
        .map(|tag| (attribute(tag, "data-sort"), attribute(tag, "aria-sort")))
        .collect();
    assert_eq!(
        headers,
        [
            (None, None),
            (Some("number"), Some("none")),
            (Some("text"), Some("none")),
            (Some("number"), Some("descending")),
            (Some("text"), Some("none")),
        ]
    );
    assert!(html.contains("<td class=\"number\" data-value=\"Infinity\">∞</td>"));
    assert!(html.contains("<td class=\"number\" data-value=\"0.00125\">0.001250</td>"));
    assert_eq!(html.matches("aria-label=\"no value\"").count(), 3);
    assert!(html.contains("Showing 3 of 10,000 rows; all are in name."));
    assert_eq!(html.matches("<td").count(), 3 * 5);
}

#[test]
fn rows_past_the_limit_are_counted() {
    let row = |sample: i64| TableRow::new(vec![sample.into()]);
    let columns = vec![Column::new("sample", Kind::Int, "")];
    let table = RankingTable::new("t", columns)
        .limit(2)
        .rows((0..1500).map(row));
    let html = Page::new("p")
        .section(Section::new("s").table(table))
        .to_html();
    assert!(html.contains("Showing 2 of 1,500 rows."));
    assert_eq!(html.matches("<td").count(), 2);
}

#[test]
fn same_page_same_bytes() {
    assert_eq!(everything("a").to_html(), everything("a").to_html());
}

/// The bar below a panel has the colours of its picture.
#[test]
fn a_scale_is_viridis() {
    let css = include_str!("../assets/chart.css");
    let (_, stops) = css.split_once("linear-gradient(to right, ").unwrap();
    let stops: Vec<&str> = stops.split(')').next().unwrap().split(", ").collect();
    for (at, stop) in stops.iter().enumerate() {
        let [r, g, b] = crate::viridis(at as f64 / (stops.len() - 1) as f64);
        assert_eq!(*stop, format!("#{r:02x}{g:02x}{b:02x}"));
    }
}

/// WCAG 2: text has a contrast of at least 4.5 to what it stands on, and colours of series carry text.
#[test]
fn colours_can_be_read() {
    let css = include_str!("../assets/page.css");
    let (light, dark) = css
        .split_once("@media (prefers-color-scheme: dark)")
        .unwrap();
    for theme in [light, dark] {
        let colour = |name: &str| {
            let (_, rest) = theme.split_once(&format!("--{name}: #")).unwrap();
            luminance(&rest[..6])
        };
        for text in [
            "text", "muted", "link", "good", "caution", "problem", "c0", "c1", "c2", "c3", "c4",
            "c5",
        ] {
            for ground in ["paper", "raised"] {
                let (a, b) = (colour(text), colour(ground));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
            }
        }
    }
}

fn luminance(hex: &str) -> f64 {
    let channel = |at: usize| {
        let value = u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let value = f64::from(value) / 255.0;
        match value <= 0.04045 {
            true => value / 12.92,
            false => ((value + 0.055) / 1.055).powf(2.4),
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}
