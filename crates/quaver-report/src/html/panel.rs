//! A picture among others of its size, with what belongs to it in words that a page can set: a title, a remark, and
//! which values its colours stand for.

use serde::{Deserialize, Serialize};

use super::figure::write_picture;
use crate::json;
use crate::markup::Markup;
use crate::number::typeset;
use crate::picture::Thumbnail;

/// A picture of a figure made of several.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Panel {
    picture: Thumbnail,
    title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<Range>,
}

/// The values of the darkest and the brightest colour of the map viridis.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Range {
    #[serde(with = "json::number")]
    low: f64,
    #[serde(with = "json::number")]
    high: f64,
}

impl Panel {
    /// A picture under a title.
    pub fn new(picture: Thumbnail, title: impl Into<String>) -> Self {
        Self {
            picture,
            title: title.into(),
            note: String::new(),
            range: None,
        }
    }

    /// Adds a line below the picture: what the reader must know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Says which values the colours run from and to.
    #[must_use]
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some(Range { low, high });
        self
    }

    pub(super) fn write(&self, list: &mut Markup) {
        list.element("li", &[], |item| {
            item.phrase("span", &[("class", "name")], &self.title);
            write_picture(item, &self.picture, 1);
            if let Some(Range { low, high }) = self.range {
                item.element("span", &[("class", "scale")], |scale| {
                    scale.leaf("span", &[], &end(low));
                    scale.leaf("span", &[("class", "sr")], " to ");
                    scale.leaf("span", &[], &end(high));
                });
            }
            if !self.note.is_empty() {
                item.phrase("span", &[("class", "remark")], &self.note);
            }
        });
    }
}

/// The value at an end of a scale; counts are whole.
pub(crate) fn end(value: f64) -> String {
    match value.fract() == 0.0 && value.abs() < 1e6 {
        true => format!("{value}"),
        false => typeset(value, 3),
    }
}
