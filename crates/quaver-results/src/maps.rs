//! Maps of images: a sheet of pictures, numbers and words, all of it as arrays.

mod arrays;
mod sheets;
mod summary;

use quaver::ImageMap;
use quaver::table::{Column, Kind, Value};
use quaver_report::{Page, RankingTable, ReportError, RunRecord, Section, TableRow, typeset};

use crate::{class_name, named};

pub use arrays::write as write_map;
pub use sheets::sheet as map_sheet;
pub use summary::{
    json as map_json, maps_table, table as map_table, text as map_text, words as map_words,
};

/// The page about maps, of the network and the images that the record names: a section for each image
/// ([`map_section`]), and the rows of [`map_rows`] about them.
pub fn map_page(record: &RunRecord, images: Vec<Section>, rows: Vec<Vec<Value>>) -> Page {
    let (network, data) = named(record);
    let page = Page::new(format!("Maps of {data}")).lead(format!(
        "Where in an image the answer of {network} can be moved: the influence measure FI (Shu & Zhu, AAAI-19) of small \
         windows, at several scales.",
    ));
    let guide = Section::new("How to read the maps").paragraph(
        "Each row of pictures is the measure of the window around every pixel at one scale, first laid over the image, then \
         by itself, with a companion and the rank. Bright is more influential; the bar below a picture says from which value \
         to which, and bars of two pictures are not the same. A map of FI whose windows reach FI's ceiling is flat; \
         fi_lambda, which has no such ceiling, is shown in its place, and the words below the row say so.",
    );
    let page = images.into_iter().fold(page.section(guide), Page::section);
    page.section(numbers(rows))
}

/// The section of a page that shows the maps of one image, a row of pictures for each scale.
///
/// # Errors
/// If a picture cannot be encoded.
pub fn map_section(
    name: &str,
    map: &ImageMap,
    class_names: Option<&[String]>,
) -> Result<Section, ReportError> {
    let class = |class: usize, p: f64| {
        let name = class_name(class_names, class);
        format!("{name}, p {}", typeset(p, 4))
    };
    let mut facts = vec![("Predicted", class(map.predicted, map.p_predicted))];
    if map.label != map.predicted {
        facts.push(("Objective about", class(map.label, map.p_label)));
    }
    let saturation = format!("{:.1} %", 100.0 * map.whole.saturation);
    facts.extend([
        ("Ceiling of FI", typeset(map.fi_max(), 4)),
        ("Whole image: FI, of its ceiling", saturation),
        (
            "Whole image: rank",
            format!("{} of {}", map.whole.rank, map.rank_max),
        ),
    ]);
    let section = Section::new(name)
        .facts(facts)
        .paragraph(summary::words(map, class_names));
    let figures = sheets::figures(map)?;
    Ok(figures.into_iter().fold(section, Section::figure))
}

/// The rows of a page's table about one image, whose files are called `name`.
pub fn map_rows(name: &str, map: &ImageMap) -> Vec<Vec<Value>> {
    let named = |row: Vec<Value>| std::iter::once(name.into()).chain(row).collect();
    summary::rows(map).into_iter().map(named).collect()
}

/// The section of a page with what is said of every map of every image.
fn numbers(rows: Vec<Vec<Value>>) -> Section {
    let image = Column::new("image", Kind::Text, "Name of the image's files.");
    let n_cells = rows.first().map_or(0, Vec::len);
    let asked = n_cells > 1 + summary::columns(false).len();
    let columns = std::iter::once(image)
        .chain(summary::columns(asked))
        .collect();
    let table = RankingTable::new("Every map of every image", columns)
        .rows(rows.into_iter().map(TableRow::new));
    Section::new("All numbers").table(table)
}
