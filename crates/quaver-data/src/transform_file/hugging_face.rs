//! The `preprocessor_config.json` of a Hugging Face image model.
//!
//! What the keys mean depends on the class that reads them, so that only classes are accepted whose meaning is known:
//! resize, centre crop, rescale, normalise, in this order.

use serde_json::{Map, Value};

use super::{length, number, numbers};
use crate::OpenOptions;
use crate::picture::{Centre, Colours, Crop, Resize};
use crate::resample::Interpolation;

/// What an image processor does where its file says nothing.
struct Processor {
    name: &'static str,
    /// Whether a bare number as size is both sides, and not the shorter one.
    square: bool,
    crops: bool,
    resample: u64,
}

#[rustfmt::skip]
const PROCESSORS: [Processor; 11] = [
    Processor { name: "ViT", square: true, crops: false, resample: 2 },
    Processor { name: "DeiT", square: true, crops: true, resample: 3 },
    Processor { name: "Beit", square: true, crops: false, resample: 3 },
    Processor { name: "Siglip", square: true, crops: false, resample: 3 },
    Processor { name: "CLIP", square: false, crops: true, resample: 3 },
    Processor { name: "Bit", square: false, crops: true, resample: 3 },
    Processor { name: "ConvNext", square: false, crops: false, resample: 2 },
    Processor { name: "MobileNetV1", square: false, crops: true, resample: 2 },
    Processor { name: "MobileNetV2", square: false, crops: true, resample: 2 },
    Processor { name: "MobileViT", square: false, crops: true, resample: 2 },
    Processor { name: "", square: true, crops: false, resample: 2 },
];

/// Keys that change no value, whatever theirs is.
const WITHOUT_EFFECT: [&str; 13] = [
    "image_processor_type",
    "feature_extractor_type",
    "processor_class",
    "_valid_processor_keys",
    "_processor_class",
    "model_input_names",
    "return_tensors",
    "data_format",
    "input_data_format",
    "device",
    "disable_grouping",
    "do_convert_rgb",
    "default_to_square",
];

/// Keys that [`apply`] reads where their `do_…` says so.
const READ: [&str; 11] = [
    "do_resize",
    "size",
    "resample",
    "crop_pct",
    "do_center_crop",
    "crop_size",
    "do_rescale",
    "rescale_factor",
    "do_normalize",
    "image_mean",
    "image_std",
];

/// Whether a file is such a one.
pub(super) fn is_one(object: &Map<String, Value>) -> bool {
    object.keys().any(|key| {
        key.starts_with("do_")
            || matches!(
                key.as_str(),
                "image_processor_type" | "feature_extractor_type" | "image_mean" | "size"
            )
    })
}

pub(super) fn apply(object: &Map<String, Value>, options: &mut OpenOptions) -> Result<(), String> {
    let processor = processor(object)?;
    let convnext = processor.name == "ConvNext";
    check_keys(object, convnext)?;
    let get = |key: &str| object.get(key).filter(|value| !value.is_null());
    let does = |key: &str, otherwise: bool| match get(key) {
        None => Ok(otherwise),
        Some(Value::Bool(does)) => Ok(*does),
        Some(value) => Err(format!("{key} is {value}, and neither true nor false")),
    };

    options.resize = None;
    options.crop = None;
    if does("do_resize", get("size").is_some())? {
        let size = get("size").ok_or("do_resize is true, and there is no size")?;
        if processor.name.is_empty() && size.is_number() && get("default_to_square").is_none() {
            return Err(format!(
                "size is {size}, and no image_processor_type says which side: write {{\"height\", \"width\"}} or {{\"shortest_edge\"}}"
            ));
        }
        let square = does("default_to_square", processor.square)?;
        options.resize = Some(resize(size, square)?);
        let code = get("resample").map_or(Some(processor.resample), Value::as_u64);
        let way = Interpolation::ALL.iter().find(|way| Some(way.2) == code);
        options.interpolation = way
            .map(|way| way.1)
            .ok_or_else(|| format!("resample is {:?}: 0 to 5 are known", object["resample"]))?;
        if let (true, Some(Resize::Shorter(side))) = (convnext, options.resize) {
            let percent = get("crop_pct").map_or(Ok(224.0 / 256.0), |v| number("crop_pct", v))?;
            (options.resize, options.crop) = convnext_size(side, percent)?;
        }
    }
    if does(
        "do_center_crop",
        processor.crops && get("crop_size").is_some(),
    )? {
        let size = get("crop_size").ok_or("do_center_crop is true, and there is no crop_size")?;
        options.crop = Some(centred(height_and_width("crop_size", size)?));
    }
    options.scale = match does("do_rescale", true)? {
        true => get("rescale_factor").map_or(Ok(1.0 / 255.0), |v| number("rescale_factor", v))?,
        false => 1.0,
    };
    (options.mean, options.std) = (Vec::new(), Vec::new());
    if does("do_normalize", get("image_mean").is_some())? {
        let need = |key: &str| {
            let value = get(key);
            value.ok_or_else(|| format!("do_normalize is true, and there is no {key}"))
        };
        options.mean = numbers("image_mean", need("image_mean")?)?;
        options.std = numbers("image_std", need("image_std")?)?;
    }
    if does("do_flip_channel_order", processor.name == "MobileViT")? {
        options.colours = Some(Colours::Bgr);
    }
    Ok(())
}

