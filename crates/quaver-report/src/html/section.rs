//! A section of a page: a heading and what follows it, in order.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::table::RankingTable;
use crate::markup::Markup;

/// Headings of sections by their depth, and of the figures in them one further.
const HEADINGS: [&str; 5] = ["h2", "h3", "h4", "h5", "h6"];
const DEEPEST: usize = HEADINGS.len() - 2;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(depth: &usize) -> bool {
    *depth == 0
}

/// A part of a page under a heading of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Section {
    heading: String,
    /// How many sections it is within: those of a page that was gathered with others are within one of its title.
    #[serde(default, skip_serializing_if = "is_zero")]
    depth: usize,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Block {
    Paragraph(String),
    List(Vec<String>),
    Facts(Vec<(String, String)>),
    Callout(Tone, String),
    Table(RankingTable),
    Figure(Box<Figure>),
}

/// How the reader should take something. It is always said by a word or a shape as well as by a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Good to know.
    Note,
    /// As it should be.
    Good,
    /// To be read with care.
    Caution,
    /// Wrong.
    Problem,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Tone::Note => "note",
            Tone::Good => "good",
            Tone::Caution => "caution",
            Tone::Problem => "problem",
        }
    }

    pub(super) fn shape(self) -> &'static str {
        match self {
            Tone::Note => "●",
            Tone::Good => "✓",
            Tone::Caution => "▲",
            Tone::Problem => "✕",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Tone::Note => "Note",
            Tone::Good => "Good",
            Tone::Caution => "Caution",
            Tone::Problem => "Problem",
        }
    }
}

impl Section {
    /// A section with nothing in it.
    pub fn new(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            depth: 0,
            blocks: Vec::new(),
        }
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn paragraph(self, text: impl Into<String>) -> Self {
        self.with(Block::Paragraph(text.into()))
    }

    /// Adds a list of points.
    #[must_use]
    pub fn list<T: Into<String>>(self, items: impl IntoIterator<Item = T>) -> Self {
        self.with(Block::List(items.into_iter().map(Into::into).collect()))
    }

    /// Adds facts, each a name and a value: `("Accuracy", "98.5 %")`.
    #[must_use]
    pub fn facts<N: Into<String>, V: Into<String>>(
        self,
        facts: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let facts = facts.into_iter();
        let facts = facts.map(|(name, value)| (name.into(), value.into()));
        self.with(Block::Facts(facts.collect()))
    }

    /// Adds a sentence that must not be overlooked.
    #[must_use]
    pub fn callout(self, tone: Tone, text: impl Into<String>) -> Self {
        self.with(Block::Callout(tone, text.into()))
    }

    /// Adds a table.
    #[must_use]
    pub fn table(self, table: RankingTable) -> Self {
        self.with(Block::Table(table))
    }

    /// Adds a figure. Figures that follow each other share a row where there is room.
    #[must_use]
    pub fn figure(self, figure: Figure) -> Self {
        self.with(Block::Figure(Box::new(figure)))
    }

    fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    pub(super) fn heading(&self) -> &str {
        &self.heading
    }

    /// No deeper than there are headings for, whatever a page that is read back says.
    pub(super) fn depth(&self) -> usize {
        self.depth.min(DEEPEST)
    }

    /// The same within one more.
    pub(super) fn within(mut self) -> Self {
        self.depth = (self.depth() + 1).min(DEEPEST);
        self
    }

    /// Writes it; `is_part` if others are within it.
    pub(super) fn write(&self, main: &mut Markup, id: &str, is_part: bool) {
        let heading_id = format!("{id}-heading");
        let class = if is_part { "part" } else { "plain" };
        let attributes = [
            ("id", id),
            ("class", class),
            ("aria-labelledby", &heading_id),
        ];
        main.element("section", &attributes, |section| {
            let depth = self.depth();
            let tag = HEADINGS[depth];
            let attributes = [("id", &*heading_id), ("class", "heading")];
            section.phrase(tag, &attributes, &self.heading);
            let is_figure = |block: &Block| matches!(block, Block::Figure(_));
            for blocks in self.blocks.chunk_by(|a, b| is_figure(a) && is_figure(b)) {
                section.line();
                if is_figure(&blocks[0]) {
                    section.element("div", &[("class", "figures")], |row| {
                        blocks.iter().for_each(|block| block.write(row, depth));
                    });
                } else {
                    blocks.iter().for_each(|block| block.write(section, depth));
                }
            }
        });
    }
}

impl Block {
    fn write(&self, section: &mut Markup, depth: usize) {
        match self {
            Block::Paragraph(text) => section.phrase("p", &[], text),
            Block::List(items) => section.element("ul", &[], |list| {
                items.iter().for_each(|item| list.phrase("li", &[], item));
            }),
            Block::Facts(facts) => section.element("dl", &[("class", "facts")], |list| {
                for (name, value) in facts {
                    list.element("div", &[], |fact| {
                        fact.phrase("dt", &[], name);
                        fact.phrase("dd", &[], value);
                    });
                }
            }),
            Block::Callout(tone, text) => {
                let class = format!("callout {}", tone.class());
                section.element("p", &[("class", &class), ("role", "note")], |callout| {
                    callout.element("strong", &[], |word| {
                        word.leaf("span", &[("aria-hidden", "true")], tone.shape());
                        word.text(" ");
                        word.text(tone.word());
                    });
                    callout.text(" ");
                    callout.phrase("span", &[], text);
                });
            }
            Block::Table(table) => table.write(section),
            Block::Figure(figure) => figure.write(section, HEADINGS[depth + 1]),
        }
    }
}
