//! A plot or a row of pictures with everything that makes it understandable: title, legend, caption, how to read it,
//! and the same in words.

use serde::{Deserialize, Serialize};

use crate::markup::{Markup, coordinate};
use crate::picture::Thumbnail;
use crate::plot::{Chart, Drawing, draw_swatch};

/// A figure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figure {
    title: String,
    content: Content,
    caption: String,
    how_to_read: String,
    summary: String,
    #[serde(default)]
    wide: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Chart(Chart),
    Pictures(Vec<(Thumbnail, String)>),
}

impl Figure {
    /// A figure that shows a plot.
    pub fn new(title: impl Into<String>, chart: impl Into<Chart>) -> Self {
        Self::with(title.into(), Content::Chart(chart.into()))
    }

    /// A figure that shows pictures, each with a few words below it.
    pub fn pictures<T: Into<String>>(
        title: impl Into<String>,
        pictures: impl IntoIterator<Item = (Thumbnail, T)>,
    ) -> Self {
        let pictures = pictures.into_iter();
        let pictures = pictures.map(|(picture, words)| (picture, words.into()));
        Self::with(title.into(), Content::Pictures(pictures.collect()))
    }

    fn with(title: String, content: Content) -> Self {
        Self {
            title,
            content,
            caption: String::new(),
            how_to_read: String::new(),
            summary: String::new(),
            wide: false,
        }
    }

    /// What the figure shows.
    #[must_use]
    pub fn caption(mut self, text: impl Into<String>) -> Self {
        self.caption = text.into();
        self
    }

    /// How someone who has never seen such a figure finds out what it says.
    #[must_use]
    pub fn how_to_read(mut self, text: impl Into<String>) -> Self {
        self.how_to_read = text.into();
        self
    }

    /// What the figure says, for those who cannot see it. Without it, axes and series are listed.
    #[must_use]
    pub fn summary(mut self, text: impl Into<String>) -> Self {
        self.summary = text.into();
        self
    }

    /// Gives the figure a row of its own, for what is hard to read in half of one: many blocks, a sheet of pictures.
    #[must_use]
    pub fn wide(mut self, wide: bool) -> Self {
        self.wide = wide;
        self
    }

    /// Writes it, its title as a heading of this kind.
    pub(super) fn write(&self, section: &mut Markup, heading: &'static str) {
        let attributes: &[(&str, &str)] = match self.wide {
            true => &[("class", "wide")],
            false => &[],
        };
        section.element("figure", attributes, |figure| {
            figure.leaf(heading, &[("class", "title")], &self.title);
            let notes = match &self.content {
                Content::Chart(chart) => self.write_chart(figure, chart.draw()),
                Content::Pictures(pictures) => {
                    // Small pictures are shown at twice their size, what has a row of its own as it is.
                    write_pictures(figure, pictures, if self.wide { 1 } else { 2 });
                    Vec::new()
                }
            };
            figure.element("figcaption", &[], |caption| {
                if !self.caption.is_empty() {
                    caption.leaf("p", &[], &self.caption);
                }
                for note in &notes {
                    caption.leaf("p", &[], note);
                }
                if !self.how_to_read.is_empty() {
                    caption.element("p", &[("class", "how")], |how| {
                        how.leaf("strong", &[], "How to read this.");
                        how.text(" ");
                        how.text(&self.how_to_read);
                    });
                }
            });
        });
        section.line();
    }

    /// Writes the plot and its legend; gives back what the caption must say.
    fn write_chart(&self, figure: &mut Markup, drawing: Drawing) -> Vec<String> {
        let (width, height) = (coordinate(drawing.width), coordinate(drawing.height));
        let words = match self.summary.is_empty() {
            true => &drawing.summary,
            false => &self.summary,
        };
        let view = format!("0 0 {width} {height}");
        let mut attributes = vec![
            ("class", "chart"),
            ("viewBox", &*view),
            ("role", "img"),
            ("aria-label", words),
        ];
        if let Some([x, y]) = &drawing.axes {
            attributes.extend([("data-x", &**x), ("data-y", &**y)]);
        }
        figure.element("svg", &attributes, |svg| svg.append(drawing.svg));
        if drawing.legend.len() > 1 {
            figure.element("ul", &[("class", "legend")], |legend| {
                for (number, name, swatch) in &drawing.legend {
                    legend.element("li", &[], |item| {
                        draw_swatch(item, *number, *swatch);
                        item.text(" ");
                        item.text(name);
                    });
                }
            });
        }
        drawing.notes
    }
}

fn write_pictures(figure: &mut Markup, pictures: &[(Thumbnail, String)], scale: usize) {
    figure.element("ul", &[("class", "pictures")], |list| {
        for (picture, words) in pictures {
            list.element("li", &[], |item| {
                write_picture(item, picture, scale);
                item.leaf("span", &[], words);
            });
        }
    });
}

/// Writes a picture at a multiple of its size.
pub(super) fn write_picture(markup: &mut Markup, picture: &Thumbnail, scale: usize) {
    let attributes = [
        ("class", picture.class()),
        ("src", &*picture.uri),
        ("alt", &*picture.alt),
        ("width", &*(picture.width * scale).to_string()),
        ("height", &*(picture.height * scale).to_string()),
    ];
    markup.void("img", &attributes);
}
