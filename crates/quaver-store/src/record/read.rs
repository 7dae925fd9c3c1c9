//! Options read back from what a record says of them.

use std::str::FromStr;

use quaver::{
    Centre, Colours, Crop, HeadChoice, Interpolation, Layout, LoadOptions, OpenOptions, Resize,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

/// How a model and data were read, as [`of_model`](super::of_model) and [`of_data`](super::of_data) wrote it down, less the
/// files beside the data. What is not said has its default; `None` if something is said in unknown words.
pub fn read_options(said: &Map<String, Json>) -> Option<(LoadOptions, OpenOptions)> {
    let (head, noise) = match said.get("head") {
        None => (HeadChoice::Detect, LoadOptions::default().noise),
        Some(text) => head(text.as_str()?)?,
    };
    let load = LoadOptions {
        output: get(said, "output")?.unwrap_or_default(),
        input_shape: get(said, "input_shape")?.unwrap_or_default(),
        head,
        noise,
    };
    let default = OpenOptions::default();
    let text = |key: &str| get::<Option<String>>(said, key).map(Option::flatten);
    let open = OpenOptions {
        format: text("format")?,
        x_key: text("x_key")?.unwrap_or(default.x_key),
        y_key: text("y_key")?.unwrap_or(default.y_key),
        columns: get(said, "columns")?.unwrap_or_default(),
        label_column: text("label_column")?,
        follow_links: get(said, "follow_links")?.unwrap_or_default(),
        layout: match text("layout")?.as_deref() {
            None | Some("nchw") => Layout::Nchw,
            Some("nhwc") => Layout::Nhwc,
            Some(_) => return None,
        },
        scale: get(said, "scale")?.unwrap_or(default.scale),
        mean: get(said, "mean")?.unwrap_or_default(),
        std: get(said, "std")?.unwrap_or_default(),
        resize: known(text("resize")?, |text| match sides(text) {
            Some((height, width)) => Some(Resize::Exact(height, width)),
            None => text.parse().ok().map(Resize::Shorter),
        })?,
        crop: known(text("crop")?, sides)?.map(|size| Crop {
            size,
            centre: match said.get("crop_centre") {
                Some(_) => Centre::Down,
                None => Centre::HalfToEven,
            },
        }),
        interpolation: known(text("interpolation")?, Interpolation::named)?.unwrap_or_default(),
        colours: known(text("colours")?, Colours::named)?,
        labels: None,
        class_map: None,
    };
    Some((load, open))
}

/// A value of this type, if there is any; `None` if it is of another.
fn get<T: DeserializeOwned>(said: &Map<String, Json>, key: &str) -> Option<Option<T>> {
    let value = said.get(key).filter(|value| !value.is_null());
    value
        .map(|value| serde_json::from_value(value.clone()).ok())
        .map_or(Some(None), |read| read.map(Some))
}

/// What `read` makes of a text, if there is one; `None` if it makes nothing of it.
fn known<T>(text: Option<String>, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    text.map_or(Some(None), |text| read(&text).map(Some))
}

fn sides(text: &str) -> Option<(usize, usize)> {
    let (height, width) = text.split_once('x')?;
    Some((usize::from_str(height).ok()?, usize::from_str(width).ok()?))
}

fn head(text: &str) -> Option<(HeadChoice, f64)> {
    let noise = LoadOptions::default().noise;
    Some(match text {
        "detect" => (HeadChoice::Detect, noise),
        "logits" => (HeadChoice::Logits, noise),
        "multi-label" => (HeadChoice::MultiLabel, noise),
        _ => {
            let sigma = text.strip_prefix("gaussian:")?.parse().ok()?;
            (HeadChoice::Regression, sigma)
        }
    })
}

#[cfg(test)]
mod tests {
    use quaver_report::RunRecord;

    use super::super::{of_data, of_model};
    use super::*;

    #[test]
    fn what_was_written_down_is_read_again() {
        let load = LoadOptions {
            output: Some("logits".to_owned()),
            input_shape: Some(vec![3, 8, 8]),
            head: HeadChoice::Regression,
            noise: 0.1 + 0.2,
        };
        let open = OpenOptions {
            format: Some("npz".to_owned()),
            x_key: "images".to_owned(),
            columns: vec!["a".to_owned(), "b".to_owned()],
            label_column: Some("y".to_owned()),
            follow_links: true,
            layout: Layout::Nhwc,
            scale: 1.0 / 255.0,
            mean: vec![0.485, 1.0 / 3.0],
            std: vec![0.229],
            resize: Some(Resize::Shorter(256)),
            crop: Some(Crop {
                size: (224, 200),
                centre: Centre::Down,
            }),
            interpolation: Interpolation::named("nearest").expect("there is one"),
            colours: Colours::named("bgr"),
            ..OpenOptions::default()
        };
        for (load, open) in [
            (load, open.clone()),
            (LoadOptions::default(), OpenOptions::default()),
            (
                LoadOptions::default(),
                OpenOptions {
                    resize: Some(Resize::Exact(3, 5)),
                    ..open
                },
            ),
        ] {
            let record = of_data(of_model(RunRecord::new(), &load), &open, Some("1-3"), None);
            // By way of the text that a store keeps.
            let said = serde_json::from_str(&record.to_json()).expect("an object");
            let (read, opened) = read_options(&said).expect("known words");
            assert_eq!(opened, open);
            assert_eq!(read, load);
        }
        for (key, value) in [
            ("layout", "chwn"),
            ("scale", "large"),
            ("head", "gaussian:x"),
        ] {
            let said = Map::from_iter([(key.to_owned(), value.into())]);
            assert!(read_options(&said).is_none(), "{key}");
        }
    }
}
