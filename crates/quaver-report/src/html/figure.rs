//! A plot or a row of pictures with everything that makes it understandable: title, legend, caption, how to read it,
//! and the same in words.

use serde::{Deserialize, Serialize};

use super::panel::Panel;
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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    led: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content {
    Chart(Chart),
    Pictures(Vec<(Thumbnail, String)>),
    Panels(Vec<Panel>),
}

/// Pictures of up to this width, in pixels of the screen, are shown at twice their size.
const SMALL: usize = 160;

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

    /// A figure that shows pictures in columns of one width, each with a title, a remark and a scale of colours.
    pub fn panels(title: impl Into<String>, panels: impl IntoIterator<Item = Panel>) -> Self {
        Self::with(title.into(), Content::Panels(panels.into_iter().collect()))
    }

    fn with(title: String, content: Content) -> Self {
        Self {
            title,
            content,
            caption: String::new(),
            how_to_read: String::new(),
            summary: String::new(),
            wide: false,
            led: false,
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

    /// Sets the first picture apart from the others, which show what became of it.
    #[must_use]
    pub fn led(mut self) -> Self {
        self.led = true;
        self
    }

    /// Writes it, its title as a heading of this kind.
    pub(super) fn write(&self, section: &mut Markup, heading: &'static str) {
        let attributes: &[(&str, &str)] = match self.wide {
            true => &[("class", "wide")],
            false => &[],
        };
        section.element("figure", attributes, |figure| {
            figure.phrase(heading, &[("class", "title")], &self.title);
            let mut notes = Vec::new();
            match &self.content {
                Content::Chart(chart) => notes = self.write_chart(figure, chart.draw(self.wide)),
                Content::Pictures(pictures) => match &pictures[..] {
                    [first, others @ ..] if self.led => {
                        figure.element("div", &[("class", "led")], |row| {
                            write_pictures(row, std::slice::from_ref(first));
                            write_pictures(row, others);
                        });
                    }
                    all => write_pictures(figure, all),
                },
                Content::Panels(panels) => {
                    figure.element("ul", &[("class", "panels")], |list| {
                        panels.iter().for_each(|panel| panel.write(list));
                    });
                }
            }
            figure.element("figcaption", &[], |caption| {
                if !self.caption.is_empty() {
                    caption.phrase("p", &[], &self.caption);
                }
                for note in &notes {
                    caption.leaf("p", &[], note);
                }
                if !self.how_to_read.is_empty() {
                    caption.element("p", &[("class", "how")], |how| {
                        how.leaf("strong", &[], "How to read this.");
                        how.text(" ");
                        how.words(&self.how_to_read);
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
        // What needs a whole row is as good as unreadable on a phone, unless it keeps its size and is pushed along there.
        let class = if self.wide { "across" } else { "within" };
        figure.element("div", &[("class", class)], |place| {
            place.element("svg", &attributes, |svg| svg.append(drawing.svg));
        });
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

fn write_pictures(figure: &mut Markup, pictures: &[(Thumbnail, String)]) {
    figure.element("ul", &[("class", "pictures")], |list| {
        for (picture, words) in pictures {
            list.element("li", &[], |item| {
                let scale = if picture.width <= SMALL { 2 } else { 1 };
                write_picture(item, picture, scale);
                item.phrase("span", &[], words);
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
