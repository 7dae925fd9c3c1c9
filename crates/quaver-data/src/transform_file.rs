//! Preprocessing as a file describes it: Quaver's own few keys in TOML or JSON, or the `preprocessor_config.json` of
//! a Hugging Face model.
//!
//! Whatever would change a value and is not understood is refused by name. A guess would give numbers that look right.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::file::Region;
use crate::picture::{Centre, Colours, Crop, Resize};
use crate::resample::Interpolation;
use crate::{DataError, DataErrorKind, Layout, OpenOptions};

mod hugging_face;

/// A longer file is something else.
const LONGEST_FILE: u64 = 1 << 20;

/// Reads the file at `path` into `options`, which stay as they are where the file is refused.
pub(crate) fn read(path: &Path, options: &mut OpenOptions) -> Result<(), DataError> {
    let refuse = |message: String| DataError::at(DataErrorKind::Option, path, message);
    let region = Region::open(path)?;
    if region.len() > LONGEST_FILE {
        return Err(refuse("is too long to describe a transform".to_owned()));
    }
    let mut text = String::new();
    region
        .reader()
        .read_to_string(&mut text)
        .map_err(|error| DataError::reading(path, error))?;
    let text = text.trim_start_matches('\u{feff}');
    let object = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}")),
        false => toml::from_str(text)
            .map_err(|error| format!("is neither JSON nor TOML: {}", error.message())),
    };
    let object: Map<String, Value> = object.map_err(refuse)?;
    let mut changed = options.clone();
    match hugging_face::is_one(&object) {
        true => hugging_face::apply(&object, &mut changed),
        false => apply(&object, &mut changed),
    }
    .map_err(refuse)?;
    *options = changed;
    Ok(())
}

fn apply(object: &Map<String, Value>, options: &mut OpenOptions) -> Result<(), String> {
    for (key, value) in object {
        match key.as_str() {
            "colours" => {
                options.colours = Some(named(key, value, Colours::named, Colours::names())?)
            }
            "resize" => {
                options.resize = Some(match sides(key, value)? {
                    Sides::One(side) => Resize::Shorter(side),
                    Sides::Two(height, width) => Resize::Exact(height, width),
                });
            }
            "interpolation" => {
                let names = Interpolation::names();
                options.interpolation = named(key, value, Interpolation::named, names)?;
            }
            "crop" => {
                let size = match sides(key, value)? {
                    Sides::One(side) => (side, side),
                    Sides::Two(height, width) => (height, width),
                };
                options.crop = Some(Crop {
                    size,
                    centre: Centre::HalfToEven,
                });
            }
            "scale" => options.scale = number(key, value)?,
            "mean" => options.mean = numbers(key, value)?,
            "std" => options.std = numbers(key, value)?,
            "layout" => {
                let layout = |name: &str| match name {
                    "nchw" => Some(Layout::Nchw),
                    "nhwc" => Some(Layout::Nhwc),
                    _ => None,
                };
                options.layout = named(key, value, layout, ["nchw", "nhwc"].into_iter())?;
            }
            _ => {
                return Err(format!(
                    "key {key:?} is not understood: a transform has colours, resize, interpolation, crop, scale, mean, std and layout"
                ));
            }
        }
    }
    Ok(())
}

fn named<T>(
    key: &str,
    value: &Value,
    find: impl Fn(&str) -> Option<T>,
    names: impl Iterator<Item = &'static str>,
) -> Result<T, String> {
    let found = value.as_str().and_then(find);
    found.ok_or_else(|| {
        let names: Vec<&str> = names.collect();
        format!("{key} is {value}: choose one of {}", names.join(", "))
    })
}

enum Sides {
    One(usize),
    Two(usize, usize),
}

/// One length in pixels, or a height and a width.
fn sides(key: &str, value: &Value) -> Result<Sides, String> {
    let both = match value {
        Value::Array(sides) => match sides.as_slice() {
            [height, width] => length(height)
                .zip(length(width))
                .map(|(height, width)| Sides::Two(height, width)),
            _ => None,
        },
        _ => length(value).map(Sides::One),
    };
    both.ok_or_else(|| format!("{key} is {value}: give a number of pixels, or [height, width]"))
}

fn length(value: &Value) -> Option<usize> {
    let length = value
        .as_u64()
        .and_then(|length| usize::try_from(length).ok());
    length.filter(|&length| length > 0)
}

/// A number, or a fraction such as `"1/255"`.
fn number(key: &str, value: &Value) -> Result<f64, String> {
    let number = match value {
        Value::String(text) => match text.split_once('/') {
            Some((above, below)) => {
                let parse = |text: &str| text.trim().parse::<f64>().ok();
                parse(above)
                    .zip(parse(below))
                    .map(|(above, below)| above / below)
            }
            None => None,
        },
        _ => value.as_f64(),
    };
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("{key} is {value}: give a number, or a fraction such as \"1/255\""))
}

/// One number, or one per channel.
fn numbers(key: &str, value: &Value) -> Result<Vec<f64>, String> {
    match value {
        Value::Array(values) => values.iter().map(|value| number(key, value)).collect(),
        value => Ok(vec![number(key, value)?]),
    }
}
