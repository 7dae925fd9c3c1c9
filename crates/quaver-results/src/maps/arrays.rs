//! All maps of an image as arrays.

use std::path::Path;

use quaver::{ImageMap, MapMeasure, Region};
use quaver_report::{NpzWriter, ReportError};

/// Writes `x` and `direction` (C, H, W), and for each measure and scale `fi_scale3` (C, H, W), one channel at a time, and
/// `fi_scale3_all` (H, W), all channels together.
pub fn write(path: &Path, map: &ImageMap, measures: &[MapMeasure]) -> Result<(), ReportError> {
    let axes = map.axes;
    let image = [axes.channels, axes.height, axes.width];
    let mut file = NpzWriter::create(path)?;
    let ok = |value: &f64| Ok::<f64, ReportError>(*value);
    file.array("x", &image, map.input.iter().map(ok))?;
    file.array("direction", &image, map.direction.iter().map(ok))?;
    for &measure in measures {
        for &scale in &map.scales {
            let plane = |region| map.plane(measure, scale, region).unwrap_or_default();
            let name = format!("{}_scale{scale}", measure.name());
            let channels =
                (0..axes.channels).flat_map(|c| plane(Region::Channel(c)).iter().map(ok));
            file.array(&name, &image, channels)?;
            let all = plane(Region::All).iter().map(ok);
            file.array(&format!("{name}_all"), &image[1..], all)?;
        }
    }
    file.finish()
}