fn processor(object: &Map<String, Value>) -> Result<&'static Processor, String> {
    let key = ["image_processor_type", "feature_extractor_type"];
    let found = key.iter().find_map(|key| object.get(*key)?.as_str());
    let name = found.unwrap_or_default();
    let short = name.strip_suffix("Fast").unwrap_or(name);
    let short = short
        .strip_suffix("ImageProcessor")
        .or_else(|| short.strip_suffix("FeatureExtractor"))
        .unwrap_or(short);
    let known = PROCESSORS.iter().find(|processor| processor.name == short);
    known.ok_or_else(|| {
        let names: Vec<&str> = PROCESSORS.iter().map(|processor| processor.name).collect();
        format!(
            "{name} is not among the image processors that are understood ({}): write down what it does as resize, crop, scale, mean and std",
            names[..names.len() - 1].join(", ")
        )
    })
}

/// Refuses every key that would do something else.
fn check_keys(object: &Map<String, Value>, convnext: bool) -> Result<(), String> {
    for (key, value) in object {
        let understood = READ.contains(&key.as_str()) && (convnext || key != "crop_pct")
            || WITHOUT_EFFECT.contains(&key.as_str())
            || key == "do_flip_channel_order"
            || matches!(value, Value::Null | Value::Bool(false));
        if !understood {
            return Err(format!("{key}: {value} is not understood"));
        }
    }
    Ok(())
}

fn resize(size: &Value, square: bool) -> Result<Resize, String> {
    let refuse = || {
        format!(
            "size is {size}: a number, {{\"height\", \"width\"}} or {{\"shortest_edge\"}} is understood"
        )
    };
    let Some(object) = size.as_object() else {
        let side = length(size).ok_or_else(refuse)?;
        return Ok(match square {
            true => Resize::Exact(side, side),
            false => Resize::Shorter(side),
        });
    };
    let side = |key: &str| object.get(key).and_then(length);
    match (
        side("height"),
        side("width"),
        side("shortest_edge"),
        object.len(),
    ) {
        (Some(height), Some(width), None, 2) => Ok(Resize::Exact(height, width)),
        (None, None, Some(side), 1) => Ok(Resize::Shorter(side)),
        _ => Err(refuse()),
    }
}

fn height_and_width(key: &str, value: &Value) -> Result<(usize, usize), String> {
    let side = |key: &str| value.get(key).and_then(length);
    let both = side("height").zip(side("width"));
    both.or_else(|| length(value).map(|side| (side, side)))
        .ok_or_else(|| {
            format!("{key} is {value}: a number or {{\"height\", \"width\"}} is understood")
        })
}

fn centred(size: (usize, usize)) -> Crop {
    Crop {
        size,
        centre: Centre::Down,
    }
}

/// ConvNeXt's rule: below 384 pixels a larger image is resized and its middle taken; from there on it is warped.
fn convnext_size(side: usize, percent: f64) -> Result<(Option<Resize>, Option<Crop>), String> {
    if side >= 384 {
        return Ok((Some(Resize::Exact(side, side)), None));
    }
    if !(percent > 0.0 && percent <= 1.0) {
        return Err(format!(
            "crop_pct is {percent}: it must be above 0 and at most 1"
        ));
    }
    let larger = (side as f64 / percent) as usize;
    Ok((Some(Resize::Shorter(larger)), Some(centred((side, side)))))
}
