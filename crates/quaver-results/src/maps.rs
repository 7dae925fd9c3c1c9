//! Maps of images: a sheet of pictures, numbers and words, all of it as arrays.

mod arrays;
mod sheets;
mod summary;

use quaver::ImageMap;
use quaver::table::{Column, Kind, Value};
use quaver_report::{Figure, RankingTable, Section, TableRow};

pub use arrays::write as write_map;
pub use sheets::sheet as map_sheet;
pub use summary::{
    json as map_json, maps_table, table as map_table, text as map_text, words as map_words,
};

/// The section of a page that shows maps, a figure for each image.
pub fn map_section(figures: Vec<Figure>) -> Section {
    let section = Section::new("Maps").paragraph(
        "How to read this: each row of pictures is the measure of the window around every pixel at one scale, first laid \
         over the image, then by itself, with a companion and the rank. Bright is more influential; the bar below a picture \
         says from which value to which, and bars of two pictures are not the same. A map of FI whose windows reach FI's \
         ceiling is flat; fi_lambda, which has no such ceiling, is shown in its place, and words in red say so.",
    );
    figures.into_iter().fold(section, Section::figure)
}

/// The rows of [`map_numbers`] about one image, whose files are called `name`.
pub fn map_rows(name: &str, map: &ImageMap) -> Vec<Vec<Value>> {
    let named = |row: Vec<Value>| std::iter::once(name.into()).chain(row).collect();
    summary::rows(map).into_iter().map(named).collect()
}

/// The section of a page with what is said of every map of every image.
pub fn map_numbers(rows: Vec<Vec<Value>>) -> Section {
    let image = Column::new("image", Kind::Text, "Name of the image's files.");
    let columns = std::iter::once(image).chain(summary::columns()).collect();
    let table = RankingTable::new("Every map of every image", columns)
        .rows(rows.into_iter().map(TableRow::new));
    Section::new("All numbers").table(table)
}
