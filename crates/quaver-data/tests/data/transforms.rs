//! Preprocessing from files: what they say arrives in the options, and what is not understood is refused by name.

use crate::common::*;
use quaver_data::{Centre, Colours, Crop, Interpolation, Layout, OpenOptions, Resize, open};

fn read(text: &str) -> Result<OpenOptions, String> {
    let place = Place::new();
    let path = place.write("transform", text.as_bytes());
    let mut options = OpenOptions::default();
    match options.read_transform(&path) {
        Ok(()) => Ok(options),
        Err(error) => {
            assert_eq!(options, OpenOptions::default());
            assert!(!error.to_string().contains('\n'), "{error}");
            Err(error.to_string())
        }
    }
}

fn crop(size: usize, centre: Centre) -> Option<Crop> {
    Some(Crop {
        size: (size, size),
        centre,
    })
}

#[test]
fn own_files_in_toml_and_json() {
    let toml = "colours = 'bgr'\nresize = 256\ninterpolation = 'bicubic'\ncrop = 224\nscale = '1/255'\nmean = [0.5, 0.25, 0]\nstd = 2\nlayout = 'nhwc'\n";
    let json = r#"{"colours": "bgr", "resize": 256, "interpolation": "bicubic", "crop": [224, 224], "scale": "1/255",
        "mean": [0.5, 0.25, 0], "std": [2], "layout": "nhwc"}"#;
    let expected = OpenOptions {
        colours: Some(Colours::Bgr),
        resize: Some(Resize::Shorter(256)),
        interpolation: Interpolation::Bicubic,
        crop: crop(224, Centre::HalfToEven),
        scale: 1.0 / 255.0,
        mean: vec![0.5, 0.25, 0.0],
        std: vec![2.0],
        layout: Layout::Nhwc,
        ..OpenOptions::default()
    };
    assert_eq!(read(toml), Ok(expected.clone()));
    assert_eq!(read(json), Ok(expected));
    assert_eq!(
        read("resize = [3, 5]").unwrap().resize,
        Some(Resize::Exact(3, 5))
    );
}

#[test]
fn files_of_hugging_face() {
    let vit = read(r#"{"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        "resample": 2, "size": 224, "feature_extractor_type": "ViTFeatureExtractor"}"#).unwrap();
    assert_eq!(vit.resize, Some(Resize::Exact(224, 224)));
    assert_eq!(
        (vit.scale, vit.crop, vit.interpolation),
        (1.0 / 255.0, None, Interpolation::Bilinear)
    );
    assert_eq!((vit.mean, vit.std), (vec![0.5; 3], vec![0.5; 3]));
    let clip = read(r#"{"crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "do_convert_rgb": true,
        "do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.4, 0.5, 0.6], "image_std": [1, 2, 3],
        "image_processor_type": "CLIPImageProcessorFast", "resample": 3, "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 224}, "do_pad": false, "pad_size": null}"#).unwrap();
    assert_eq!(clip.resize, Some(Resize::Shorter(224)));
    assert_eq!(
        (clip.crop, clip.interpolation),
        (crop(224, Centre::Down), Interpolation::Bicubic)
    );
    assert_eq!(
        (clip.scale, clip.std),
        (0.00392156862745098, vec![1.0, 2.0, 3.0])
    );
    let resnet = read(r#"{"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875, "size": {"shortest_edge": 224},
        "resample": 3, "do_resize": true, "do_rescale": false, "do_normalize": false}"#).unwrap();
    assert_eq!(
        (resnet.resize, resnet.crop),
        (Some(Resize::Shorter(256)), crop(224, Centre::Down))
    );
    assert_eq!((resnet.scale, resnet.mean.len()), (1.0, 0));
    let warped = read(
        r#"{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}}"#,
    )
    .unwrap();
    assert_eq!(
        (warped.resize, warped.crop),
        (Some(Resize::Exact(384, 384)), None)
    );
}

#[test]
fn what_is_not_understood_is_named() {
    for (text, fact) in [
        ("rezise = 3", "key \"rezise\" is not understood"),
        ("resize = 0", "resize is 0"),
        ("resize = [1, 2, 3]", "resize is [1,2,3]"),
        ("colours = 'cmyk'", "rgb, bgr, grey"),
        ("scale = '1/0'", "scale is \"1/0\""),
        ("interpolation = 3", "interpolation is 3"),
        ("scale = ", "neither JSON nor TOML"),
        ("{\"scale\": }", "is not JSON"),
        (
            r#"{"image_processor_type": "LevitImageProcessor", "size": 224}"#,
            "LevitImageProcessor is not among",
        ),
        (
            r#"{"image_processor_type": "ViTImageProcessor", "do_pad": true}"#,
            "do_pad: true is not understood",
        ),
        (
            r#"{"image_processor_type": "ViTImageProcessor", "crop_pct": 0.9}"#,
            "crop_pct: 0.9",
        ),
        (
            r#"{"do_resize": true, "size": 224}"#,
            "no image_processor_type",
        ),
        (
            r#"{"do_resize": true, "size": {"longest_edge": 224}}"#,
            "size is {\"longest_edge\":224}",
        ),
        (
            r#"{"do_resize": true, "size": {"shortest_edge": 4}, "resample": 9}"#,
            "resample",
        ),
        (r#"{"do_normalize": true}"#, "no image_mean"),
        (r#"{"do_resize": 1}"#, "do_resize is 1"),
    ] {
        let message = read(text).unwrap_err();
        assert!(message.contains(fact), "{message}");
    }
}

#[test]
fn crops_and_channel_orders_reach_the_values() {
    let place = Place::new();
    place.write(
        "a/a.png",
        &picture(8, 6, [10, 20, 30], image::ImageFormat::Png),
    );
    let options = OpenOptions {
        resize: Some(Resize::Shorter(3)),
        crop: crop(2, Centre::HalfToEven),
        colours: Some(Colours::Bgr),
        ..OpenOptions::default()
    };
    let data = open(place.path(), &options, Some(&[3, 2, 2])).unwrap();
    let expected = [[30.0; 4], [20.0; 4], [10.0; 4]].concat();
    assert_eq!(data.read(0).unwrap().values, expected);
    // A network with its channels last gets them there.
    let data = open(place.path(), &options, Some(&[2, 2, 3])).unwrap();
    assert_eq!(data.read(0).unwrap().values, [30.0, 20.0, 10.0].repeat(4));
    for (resize, size, fact) in [
        (
            Some(Resize::Shorter(3)),
            4,
            "larger than what resize leaves",
        ),
        (None, 7, "smaller than the crop of 7x7"),
        (None, 0, "crop is 0x0"),
    ] {
        let options = OpenOptions {
            resize,
            crop: crop(size, Centre::Down),
            ..OpenOptions::default()
        };
        let found = open(place.path(), &options, None).and_then(|data| data.read(0));
        let message = found.unwrap_err().to_string();
        assert!(message.contains(fact), "{message}");
    }
}
